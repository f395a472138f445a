/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The write side: a builder takes PoPs, maps, records, tables (as runs of equal record in address
 * order) and provenance, then image_builder_finish() freezes it into bytes and
 * image_builder_write() puts those on disk (temporary file, fsync, rename). Equal input gives equal
 * bytes, whatever the order in which records were interned. One thread.
 */
#ifndef MAPS_IMAGE_WRITER_H
#define MAPS_IMAGE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "maps/image_abi.h"
#include "maps/lookup_core.h"

struct image_builder;

struct image_builder *image_builder_new(uint64_t generation, uint64_t parent_generation);
void image_builder_free(struct image_builder *builder); /* NULL is allowed */

/* In id order. Returns the id, or -EINVAL (name empty, too long, taken; coordinates), -ENOSPC. */
int image_builder_add_pop(struct image_builder *builder, const char *name, int32_t latitude_e6,
                          int32_t longitude_e6, struct failure *failure);

/* `pops`: every PoP of the map once, the first `default_n` are its configured default. Returns the
 * index. */
int image_builder_add_map(struct image_builder *builder, const char *name, const uint8_t *pops,
                          size_t pop_n, size_t default_n, struct failure *failure);

/* A temporary record id for table runs (remapped by finish to order of first use). -ENOSPC beyond
 * MAP_RECORD_MAX. */
int64_t image_builder_intern(struct image_builder *builder, const struct map_record *record);

/* A run reaches from `start` to the next run's start (the last to the end of the space). The first
 * starts at 0, starts rise strictly; equal neighbours are merged here. `record` may be
 * MAP_RECORD_SPECIAL or MAP_RECORD_FALLBACK. */
struct image_run {
    struct map_key start;
    uint32_t record;
    uint32_t reserved;
};

/* Each (map, space, family) exactly once. Builds the table at once; `runs` may be freed afterwards.
 * A run of 0 length or out of order: -EINVAL. A table of a single run keeps depth 0 only if the
 * caller says so (`whole` = every client of both families gets this record, RFC 7871
 * section 7.2.1), else it is cut into two blocks of depth 1. */
int image_builder_add_table(struct image_builder *builder, uint32_t map, enum map_space space,
                            enum map_family family, const struct image_run *runs, size_t run_n,
                            bool whole, struct failure *failure);

/* The offset of a provenance row to use in ranges; equal rows are stored once. */
int64_t image_builder_add_row(struct image_builder *builder, const struct map_row *row,
                              const struct map_estimate *estimates);

/* Sorted ranges of one (space, family), at most once each; optional. Only `start.hi` counts for
 * IPv6 (the upper 64 bits); for IPv4 its top 32 bits. */
struct image_provenance_range {
    uint64_t start_hi;
    uint32_t row;
    uint32_t reserved;
};

int image_builder_add_provenance(struct image_builder *builder, enum map_space space,
                                 enum map_family family,
                                 const struct image_provenance_range *ranges, size_t range_n,
                                 struct failure *failure);

struct image_stats {
    uint64_t blocks[MAP_SPACES][MAP_FAMILIES];      /* disjoint blocks, all maps */
    uint64_t table_bytes[MAP_SPACES][MAP_FAMILIES]; /* lookup tables */
    uint64_t records;
    uint64_t total_bytes;
};

/* Freezes; the builder takes nothing more. *ret_bytes is owned by the builder. */
int image_builder_finish(struct image_builder *builder, const uint8_t **ret_bytes, size_t *ret_len,
                         struct image_stats *ret_stats, struct failure *failure);

/* After finish. */
int image_builder_write(struct image_builder *builder, const char *path, struct failure *failure);

#endif
