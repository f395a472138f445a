/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lookup tables that would mislead or trap a lookup, in an image with a right checksum: refused,
 * each for its reason.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "victim.h"
#include "world.h"

#define V4 MAP_FAMILY_IPV4
#define V6 MAP_FAMILY_IPV6
#define ROOT4_UNITS (1u << MAP_ROOT4_BITS) / 2

static void set_depth(uint32_t *word, uint32_t depth)
{
    *word = (*word & ~(MAP_LEAF_DEPTH_MASK << MAP_LEAF_DEPTH_SHIFT)) | depth
                                                                           << MAP_LEAF_DEPTH_SHIFT;
}

static uint32_t *root_leaf(struct victim *v, enum map_family family)
{
    uint32_t *word = victim_words(v, family);

    while (!(*word & MAP_LEAF)) {
        word++;
    }
    return word;
}

static uint32_t *root_child(struct victim *v, enum map_family family)
{
    uint32_t *word = victim_words(v, family);

    while (*word & MAP_LEAF) {
        word++;
    }
    return word;
}

/* The words of the first 6-bit node. */
static uint32_t *node_words(struct victim *v, enum map_family family)
{
    return (uint32_t *)&victim_units(v, family)[victim_node(v, family) + 1];
}

/* Cuts the table to `block_n` blocks of which `len` bytes count; a section that may be ignored
 * takes the rest. */
static void shrink(struct victim *v, enum map_family family, uint32_t block_n, uint64_t len)
{
    struct map_section *table = victim_table(v, family);
    uint32_t rest = table->block_n - block_n;

    memset(v->bytes + (size_t)table->first_block * MAP_BLOCK_SIZE + len, 0,
           (size_t)block_n * MAP_BLOCK_SIZE - len);
    table->len = len;
    if (!rest) {
        return;
    }
    memmove(table + 2, table + 1,
            (size_t)(&v->header->sections[v->header->section_n] - table - 1) * sizeof(*table));
    v->header->section_n++;
    table[1] = (struct map_section){.type = 99,
                                    .flags = MAP_SECTION_OPTIONAL,
                                    .first_block = table->first_block + block_n,
                                    .block_n = rest,
                                    .len = (uint64_t)rest * MAP_BLOCK_SIZE};
    table->block_n = block_n;
    v->maps[0].tables[MAP_SPACE_CLIENT][family].block_n = block_n;
}

static void no_such_record(struct victim *v)
{
    uint32_t *leaf = root_leaf(v, V4);

    *leaf = (*leaf & ~MAP_LEAF_RECORD_MASK) | v->header->record_n;
}

static void client_falls_back(struct victim *v)
{
    *root_leaf(v, V4) |= MAP_RECORD_FALLBACK;
}

static void leaf_too_deep(struct victim *v)
{
    set_depth(root_leaf(v, V4), 19);
}

static void leaf_in_part(struct victim *v)
{
    set_depth(root_leaf(v, V6), 0);
}

static void child_past_end(struct victim *v)
{
    *root_child(v, V4) = MAP_LEAF - 1;
}

static void child_into_root(struct victim *v)
{
    *root_child(v, V4) = 5;
}

static void nodes_overlap(struct victim *v)
{
    uint64_t *units = victim_units(v, V4);
    uint32_t *words = victim_words(v, V4);

    units[ROOT4_UNITS] = 3; /* two runs: this unit and the next */
    units[ROOT4_UNITS + 1] = 1;
    units[ROOT4_UNITS + 2] = MAP_LEAF | 24u << MAP_LEAF_DEPTH_SHIFT;
    words[0] = ROOT4_UNITS + 1;
    words[1] = ROOT4_UNITS;
}

static void child_into_node(struct victim *v)
{
    uint64_t *units = victim_units(v, V4);
    uint32_t *words = victim_words(v, V4);

    units[ROOT4_UNITS] = 1;
    units[ROOT4_UNITS + 1] = MAP_LEAF | 24u << MAP_LEAF_DEPTH_SHIFT;
    words[0] = ROOT4_UNITS;
    words[1] = ROOT4_UNITS + 1;
}

static void flat_misplaced(struct victim *v)
{
    *root_child(v, V6) += 1;
}

static void flat_past_end(struct victim *v)
{
    uint64_t root = (1u << MAP_ROOT6_BITS) / 2;

    victim_words(v, V6)[0] = (uint32_t)root;
    shrink(v, V6, MAP_ROOT6_BLOCKS + 1, root * 8 + 8);
}

static void cycle_over_flat(struct victim *v)
{
    node_words(v, V6)[0] = *root_child(v, V6);
}

static void node_of_itself(struct victim *v)
{
    node_words(v, V4)[0] = victim_node(v, V4);
}

static void no_slot_0(struct victim *v)
{
    victim_units(v, V4)[victim_node(v, V4)] &= ~1ULL;
}

static void node_crosses(struct victim *v)
{
    struct map_section *table = victim_table(v, V4);

    table->len = (uint64_t)table->block_n * MAP_BLOCK_SIZE;
    victim_units(v, V4)[ROOT4_UNITS + 511] = 7;
    victim_words(v, V4)[0] = ROOT4_UNITS + 511;
}

static void node_past_end(struct victim *v)
{
    victim_words(v, V4)[0] = ROOT4_UNITS;
    victim_units(v, V4)[ROOT4_UNITS] = 3;
    shrink(v, V4, MAP_ROOT4_BLOCKS + 1, ROOT4_UNITS * 8 + 8);
}

static void node_repeats(struct victim *v)
{
    node_words(v, V4)[1] = node_words(v, V4)[0];
}

static void leaf_of_upper_node(struct victim *v)
{
    node_words(v, V4)[0] = MAP_LEAF | 18u << MAP_LEAF_DEPTH_SHIFT;
}

static void leaf_128_in_ipv4(struct victim *v)
{
    node_words(v, V4)[0] = MAP_LEAF; /* depth 0 below the root means 128 */
}

static void padding(struct victim *v)
{
    uint64_t *units = victim_units(v, V4);

    units[ROOT4_UNITS] = 1;
    units[ROOT4_UNITS + 1] = 1ULL << 32 | MAP_LEAF | 24u << MAP_LEAF_DEPTH_SHIFT;
    victim_words(v, V4)[0] = ROOT4_UNITS;
}

static void below_the_last_bit(struct victim *v)
{
    uint64_t *units = victim_units(v, V4);

    /* three levels of nodes with one run each, and one more */
    for (uint32_t level = 0; level < 4; level++) {
        units[ROOT4_UNITS + 2 * level] = 1;
        units[ROOT4_UNITS + 2 * level + 1] = ROOT4_UNITS + 2 * level + 2;
    }
    victim_words(v, V4)[0] = ROOT4_UNITS;
}

static void loose_bytes(struct victim *v)
{
    struct map_section *table = victim_table(v, V4);

    cr_assert_lt(table->len, (uint64_t)table->block_n * MAP_BLOCK_SIZE);
    victim_units(v, V4)[table->len / 8] = 1;
    table->len += 8;
}

static void odd_len(struct victim *v)
{
    victim_table(v, V4)->len += 4;
}

static void no_root(struct victim *v)
{
    shrink(v, V6, MAP_ROOT6_BLOCKS / 2, MAP_ROOT6_BLOCKS / 2 * MAP_BLOCK_SIZE);
}

static void item_n(struct victim *v)
{
    victim_table(v, V4)->item_n++;
}

/* Seventeen nodes, each with the next below all its 64 slots: 2^110 blocks that no walk would ever
 * finish. */
static void astronomical(struct victim *v)
{
    struct map_section *table = victim_table(v, V6);
    uint64_t *units = victim_units(v, V6);
    uint32_t *words = victim_words(v, V6);
    uint32_t flat = (1u << MAP_ROOT6_BITS) / 2;
    uint32_t node = flat + MAP_FLAT6_UNITS;

    memset(words, 0, table->len);
    for (uint32_t i = 0; i < 1u << MAP_ROOT6_BITS; i++) {
        words[i] = MAP_LEAF | 16u << MAP_LEAF_DEPTH_SHIFT | MAP_RECORD_SPECIAL;
    }
    words[0] = flat;
    for (uint32_t i = 0; i < 2 * MAP_FLAT6_UNITS; i++) {
        words[2 * flat + i] = node;
    }
    for (uint32_t level = 0; level < 17; level++) {
        units[node + 2 * level] = 1;
        units[node + 2 * level + 1] =
            level < 16 ? node + 2 * level + 2
                       : MAP_LEAF | 126u << MAP_LEAF_DEPTH_SHIFT | MAP_RECORD_SPECIAL;
    }
    table->item_n = ~0ULL;
}

static void fold_swallowed(struct victim *v)
{
    struct map_section *table = victim_table(v, V6);
    uint32_t *words = victim_words(v, V6);

    /* two blocks of length 1 for the whole of IPv6 */
    memset(words, 0, table->len);
    for (uint32_t i = 0; i < 1u << MAP_ROOT6_BITS; i++) {
        words[i] = MAP_LEAF | 1u << MAP_LEAF_DEPTH_SHIFT | MAP_RECORD_SPECIAL;
    }
    table->item_n = 2;
}

static const struct {
    void (*damage)(struct victim *v);
    const char *reason;
} rows[] = {
    {no_such_record, "refers to record"},
    {client_falls_back, "falls back to the client table"},
    {leaf_too_deep, "length 19 stands in a node for lengths 0 to 18"},
    {leaf_in_part, "covers only a part of its addresses"},
    {child_past_end, "past its end"},
    {child_into_root, "into its middle"},
    {nodes_overlap, "overlap"},
    {child_into_node, "into its middle"},
    {flat_misplaced, "flat node of a table is out of place"},
    {flat_past_end, "reaches past the end"},
    {cycle_over_flat, "from two levels"},
    {node_of_itself, "from two levels"},
    {no_slot_0, "no value for slot 0"},
    {node_crosses, "crosses a block"},
    {node_past_end, "crosses a block"},
    {node_repeats, "repeats the same value"},
    {leaf_of_upper_node, "length 18 stands in a node for lengths 19 to 24"},
    {leaf_128_in_ipv4, "length 128 stands in a node for lengths 19 to 24"},
    {padding, "padding of a node"},
    {below_the_last_bit, "below the last bit"},
    {loose_bytes, "belong to no node"},
    {odd_len, "impossible length"},
    {no_root, "shorter than its root"},
    {item_n, "its section says"},
    {astronomical, "describes more than 268435456 blocks"},
    {fold_swallowed, "IPv4-in-IPv6"},
};

Test(hostile_tables, refused_for_the_right_reason)
{
    struct world *world = world_new(31, 60);
    struct image_builder *builder = world_builder(world, 0, 20);
    struct image_stats stats;
    struct failure failure = {{0}};
    const uint8_t *bytes;
    size_t len;

    cr_assert_eq(image_builder_finish(builder, &bytes, &len, &stats, &failure), 0, "%s",
                 failure.text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct victim *victim = victim_new(bytes, len);
        struct image *image = NULL;

        rows[i].damage(victim);
        world_fix_digest(victim->bytes, victim->len);
        cr_expect_eq(image_from_bytes("victim", victim->bytes, victim->len, &image, &failure),
                     -EINVAL, "row %zu (%s) was accepted", i, rows[i].reason);
        cr_expect(strstr(failure.text, rows[i].reason), "row %zu: \"%s\" is not about \"%s\"", i,
                  failure.text, rows[i].reason);
        image_unref(image);
        victim_free(victim);
    }
    image_builder_free(builder);
    world_free(world);
}
