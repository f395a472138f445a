/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The slow oracle: what lookup, scope and selection have to say, computed in the most obvious way
 * from the table's runs. It shares no code with the tree but the structs.
 */
#ifndef TESTS_UNIT_MAPS_ORACLE_H
#define TESTS_UNIT_MAPS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/image_writer.h"
#include "maps/select_core.h"

typedef unsigned __int128 wide;

struct oracle {
    const struct image_run *runs;
    size_t run_n;
    bool ipv6;
    bool whole;
};

struct oracle_block {
    wide first;
    wide last;
    unsigned depth;
    uint32_t record;
};

wide oracle_wide(const struct map_key *key);
struct map_key oracle_key(wide value);

/* The block an address lies in. */
struct oracle_block oracle_lookup(const struct oracle *oracle, wide address);

/* Which PoPs are picked: dedup of the ranking, then tier by tier. Returns how many. */
size_t oracle_select(const struct map_record *record, const uint8_t *states, const uint8_t *tail,
                     size_t tail_n, size_t want, uint8_t ret_pops[MAP_PICKS_MAX], int *ret_tier);

#endif
