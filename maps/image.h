/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The read side of the latency map image. An image is read whole into private memory (a file that
 * is overwritten or truncated while we serve cannot hurt), validated whole, then immutable and
 * shared by reference count between threads. Whatever passes image_open() can be walked by the
 * cores without a further check.
 */
#ifndef MAPS_IMAGE_H
#define MAPS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "maps/decide_core.h"
#include "maps/image_abi.h"
#include "maps/region_core.h"

struct image;

/* -EINVAL with "PATH: reason" for anything that is not a well-formed image; -errno of the file
 * system otherwise. The caller owns one reference. */
int image_open(const char *path, struct image **ret_image, struct failure *failure);

/* The same for bytes in memory, which are copied. `name` is for messages. */
int image_from_bytes(const char *name, const uint8_t *bytes, size_t len, struct image **ret_image,
                     struct failure *failure);

struct image *image_ref(struct image *image);
void image_unref(struct image *image); /* frees with the last reference; NULL is allowed */

const char *image_path(const struct image *image);
const struct map_header *image_header(const struct image *image);
const struct map_region *image_region(const struct image *image);
uint32_t image_records_block(const struct image *image);

uint32_t image_pop_count(const struct image *image);
const struct map_pop *image_pop(const struct image *image, uint32_t pop);
int image_find_pop(const struct image *image, const char *name); /* id, or -ENOENT */

uint32_t image_map_count(const struct image *image);
const struct map_entry *image_map(const struct image *image, uint32_t map);
int image_find_map(const struct image *image, const char *name); /* index, or -ENOENT */

/* What explain shows of a range: its row and estimates, borrowed from the image. False when the
 * image holds no provenance for this address. */
struct image_provenance {
    struct prefix from; /* first address of the range, full length */
    const struct map_row *row;
    const struct map_estimate *estimates; /* row->estimate_n of them */
};

bool image_find_provenance(const struct image *image, enum map_space space,
                           const struct map_address *address,
                           struct image_provenance *ret_provenance);

/* Every disjoint block of a table in address order. `visit` returns 0 to go on; anything else stops
 * and is returned. `start` and `depth` are the block's; record ids include FALLBACK and SPECIAL. */
typedef int (*image_block_visit)(void *context, const struct map_key *start, uint32_t depth,
                                 uint32_t record);

int image_walk(const struct image *image, uint32_t map, enum map_space space,
               enum map_family family, image_block_visit visit, void *context);

/* base/address.h <-> the cores' addresses (folding applied). */
void image_address_from(const struct address *address, struct map_address *ret_address);

#endif
