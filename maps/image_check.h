/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether bytes are a well-formed image. Everything the cores, image_walk() and
 * image_find_provenance() rely on is proven here, so that they need no further check. Split by
 * section: image_check.c has header, PoPs, maps and records, table_check.c the lookup tables,
 * provenance_check.c the provenance.
 */
#ifndef MAPS_IMAGE_CHECK_H
#define MAPS_IMAGE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "maps/image_abi.h"

/* `bytes` is aligned to 8. 0, -EINVAL with the reason, or -ENOMEM. `with_digest` is off only for
 * bytes the caller has just computed the checksum of. */
int image_check(const uint8_t *bytes, size_t len, bool with_digest, struct failure *failure);

/* "A-Z a-z 0-9 . _ -" only, not empty, NUL-terminated and NUL-filled: a name that stands in
 * commands, paths, globs and metrics without quoting. */
bool image_name_is_clean(const char name[static MAP_NAME_SIZE]);

/* Of a section that lies inside the image. `record_allowed` has a byte per record: whether this map
 * may refer to it. `ret_whole_record`: the one record of a table with depth 0, else UINT32_MAX. */
int table_check(const uint8_t *image, const struct map_section *section,
                const uint8_t *record_allowed, uint32_t record_n, uint32_t *ret_whole_record,
                struct failure *failure);

/* Ranges and rows that lie inside the image; `rows` may be NULL when the image has none. */
int provenance_check(const uint8_t *image,
                     const struct map_section *ranges[MAP_SPACES][MAP_FAMILIES],
                     const struct map_section *rows, uint32_t pop_n, struct failure *failure);

/* Where the section's bytes start. */
static inline const void *section_bytes(const uint8_t *image, const struct map_section *section)
{
    return image + (size_t)section->first_block * MAP_BLOCK_SIZE;
}

#endif
