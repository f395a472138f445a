/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/health.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static enum health_observation observation(char letter)
{
    return letter == 'p' ? HEALTH_PASS : letter == 'f' ? HEALTH_FAIL : HEALTH_UNKNOWN;
}

Test(health, rows_of_observations)
{
    static const struct {
        const char *observations; /* p, f, u */
        uint32_t rise, fall;
        const char *states; /* after each: s, u, d */
        const char *why;
    } rows[] = {
        {"ppp", 3, 2, "ssu", "rise passes in a row make it up"},
        {"pp", 3, 2, "ss", "not one less"},
        {"ff", 3, 2, "sd", "fall failures in a row make it down"},
        {"pfppp", 3, 2, "ssssu", "a failure starts the row anew"},
        {"pppffp", 3, 2, "ssuudd", "down stays down until it rises"},
        {"pppffppp", 3, 2, "ssuudddu", "and rises again"},
        {"pppfpfpfp", 3, 2, "ssuuuuuuu", "single failures never take it down"},
        {"pppuuuuuu", 3, 2, "ssuuuuuuu", "unknown never takes it down"},
        {"pppfuf", 3, 2, "ssuuud", "unknown does not break a row of failures"},
        {"pupup", 3, 2, "ssssu", "nor a row of passes"},
        {"uuuuu", 1, 1, "sssss", "unknown alone decides nothing"},
        {"p", 1, 1, "u", "limits of one"},
        {"f", 1, 1, "d", "limits of one"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct health_limits limits = {.rise = rows[i].rise, .fall = rows[i].fall};
        struct health health;

        health_init(&health, 0);
        for (size_t k = 0; rows[i].observations[k]; k++) {
            const enum health_state before = health.state;
            const bool changed = health_observe(
                &health, &limits, observation(rows[i].observations[k]), (int64_t)k + 1);

            cr_expect_eq(health_state_name(health.state)[0], rows[i].states[k], "%s: step %zu",
                         rows[i].why, k);
            cr_expect_eq(changed, before != health.state);
            cr_expect_eq(health.observed_ns, (int64_t)k + 1);
            if (changed) {
                cr_expect_eq(health.state_since_ns, (int64_t)k + 1);
            }
        }
    }
}

/* Whatever came before, `fall` failures end down and `rise` passes end up. */
Test(health, any_history_ends_where_the_last_row_says)
{
    srandom(7);
    for (int round = 0; round < 2000; round++) {
        const struct health_limits limits = {.rise = 1 + (uint32_t)(random() % 5),
                                             .fall = 1 + (uint32_t)(random() % 5)};
        const bool down = random() % 2;
        struct health health;

        health_init(&health, 0);
        for (int i = 0; i < 50; i++) {
            health_observe(&health, &limits, observation("pfu"[random() % 3]), i);
        }
        for (uint32_t i = 0; i < (down ? limits.fall : limits.rise); i++) {
            health_observe(&health, &limits, down ? HEALTH_FAIL : HEALTH_PASS, 100 + i);
        }
        cr_assert_eq(health.state, down ? HEALTH_DOWN : HEALTH_UP);
    }
}

Test(health, rows_do_not_wrap)
{
    const struct health_limits limits = {.rise = 3, .fall = 3};
    struct health health;

    health_init(&health, 0);
    health.fails_n = UINT32_MAX;
    health.state = HEALTH_DOWN;
    health_observe(&health, &limits, HEALTH_FAIL, 1);
    cr_assert_eq(health.fails_n, UINT32_MAX);
    cr_assert_eq(health.state, HEALTH_DOWN);
}

Test(health, names)
{
    cr_assert_str_eq(health_state_name(HEALTH_STARTING), "starting");
    cr_assert_str_eq(health_state_name(HEALTH_DOWN), "down");
    cr_assert_str_eq(health_observation_name(HEALTH_PASS), "pass");
    cr_assert_str_eq(health_observation_name(HEALTH_FAIL), "fail");
    cr_assert_str_eq(health_observation_name(HEALTH_UNKNOWN), "unknown");
}

Test(health, the_window_sees_what_rows_do_not)
{
    static const struct {
        const char *observations, *states, *why;
    } rows[] = {
        {"pppfpfpfpfpf", "ssuuuuuuuuud", "every other one: 5 of 10"},
        {"pppfppfppfppfppf", "ssuuuuuuuuuuuuuu", "every third one: 4 of 10 at most"},
        {"pppfpfpfpfpfpp", "ssuuuuuuuuuddd", "rise counts anew"},
        {"pppfpfpfpfpfppp", "ssuuuuuuuuudddu", "up after rise"},
        {"pppffpppffpppff", "ssuuuuuuuuuuuuu", "fails of 3 rows, never 5 of 10"},
        {"pppfupufupfupfupf", "ssuuuuuuuuuuuuuud", "unknown takes no place in it"},
        {"fpfpfpfpf", "ssssssssd", "also at the start"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct health_limits limits = {.rise = 3, .fall = 3, .window = 10, .window_fails = 5};
        struct health health;

        health_init(&health, 0);
        for (size_t k = 0; rows[i].observations[k]; k++) {
            health_observe(&health, &limits, observation(rows[i].observations[k]), (int64_t)k);
            cr_expect_eq(health_state_name(health.state)[0], rows[i].states[k], "%s: step %zu",
                         rows[i].why, k);
        }
    }
}

Test(health, the_window_starts_empty_when_it_comes_up)
{
    const struct health_limits limits = {.rise = 1, .fall = 9, .window = 64, .window_fails = 2};
    struct health health;

    health_init(&health, 0);
    for (int i = 0; i < 10; i++) {
        health_observe(&health, &limits, HEALTH_FAIL, i);
    }
    cr_expect_eq(health.state, HEALTH_DOWN);
    cr_expect_eq(health_window_fails(&health, 64), 10);
    health_observe(&health, &limits, HEALTH_PASS, 20);
    cr_expect_eq(health_window_fails(&health, 64), 0);
    health_observe(&health, &limits, HEALTH_FAIL, 21);
    cr_expect_eq(health.state, HEALTH_UP);
    cr_expect_eq(health_window_fails(&health, 64), 1);
    health_observe(&health, &limits, HEALTH_FAIL, 22);
    cr_expect_eq(health.state, HEALTH_DOWN);
    for (int i = 0; i < 200; i++) {
        health_observe(&health, &limits, HEALTH_FAIL, 30 + i);
    }
    cr_expect_eq(health_window_fails(&health, HEALTH_WINDOW_MAX), HEALTH_WINDOW_MAX);
}

Test(health, what_went_down_is_held_down)
{
    const struct health_limits limits = {.rise = 2, .fall = 1, .hold_down_ns = 100};
    struct health health;

    health_init(&health, 0);
    health_observe(&health, &limits, HEALTH_FAIL, 1);
    health_observe(&health, &limits, HEALTH_PASS, 2);
    health_observe(&health, &limits, HEALTH_PASS, 3);
    cr_expect_eq(health.state, HEALTH_UP, "a start that takes its time is not held");
    health_observe(&health, &limits, HEALTH_FAIL, 10);
    for (int64_t at = 11; at < 110; at++) {
        health_observe(&health, &limits, HEALTH_PASS, at);
        cr_expect_eq(health.state, HEALTH_DOWN);
    }
    cr_expect(health_observe(&health, &limits, HEALTH_PASS, 110));
    cr_expect_eq(health.state, HEALTH_UP);
}
