/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The operator's pins: CSV rows that put given PoPs first for a prefix. The longest prefix decides;
 * pins win over everything else. Two layouts:
 *
 *   prefix,pop[,pop...]                                  with that header or without one
 *   prefix,map,space,pops,reason,owner,expires           by header, columns in any order, all but
 * prefix and pops optional; several pops are separated by blanks, ';' or '|'
 *
 * Lines that are empty or start with '#' are skipped. `expires` is unix seconds, YYYY-MM-DD or
 * YYYY-MM-DDTHH:MM:SSZ and is compared with the generation being built, never with a clock.
 */
#ifndef MAPPER_OVERRIDES_H
#define MAPPER_OVERRIDES_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/config.h"
#include "mapper/key.h"
#include "mapper/line_stream.h"
#include "mapper/steps.h"

struct override {
    struct key_prefix prefix;
    uint64_t pops;      /* as in a record: byte i = the i-th PoP, MAP_POP_NONE after the last */
    uint64_t expires_s; /* UINT64_MAX never */
    uint64_t line;
    uint32_t maps;  /* bit i: map i */
    uint16_t file;  /* index into config->overrides */
    uint8_t spaces; /* bit i: enum map_space i */
    uint8_t pop_n;
};

struct overrides {
    struct override *item;
    size_t n;
    size_t capacity;
    size_t finer_n; /* client pins finer than /24 and /56: resolvers send no ECS that could meet
                       them */
    struct failure finer; /* the first of them, as "FILE:LINE: ..." */
};

/* Reads every file of config->overrides. "FILE:LINE: reason" on failure. */
int overrides_load(const struct config *config, struct overrides *ret_overrides,
                   struct failure *failure);

/* Adds the rows of one stream; `file` is its index in config->overrides. */
int overrides_read(struct overrides *overrides, const struct config *config, uint16_t file,
                   struct line_stream *stream, struct failure *failure);

void overrides_done(struct overrides *overrides);

/* The pins of one table, those that expired by `generation` left out; values are indexes into
 * item[]. Two rows that pin one prefix differently are an error. */
int overrides_steps(const struct overrides *overrides, const struct config *config, size_t map,
                    enum map_space space, enum map_family family, uint64_t generation,
                    struct steps *ret_steps, struct failure *failure);

#endif
