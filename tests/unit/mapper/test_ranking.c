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
    order = ranking_order(&map, estimates);
    cr_assert_eq(order, UINT64_C(0x0806050402010307)); /* 0 and 9 did not get in */
}

Test(ranking, a_map_of_few_pops_ends_early)
{
    const struct config_map map = {.pops = {2, 0}, .pop_n = 2, .default_n = 1};
    struct infer_estimate estimates[MAP_MAX_POPS] = {{.rtt_ms = 5}, {.rtt_ms = 1}, {.rtt_ms = 7}};

    cr_assert_eq(ranking_order(&map, estimates), UINT64_C(0xffffffffffff0200));
    cr_assert_eq(ranking_default(&map), UINT64_C(0xffffffffffff0002));
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
