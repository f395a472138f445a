/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/ranking.h"

#include <criterion/criterion.h>

Test(ranking, best_first_and_the_smaller_id_on_equal_terms)
{
    const struct config_map map = {.pops = {9, 2, 1, 0, 5, 4, 3, 7, 8, 6}, .pop_n = 10};
    struct infer_estimate estimates[MAP_MAX_POPS] = {{.rtt_ms = 50}};
    uint64_t order;

    for (int i = 0; i < 10; i++) {
        estimates[i].rtt_ms = 30;
    }
    estimates[7].rtt_ms = 10;
    estimates[3].rtt_ms = 20;
    estimates[0].rtt_ms = 90;
    order = ranking_order(&map, estimates, NULL);
    cr_assert_eq(order, UINT64_C(0x0806050402010307)); /* 0 and 9 did not get in */
}

Test(ranking, a_map_of_few_pops_ends_early)
{
    const struct config_map map = {.pops = {2, 0}, .pop_n = 2, .default_n = 1};
    struct infer_estimate estimates[MAP_MAX_POPS] = {{.rtt_ms = 5}, {.rtt_ms = 1}, {.rtt_ms = 7}};

    cr_assert_eq(ranking_order(&map, estimates, NULL), UINT64_C(0xffffffffffff0200));
    cr_assert_eq(ranking_default(&map), UINT64_C(0xffffffffffff0002));
}

static void names_hash(uint64_t *ret_hash, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ret_hash[i] = ranking_name_hash((char[]){'p', (char)('a' + i), '\0'});
    }
}

Test(ranking, ties_are_told_by_tenths_of_a_millisecond)
{
    static const struct {
        float rtt_ms[10];
        unsigned pops;
        uint8_t ties;
    } cases[] = {
        {{10, 20, 30}, 3, 0},
        {{10, 10, 30}, 3, 1},
        {{10.04f, 9.96f, 30}, 3, 1}, /* shown as the same */
        {{10, 10.2f, 30}, 3, 0},
        {{30, 20, 20, 10}, 4, 2},
        {{7, 7, 7}, 3, 3},
        {{1, 2, 3, 4, 5, 6, 7, 8, 9}, 9, 0},
        {{1, 2, 3, 4, 5, 6, 7, 8, 8}, 9, 0x80}, /* one of two is left out */
        {{8, 8, 1, 2, 3, 4, 5, 6, 7}, 9, 0x80},
        {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10, 0xff},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_map map = {.pop_n = cases[i].pops};
        struct infer_estimate estimates[MAP_MAX_POPS] = {{0}};
        uint8_t ties = 0x55;

        for (unsigned pop = 0; pop < cases[i].pops; pop++) {
            map.pops[pop] = (uint8_t)pop;
            estimates[pop].rtt_ms = cases[i].rtt_ms[pop];
        }
        (void)ranking_order(&map, estimates, &ties);
        cr_assert_eq(ties, cases[i].ties, "case %zu: %#x", i, ties);
    }
}

/* Three of five PoPs are equally near: each is first in a third of the address space, and second
 * in half of what is left. */
Test(ranking, equal_pops_share_evenly)
{
    const struct config_map map = {.pops = {4, 2, 0, 1, 3}, .pop_n = 5};
    const struct infer_estimate estimates[MAP_MAX_POPS] = {
        {.rtt_ms = 30}, {.rtt_ms = 10}, {.rtt_ms = 10}, {.rtt_ms = 50}, {.rtt_ms = 10}};
    uint64_t hash[MAP_MAX_POPS];
    unsigned place[2][5] = {{0}};
    uint8_t ties;
    uint64_t plain = ranking_order(&map, estimates, &ties);

    names_hash(hash, 5);
    for (uint64_t unit = 0; unit < 1 << 16; unit++) {
        const struct map_key key = {unit << 48 | 0x123400000000, 0};
        uint64_t in = ranking_unit(MAP_FAMILY_IPV4, key);
        uint64_t order = ranking_spread(plain, ties, in, hash);

        cr_assert_eq(order, ranking_order_in(&map, estimates, in, hash), "unit %#x",
                     (unsigned)unit);
        cr_assert_eq(order >> 24, plain >> 24); /* those that are not equal stay in place */
        place[0][ranking_pop(order, 0)]++;
        place[1][ranking_pop(order, 1)]++;
    }
    for (unsigned pop = 0; pop < 5; pop++) {
        for (unsigned i = 0; i < 2 && (pop == 1 || pop == 2 || pop == 4); i++) {
            cr_assert(place[i][pop] > 21190 && place[i][pop] < 22500, "PoP %u: %u", pop,
                      place[i][pop]); /* 21845, 3 % */
        }
    }
}

/* Nobody who stays has to give up address space to another who stays. */
Test(ranking, one_pop_more_moves_no_more_than_its_share)
{
    const struct infer_estimate estimates[MAP_MAX_POPS] = {
        {.rtt_ms = 10}, {.rtt_ms = 10}, {.rtt_ms = 10}};
    const struct config_map two = {.pops = {0, 1}, .pop_n = 2};
    const struct config_map three = {.pops = {0, 1, 2}, .pop_n = 3};
    uint64_t hash[MAP_MAX_POPS];

    names_hash(hash, 3);
    for (uint64_t unit = 0; unit < 4096; unit++) {
        const struct map_key key = {unit << 32 | UINT64_C(0x2a) << 56, 0};
        uint64_t in = ranking_unit(MAP_FAMILY_IPV6, key);
        uint8_t before = ranking_pop(ranking_order_in(&two, estimates, in, hash), 0);
        uint8_t after = ranking_pop(ranking_order_in(&three, estimates, in, hash), 0);

        cr_assert(after == before || after == 2);
    }
}

/* More than a record holds are equal: all get their turn. */
Test(ranking, nobody_is_left_out_by_his_number)
{
    struct config_map map = {.pop_n = 10};
    struct infer_estimate estimates[MAP_MAX_POPS] = {{0}};
    uint64_t hash[MAP_MAX_POPS];
    unsigned first[10] = {0};

    names_hash(hash, 10);
    for (unsigned i = 0; i < 10; i++) {
        map.pops[i] = (uint8_t)i;
        estimates[i].rtt_ms = 10;
    }
    for (uint64_t unit = 0; unit < 1 << 16; unit++) {
        uint64_t in = ranking_unit(MAP_FAMILY_IPV4, (struct map_key){unit << 48, 0});

        first[ranking_pop(ranking_order_in(&map, estimates, in, hash), 0)]++;
    }
    for (unsigned i = 0; i < 10; i++) {
        cr_assert(first[i] > 6230 && first[i] < 6880, "PoP %u: %u", i, first[i]); /* 5 % */
    }
}

Test(ranking, pins_come_first_then_the_own_ranking_without_them)
{
    static const struct {
        uint64_t pinned;
        uint64_t own;
        unsigned keep;
        uint64_t joined;
    } cases[] = {
        {RANKING_NOBODY, UINT64_C(0xffffffff04030201), 3, UINT64_C(0xffffffffff030201)},
        {RANKING_NOBODY, UINT64_C(0xffffffffffff0201), 3, UINT64_C(0xffffffffffff0201)},
        {UINT64_C(0xffffffffffffff03), UINT64_C(0xffffffff04030201), 3,
         UINT64_C(0xffffffffff020103)},
        {UINT64_C(0xffffffffffff0204), UINT64_C(0xffffffff04030201), 3,
         UINT64_C(0xffffffffff010204)},
        {UINT64_C(0xffffffff09080706), UINT64_C(0xffffffff04030201), 3,
         UINT64_C(0xffffffff09080706)}, /* never fewer than are pinned */
        {UINT64_C(0x0807060504030201), UINT64_C(0xffffffffff0a0b0c), 8,
         UINT64_C(0x0807060504030201)},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(ranking_join(cases[i].pinned, cases[i].own, cases[i].keep), cases[i].joined,
                     "case %zu", i);
    }
}

Test(ranking, equal_ones_share_a_number)
{
    struct ranking_set set = {0};

    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 3000; i++) {
            cr_assert_eq(ranking_intern(&set, i * 0x0101, i & 1), (int64_t)i);
        }
    }
    cr_assert_eq(set.n, 3000);
    cr_assert_eq(ranking_intern(&set, 0, 1), 3000); /* flags tell them apart */
    ranking_set_done(&set);
}
