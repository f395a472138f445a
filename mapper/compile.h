/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From what is known about addresses to the tables of an image. For every map and space the address
 * space is walked once, all layers side by side:
 *
 *   pins > measured blocks > special-purpose blocks > inference and geography > the map's default
 *
 * and what comes out is a list of runs of equal ranking, which the image writer turns into disjoint
 * blocks. Starts of runs lie on /24 and /56 in the client space, unless a pin is finer.
 */
#ifndef MAPPER_COMPILE_H
#define MAPPER_COMPILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/asn.h"
#include "mapper/cells.h"
#include "mapper/config.h"
#include "mapper/geo.h"
#include "mapper/infer.h"
#include "mapper/overrides.h"
#include "maps/image_writer.h"

struct compile_input {
    const struct config *config;
    const struct geo *geo;
    const struct asn_table *asn;
    const struct overrides *overrides;
    const struct cell_table *cells;
    const struct infer *infer;
    uint64_t generation;
    unsigned threads;
};

struct compile_report {
    struct steps sources[MAP_FAMILIES]; /* of the client space: where data alone take the ranking
                                           from (enum map_source) */
    uint64_t rankings;                  /* different ones, pins told apart */
    uint64_t resolvers;                 /* listed in the resolver space */
};

void compile_report_done(struct compile_report *report);

/* Adds PoPs, maps, tables and provenance; the caller finishes the builder. */
int compile_image(const struct compile_input *input, struct image_builder *builder,
                  struct compile_report *ret_report, struct failure *failure);

#endif
