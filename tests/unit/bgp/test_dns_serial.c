/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_serial.h"

#include <criterion/criterion.h>

Test(dns_serial, behind_for_too_long_and_no_sooner)
{
    struct dns_serial serial = {0};
    uint32_t reference = 44;

    dns_serial_observe(&serial, 44, &reference, 0);
    cr_assert_not(dns_serial_is_stale(&serial, 0, 0));
    dns_serial_observe(&serial, 41, &reference, 10);
    cr_assert(dns_serial_is_stale(&serial, 0, 10), "no lag allowed");
    cr_assert_not(dns_serial_is_stale(&serial, 60, 69));
    cr_assert(dns_serial_is_stale(&serial, 60, 70));
    dns_serial_observe(&serial, 44, &reference, 80);
    cr_assert_not(dns_serial_is_stale(&serial, 60, 80));
}

/* A zone that changes all the time is always a little behind; that alone is never too old. */
Test(dns_serial, what_follows_at_a_distance_is_not_stale)
{
    struct dns_serial serial = {0};

    for (uint32_t i = 0; i < 1000; i++) {
        const uint32_t reference = UINT32_MAX - 500 + i; /* and across the end of the numbers */

        dns_serial_observe(&serial, reference - 3, &reference, i);
        cr_assert(serial.behind || i == 0);
        cr_assert_not(dns_serial_is_stale(&serial, 5, i), "at %u", i);
    }
}

Test(dns_serial, a_silent_reference_makes_nothing_older_and_nothing_younger)
{
    struct dns_serial serial = {0};
    uint32_t reference = 44;

    dns_serial_observe(&serial, 41, NULL, 0);
    cr_assert_not(dns_serial_is_stale(&serial, 0, 1000));
    dns_serial_observe(&serial, 41, &reference, 10);
    dns_serial_observe(&serial, 41, NULL, 100);
    cr_assert(dns_serial_is_stale(&serial, 60, 100));
    dns_serial_observe(&serial, 43, NULL, 110);
    cr_assert(dns_serial_is_stale(&serial, 60, 110));
    dns_serial_observe(&serial, 44, NULL, 120);
    cr_assert_not(dns_serial_is_stale(&serial, 60, 120));
}

Test(dns_serial, ahead_is_not_behind)
{
    struct dns_serial serial = {0};
    uint32_t reference = 44;

    dns_serial_observe(&serial, 45, &reference, 0);
    cr_assert_not(serial.behind);
    reference = 45 + (UINT32_C(1) << 31); /* RFC 1982: neither before nor after */
    dns_serial_observe(&serial, 45, &reference, 0);
    cr_assert_not(serial.behind);
}
