/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "maps/select_core.h"
#include "oracle.h"
#include "random.h"

#define NONE 0xff
#define RANKING(a, b, c)                                                                           \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | 0xffffffffff000000ULL)

static void fill_tail(uint8_t tail[MAP_TAIL_SIZE], size_t tail_n)
{
    memset(tail, NONE, MAP_TAIL_SIZE);
    for (size_t i = 0; i < tail_n; i++) {
        tail[i] = (uint8_t)i;
    }
}

/* PoPs 1, 2, 3 ranked, 0 to 4 in the tail; states by PoP id 0..4. */
Test(select, down_beats_drain_beats_shed)
{
    static const struct {
        const char *why;
        uint8_t states[5];
        uint8_t shed_class;
        uint32_t want;
        uint8_t picks[4];
        uint8_t count;
        uint8_t tier;
    } rows[] = {
        {"all up: the ranking", {0, 0, 0, 0, 0}, 50, 3, {1, 2, 3}, 3, MAP_TIER_TAKES},
        {"the tail goes on in its order", {0, 0, 0, 0, 0}, 50, 4, {1, 2, 3, 0}, 4, MAP_TIER_TAKES},
        {"down is skipped", {0, 255, 0, 0, 0}, 50, 1, {2}, 1, MAP_TIER_TAKES},
        {"without address is skipped", {0, 254, 0, 0, 0}, 50, 1, {2}, 1, MAP_TIER_TAKES},
        {"drain is skipped while anybody takes",
         {0, 128, 255, 255, 255},
         50,
         1,
         {0},
         1,
         MAP_TIER_TAKES},
        {"class below the share is passed on", {0, 51, 0, 0, 0}, 50, 1, {2}, 1, MAP_TIER_TAKES},
        {"class at the share stays", {0, 50, 0, 0, 0}, 50, 1, {1}, 1, MAP_TIER_TAKES},
        {"shed 100 passes everything on", {0, 100, 0, 0, 0}, 99, 1, {2}, 1, MAP_TIER_TAKES},
        {"everybody sheds: the ranking again",
         {100, 100, 100, 100, 100},
         99,
         2,
         {1, 2},
         2,
         MAP_TIER_SHEDS},
        {"shedding before draining", {255, 128, 128, 100, 255}, 99, 1, {3}, 1, MAP_TIER_SHEDS},
        {"draining if nobody else is left",
         {255, 255, 128, 128, 255},
         0,
         2,
         {2, 3},
         2,
         MAP_TIER_DRAINS},
        {"fewer than wanted, no lesser tier mixed in",
         {255, 0, 128, 100, 128},
         0,
         4,
         {1},
         1,
         MAP_TIER_TAKES},
        {"a late better tier drops earlier picks",
         {0, 100, 128, 100, 100},
         0,
         3,
         {0},
         1,
         MAP_TIER_TAKES},
        {"nobody", {255, 255, 254, 255, 255}, 0, 3, {NONE}, 0, MAP_TIERS},
        {"an unknown state is no candidate",
         {255, 101, 127, 129, 253},
         99,
         3,
         {NONE},
         0,
         MAP_TIERS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct map_record record = {.pops = RANKING(1, 2, 3), .shed_class = rows[i].shed_class};
        uint8_t tail[MAP_TAIL_SIZE];
        uint8_t states[MAP_STATES];
        struct map_picks picks;

        fill_tail(tail, 5);
        memset(states, MAP_STATE_ABSENT, sizeof(states));
        memcpy(states, rows[i].states, 5);
        memset(&picks, 0x5a, sizeof(picks));
        map_select(&record, states, tail, 5, rows[i].want, &picks);
        cr_assert_eq(picks.count, rows[i].count, "%s: %u picks", rows[i].why, picks.count);
        cr_assert_eq(picks.tier, rows[i].tier, "%s", rows[i].why);
        for (uint32_t k = 0; k < MAP_PICKS_MAX; k++) {
            cr_assert_eq(picks.pop[k], k < rows[i].count ? rows[i].picks[k] : NONE, "%s: place %u",
                         rows[i].why, k);
        }
    }
}

static uint8_t random_state(uint64_t *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return MAP_STATE_DOWN;
    case 1:
        return MAP_STATE_ABSENT;
    case 2:
        return MAP_STATE_DRAIN;
    case 3:
    case 4:
        return (uint8_t)random_below(random, 101);
    case 5:
        return (uint8_t)random_below(random, 256);
    default:
        return 0;
    }
}

static void random_case(uint64_t *random, struct map_record *record, uint8_t *states, uint8_t *tail,
                        size_t *tail_n)
{
    bool used[256] = {false};
    uint32_t n = random_below(random, 9);

    *tail_n = 1 + random_below(random, random_below(random, 4) ? 12 : 250);
    fill_tail(tail, *tail_n);
    for (size_t i = *tail_n; i > 1; i--) {
        size_t k = random_below(random, (uint32_t)i);
        uint8_t pop = tail[i - 1];

        tail[i - 1] = tail[k];
        tail[k] = pop;
    }
    *record = (struct map_record){.pops = ~0ULL, .shed_class = (uint8_t)random_below(random, 100)};
    for (uint32_t i = 0; i < n && i < *tail_n; i++) {
        uint8_t pop = (uint8_t)random_below(random, (uint32_t)*tail_n);

        if (used[pop]) {
            break;
        }
        used[pop] = true;
        record->pops = (record->pops & ~(0xffULL << (8 * i))) | (uint64_t)pop << (8 * i);
    }
    memset(states, MAP_STATE_ABSENT, MAP_STATES);
    for (size_t i = 0; i < *tail_n; i++) {
        states[i] = random_state(random);
    }
    if (random_below(random, 4) ==
        0) { /* many dead, so that the tail and the lesser tiers matter */
        for (size_t i = 0; i < *tail_n; i++) {
            if (random_below(random, 8)) {
                states[i] = random_below(random, 2) ? MAP_STATE_DOWN : MAP_STATE_DRAIN;
            }
        }
    }
}

Test(select, equals_the_oracle)
{
    uint64_t random = 20261122;

    for (int i = 0; i < 200000; i++) {
        uint8_t tail[MAP_TAIL_SIZE];
        uint8_t states[MAP_STATES];
        uint8_t wanted[MAP_PICKS_MAX];
        uint32_t want = 1 + random_below(&random, MAP_PICKS_MAX);
        struct map_record record;
        struct map_picks picks;
        size_t tail_n;
        size_t n;
        int tier;

        random_case(&random, &record, states, tail, &tail_n);
        n = oracle_select(&record, states, tail, tail_n, want, wanted, &tier);
        map_select(&record, states, tail, (uint32_t)tail_n, want, &picks);
        if (picks.count != n || picks.tier != tier || memcmp(picks.pop, wanted, n) != 0) {
            cr_assert_fail("case %d: %u picks of tier %u, oracle %zu of %d", i, picks.count,
                           picks.tier, n, tier);
        }
        for (size_t k = 0; k < n; k++) {
            for (size_t m = 0; m < k; m++) {
                cr_assert_neq(picks.pop[k], picks.pop[m], "a PoP twice");
            }
        }
    }
}

/* Of the blocks whose first PoP sheds N percent, those of N of 100 classes move, and always the
 * same ones. */
Test(select, shed_share_is_exact_and_stable)
{
    uint8_t tail[MAP_TAIL_SIZE];
    uint8_t states[MAP_STATES];
    bool moved_before[100] = {false};

    fill_tail(tail, 5);
    for (uint32_t share = 0; share <= 100; share++) {
        uint32_t moved = 0;

        memset(states, MAP_STATE_ABSENT, sizeof(states));
        memset(states, 0, 5);
        states[1] = (uint8_t)share;
        for (uint8_t class = 0; class < 100; class ++) {
            struct map_record record = {.pops = RANKING(1, 2, 3), .shed_class = class};
            struct map_picks picks;

            map_select(&record, states, tail, 5, 1, &picks);
            cr_assert(picks.pop[0] == 1 || picks.pop[0] == 2);
            cr_assert(!moved_before[class] || picks.pop[0] == 2, "class %u came back", class);
            moved_before[class] = picks.pop[0] == 2;
            moved += picks.pop[0] == 2;
        }
        cr_assert_eq(moved, share);
    }
}

/* Whether anybody is left depends on states and tail only. */
Test(select, nobody_left_never_depends_on_the_client)
{
    uint64_t random = 77;

    for (int i = 0; i < 2000; i++) {
        uint8_t tail[MAP_TAIL_SIZE];
        uint8_t states[MAP_STATES];
        struct map_record record;
        struct map_picks picks;
        size_t tail_n;
        bool empty;

        random_case(&random, &record, states, tail, &tail_n);
        for (size_t k = 0; k < tail_n; k++) { /* mostly nobody */
            states[k] = random_below(&random, 40) ? MAP_STATE_DOWN : states[k];
        }
        map_select(&record, states, tail, (uint32_t)tail_n, 1, &picks);
        empty = !picks.count;
        for (int client = 0; client < 50; client++) {
            record.shed_class = (uint8_t)random_below(&random, 100);
            record.pops = ~0ULL;
            for (uint32_t k = 0; k < random_below(&random, 9); k++) {
                record.pops = (record.pops & ~(0xffULL << (8 * k))) |
                              (uint64_t)tail[random_below(&random, (uint32_t)tail_n)] << (8 * k);
            }
            map_select(&record, states, tail, (uint32_t)tail_n, 1, &picks);
            cr_assert_eq(!picks.count, empty);
        }
    }
}
