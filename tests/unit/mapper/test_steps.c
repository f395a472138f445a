/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/steps.h"

#include <stdlib.h>

#include <criterion/criterion.h>

static struct map_key at(uint64_t hi)
{
    struct map_key key = {hi, 0};

    return key;
}

Test(steps, nothing_is_known_before_the_first_and_in_an_empty_one)
{
    struct steps steps = {0};

    cr_assert_eq(steps_value(&steps, at(5)), STEPS_NONE);
    cr_assert_eq(steps_append(&steps, at(10), 1), 0);
    cr_assert_eq(steps_value(&steps, at(9)), STEPS_NONE);
    cr_assert_eq(steps_value(&steps, at(10)), 1);
    cr_assert_eq(steps_value(&steps, at(UINT64_MAX)), 1);
    steps_done(&steps);
}

Test(steps, equal_neighbours_merge_and_a_later_word_on_a_start_wins)
{
    struct steps steps = {0};

    cr_assert_eq(steps_append(&steps, at(10), 1), 0);
    cr_assert_eq(steps_append(&steps, at(20), 1), 0);
    cr_assert_eq(steps.n, 1);
    cr_assert_eq(steps_append(&steps, at(30), 2), 0);
    cr_assert_eq(steps_append(&steps, at(30), 1), 0);
    cr_assert_eq(steps.n, 1);
    cr_assert_eq(steps_append(&steps, at(40), STEPS_NONE), 0);
    cr_assert_eq(steps_value(&steps, at(39)), 1);
    cr_assert_eq(steps_value(&steps, at(40)), STEPS_NONE);
    steps_done(&steps);
}

Test(steps, the_longest_prefix_decides)
{
    struct steps_prefix prefixes[] = {
        {{UINT64_C(0x0a) << 56, 0}, 8, 1},      {{UINT64_C(0x0a01) << 48, 0}, 16, 2},
        {{UINT64_C(0x0a0102) << 40, 0}, 24, 3}, {{UINT64_C(0x0a0103) << 40, 0}, 24, 4},
        {{UINT64_C(0x0b) << 56, 0}, 8, 5},
    };
    struct steps steps = {0};

    cr_assert_eq(steps_from_prefixes(prefixes, 5, &steps), 0);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0a000000) << 32)), 1);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0a010000) << 32)), 2);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0a0102ff) << 32)), 3);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0a010300) << 32)), 4);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0a010400) << 32)), 2);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0a020000) << 32)), 1);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0bffffff) << 32)), 5);
    cr_assert_eq(steps_value(&steps, at(UINT64_C(0x0c000000) << 32)), STEPS_NONE);
    steps_done(&steps);
}

/* Random prefixes of a tiny space (8 bits at the top, and at the very end of the key) against a
 * scan. */
static void against_scan(unsigned seed, bool low)
{
    struct steps_prefix prefixes[40];
    struct steps_prefix original[40];
    struct steps steps = {0};

    srand(seed);
    for (int i = 0; i < 40; i++) {
        unsigned len = 1 + (unsigned)rand() % 8;
        unsigned bits = (unsigned)rand() % 256 >> (8 - len) << (8 - len);
        struct map_key first = {low ? 0 : (uint64_t)bits << 56, low ? bits : 0};

        prefixes[i] = (struct steps_prefix){first, low ? 120 + len : len, (uint32_t)i};
        original[i] = prefixes[i];
    }
    cr_assert_eq(steps_from_prefixes(prefixes, 40, &steps), 0);
    for (unsigned bits = 0; bits < 256; bits++) {
        struct map_key key = {low ? 0 : (uint64_t)bits << 56, low ? bits : 0};
        uint32_t expected = STEPS_NONE;
        unsigned best = 0;

        for (int i = 0; i < 40; i++) {
            if (key_compare(key_first(key, original[i].len), original[i].first) == 0 &&
                original[i].len >= best) {
                best = original[i].len;
                expected = original[i].value;
            }
        }
        cr_assert_eq(steps_value(&steps, key), expected, "seed %u, %u", seed, bits);
    }
    steps_done(&steps);
}

Test(steps, random_prefixes_equal_a_scan)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        against_scan(seed, false);
        against_scan(seed, true);
    }
}

Test(steps, overlay_lets_the_lower_one_through_where_the_upper_knows_nothing)
{
    struct steps above = {0};
    struct steps below = {0};
    struct steps both = {0};

    steps_append(&above, at(10), 1);
    steps_append(&above, at(20), STEPS_NONE);
    steps_append(&below, at(5), 7);
    steps_append(&below, at(30), 8);
    cr_assert_eq(steps_overlay(&above, &below, &both), 0);
    cr_assert_eq(steps_value(&both, at(0)), STEPS_NONE);
    cr_assert_eq(steps_value(&both, at(5)), 7);
    cr_assert_eq(steps_value(&both, at(10)), 1);
    cr_assert_eq(steps_value(&both, at(20)), 7);
    cr_assert_eq(steps_value(&both, at(30)), 8);
    steps_done(&above);
    steps_done(&below);
    steps_done(&both);
}
