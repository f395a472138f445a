/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checks a lookup table by walking it once. Equal nodes are stored once, so the number of ways to a
 * node may be astronomical; each node is checked at its first visit and its result kept. A leaf's
 * depth lies within its node's stride, hence a node belongs to exactly one level; a second visit
 * from another level is refused, and with it every cycle.
 */
#include "maps/image_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/lookup_core.h"

#define UNIT_SIZE 8u
#define BLOCK_UNITS (MAP_BLOCK_SIZE / UNIT_SIZE)
#define LEVEL_ROOT 0u
#define LEVEL_FLAT6 1u /* IPv6 only */
#define LEVEL_NODES 2u /* the first level of 6-bit nodes */
/* Shared nodes could describe more blocks than anybody has time to walk. Real tables have millions.
 */
#define TABLE_BLOCKS_MAX (1ULL << 28)
#define LEVEL_INSIDE 255u /* a unit inside a node that starts before it */

struct walk {
    const uint64_t *units;
    uint64_t unit_n;
    enum map_family family;
    enum map_space space;
    unsigned address_bits;
    const uint8_t *record_allowed;
    uint32_t record_n;
    uint8_t *levels; /* per unit: level of the node that starts here, LEVEL_INSIDE, or LEVEL_ROOT
                        for none */
    uint32_t *items; /* per unit where a node starts: disjoint blocks below, or more than allowed */
    uint32_t whole_record;
    struct failure *failure;
};

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int check_record(const struct walk *walk, uint32_t record)
{
    if (record == MAP_RECORD_SPECIAL) {
        return 0;
    }
    if (record == MAP_RECORD_FALLBACK) {
        return walk->space == MAP_SPACE_RESOLVER
                   ? 0
                   : failure_set(walk->failure, -EINVAL,
                                 "a client table has a block that falls back to the client table");
    }
    if (record >= walk->record_n) {
        return failure_set(walk->failure, -EINVAL, "a block refers to record %u of %u", record,
                           walk->record_n);
    }
    if (!walk->record_allowed[record]) {
        return failure_set(walk->failure, -EINVAL,
                           "a block refers to record %u, which ranks a PoP its map does not have",
                           record);
    }
    return 0;
}

/* A run of slots [first, last) that hold `word`, in a node of `slot_bits` bits below `depth` bits
 * of the address. */
static int check_leaf_run(struct walk *walk, uint32_t word, unsigned depth, unsigned slot_bits,
                          uint32_t first, uint32_t last, uint64_t *items)
{
    unsigned leaf_depth = (word >> MAP_LEAF_DEPTH_SHIFT) & MAP_LEAF_DEPTH_MASK;
    unsigned slot_shift; /* the leaf's slots are a power of two: no division, this is run often */

    if (depth && !leaf_depth) {
        leaf_depth = 128;
    }
    if ((depth && leaf_depth <= depth) || leaf_depth > depth + slot_bits ||
        leaf_depth > walk->address_bits) {
        return failure_set(walk->failure, -EINVAL,
                           "a block of length %u stands in a node for lengths %u to %u", leaf_depth,
                           depth ? depth + 1 : 0, depth + slot_bits);
    }
    slot_shift = depth + slot_bits - leaf_depth;
    if ((first | last) & ((1u << slot_shift) - 1)) {
        return failure_set(walk->failure, -EINVAL,
                           "a block of length %u covers only a part of its addresses", leaf_depth);
    }
    *items = add_saturating(*items, (last - first) >> slot_shift);
    return check_record(walk, word & MAP_LEAF_RECORD_MASK);
}

static int check_child(struct walk *walk, uint32_t word, unsigned depth, uint32_t level,
                       uint64_t *items);

static int check_words(struct walk *walk, const uint32_t *words, uint32_t word_n, unsigned depth,
                       unsigned slot_bits, uint32_t level, uint64_t *items)
{
    for (uint32_t first = 0, last; first < word_n; first = last) {
        uint32_t word = words[first];
        int error = 0;

        last = first + 1;
        if (word & MAP_LEAF) {
            while (last < word_n && words[last] == word) {
                last++;
            }
            error = check_leaf_run(walk, word, depth, slot_bits, first, last, items);
        } else {
            error = check_child(walk, word, depth + slot_bits, level + 1, items);
        }
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static int claim_units(struct walk *walk, uint64_t first, uint64_t unit_n, uint32_t level)
{
    for (uint64_t unit = first; unit < first + unit_n; unit++) {
        if (walk->levels[unit] != LEVEL_ROOT) {
            return failure_set(walk->failure, -EINVAL, "two nodes of a table overlap");
        }
        walk->levels[unit] = LEVEL_INSIDE;
    }
    walk->levels[first] = (uint8_t)level;
    return 0;
}

static int check_flat6(struct walk *walk, uint64_t unit)
{
    const uint32_t *words = (const uint32_t *)&walk->units[unit];
    uint64_t items = 0;
    int error;

    if (unit % MAP_FLAT6_UNITS || unit + MAP_FLAT6_UNITS > walk->unit_n) {
        return failure_set(walk->failure, -EINVAL,
                           "a flat node of a table is out of place or reaches past the end");
    }
    error = claim_units(walk, unit, MAP_FLAT6_UNITS, LEVEL_FLAT6);
    if (error == 0) {
        error =
            check_words(walk, words, MAP_FLAT6_UNITS * 2, MAP_ROOT6_BITS, 8, LEVEL_FLAT6, &items);
    }
    walk->items[unit] = items < UINT32_MAX ? (uint32_t)items : UINT32_MAX;
    return error;
}

/* Slots `first` to `last` of a 6-bit node share `word`. */
static int check_node_run(struct walk *walk, uint32_t word, unsigned depth, uint32_t level,
                          uint32_t first, uint32_t last, uint64_t *items)
{
    unsigned left = walk->address_bits - depth;

    if (word & MAP_LEAF) {
        return check_leaf_run(walk, word, depth, 6, first, last, items);
    }
    if (left <= 6) {
        return failure_set(walk->failure, -EINVAL, "a node lies below the last bit of an address");
    }
    for (uint32_t slot = first; slot < last; slot++) {
        int error = check_child(walk, word, depth + 6, level + 1, items);

        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static int check_node(struct walk *walk, uint64_t unit, unsigned depth, uint32_t level)
{
    uint64_t bitmap = walk->units[unit];
    const uint32_t *words = (const uint32_t *)&walk->units[unit + 1];
    uint32_t word_n = map_popcount(bitmap);
    uint32_t unit_n = 1 + (word_n + 1) / 2;
    uint32_t first = 0;
    uint64_t items = 0;
    int error;

    if (!(bitmap & 1)) {
        return failure_set(walk->failure, -EINVAL, "a node of a table has no value for slot 0");
    }
    if (unit % BLOCK_UNITS + unit_n > BLOCK_UNITS || unit + unit_n > walk->unit_n) {
        return failure_set(walk->failure, -EINVAL, "a node of a table crosses a block");
    }
    error = claim_units(walk, unit, unit_n, level);
    if (error < 0) {
        return error;
    }
    if (word_n % 2 && words[word_n]) {
        return failure_set(walk->failure, -EINVAL, "the padding of a node is not zero");
    }
    for (uint32_t i = 0; i < word_n; i++) {
        uint64_t rest = first == 63 ? 0 : bitmap >> (first + 1);
        uint32_t last = rest ? first + 1 + (uint32_t)__builtin_ctzll(rest) : 64;

        if (i && words[i] == words[i - 1]) {
            return failure_set(walk->failure, -EINVAL,
                               "a node of a table repeats the same value in two runs");
        }
        error = check_node_run(walk, words[i], depth, level, first, last, &items);
        if (error < 0) {
            return error;
        }
        first = last;
    }
    walk->items[unit] = items < UINT32_MAX ? (uint32_t)items : UINT32_MAX;
    return 0;
}

static int check_child(struct walk *walk, uint32_t word, unsigned depth, uint32_t level,
                       uint64_t *items)
{
    uint64_t unit = word;
    int error;

    if (walk->family == MAP_FAMILY_IPV4 && level == LEVEL_FLAT6) {
        level = LEVEL_NODES;
    }
    if (unit >= walk->unit_n) {
        return failure_set(walk->failure, -EINVAL, "a table refers to a node past its end");
    }
    if (walk->levels[unit] == LEVEL_ROOT) {
        error =
            level == LEVEL_FLAT6 ? check_flat6(walk, unit) : check_node(walk, unit, depth, level);
        if (error < 0) {
            return error;
        }
    } else if (walk->levels[unit] != level) {
        return failure_set(walk->failure, -EINVAL,
                           "a table refers to one node from two levels, or into its middle");
    }
    *items = add_saturating(*items, walk->items[unit]);
    return 0;
}

static int check_root(struct walk *walk, uint64_t *ret_items)
{
    unsigned root_bits = walk->family == MAP_FAMILY_IPV4 ? MAP_ROOT4_BITS : MAP_ROOT6_BITS;
    const uint32_t *words = (const uint32_t *)walk->units;
    uint32_t word_n = 1u << root_bits;
    int error;

    if (walk->unit_n < word_n / 2) {
        return failure_set(walk->failure, -EINVAL, "a table is shorter than its root");
    }
    memset(walk->levels, LEVEL_INSIDE, word_n / 2);
    error = check_words(walk, words, word_n, 0, root_bits, LEVEL_ROOT, ret_items);
    if (error < 0) {
        return error;
    }
    if ((words[0] & MAP_LEAF) && !((words[0] >> MAP_LEAF_DEPTH_SHIFT) & MAP_LEAF_DEPTH_MASK)) {
        walk->whole_record = words[0] & MAP_LEAF_RECORD_MASK;
    }
    return 0;
}

static int check_table(struct walk *walk, const struct map_section *section)
{
    uint64_t items = 0;
    int error = check_root(walk, &items);

    if (error < 0) {
        return error;
    }
    if (items > TABLE_BLOCKS_MAX) {
        return failure_set(walk->failure, -EINVAL, "a table describes more than %llu blocks",
                           TABLE_BLOCKS_MAX);
    }
    if (items != section->item_n) {
        return failure_set(walk->failure, -EINVAL,
                           "a table describes %llu blocks, its section says %llu",
                           (unsigned long long)items, (unsigned long long)section->item_n);
    }
    for (uint64_t unit = 0; unit < walk->unit_n; unit++) {
        if (walk->levels[unit] == LEVEL_ROOT && walk->units[unit]) {
            return failure_set(walk->failure, -EINVAL,
                               "a table has bytes that belong to no node and are not zero");
        }
    }
    return 0;
}

int table_check(const uint8_t *image, const struct map_section *section,
                const uint8_t *record_allowed, uint32_t record_n, uint32_t *ret_whole_record,
                struct failure *failure)
{
    struct walk walk = {
        .units = section_bytes(image, section),
        .unit_n = section->len / UNIT_SIZE,
        .family = section->family == MAP_FAMILY_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6,
        .space = section->space == MAP_SPACE_CLIENT ? MAP_SPACE_CLIENT : MAP_SPACE_RESOLVER,
        .address_bits = section->family == MAP_FAMILY_IPV4 ? 32 : 128,
        .record_allowed = record_allowed,
        .record_n = record_n,
        .whole_record = UINT32_MAX,
        .failure = failure,
    };
    int error;

    if (section->len % UNIT_SIZE || walk.unit_n >= MAP_LEAF) {
        return failure_set(failure, -EINVAL, "a table has an impossible length");
    }
    walk.levels = calloc(walk.unit_n + 1, sizeof(walk.levels[0]));
    walk.items = calloc(walk.unit_n + 1, sizeof(walk.items[0]));
    if (walk.levels && walk.items) {
        error = check_table(&walk, section);
    } else {
        error = failure_set(failure, -ENOMEM, "out of memory while checking a table");
    }
    free(walk.levels);
    free(walk.items);
    *ret_whole_record = walk.whole_record;
    return error;
}
