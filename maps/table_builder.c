/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One pass in address order. A slot whose addresses lie inside one run becomes a leaf; its depth is
 * the length of the largest aligned block that contains the slot and stays inside the run, so that
 * the depths of all leaves describe the coarsest partition into prefixes. Any other slot gets a
 * node below it. Children are stored before their parent, so a node's content is final when it is
 * stored and equal ones can be found by content.
 */
#include "maps/table_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/content_index.h"
#include "maps/wide_key.h"

#define UNIT_SIZE ((size_t)8)
#define BLOCK_UNITS 512u
#define NODE_SLOTS 64u
#define NODE_STRIDE 6u
#define NODE_UNITS_MAX (1u + NODE_SLOTS / 2)
#define FLAT6_WORDS (MAP_FLAT6_UNITS * 2)

struct builder {
    struct table *table;
    uint32_t block_max; /* allocated */
    uint64_t node_unit; /* where the next node goes; on a block boundary: nowhere yet */
    uint64_t flat_unit; /* the same for flat nodes */
    struct content_index nodes;
    unsigned address_bits;
    bool whole;
    const struct image_run *runs; /* what is left of them after the current one */
    size_t run_n;
    size_t next;        /* the first run of another record after the current one */
    wide_key run_first; /* the current run, neighbours of the same record merged */
    wide_key run_last;
    uint32_t run_record;
};

static int builder_grow(struct builder *builder, uint32_t block_n)
{
    struct table *table = builder->table;
    uint32_t block_max = builder->block_max;
    uint8_t *grown;

    while (block_max < table->block_n + block_n) {
        block_max = block_max ? block_max + block_max / 2 : 512;
    }
    if (block_max != builder->block_max) {
        grown = realloc(table->bytes, (size_t)block_max * MAP_BLOCK_SIZE);
        if (!grown) {
            return -ENOMEM;
        }
        table->bytes = grown;
        grown = realloc(table->flat, block_max);
        if (!grown) {
            return -ENOMEM;
        }
        table->flat = grown;
        builder->block_max = block_max;
    }
    memset(table->bytes + (size_t)table->block_n * MAP_BLOCK_SIZE, 0,
           (size_t)block_n * MAP_BLOCK_SIZE);
    memset(table->flat + table->block_n, 0, block_n);
    table->block_n += block_n;
    return 0;
}

/* Space for `unit_n` units that cross no block, from the area `*next_unit` runs through. */
static int builder_reserve(struct builder *builder, uint64_t *next_unit, uint32_t unit_n, bool flat,
                           uint64_t *ret_unit)
{
    struct table *table = builder->table;
    uint64_t used = *next_unit % BLOCK_UNITS;

    if (!used || used + unit_n > BLOCK_UNITS) {
        int error = builder_grow(builder, 1);

        if (error < 0) {
            return error;
        }
        *next_unit = (uint64_t)(table->block_n - 1) * BLOCK_UNITS;
        table->flat[table->block_n - 1] = flat;
    }
    if (*next_unit + unit_n >= MAP_LEAF) {
        return -EFBIG; /* the top bit of a word tells leaf from child */
    }
    *ret_unit = *next_unit;
    *next_unit += unit_n;
    if (*next_unit * UNIT_SIZE > table->len) {
        table->len = *next_unit * UNIT_SIZE;
    }
    return 0;
}

/* Clients inside these ranges are looked up as IPv4 (map_address_ipv6()), so no block may hold
 * addresses from both sides of a border, even where the record is the same: the scope would promise
 * one answer to both. */
static const struct {
    struct map_key first;
    unsigned depth;
} folded_ranges[] = {
    {{0, 0x0000ffff00000000ULL}, 96}, /* ::ffff:0:0/96 */
    {{0x0064ff9b00000000ULL, 0}, 96}, /* 64:ff9b::/96 */
    {{0x2002000000000000ULL, 0}, 16}, /* 2002::/16 */
};

/* The last address up to `last` that lies on the same side of all those borders as `first`. */
static wide_key clip_to_fold_border(wide_key first, wide_key last)
{
    for (size_t i = 0; i < sizeof(folded_ranges) / sizeof(folded_ranges[0]); i++) {
        wide_key inside = wide_key_from(&folded_ranges[i].first);
        wide_key inside_last = inside | wide_key_host_mask(folded_ranges[i].depth);

        if (first < inside && last >= inside) {
            last = inside - 1;
        } else if (first >= inside && first <= inside_last && last > inside_last) {
            last = inside_last;
        }
    }
    return last;
}

/* Goes to the run that holds `start`, the first address after the current run. */
static void builder_advance(struct builder *builder, wide_key start)
{
    const struct image_run *runs = builder->runs;

    while (builder->next < builder->run_n && wide_key_from(&runs[builder->next].start) <= start) {
        builder->run_record = runs[builder->next].record;
        builder->next++;
    }
    while (builder->next < builder->run_n && runs[builder->next].record == builder->run_record) {
        builder->next++;
    }
    builder->run_first = start;
    builder->run_last = builder->next < builder->run_n
                            ? wide_key_from(&runs[builder->next].start) - 1
                            : WIDE_KEY_MAX;
    if (builder->address_bits == 128 && !builder->whole) {
        builder->run_last = clip_to_fold_border(start, builder->run_last);
    }
    builder->table->run_n++;
}

static uint32_t builder_leaf(struct builder *builder, wide_key start, unsigned depth)
{
    while (depth) {
        wide_key host = wide_key_host_mask(depth - 1);

        if ((start & ~host) < builder->run_first || (start | host) > builder->run_last) {
            break;
        }
        depth--;
    }
    if (!depth && !builder->whole) {
        depth = 1; /* RFC 7871 section 7.2.1: scope 0 would speak for the other family too */
    }
    if (!(start & wide_key_host_mask(depth))) {
        builder->table->item_n++;
    }
    return MAP_LEAF | ((depth & MAP_LEAF_DEPTH_MASK) << MAP_LEAF_DEPTH_SHIFT) | builder->run_record;
}

static int builder_node(struct builder *builder, wide_key start, unsigned depth,
                        uint32_t *ret_word);
static int builder_flat6(struct builder *builder, wide_key start, uint32_t *ret_word);

/* The word of the slot that starts at `start` and is `depth` bits deep. */
static int builder_slot(struct builder *builder, wide_key start, unsigned depth, uint32_t *ret_word)
{
    while (builder->run_last < start) {
        builder_advance(builder, builder->run_last + 1);
    }
    if (builder->run_last >= (start | wide_key_host_mask(depth))) {
        *ret_word = builder_leaf(builder, start, depth);
        return 0;
    }
    if (builder->address_bits == 128 && depth == MAP_ROOT6_BITS) {
        return builder_flat6(builder, start, ret_word);
    }
    return builder_node(builder, start, depth, ret_word);
}

static int builder_store_node(struct builder *builder, const uint64_t *units, uint32_t unit_n,
                              uint32_t *ret_word)
{
    uint32_t hash = content_hash(units, unit_n);
    uint64_t place = content_index_start(&builder->nodes, hash);
    uint64_t unit;
    int error;

    while (content_index_next(&builder->nodes, hash, &place, ret_word)) {
        const uint8_t *stored = builder->table->bytes + (uint64_t)*ret_word * UNIT_SIZE;
        uint64_t room = BLOCK_UNITS - *ret_word % BLOCK_UNITS;

        /* the bitmap comes first and tells the length, so equal bytes are equal nodes */
        if (unit_n <= room && memcmp(stored, units, (size_t)unit_n * UNIT_SIZE) == 0) {
            return 0;
        }
    }
    error = builder_reserve(builder, &builder->node_unit, unit_n, false, &unit);
    if (error < 0) {
        return error;
    }
    memcpy(builder->table->bytes + unit * UNIT_SIZE, units, (size_t)unit_n * UNIT_SIZE);
    *ret_word = (uint32_t)unit;
    return content_index_add(&builder->nodes, hash, *ret_word);
}

static int builder_node(struct builder *builder, wide_key start, unsigned depth, uint32_t *ret_word)
{
    unsigned left = builder->address_bits - depth;
    unsigned stride = left < NODE_STRIDE ? left : NODE_STRIDE;
    uint64_t units[NODE_UNITS_MAX] = {0};
    uint32_t words[NODE_SLOTS];
    uint32_t word_n = 0;

    for (unsigned slot = 0; slot < 1u << stride; slot++) {
        wide_key at = start | ((wide_key)slot << (WIDE_KEY_BITS - depth - stride));
        uint32_t word = 0;
        int error = builder_slot(builder, at, depth + stride, &word);

        if (error < 0) {
            return error;
        }
        if (!word_n || words[word_n - 1] != word) {
            words[word_n++] = word;
            /* a stride past the end of the address: the key goes on with zero bits */
            units[0] |= 1ULL << (slot << (NODE_STRIDE - stride));
        }
    }
    memcpy(&units[1], words, word_n * sizeof(words[0]));
    return builder_store_node(builder, units, 1 + (word_n + 1) / 2, ret_word);
}

static int builder_flat6(struct builder *builder, wide_key start, uint32_t *ret_word)
{
    uint32_t words[FLAT6_WORDS];
    uint64_t unit;
    int error;

    for (uint32_t slot = 0; slot < FLAT6_WORDS; slot++) {
        wide_key at = start | ((wide_key)slot << (WIDE_KEY_BITS - MAP_ROOT6_BITS - 8));

        error = builder_slot(builder, at, MAP_ROOT6_BITS + 8, &words[slot]);
        if (error < 0) {
            return error;
        }
    }
    error = builder_reserve(builder, &builder->flat_unit, MAP_FLAT6_UNITS, true, &unit);
    if (error < 0) {
        return error;
    }
    memcpy(builder->table->bytes + unit * UNIT_SIZE, words, sizeof(words));
    *ret_word = (uint32_t)unit;
    return 0;
}

static int builder_root(struct builder *builder, unsigned root_bits)
{
    struct table *table = builder->table;
    uint32_t root_blocks = (1u << root_bits) / (MAP_BLOCK_SIZE / 4);
    int error = builder_grow(builder, root_blocks);

    if (error < 0) {
        return error;
    }
    memset(table->flat, 1, root_blocks);
    table->len = (uint64_t)root_blocks * MAP_BLOCK_SIZE;
    for (uint32_t slot = 0; slot < 1u << root_bits; slot++) {
        uint32_t word = 0;

        error =
            builder_slot(builder, (wide_key)slot << (WIDE_KEY_BITS - root_bits), root_bits, &word);
        if (error < 0) {
            return error;
        }
        memcpy(table->bytes + (size_t)slot * sizeof(word), &word, sizeof(word));
    }
    return 0;
}

int table_build(const struct image_run *runs, size_t run_n, enum map_family family, bool whole,
                struct table *ret_table)
{
    struct builder builder = {
        .table = ret_table,
        .address_bits = family == MAP_FAMILY_IPV4 ? 32 : 128,
        .whole = whole,
        .runs = runs,
        .run_n = run_n,
    };
    int error;

    *ret_table = (struct table){0};
    builder_advance(&builder, 0);
    error = builder_root(&builder, family == MAP_FAMILY_IPV4 ? MAP_ROOT4_BITS : MAP_ROOT6_BITS);
    free(builder.nodes.slots);
    if (error < 0) {
        table_done(ret_table);
    }
    return error;
}

static void remap_words(uint32_t *words, uint32_t word_n, table_remap_record remap, void *context)
{
    for (uint32_t i = 0; i < word_n; i++) {
        uint32_t record = words[i] & MAP_LEAF_RECORD_MASK;

        if ((words[i] & MAP_LEAF) && record < MAP_RECORD_MAX) {
            words[i] = (words[i] & ~MAP_LEAF_RECORD_MASK) | remap(context, record);
        }
    }
}

void table_remap(struct table *table, table_remap_record remap, void *context)
{
    for (uint32_t block = 0; block < table->block_n; block++) {
        uint64_t *units = (uint64_t *)(void *)(table->bytes + (size_t)block * MAP_BLOCK_SIZE);
        uint32_t unit = 0;

        if (table->flat[block]) {
            remap_words((uint32_t *)units, MAP_BLOCK_SIZE / 4, remap, context);
            continue;
        }
        while (unit < BLOCK_UNITS && units[unit]) {
            uint32_t word_n = map_popcount(units[unit]);

            remap_words((uint32_t *)&units[unit + 1], word_n, remap, context);
            unit += 1 + (word_n + 1) / 2;
        }
    }
}

void table_done(struct table *table)
{
    free(table->bytes);
    free(table->flat);
    *table = (struct table){0};
}
