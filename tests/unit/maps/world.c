/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "maps/image_digest.h"
#include "random.h"

static struct map_record random_record(uint64_t *random, uint32_t map)
{
    struct map_record record = {.pops = ~0ULL};
    uint8_t pops[WORLD_POPS];
    uint32_t pop_n = map ? WORLD_POPS / 2 : WORLD_POPS; /* map 1 has the PoPs of even id only */
    uint32_t n = random_below(random, (pop_n < 8 ? pop_n : 8) + 1);

    for (uint32_t i = 0; i < pop_n; i++) {
        pops[i] = (uint8_t)(map ? i * 2 : i);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i + random_below(random, pop_n - i);
        uint8_t pop = pops[k];

        pops[k] = pops[i];
        pops[i] = pop;
        record.pops = (record.pops & ~(0xffULL << (8 * i))) | (uint64_t)pop << (8 * i);
    }
    record.shed_class = (uint8_t)random_below(random, 100);
    record.confidence = (uint8_t)random_below(random, 101);
    record.flags = (uint16_t)random_below(random, 2);
    return record;
}

static wide random_wide(uint64_t *random)
{
    return ((wide)random_next(random) << 64) + random_next(random);
}

static int compare_wide(const void *left, const void *right)
{
    const wide *a = left;
    const wide *b = right;

    return *a < *b ? -1 : *a > *b;
}

/* A border at an aligned place of random length, often near an earlier one, so that deep nodes come
 * about. */
static wide random_border(uint64_t *random, bool ipv6, const wide *earlier, size_t earlier_n)
{
    static const uint64_t corners[][2] = {{0, 0x0000ffff00000000},
                                          {0x0064ff9b00000000, 0},
                                          {0x2002000000000000, 0},
                                          {0x2001000000000000, 0},
                                          {0x2a00000000000000, 0}};
    unsigned bits = ipv6 ? 128 : 32;
    wide base = random_wide(random);
    unsigned keep = random_below(random, bits);
    unsigned len = 1 + random_below(random, bits);

    if (random_below(random, 8) == 0) {
        uint32_t corner = random_below(random, 5);

        base = ((wide)corners[corner][0] << 64) + corners[corner][1];
    }
    if (earlier_n && random_below(random, 3)) {
        wide near = earlier[random_below(random, (uint32_t)earlier_n)];

        base = keep ? (near & ~(~(wide)0 >> keep)) | (base & (~(wide)0 >> keep)) : base;
        len = len < keep ? keep : len;
        len += random_below(random, bits - len + 1);
    }
    return base >> (128 - len) << (128 - len);
}

static uint32_t random_record_id(uint64_t *random, enum map_space space)
{
    uint32_t choice = random_below(random, 20);

    if (choice == 0) {
        return MAP_RECORD_SPECIAL;
    }
    if (space == MAP_SPACE_RESOLVER && choice < 8) {
        return MAP_RECORD_FALLBACK;
    }
    return random_below(random, WORLD_RECORDS);
}

static void random_table(uint64_t *random, enum map_space space, bool ipv6, size_t run_n,
                         struct world_table *table)
{
    wide *borders = calloc(run_n + 1, sizeof(*borders));
    size_t n = 0;

    for (size_t i = 1; i < run_n; i++) {
        borders[i] = random_border(random, ipv6, borders, i);
    }
    qsort(borders, run_n, sizeof(*borders), compare_wide);
    table->runs = calloc(run_n, sizeof(*table->runs));
    for (size_t i = 0; i < run_n; i++) {
        if (i && borders[i] == borders[i - 1]) {
            continue;
        }
        table->runs[n].start = oracle_key(borders[i]);
        /* equal neighbours must be merged by the builder */
        table->runs[n].record = n && random_below(random, 10) == 0
                                    ? table->runs[n - 1].record
                                    : random_record_id(random, space);
        n++;
    }
    table->run_n = n;
    table->whole = false;
    free(borders);
}

struct world *world_new(uint64_t seed, size_t run_n)
{
    struct world *world = calloc(1, sizeof(*world));
    uint64_t random = seed;

    for (uint32_t map = 0; map < WORLD_MAPS; map++) {
        for (uint32_t i = 0; i < WORLD_RECORDS; i++) {
            world->records[map][i] = random_record(&random, map);
        }
        for (int i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
            random_table(&random, i / 2, i % 2, run_n, &world->tables[map][i / 2][i % 2]);
        }
    }
    return world;
}

void world_free(struct world *world)
{
    for (int i = 0; i < WORLD_MAPS * MAP_SPACES * MAP_FAMILIES; i++) {
        free(world->tables[i / 4][i / 2 % 2][i % 2].runs);
    }
    free(world);
}

static void add_pops_and_maps(struct image_builder *builder)
{
    static const uint8_t all[WORLD_POPS] = {7, 3, 0, 1, 2, 4, 5, 6, 8, 9, 10, 11};
    static const uint8_t even[WORLD_POPS / 2] = {4, 0, 2, 6, 8, 10};
    struct failure failure;
    char name[MAP_NAME_SIZE];

    for (int i = 0; i < WORLD_POPS; i++) {
        snprintf(name, sizeof(name), "pop-%c", 'a' + i);
        cr_assert_eq(image_builder_add_pop(builder, name, i * 1000000, -i * 1000000, &failure), i);
    }
    cr_assert_eq(image_builder_add_map(builder, "web", all, WORLD_POPS, 2, &failure), 0);
    cr_assert_eq(image_builder_add_map(builder, "video", even, WORLD_POPS / 2, 1, &failure), 1);
}

static void shuffle_indexes(uint32_t *indexes, uint32_t n, uint64_t shuffle)
{
    for (uint32_t i = 0; i < n; i++) {
        indexes[i] = i;
    }
    for (uint32_t i = n; shuffle && i > 1; i--) {
        uint32_t k = random_below(&shuffle, i);
        uint32_t index = indexes[i - 1];

        indexes[i - 1] = indexes[k];
        indexes[k] = index;
    }
}

static void add_table(struct image_builder *builder, const struct world_table *table, uint32_t map,
                      uint32_t space, uint32_t family, const int64_t *ids)
{
    struct image_run *runs = calloc(table->run_n, sizeof(*runs));
    struct failure failure;

    for (size_t i = 0; i < table->run_n; i++) {
        runs[i] = table->runs[i];
        if (runs[i].record < WORLD_RECORDS) {
            runs[i].record = (uint32_t)ids[runs[i].record];
        }
    }
    cr_assert_eq(image_builder_add_table(builder, map, space, family, runs, table->run_n,
                                         table->whole, &failure),
                 0, "%s", failure.text);
    free(runs);
}

static void add_provenance(struct image_builder *builder, uint32_t index, size_t range_n,
                           uint64_t shuffle)
{
    struct image_provenance_range *ranges = calloc(range_n, sizeof(*ranges));
    uint32_t *order = calloc(range_n, sizeof(*order));
    struct failure failure;

    shuffle_indexes(order, (uint32_t)range_n, shuffle);
    for (size_t i = 0; i < range_n; i++) {
        uint32_t k = order[i];
        struct map_row row = {
            .source = (uint8_t)(k % 4), .estimate_n = (uint8_t)(k % 5), .asn = k % 97};
        struct map_estimate estimates[5] = {{0}};

        for (uint8_t e = 0; e < row.estimate_n; e++) {
            estimates[e] = (struct map_estimate){
                .pop = e, .source = e % 4, .rtt_ticks = (uint16_t)(k % 1000), .samples = k % 13};
        }
        ranges[k].row = (uint32_t)image_builder_add_row(builder, &row, estimates);
        ranges[k].start_hi = (uint64_t)k << 40;
    }
    cr_assert_eq(
        image_builder_add_provenance(builder, index / 2, index % 2, ranges, range_n, &failure), 0,
        "%s", failure.text);
    free(order);
    free(ranges);
}

struct image_builder *world_builder(const struct world *world, uint64_t shuffle, size_t range_n)
{
    struct image_builder *builder = image_builder_new(1763790000, 1763700000);
    uint32_t record_order[WORLD_MAPS * WORLD_RECORDS];
    uint32_t table_order[WORLD_MAPS * 4];
    int64_t ids[WORLD_MAPS][WORLD_RECORDS];

    add_pops_and_maps(builder);
    shuffle_indexes(record_order, WORLD_MAPS * WORLD_RECORDS, shuffle);
    for (uint32_t i = 0; i < WORLD_MAPS * WORLD_RECORDS; i++) {
        uint32_t map = record_order[i] / WORLD_RECORDS;
        uint32_t id = record_order[i] % WORLD_RECORDS;

        ids[map][id] = image_builder_intern(builder, &world->records[map][id]);
        cr_assert_geq(ids[map][id], 0);
    }
    shuffle_indexes(table_order, WORLD_MAPS * 4, shuffle);
    for (uint32_t i = 0; i < WORLD_MAPS * 4; i++) {
        uint32_t map = table_order[i] / 4;
        uint32_t space = table_order[i] / 2 % 2;
        uint32_t family = table_order[i] % 2;

        add_table(builder, &world->tables[map][space][family], map, space, family, ids[map]);
    }
    for (uint32_t i = 0; range_n && i < 4; i++) {
        add_provenance(builder, i, range_n, shuffle);
    }
    return builder;
}

struct image *world_image(const struct world *world)
{
    struct image_builder *builder = world_builder(world, 0, 0);
    struct image *image = NULL;
    struct image_stats stats;
    struct failure failure;
    const uint8_t *bytes;
    size_t len;

    cr_assert_eq(image_builder_finish(builder, &bytes, &len, &stats, &failure), 0, "%s",
                 failure.text);
    cr_assert_eq(image_from_bytes("world", bytes, len, &image, &failure), 0, "%s", failure.text);
    image_builder_free(builder);
    return image;
}

struct oracle world_oracle(const struct world *world, uint32_t map, enum map_space space,
                           enum map_family family)
{
    const struct world_table *table = &world->tables[map][space][family];

    return (struct oracle){table->runs, table->run_n, family == MAP_FAMILY_IPV6, table->whole};
}

wide world_probe(const struct world_table *table, bool ipv6, uint64_t *random)
{
    wide unit = ipv6 ? 1 : (wide)1 << 96;
    wide address = random_wide(random) / unit * unit;

    switch (random_below(random, 4)) {
    case 0:
        return address;
    case 1: {
        unsigned keep = random_below(random, ipv6 ? 128 : 32);
        wide near = oracle_wide(&table->runs[random_below(random, (uint32_t)table->run_n)].start);

        return keep ? (near & ~(~(wide)0 >> keep)) | (address & (~(wide)0 >> keep)) : address;
    }
    default: {
        wide near = oracle_wide(&table->runs[random_below(random, (uint32_t)table->run_n)].start);

        return near + unit * random_below(random, 3) - unit;
    }
    }
}

void world_fix_digest(uint8_t *bytes, size_t len)
{
    struct map_header *header = (struct map_header *)(void *)bytes;

    cr_assert_eq(image_digest(bytes, len, header->sha256), 0);
}
