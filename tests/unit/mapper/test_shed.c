/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/shed.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#define RUNS 5000u

static uint8_t classes[MAP_FAMILIES][RUNS];

/* Runs of two first PoPs, every third one IPv6 only; costs are a permutation, so that order and
 * cost differ. */
static void runs_fill(struct runs runs[MAP_FAMILIES], struct ranking_set *rankings)
{
    cr_assert_eq(ranking_intern(rankings, UINT64_C(0xffffffffffff0100), 0), 0);
    cr_assert_eq(ranking_intern(rankings, UINT64_C(0xffffffffffff0001), 0), 1);
    for (int family = 0; family < MAP_FAMILIES; family++) {
        for (uint64_t i = 0; i < RUNS; i++) {
            struct map_key start = {i << 40, 0};

            cr_assert_eq(runs_append(&runs[family], start,
                                     i % 50 == 49 ? RANKING_SPECIAL : (uint32_t)(i & 1)),
                         0);
            runs_weigh(&runs[family], (double)(1 + i % 7), (double)(i * 2654435761u % 1000) / 10,
                       0);
        }
    }
}

static void assign(const struct runs runs[MAP_FAMILIES], const struct ranking_set *rankings)
{
    uint8_t *const out[MAP_FAMILIES] = {classes[0], classes[1]};

    cr_assert_eq(shed_assign(runs, rankings, out), 0);
}

Test(shed, every_class_of_a_pop_carries_the_same_demand)
{
    struct runs runs[MAP_FAMILIES] = {{0}, {0}};
    struct ranking_set rankings = {0};
    double demand[2][SHED_CLASSES] = {{0}};
    double total[2] = {0};

    runs_fill(runs, &rankings);
    assign(runs, &rankings);
    for (int family = 0; family < MAP_FAMILIES; family++) {
        for (size_t i = 0; i < runs[family].n; i++) {
            const struct run *run = &runs[family].item[i];

            if (run->ranking < RANKING_SPECIAL) {
                demand[run->ranking][classes[family][i]] += run->demand;
                total[run->ranking] += run->demand;
            }
        }
    }
    for (int pop = 0; pop < 2; pop++) {
        for (unsigned i = 0; i < SHED_CLASSES; i++) {
            /* off by a run at either end */
            cr_assert_float_eq(demand[pop][i], total[pop] / SHED_CLASSES, 8, "%u: %g of %g", i,
                               demand[pop][i], total[pop] / SHED_CLASSES);
        }
    }
    runs_done(&runs[0]);
    runs_done(&runs[1]);
    ranking_set_done(&rankings);
}

Test(shed, what_costs_least_to_move_goes_first)
{
    struct runs runs[MAP_FAMILIES] = {{0}, {0}};
    struct ranking_set rankings = {0};
    float dearest[2][SHED_CLASSES];
    float cheapest[2][SHED_CLASSES];

    runs_fill(runs, &rankings);
    assign(runs, &rankings);
    for (unsigned i = 0; i < SHED_CLASSES; i++) {
        for (int pop = 0; pop < 2; pop++) {
            dearest[pop][i] = -1;
            cheapest[pop][i] = 1e9f;
        }
    }
    for (int family = 0; family < MAP_FAMILIES; family++) {
        for (size_t i = 0; i < runs[family].n; i++) {
            const struct run *run = &runs[family].item[i];
            float cost = run->cost_demand / run->demand;

            if (run->ranking < RANKING_SPECIAL) {
                float *low = &cheapest[run->ranking][classes[family][i]];
                float *high = &dearest[run->ranking][classes[family][i]];

                *low = cost < *low ? cost : *low;
                *high = cost > *high ? cost : *high;
            }
        }
    }
    for (unsigned i = 1; i < SHED_CLASSES; i++) {
        cr_assert_leq(dearest[0][i - 1], cheapest[0][i]);
        cr_assert_leq(dearest[1][i - 1], cheapest[1][i]);
    }
    runs_done(&runs[0]);
    runs_done(&runs[1]);
    ranking_set_done(&rankings);
}

Test(shed, a_single_run_sits_in_the_middle)
{
    struct runs runs[MAP_FAMILIES] = {{0}, {0}};
    struct ranking_set rankings = {0};
    struct map_key start = {0, 0};

    ranking_intern(&rankings, UINT64_C(0xffffffffffffff00), 0);
    runs_append(&runs[0], start, 0);
    runs_weigh(&runs[0], 10, 0, 0);
    runs_append(&runs[1], start, RANKING_FALLBACK);
    assign(runs, &rankings);
    cr_assert_eq(classes[0][0], 50);
    cr_assert_eq(classes[1][0], 0);
    runs_done(&runs[0]);
    runs_done(&runs[1]);
    ranking_set_done(&rankings);
}
