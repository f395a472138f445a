/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * What goes into and comes out of the program in cores.bpf.c: read by it and by cores_check.c. The
 * program takes one question per run, in order, so that one BPF_PROG_TEST_RUN with a repeat count
 * works through all of them.
 */
#ifndef XDP_CORES_ABI_H
#define XDP_CORES_ABI_H

#include <linux/types.h>

#include "maps/decide_core.h"
#include "maps/select_core.h"

struct cores_question {
    struct map_client client;
    __u32 map;    /* index in the image */
    __u32 states; /* index of the state table */
    __u32 want;   /* 1..MAP_PICKS_MAX */
    __u32 reserved;
};

struct cores_answer {
    struct map_verdict verdict;
    struct map_picks picks;
    __u64 done; /* 1 once the program has written this answer, 2 when it could not read the image */
};

/* Constant after load. */
struct cores_config {
    __u32 question_n;
    __u32 maps_block;    /* first block of the maps section */
    __u32 records_block; /* first block of the records section */
    __u32 block_n;       /* of the image */
};

_Static_assert(sizeof(struct cores_question) == 64, "question layout");
_Static_assert(sizeof(struct cores_answer) == 56, "answer layout");

#endif
