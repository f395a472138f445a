/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A rendering under way, shared by the files of this folder and nobody else.
 */
#ifndef EDGE_RENDER_WORK_H
#define EDGE_RENDER_WORK_H

#include <stdint.h>

#include "edge/render/render.h"
#include "edge/render/render_ask.h"

struct arena;

/* What stands before the service's records: the aliases of zones that lead to it. */
struct render_front {
    size_t len;
    uint16_t rr_n;
    uint16_t owner; /* of the service's records: a pointer */
};

/* The records each PoP of a service contributes, for a type: the same wherever their owner is the
 * same pointer, or, where its answer is an alias that pointers lead into, at all its names of one
 * length. */
struct render_variants {
    uint32_t next; /* index + 1 of the service's next ones */
    uint16_t qtype;
    uint16_t place;            /* the pointer, or the length */
    enum render_reason reason; /* RENDER_TAKEN: they are in the table; else why not */
    uint8_t attributes;
    uint32_t block;                          /* in the table */
    const struct template_variant *variants; /* MAP_STATES, with the TTLs zero */
};

struct render_work {
    struct template_builder *builder;
    struct render_ask ask;
    struct arena *arena; /* bytes of the variants */
    uint32_t *first;     /* by service: index + 1 of its first variants, 0: none */
    struct render_variants *variants;
    uint32_t variants_n;
    uint32_t variants_room;
    bool failed; /* out of memory: what is asked of it from then on says RENDER_FULL */
    struct render_reply plain, upper, other;
    struct render_front front; /* of what is being rendered; `plain` goes on behind it */
};

int render_work_init(struct render_work *work, const struct snapshot *snapshot, uint32_t block_max,
                     uint64_t seed);
void render_work_done(struct render_work *work);

/* Renders one name (lower case) and type into the builder. */
enum render_reason render_one(struct render_work *work, const uint8_t *name, uint16_t qtype);

/* The same once it is known that a service chose what work->plain says. */
enum render_reason render_geo(struct render_work *work, const uint8_t *name, uint16_t qtype);

/* What became of an attempt to add to the builder. */
enum render_reason render_added(struct render_work *work, int status);

#endif
