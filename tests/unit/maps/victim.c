/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "victim.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static void *at_section(struct victim *victim, const struct map_section *section)
{
    return victim->bytes + (size_t)section->first_block * MAP_BLOCK_SIZE;
}

struct victim *victim_new(const uint8_t *bytes, size_t len)
{
    struct victim *victim = calloc(1, sizeof(*victim));

    victim->bytes = malloc(len);
    victim->len = len;
    memcpy(victim->bytes, bytes, len);
    victim->header = (void *)victim->bytes;
    victim->pops = at_section(victim, victim_section(victim, MAP_SECTION_POPS, 0));
    victim->maps = at_section(victim, victim_section(victim, MAP_SECTION_MAPS, 0));
    victim->records = at_section(victim, victim_section(victim, MAP_SECTION_RECORDS, 0));
    victim->ranges4 = at_section(victim, victim_section(victim, MAP_SECTION_PROVENANCE_RANGES, 0));
    victim->ranges6 = at_section(victim, victim_section(victim, MAP_SECTION_PROVENANCE_RANGES, 1));
    victim->rows = at_section(victim, victim_section(victim, MAP_SECTION_PROVENANCE_ROWS, 0));
    return victim;
}

void victim_free(struct victim *victim)
{
    free(victim->bytes);
    free(victim);
}

struct map_section *victim_section(struct victim *victim, enum map_section_type type, unsigned n)
{
    for (uint32_t i = 0; i < victim->header->section_n; i++) {
        if (victim->header->sections[i].type == type && !n--) {
            return &victim->header->sections[i];
        }
    }
    cr_assert_fail("the image lacks section type %d", (int)type);
    return NULL;
}

struct map_section *victim_table(struct victim *victim, enum map_family family)
{
    return victim_section(victim, MAP_SECTION_TABLE, family);
}

uint32_t *victim_words(struct victim *victim, enum map_family family)
{
    return at_section(victim, victim_table(victim, family));
}

uint64_t *victim_units(struct victim *victim, enum map_family family)
{
    return at_section(victim, victim_table(victim, family));
}

static uint32_t first_child(const uint32_t *words, uint32_t word_n)
{
    for (uint32_t i = 0; i < word_n; i++) {
        if (!(words[i] & MAP_LEAF)) {
            return words[i];
        }
    }
    return 0;
}

uint32_t victim_node(struct victim *victim, enum map_family family)
{
    const uint32_t *words = victim_words(victim, family);

    if (family == MAP_FAMILY_IPV4) {
        return first_child(words, 1u << MAP_ROOT4_BITS);
    }
    return first_child(words + 2 * first_child(words, 1u << MAP_ROOT6_BITS), 2 * MAP_FLAT6_UNITS);
}
