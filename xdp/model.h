/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's way of a packet on the host: the same cores over tables in memory. For tests,
 * fuzzers and explain. The kernel's part that is imitated is small: room in front of and behind the
 * frame, clocks. One thread per model; it allocates once.
 */
#ifndef XDP_MODEL_H
#define XDP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/image.h"
#include "xdp/fast_abi.h"

#define MODEL_FRAME_MAX 2048u

struct model;

/* What the program finds in its arrays. All borrowed. */
struct model_tables {
    uint64_t word; /* of the control word only whether there are slots counts here */
    const struct fast_policy *policy; /* NULL: no such slot */
    const uint8_t *templates;         /* blocks, aligned to 8 at least */
    uint32_t template_blocks;
    const struct map_region *image; /* NULL: none */
    const struct fast_state *states;
    uint32_t service_n;
    uint64_t now_wall_s;
    bool stale;
};

/* How much an answer may be longer than the packet. */
struct model_room {
    uint32_t head;
    uint32_t tail;
};

enum model_growth {
    MODEL_GROWN_NOT,
    MODEL_GROWN_TAIL,
    MODEL_GROWN_HEAD,
};

struct model_result {
    bool answered;
    enum fast_answer answer; /* if it is; else */
    enum fast_reason reason;
    enum model_growth growth;
    const uint8_t *frame; /* of the answer: in the model, until the next run */
    size_t frame_len;
    size_t message_at; /* where in the frame DNS begins */
    size_t message_len;
};

struct model *model_new(void); /* NULL: out of memory */
void model_free(struct model *model);

/* `frame` from its Ethernet header on. */
void model_run(struct model *model, const struct model_tables *tables,
               const struct model_room *room, const uint8_t *frame, size_t len,
               struct model_result *ret_result);

#endif
