/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A valid image laid open for damage: typed access to every part, and the checksum made right again
 * afterwards, so that what refuses it is the check of the content.
 */
#ifndef TESTS_UNIT_MAPS_VICTIM_H
#define TESTS_UNIT_MAPS_VICTIM_H

#include <stddef.h>
#include <stdint.h>

#include "maps/image_abi.h"

struct victim {
    uint8_t *bytes;
    size_t len;
    struct map_header *header;
    struct map_pop *pops;
    struct map_entry *maps;
    struct map_record *records;
    struct map_range4 *ranges4; /* client space */
    struct map_range6 *ranges6;
    uint64_t *rows;
};

/* A copy; free with victim_free(). */
struct victim *victim_new(const uint8_t *bytes, size_t len);
void victim_free(struct victim *victim);

/* The n-th section of a type. */
struct map_section *victim_section(struct victim *victim, enum map_section_type type, unsigned n);

/* The table of (map 0, client space, family) as words and as 8-byte units. */
struct map_section *victim_table(struct victim *victim, enum map_family family);
uint32_t *victim_words(struct victim *victim, enum map_family family);
uint64_t *victim_units(struct victim *victim, enum map_family family);

/* The unit where the first 6-bit node of that table lies. */
uint32_t victim_node(struct victim *victim, enum map_family family);

#endif
