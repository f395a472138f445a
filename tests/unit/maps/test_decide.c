/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "maps/decide_core.h"
#include "maps/select_core.h"
#include "networks.h"
#include "random.h"
#include "world.h"

Test(decide, transition_addresses_are_folded)
{
    static const struct {
        const char *text;
        uint8_t family;
        uint8_t folded_bits;
        struct map_key key;
    } rows[] = {
        {"192.0.2.1", MAP_FAMILY_IPV4, 0, {0xc000020100000000, 0}},
        {"::ffff:192.0.2.1", MAP_FAMILY_IPV4, 96, {0xc000020100000000, 0}},
        {"::fffe:192.0.2.1", MAP_FAMILY_IPV6, 0, {0, 0x0000fffec0000201}},
        {"::1:0:0:0", MAP_FAMILY_IPV6, 0, {0, 0x0001000000000000}},
        {"64:ff9b::192.0.2.1", MAP_FAMILY_IPV4, 96, {0xc000020100000000, 0}},
        {"64:ff9b:0:0:0:1::", MAP_FAMILY_IPV6, 0, {0x0064ff9b00000000, 0x0000000100000000}},
        {"64:ff9b:1::", MAP_FAMILY_IPV6, 0, {0x0064ff9b00010000, 0}},
        {"2002:c000:201::", MAP_FAMILY_IPV4, 16, {0xc000020100000000, 0}},
        {"2002:c000:201:5:6:7:8:9", MAP_FAMILY_IPV4, 16, {0xc000020100000000, 0}},
        {"2001:db8::1", MAP_FAMILY_IPV6, 0, {0x20010db800000000, 1}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        struct map_address folded;

        cr_assert_eq(address_parse(rows[i].text, &address), 0);
        image_address_from(&address, &folded);
        cr_assert_eq(folded.family, rows[i].family, "%s", rows[i].text);
        cr_assert_eq(folded.folded_bits, rows[i].folded_bits, "%s", rows[i].text);
        cr_assert_eq(folded.key.hi, rows[i].key.hi, "%s", rows[i].text);
        cr_assert_eq(folded.key.lo, rows[i].key.lo, "%s", rows[i].text);
    }
}

static struct image *image;
static struct world *world;

/* The ECS address as a resolver sends it: `bits` bits of `address`, the rest zero. */
static struct map_address ecs_from(wide address, bool ipv6, unsigned bits)
{
    struct map_address ret;
    wide masked = bits ? address >> (128 - bits) << (128 - bits) : 0;

    if (ipv6) {
        map_address_ipv6((uint64_t)(masked >> 64), (uint64_t)masked, &ret);
    } else {
        map_address_ipv4((uint32_t)(masked >> 96), &ret);
    }
    return ret;
}

static void decide(uint32_t map, const struct map_client *client, struct map_verdict *ret_verdict)
{
    memset(ret_verdict, 0xa5, sizeof(*ret_verdict));
    map_decide(image_region(image), image_map(image, map), image_records_block(image), client,
               ret_verdict);
}

static wide random_wide(uint64_t *random)
{
    return ((wide)random_next(random) << 64) + random_next(random);
}

/* An address of either family as a client may have it, folded ranges and borders included. */
static wide random_client(uint64_t *random, uint32_t map, bool *ret_ipv6)
{
    static const uint64_t folded[][2] = {
        {0, 0x0000ffff00000000}, {0x0064ff9b00000000, 0}, {0x2002000000000000, 0}};
    const struct world_table *tables = world->tables[map][MAP_SPACE_CLIENT];
    uint32_t choice = random_below(random, 10);

    *ret_ipv6 = choice != 0 && choice != 1;
    if (choice < 2) {
        return world_probe(&tables[MAP_FAMILY_IPV4], false, random);
    }
    if (choice < 5) { /* an IPv4 client in IPv6 clothes */
        wide ipv4 = world_probe(&tables[MAP_FAMILY_IPV4], false, random) >> 96;
        wide base = ((wide)folded[choice - 2][0] << 64) + folded[choice - 2][1];

        return choice == 4 ? base + (ipv4 << 80) + (random_wide(random) >> 48) : base + ipv4;
    }
    if (choice < 7) { /* close to a folded range */
        wide base = ((wide)folded[choice - 5][0] << 64) + folded[choice - 5][1];
        unsigned keep = random_below(random, 128);

        return keep ? (base & ~(~(wide)0 >> keep)) | (random_wide(random) & (~(wide)0 >> keep))
                    : random_wide(random);
    }
    return world_probe(&tables[MAP_FAMILY_IPV6], true, random);
}

static void random_states(uint64_t *random, uint8_t states[MAP_STATES])
{
    memset(states, MAP_STATE_ABSENT, MAP_STATES);
    for (int i = 0; i < WORLD_POPS; i++) {
        static const uint8_t kinds[] = {0, 0, MAP_STATE_DOWN, MAP_STATE_DRAIN};
        uint32_t kind = random_below(random, 6);

        states[i] = kind < 4 ? kinds[kind] : (uint8_t)random_below(random, 101);
    }
}

/* Both clients of one resolver, both inside min(scope, source): all that could make their answers
 * differ is equal. */
static void check_promise(uint32_t map, struct map_client *a, struct map_client *b,
                          const uint8_t states[4][MAP_STATES])
{
    const struct map_entry *entry = image_map(image, map);
    struct map_verdict verdicts[2];

    decide(map, a, &verdicts[0]);
    decide(map, b, &verdicts[1]);
    if (memcmp(&verdicts[0].record, &verdicts[1].record, sizeof(verdicts[0].record)) != 0 ||
        verdicts[0].special != verdicts[1].special || verdicts[0].basis != verdicts[1].basis ||
        (verdicts[0].scope && verdicts[0].scope != verdicts[1].scope)) {
        cr_assert_fail("%016lx%016lx and %016lx%016lx share scope %u but not the verdict",
                       (unsigned long)a->ecs.key.hi, (unsigned long)a->ecs.key.lo,
                       (unsigned long)b->ecs.key.hi, (unsigned long)b->ecs.key.lo,
                       verdicts[0].scope);
    }
    for (int i = 0; i < 4; i++) {
        struct map_picks picks[2];

        map_select(&verdicts[0].record, states[i], entry->tail, entry->tail_n, 1 + (uint32_t)i,
                   &picks[0]);
        map_select(&verdicts[1].record, states[i], entry->tail, entry->tail_n, 1 + (uint32_t)i,
                   &picks[1]);
        if (memcmp(&picks[0], &picks[1], sizeof(picks[0])) != 0) {
            cr_assert_fail("the same verdict, other picks");
        }
    }
}

static unsigned random_source_len(uint64_t *random, bool ipv6)
{
    unsigned full = ipv6 ? 128 : 32;
    unsigned usual = ipv6 ? 56 : 24;

    switch (random_below(random, 3)) {
    case 0:
        return usual;
    case 1:
        return full;
    default:
        return 1 + random_below(random, full);
    }
}

static void try_pairs(uint64_t *random, unsigned pairs)
{
    for (unsigned i = 0; i < pairs; i++) {
        uint32_t map = random_below(random, WORLD_MAPS);
        uint8_t states[4][MAP_STATES];
        struct map_client a;
        struct map_client b;
        struct map_verdict verdict;
        bool ipv6;
        wide address = random_client(random, map, &ipv6);
        unsigned source = random_source_len(random, ipv6);

        a.source = ecs_from(random_wide(random), random_below(random, 2), 128);
        a.ecs = ecs_from(address, ipv6, source);
        b = a;
        decide(map, &a, &verdict);
        for (int k = 0; k < 4; k++) {
            random_states(random, states[k]);
        }
        for (int k = 0; k < 8; k++) {
            unsigned shared = verdict.scope < source ? verdict.scope : source;
            wide other = random_wide(random);

            /* often differ in the very next bit only, where a wrong scope shows first */
            if (k < 3 && shared < 128) {
                other = address ^ ((wide)1 << (127 - shared));
            }
            other = shared ? (address >> (128 - shared) << (128 - shared)) |
                                 (shared < 128 ? other << shared >> shared : 0)
                           : other;
            b.ecs = ecs_from(other, ipv6, source);
            check_promise(map, &a, &b, states);
        }
    }
}

static void run_world(uint64_t seed, size_t run_n, unsigned pairs, bool whole)
{
    uint64_t random = seed;

    world = world_new(seed, run_n);
    for (int i = 0; whole && i < WORLD_MAPS * MAP_FAMILIES; i++) {
        struct world_table *table = &world->tables[i / 2][MAP_SPACE_CLIENT][i % 2];

        table->run_n = 1;
        table->runs[0].record = 3;
        table->whole = true;
    }
    image = world_image(world);
    try_pairs(&random, pairs);
    image_unref(image);
    world_free(world);
}

/* 8 x 5 x 60,000 = 2.4 million pairs. */
Test(decide, scope_is_a_promise)
{
    static const size_t run_counts[] = {1, 4, 60, 800, 6000};

    for (size_t i = 0; i < sizeof(run_counts) / sizeof(run_counts[0]); i++) {
        run_world(400 + i, run_counts[i], 60000, false);
    }
}

Test(decide, scope_is_a_promise_on_real_networks)
{
    uint64_t random = 600;

    world = world_new(600, 30);
    networks_read_sample(world);
    image = world_image(world);
    try_pairs(&random, 100000);
    image_unref(image);
    world_free(world);
}

Test(decide, scope_0_is_a_promise_to_everybody)
{
    run_world(500, 1, 20000, true);
}

/* Which address decides, and what the scope says then; the table's rows follow the picture in
 * decide_core.h. */
Test(decide, order_of_addresses_and_spaces)
{
    enum { ECS_PLAIN, ECS_SPECIAL, ECS_NONE };
    enum { LISTED, UNLISTED, UNLISTED_SPECIAL, NO_SOURCE };
    static const struct {
        int ecs;
        int source;
        uint8_t basis;
        uint8_t scope;
        uint8_t special;
        uint32_t record; /* of the runs below; FALLBACK: none */
    } rows[] = {
        {ECS_PLAIN, LISTED, MAP_BASIS_ECS, 8, 0, 1},
        {ECS_PLAIN, NO_SOURCE, MAP_BASIS_ECS, 8, 0, 1},
        {ECS_SPECIAL, LISTED, MAP_BASIS_RESOLVER, 8, 1, 4},
        {ECS_SPECIAL, UNLISTED, MAP_BASIS_SOURCE, 8, 1, 2},
        {ECS_SPECIAL, UNLISTED_SPECIAL, MAP_BASIS_DEFAULT, 8, 1, MAP_RECORD_FALLBACK},
        {ECS_SPECIAL, NO_SOURCE, MAP_BASIS_DEFAULT, 8, 1, MAP_RECORD_FALLBACK},
        {ECS_NONE, LISTED, MAP_BASIS_RESOLVER, 0, 0, 4},
        {ECS_NONE, UNLISTED, MAP_BASIS_SOURCE, 0, 0, 2},
        {ECS_NONE, UNLISTED_SPECIAL, MAP_BASIS_DEFAULT, 0, 0, MAP_RECORD_FALLBACK},
    };
    static const struct image_run client[] = {
        {{0, 0}, 0, 0},
        {{0x0500000000000000, 0}, 1, 0}, /* 5/8: the ECS client */
        {{0x0600000000000000, 0}, 0, 0},
        {{0x0a00000000000000, 0}, MAP_RECORD_SPECIAL, 0}, /* 10/8 */
        {{0x0b00000000000000, 0}, 0, 0},
        {{0x1400000000000000, 0}, 2, 0}, /* 20/8: an unlisted resolver */
        {{0x1500000000000000, 0}, 0, 0},
    };
    static const struct image_run resolver[] = {
        {{0, 0}, MAP_RECORD_FALLBACK, 0},
        {{0x1e00000000000000, 0}, 4, 0}, /* 30/8: a listed resolver */
        {{0x1f00000000000000, 0}, MAP_RECORD_FALLBACK, 0},
    };
    static const uint32_t ecs_addresses[] = {0x05010203, 0x0a010203};
    static const uint32_t sources[] = {0x1e010203, 0x14010203, 0x0a0a0a0a};

    world = world_new(1, 1);
    for (int i = 0; i < 2; i++) {
        struct world_table *table = &world->tables[0][i][MAP_FAMILY_IPV4];

        free(table->runs);
        table->run_n = i ? 3 : 7;
        table->runs = calloc(table->run_n, sizeof(client[0]));
        memcpy(table->runs, i ? resolver : client, table->run_n * sizeof(client[0]));
    }
    image = world_image(world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct map_client from;
        struct map_verdict verdict;

        map_address_ipv4(rows[i].ecs == ECS_NONE ? 0 : ecs_addresses[rows[i].ecs], &from.ecs);
        from.ecs.family = rows[i].ecs == ECS_NONE ? MAP_ADDRESS_NONE : MAP_FAMILY_IPV4;
        map_address_ipv4(rows[i].source == NO_SOURCE ? 0 : sources[rows[i].source], &from.source);
        from.source.family = rows[i].source == NO_SOURCE ? MAP_ADDRESS_NONE : MAP_FAMILY_IPV4;
        decide(0, &from, &verdict);
        cr_assert_eq(verdict.basis, rows[i].basis, "row %zu", i);
        cr_assert_eq(verdict.scope, rows[i].scope, "row %zu: scope %u", i, verdict.scope);
        cr_assert_eq(verdict.special, rows[i].special, "row %zu", i);
        if (rows[i].record == MAP_RECORD_FALLBACK) {
            cr_assert_eq(verdict.record_id, MAP_RECORD_FALLBACK, "row %zu", i);
            cr_assert_eq(verdict.record.pops, ~0ULL, "row %zu", i);
        } else {
            cr_assert_eq(
                memcmp(&verdict.record, &world->records[0][rows[i].record], sizeof(verdict.record)),
                0, "row %zu", i);
        }
    }
    image_unref(image);
    world_free(world);
}

/* RFC 4291 2.5.5.2, RFC 6052, RFC 3056: the scope counts the bits of the address as it was sent. */
Test(decide, scope_of_a_folded_address_counts_all_its_bits)
{
    static const struct {
        uint64_t hi;
        uint64_t lo;
        uint8_t scope;
    } rows[] = {{0, 0x0000ffff05010203, 96 + 8},
                {0x0064ff9b00000000, 0x0000000005010203, 96 + 8},
                {0x2002050102030000, 0x0000000000000001, 16 + 8}};
    static const struct image_run runs[] = {
        {{0, 0}, 0, 0}, {{0x0500000000000000, 0}, 1, 0}, {{0x0600000000000000, 0}, 0, 0}};
    struct world_table *table;

    world = world_new(1, 1);
    table = &world->tables[0][MAP_SPACE_CLIENT][MAP_FAMILY_IPV4];
    free(table->runs);
    table->run_n = 3;
    table->runs = calloc(3, sizeof(runs[0]));
    memcpy(table->runs, runs, sizeof(runs));
    image = world_image(world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct map_client from = {.source = {.family = MAP_ADDRESS_NONE}};
        struct map_verdict verdict;

        map_address_ipv6(rows[i].hi, rows[i].lo, &from.ecs);
        decide(0, &from, &verdict);
        cr_assert_eq(verdict.scope, rows[i].scope);
        cr_assert_eq(verdict.depth, 8);
        cr_assert_eq(verdict.family, MAP_FAMILY_IPV4);
    }
    image_unref(image);
    world_free(world);
}
