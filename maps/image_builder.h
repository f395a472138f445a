/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Private to image_writer.c, which collects the parts of an image, and image_layout.c, which lays
 * them out.
 */
#ifndef MAPS_IMAGE_BUILDER_H
#define MAPS_IMAGE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "maps/content_index.h"
#include "maps/image_abi.h"
#include "maps/image_writer.h"
#include "maps/table_builder.h"

#define IMAGE_UNIT_SIZE ((size_t)8) /* of provenance rows */

struct image_ranges {
    struct image_provenance_range *items;
    size_t n;
};

struct image_builder {
    uint64_t generation;
    uint64_t parent_generation;
    struct map_pop pops[MAP_MAX_POPS];
    uint32_t pop_n;
    struct map_entry maps[MAP_MAX_MAPS];
    uint32_t map_n;
    struct map_record *records; /* by temporary id */
    uint32_t record_n;
    uint32_t record_max;
    struct content_index record_index;
    struct table tables[MAP_MAX_MAPS][MAP_SPACES][MAP_FAMILIES];
    uint64_t *rows; /* by temporary offset */
    uint32_t row_units;
    uint32_t row_units_max;
    struct content_index row_index;
    struct image_ranges ranges[MAP_SPACES][MAP_FAMILIES];
    uint8_t *bytes; /* set by finish */
    size_t len;
    struct image_stats stats;
};

/* -EINVAL once the image is finished. */
int image_builder_check_open(const struct image_builder *builder, struct failure *failure);

/* Frees what only serves building; the finished bytes stay. */
void image_builder_drop_parts(struct image_builder *builder);

#endif
