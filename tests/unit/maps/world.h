/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random maps for the tests: runs of records for every table, and the image built from them.
 */
#ifndef TESTS_UNIT_MAPS_WORLD_H
#define TESTS_UNIT_MAPS_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "maps/image.h"
#include "maps/image_writer.h"
#include "oracle.h"

#define WORLD_POPS 12
#define WORLD_MAPS 2
#define WORLD_RECORDS 60 /* per map */

struct world_table {
    struct image_run *runs; /* record: index into world->records[map], or SPECIAL, FALLBACK */
    size_t run_n;
    bool whole;
};

struct world {
    struct map_record records[WORLD_MAPS][WORLD_RECORDS];
    struct world_table tables[WORLD_MAPS][MAP_SPACES][MAP_FAMILIES];
};

/* `run_n` runs per table, more or less. Deep tables have borders at every bit; others like
 * announced prefixes. */
struct world *world_new(uint64_t seed, size_t run_n);
void world_free(struct world *world);

/* Adds everything in the given order of records and tables (a seed for the shuffle; 0: natural
 * order). With provenance of `range_n` ranges per space and family. */
struct image_builder *world_builder(const struct world *world, uint64_t shuffle, size_t range_n);

/* Built, checked, read back. */
struct image *world_image(const struct world *world);

struct oracle world_oracle(const struct world *world, uint32_t map, enum map_space space,
                           enum map_family family);

/* Addresses where something could go wrong: borders of runs, their neighbours, random ones. */
wide world_probe(const struct world_table *table, bool ipv6, uint64_t *random);

/* A copy of bytes with the right checksum. */
void world_fix_digest(uint8_t *bytes, size_t len);

#endif
