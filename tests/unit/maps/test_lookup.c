/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "maps/decide_core.h"
#include "networks.h"
#include "random.h"
#include "world.h"

static void look_up(const struct image *image, uint32_t map, uint32_t space, uint32_t family,
                    wide address, struct map_leaf *ret_leaf)
{
    struct map_address at = {.key = oracle_key(address), .family = (uint8_t)family};

    memset(ret_leaf, 0xee, sizeof(*ret_leaf));
    cr_assert_eq(map_space_lookup(image_region(image), image_map(image, map), space, &at, ret_leaf),
                 0);
}

/* Image ids are renumbered: compare what they stand for. */
static bool same_record(const struct world *world, const struct image *image, uint32_t map,
                        uint32_t wanted, uint32_t found)
{
    const struct map_record *record;

    if (wanted >= MAP_RECORD_SPECIAL || found >= MAP_RECORD_SPECIAL) {
        return wanted == found;
    }
    record = map_record_get(image_region(image), image_records_block(image), found);
    return record && memcmp(record, &world->records[map][wanted], sizeof(*record)) == 0;
}

static void compare_with_oracle(const struct world *world, uint64_t seed, unsigned probes)
{
    struct image *image = world_image(world);

    for (uint32_t i = 0; i < WORLD_MAPS * 4; i++) {
        uint32_t map = i / 4;
        uint32_t space = i / 2 % 2;
        uint32_t family = i % 2;
        struct oracle oracle = world_oracle(world, map, space, family);

        for (unsigned k = 0; k < probes; k++) {
            wide address = world_probe(&world->tables[map][space][family], family, &seed);
            struct oracle_block block = oracle_lookup(&oracle, address);
            struct map_leaf leaf;

            look_up(image, map, space, family, address, &leaf);
            cr_assert_eq(leaf.depth, block.depth, "table %u: depth %u, oracle %u", i, leaf.depth,
                         block.depth);
            cr_assert(same_record(world, image, map, block.record, leaf.record));
        }
    }
    image_unref(image);
}

Test(lookup, equals_the_oracle_on_random_tables)
{
    static const size_t run_counts[] = {1, 2, 3, 17, 300, 5000};

    for (size_t i = 0; i < sizeof(run_counts) / sizeof(run_counts[0]); i++) {
        struct world *world = world_new(1000 + i, run_counts[i]);

        compare_with_oracle(world, 7 * i + 1, 4000);
        world_free(world);
    }
}

Test(lookup, equals_the_oracle_on_real_networks)
{
    struct world *world = world_new(12, 30);

    networks_read_sample(world);
    cr_assert_gt(world->tables[0][MAP_SPACE_CLIENT][MAP_FAMILY_IPV4].run_n, 10000);
    compare_with_oracle(world, 8, 20000);
    world_free(world);
}

struct partition {
    const struct world *world;
    const struct image *image;
    struct oracle oracle;
    uint32_t map;
    wide next;
    bool ended;
    uint64_t count;
};

static int visit_block(void *context, const struct map_key *start, uint32_t depth, uint32_t record)
{
    struct partition *partition = context;
    wide first = oracle_wide(start);
    struct oracle_block block = oracle_lookup(&partition->oracle, first);

    if (partition->ended || first != partition->next) {
        cr_assert_fail("a gap or an overlap");
    }
    if (first != block.first || depth != block.depth) {
        cr_assert_fail("not the largest aligned block");
    }
    if (!same_record(partition->world, partition->image, partition->map, block.record, record)) {
        cr_assert_fail("another record");
    }
    partition->next = block.last + 1;
    partition->ended = partition->next == 0;
    partition->count++;
    return 0;
}

static void check_partition(const struct world *world)
{
    struct image *image = world_image(world);
    const struct map_header *header = image_header(image);
    uint64_t visited = 0;
    uint64_t described = 0;

    for (uint32_t i = 0; i < WORLD_MAPS * 4; i++) {
        struct partition partition = {.world = world, .image = image, .map = i / 4};

        partition.oracle = world_oracle(world, i / 4, i / 2 % 2, i % 2);
        cr_assert_eq(image_walk(image, i / 4, i / 2 % 2, i % 2, visit_block, &partition), 0);
        cr_assert(partition.ended);
        visited += partition.count;
    }
    for (uint32_t i = 0; i < header->section_n; i++) {
        if (header->sections[i].type == MAP_SECTION_TABLE) {
            described += header->sections[i].item_n;
        }
    }
    cr_assert_eq(visited, described);
    image_unref(image);
}

Test(lookup, blocks_partition_the_space_into_largest_aligned_ones)
{
    struct world *world = world_new(5, 700);

    check_partition(world);
    networks_read_sample(world);
    check_partition(world);
    world_free(world);
}

static int stop_at_third(void *context, const struct map_key *start, uint32_t depth,
                         uint32_t record)
{
    (void)start;
    (void)depth;
    (void)record;
    return ++*(int *)context == 3 ? -77 : 0;
}

Test(lookup, walk_stops_when_told)
{
    struct world *world = world_new(6, 50);
    struct image *image = world_image(world);
    int count = 0;

    cr_assert_eq(image_walk(image, 0, MAP_SPACE_CLIENT, MAP_FAMILY_IPV6, stop_at_third, &count),
                 -77);
    cr_assert_eq(count, 3);
    image_unref(image);
    world_free(world);
}

/* Host routes: the last bit of an address decides. */
Test(lookup, reaches_the_last_bit)
{
    static const struct {
        uint32_t family;
        struct map_key host;
        struct map_key after;
        struct map_key before;
        uint32_t depth;
    } rows[] = {
        {MAP_FAMILY_IPV4,
         {0xc000020100000000, 0},
         {0xc000020200000000, 0},
         {0xc000020000000000, 0},
         32},
        {MAP_FAMILY_IPV6,
         {0x20010db800000000, 0x0000000000000001},
         {0x20010db800000000, 0x0000000000000002},
         {0x20010db800000000, 0x0000000000000000},
         128},
        {MAP_FAMILY_IPV6,
         {0x20010db8ffffffff, 0xfffffffffffffffe},
         {0x20010db8ffffffff, 0xffffffffffffffff},
         {0x20010db8ffffffff, 0xfffffffffffffffc},
         128},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world *world = world_new(9, 1);
        struct world_table *table = &world->tables[0][MAP_SPACE_CLIENT][rows[i].family];
        struct image_run runs[] = {{{0, 0}, 1, 0}, {rows[i].host, 2, 0}, {rows[i].after, 1, 0}};
        struct image *image;
        struct map_leaf leaf;

        free(table->runs);
        table->runs = calloc(3, sizeof(runs[0]));
        memcpy(table->runs, runs, sizeof(runs));
        table->run_n = 3;
        image = world_image(world);
        look_up(image, 0, MAP_SPACE_CLIENT, rows[i].family, oracle_wide(&rows[i].host), &leaf);
        cr_assert_eq(leaf.depth, rows[i].depth);
        cr_assert(same_record(world, image, 0, 2, leaf.record));
        look_up(image, 0, MAP_SPACE_CLIENT, rows[i].family, oracle_wide(&rows[i].after), &leaf);
        cr_assert(same_record(world, image, 0, 1, leaf.record));
        look_up(image, 0, MAP_SPACE_CLIENT, rows[i].family, oracle_wide(&rows[i].before), &leaf);
        cr_assert(same_record(world, image, 0, 1, leaf.record));
        compare_with_oracle(world, 3, 500);
        image_unref(image);
        world_free(world);
    }
}

static void set_single_run(struct world *world, uint32_t family, uint32_t record, bool whole)
{
    struct world_table *table = &world->tables[0][MAP_SPACE_CLIENT][family];

    table->run_n = 1;
    table->runs[0] = (struct image_run){{0, 0}, record, 0};
    table->whole = whole;
}

/* RFC 7871 section 7.2.1: scope 0 says that every client gets this answer, and must not be said
 * otherwise. */
Test(lookup, depth_0_only_when_it_holds_for_both_families)
{
    static const struct {
        uint32_t record4;
        uint32_t record6;
        bool whole4;
        bool whole6;
        bool accepted;
    } rows[] = {
        {1, 1, true, true, true},  {1, 1, false, false, true}, {1, 2, false, false, true},
        {1, 2, true, true, false}, {1, 1, true, false, false}, {1, 1, false, true, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world *world = world_new(11, 1);
        struct image_builder *builder;
        struct image_stats stats;
        struct failure failure = {{0}};
        const uint8_t *bytes;
        size_t len;
        int error;

        set_single_run(world, MAP_FAMILY_IPV4, rows[i].record4, rows[i].whole4);
        set_single_run(world, MAP_FAMILY_IPV6, rows[i].record6, rows[i].whole6);
        builder = world_builder(world, 0, 0);
        error = image_builder_finish(builder, &bytes, &len, &stats, &failure);
        cr_assert_eq(error == 0, rows[i].accepted, "row %zu: %s", i, failure.text);
        if (error == 0) {
            compare_with_oracle(world, 3, 100);
        } else {
            cr_assert(strstr(failure.text, "block of length 0"), "%s", failure.text);
        }
        image_builder_free(builder);
        world_free(world);
    }
}

Test(lookup, builder_refuses_runs_that_are_no_partition)
{
    static const struct {
        const char *why;
        struct image_run runs[2];
        size_t run_n;
        uint32_t space;
        uint32_t family;
        bool whole;
    } rows[] = {
        {"no run", {{{0, 0}, 0, 0}}, 0, 0, 0, false},
        {"does not start at 0", {{{1ULL << 32, 0}, 0, 0}}, 1, 0, 0, false},
        {"falls", {{{0, 0}, 0, 0}, {{0, 0}, 1, 0}}, 2, 0, 1, false},
        {"inside an IPv4 address", {{{0, 0}, 0, 0}, {{1, 0}, 1, 0}}, 2, 0, 0, false},
        {"inside an IPv4 address", {{{0, 0}, 0, 0}, {{0, 1}, 1, 0}}, 2, 0, 0, false},
        {"no such record", {{{0, 0}, 5, 0}}, 1, 0, 0, false},
        {"client space cannot fall back", {{{0, 0}, MAP_RECORD_FALLBACK, 0}}, 1, 0, 0, false},
        {"whole, but two", {{{0, 0}, 0, 0}, {{1ULL << 32, 0}, 1, 0}}, 2, 0, 0, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct image_builder *builder = image_builder_new(1, 0);
        struct map_record records[2] = {{.pops = ~0ULL}, {.pops = ~0ULL, .shed_class = 1}};
        struct failure failure = {{0}};
        const uint8_t pop = 0;

        image_builder_add_pop(builder, "a", 0, 0, &failure);
        image_builder_add_map(builder, "m", &pop, 1, 0, &failure);
        image_builder_intern(builder, &records[0]);
        image_builder_intern(builder, &records[1]);
        cr_assert_eq(image_builder_add_table(builder, 0, rows[i].space, rows[i].family,
                                             rows[i].runs, rows[i].run_n, rows[i].whole, &failure),
                     -EINVAL, "%s", rows[i].why);
        cr_assert(failure.text[0]);
        image_builder_free(builder);
    }
}
