/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, monotonic_never_goes_back_and_counts_nanoseconds)
{
    struct timespec before, after;
    int64_t now, last = 0;

    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int i = 0; i < 1000; i++) {
        now = clock_monotonic_ns();
        cr_assert_geq(now, last);
        last = now;
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    cr_assert_geq(last, before.tv_sec * CLOCK_NS_PER_S + before.tv_nsec);
    cr_assert_leq(last, after.tv_sec * CLOCK_NS_PER_S + after.tv_nsec);
}

Test(clock, wall_time_is_seconds_of_the_epoch)
{
    time_t before = time(NULL);
    int64_t now = clock_wall_s();

    /* time() may read a coarser clock that lags by a tick */
    cr_assert_geq(now, before);
    cr_assert_leq(now, time(NULL) + 1);
}

Test(clock, utc_text)
{
    static const struct {
        int64_t wall_s;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1795334760, "2026-11-22T08:06:00Z"},
        {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"}, /* a leap year although divisible by 100 */
        {-1, "1969-12-31T23:59:59Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z"}, /* clamped: must not overflow the buffer */
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[24];

        clock_format_utc(rows[i].wall_s, text);
        cr_expect_str_eq(text, rows[i].text, "%s is not %s", text, rows[i].text);
    }
}
