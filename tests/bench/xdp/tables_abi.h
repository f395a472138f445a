/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * What tables.bpf.c and tables.c share.
 */
#ifndef TESTS_BENCH_XDP_TABLES_ABI_H
#define TESTS_BENCH_XDP_TABLES_ABI_H

#include <linux/types.h>

struct tables_question {
    __u64 hi; /* left-aligned, as struct map_key */
    __u64 lo;
    __u32 ipv6;
    __u32 reserved;
    __u32 key[6]; /* prefix length and address in network order, as BPF's trie wants it */
};

/* Constant after load. */
struct tables_config {
    __u32 question_n;
    __u32 block_v4; /* of the client space's tables, and of the records */
    __u32 block_v6;
    __u32 records_block;
    __u32 block_n; /* of the image */
};

_Static_assert(sizeof(struct tables_question) == 48, "question layout");

#endif
