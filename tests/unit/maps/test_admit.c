/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "maps/admit_core.h"
#include "random.h"

static struct admit_limits limits;

static void setup(void)
{
    limits = (struct admit_limits){
        .secret = "not a secret 123", .window_s = 2, .slip = 2, .ipv4_bits = 24, .ipv6_bits = 56};
    for (unsigned i = 0; i < ADMIT_CLASSES; i++) {
        limits.cost_us[i] = 10000; /* 100 per second */
    }
}

struct tally {
    unsigned sent, slipped, dropped;
};

/* `n` responses from `start_us` on, evenly spaced, on one account. */
static struct tally run(__u64 *account, __u64 start_us, __u64 step_us, unsigned n)
{
    struct tally tally = {0};

    for (unsigned i = 0; i < n; i++) {
        switch (admit_step(&limits, ADMIT_POSITIVE, 5ULL << ADMIT_TAG_SHIFT, *account,
                           start_us + i * step_us, account)) {
        case ADMIT_SEND:
            tally.sent++;
            break;
        case ADMIT_SLIP:
            tally.slipped++;
            break;
        case ADMIT_DROP:
            tally.dropped++;
            break;
        }
    }
    return tally;
}

Test(admit, exact_rates, .init = setup)
{
    static const __u64 starts[] = {5000000, ADMIT_TIME_MASK - 500000, 1ULL << 50};

    limits.window_s = 0; /* nothing but the rate */
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        __u64 account = 0;
        struct tally tally;

        tally = run(&account, starts[s], 0, 250);
        cr_expect_eq(tally.sent, 100, "a second's worth at once: %u", tally.sent);
        cr_expect_eq(tally.slipped, 75);
        cr_expect_eq(tally.dropped, 75);
        tally = run(&account, starts[s] + 10000, 1000, 10000);
        cr_expect_eq(tally.sent, 1000, "ten seconds of ten times the rate: %u", tally.sent);
        account = 0;
        tally = run(&account, starts[s], 10000, 5000);
        cr_expect_eq(tally.sent, 5000, "just the rate, for ever");
    }
}

Test(admit, a_flood_is_remembered_for_the_window, .init = setup)
{
    __u64 account = 0;
    struct tally tally = run(&account, 1000000, 100, 50000); /* 5 s of 10,000 per second */

    cr_expect_lt(tally.sent, 110, "nothing gets through while it lasts: %u", tally.sent);
    /* it owes window + 1 seconds now, of which one is its due */
    tally = run(&account, 6000000 + 1990000, 0, 1);
    cr_expect_eq(tally.sent, 0);
    account = 0;
    (void)run(&account, 1000000, 100, 50000);
    tally = run(&account, 6000000 + 2010000, 0, 1);
    cr_expect_eq(tally.sent, 1, "after the window a response goes out");
    account = 0;
    (void)run(&account, 1000000, 100, 50000);
    tally = run(&account, 6000000 + 3000000, 0, 150);
    cr_expect_eq(tally.sent, 100, "and a second later all is forgiven: %u", tally.sent);
}

Test(admit, slip_cadence, .init = setup)
{
    for (unsigned slip = 0; slip <= ADMIT_SLIP_MAX; slip++) {
        __u64 account = 0;

        limits.slip = slip;
        (void)run(&account, 1000000, 0, 100);
        for (unsigned i = 1; i <= 60; i++) {
            struct tally tally = run(&account, 1000000, 0, 1);

            cr_expect_eq(tally.sent, 0);
            cr_expect_eq(tally.slipped, slip && i % slip == 0, "slip %u, response %u", slip, i);
        }
    }
}

Test(admit, other_time_is_no_debt, .init = setup)
{
    __u64 account = 0;

    (void)run(&account, 1000000, 0, 1000);
    cr_expect_eq(admit_owed(&limits, account, 1000000), 3000000);
    cr_expect_eq(admit_owed(&limits, account, 2500000), 1500000);
    cr_expect_eq(admit_owed(&limits, account, 4000000), 0);
    cr_expect_eq(admit_owed(&limits, account, 4000001), 0);
    cr_expect_eq(admit_owed(&limits, account, 4000000 + (1ULL << 39)), 0, "six days later");
    cr_expect_eq(admit_owed(&limits, 0, 11000000), 0, "an empty place");
}

/* Workers read the clock once per round of events: one may be behind what the other wrote. */
Test(admit, clocks_that_differ, .init = setup)
{
    __u64 account = 0;
    unsigned sent = 0;

    for (unsigned i = 0; i < 20000; i++) {
        sent += run(&account, 20000000 + i * 100 - (i % 2) * 300000, 0, 1).sent;
    }
    cr_expect_leq(sent, 101, "%u", sent);
}

Test(admit, networks, .init = setup)
{
    static const struct {
        __u8 a[16], b[16];
        __u32 len;
        bool same;
        const char *why;
    } rows[] = {
        {{192, 0, 2, 1}, {192, 0, 2, 254}, 4, true, "one /24"},
        {{192, 0, 2, 1}, {192, 0, 3, 1}, 4, false, "two"},
        {{0x20, 1, 0xd, 0xb8, 0, 0, 1, 1, 9},
         {0x20, 1, 0xd, 0xb8, 0, 0, 1, 2, 8},
         16,
         true,
         "one /56"},
        {{0x20, 1, 0xd, 0xb8, 0, 0, 1}, {0x20, 1, 0xd, 0xb8, 0, 0, 2}, 16, false, "two"},
    };
    __u64 key = admit_key(&limits, rows[0].a, 4, ADMIT_NXDOMAIN, 7);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(admit_key(&limits, rows[i].a, rows[i].len, ADMIT_NODATA, 7) ==
                         admit_key(&limits, rows[i].b, rows[i].len, ADMIT_NODATA, 7),
                     rows[i].same, "%s", rows[i].why);
    }
    cr_expect_neq(key, admit_key(&limits, rows[0].a, 4, ADMIT_NODATA, 7), "another class");
    cr_expect_neq(key, admit_key(&limits, rows[0].a, 4, ADMIT_NXDOMAIN, 8), "another name");
    cr_expect_neq(key, admit_key(&limits, rows[0].a, 16, ADMIT_NXDOMAIN, 7), "another family");
    limits.secret[0]++;
    cr_expect_neq(key, admit_key(&limits, rows[0].a, 4, ADMIT_NXDOMAIN, 7), "another secret");
}

Test(admit, a_place_is_only_taken_from_who_owes_least, .init = setup)
{
    __u64 set[ADMIT_SET], next;

    for (unsigned i = 0; i < ADMIT_SET; i++) {
        (void)admit_step(&limits, ADMIT_POSITIVE, (__u64)(i + 1) << ADMIT_TAG_SHIFT, 0, 1000000,
                         &set[i]);
    }
    for (unsigned k = 0; k < 50; k++) {
        (void)admit_step(&limits, ADMIT_POSITIVE, 4ULL << ADMIT_TAG_SHIFT, set[3], 1000000,
                         &set[3]);
    }
    cr_expect_eq(admit_place(&limits, set, 4ULL << ADMIT_TAG_SHIFT, 1000000), 3, "its own");
    (void)admit_step(&limits, ADMIT_POSITIVE, 1ULL << ADMIT_TAG_SHIFT, set[0], 1000000, &set[0]);
    cr_expect_eq(admit_place(&limits, set, 99ULL << ADMIT_TAG_SHIFT, 1000000), 1);
    cr_expect_eq(
        admit_step(&limits, ADMIT_POSITIVE, 99ULL << ADMIT_TAG_SHIFT, set[3], 1000000, &next),
        ADMIT_SEND, "who takes a place does not take over what is owed");
    cr_expect_eq(admit_owed(&limits, next, 1000000), 10000);
}

/* A small table under a flood from random networks: one network that keeps to the rate loses
 * nothing, since the accounts in use are those of the last 1/rate seconds. */
Test(admit, many_networks_in_a_small_table, .init = setup)
{
    enum { SETS = 1024 };
    static __u64 table[SETS][ADMIT_SET];
    uint64_t random = 42;
    unsigned lost = 0;
    __u64 now_us = 1000000;

    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < 2000000; i++, now_us += 5) { /* 10 s of 200,000 per second */
        bool ours = i % 2500 == 0;                        /* 80 per second */
        __u32 network = ours ? 0 : (__u32)random_next(&random);
        __u8 address[4] = {(__u8)(network >> 24), (__u8)(network >> 16), (__u8)(network >> 8), 0};
        __u64 key = admit_key(&limits, address, 4, ADMIT_POSITIVE, 1);
        __u64 *set = table[key % SETS];
        __u32 place = admit_place(&limits, set, key, now_us);

        lost += admit_step(&limits, ADMIT_POSITIVE, key, set[place], now_us, &set[place]) !=
                    ADMIT_SEND &&
                ours;
    }
    cr_expect_eq(lost, 0, "%u of 800 lost", lost);
}
