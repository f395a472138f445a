/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(number, u64)
{
    static const struct {
        const char *text;
        uint64_t min, max;
        int err;
        uint64_t value;
    } rows[] = {
        {"0", 0, UINT64_MAX, 0, 0},
        {"53", 1, 65535, 0, 53},
        {"010", 0, 100, 0, 10}, /* decimal, not octal */
        {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, -ERANGE, 0},
        {"184467440737095516150", 0, UINT64_MAX, -ERANGE, 0},
        {"36893488147419103233", 0, UINT64_MAX, -ERANGE, 0}, /* wraps to 1 */
        {"65536", 1, 65535, -ERANGE, 0},
        {"0", 1, 65535, -ERANGE, 0},
        {"99999999999999999999x", 0, UINT64_MAX, -EINVAL, 0},
        {"", 0, 9, -EINVAL, 0},
        {"+1", 0, 9, -EINVAL, 0},
        {"-1", 0, 9, -EINVAL, 0},
        {" 1", 0, 9, -EINVAL, 0},
        {"1 ", 0, 9, -EINVAL, 0},
        {"0x1", 0, 9, -EINVAL, 0},
        {"1.0", 0, 9, -EINVAL, 0},
        {"1e0", 0, 9, -EINVAL, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t value = 4711;
        int err =
            number_parse_u64(rows[i].text, strlen(rows[i].text), rows[i].min, rows[i].max, &value);

        cr_expect_eq(err, rows[i].err, "\"%s\": %d", rows[i].text, err);
        cr_expect_eq(value, rows[i].err ? 4711 : rows[i].value, "\"%s\"", rows[i].text);
    }
}

Test(number, the_length_counts_not_a_terminator)
{
    uint64_t value;
    double real;
    int64_t ns;

    cr_assert_eq(number_parse_u64("123,456", 3, 0, 999, &value), 0);
    cr_assert_eq(value, 123);
    cr_assert_eq(number_parse_double("1.5,2", 3, 0, 9, &real), 0);
    cr_assert_eq(real, 1.5);
    cr_assert_eq(number_parse_duration_ns("1ms", 2, &ns), 0);
    cr_assert_eq(ns, 60 * INT64_C(1000000000));
    cr_assert_eq(number_parse_u64("1\0"
                                  "2",
                                  3, 0, 999, &value),
                 -EINVAL);
}

Test(number, doubles)
{
    static const struct {
        const char *text;
        int err;
        double value;
    } rows[] = {
        {"0", 0, 0},
        {"-0.0", 0, 0},
        {"41.25", 0, 41.25},
        {"+1", 0, 1},
        {".5", 0, 0.5},
        {"5.", 0, 5},
        {"1e3", 0, 1000},
        {"1E+3", 0, 1000},
        {"25e-2", 0, 0.25},
        {"0.1", 0, 0.1},
        {"9007199254740993", 0, 9007199254740992.0}, /* a tie: to even */
        {"123456789012345678901234567890", 0, 123456789012345678901234567890.0},
        {"1.7976931348623157e308", 0, DBL_MAX},
        {"2.2250738585072014e-308", 0, DBL_MIN},
        {"1e-400", 0, 0},
        {"1e400", -ERANGE, 0},
        {"-1e400", -ERANGE, 0},
        {"1e999999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},
        {".", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"e5", -EINVAL, 0},
        {"1e", -EINVAL, 0},
        {"1e+", -EINVAL, 0},
        {"1.2.3", -EINVAL, 0},
        {"1,5", -EINVAL, 0},
        {"nan", -EINVAL, 0},
        {"inf", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"--1", -EINVAL, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        double value = 4711;
        int err =
            number_parse_double(rows[i].text, strlen(rows[i].text), -DBL_MAX, DBL_MAX, &value);

        cr_expect_eq(err, rows[i].err, "\"%s\": %d", rows[i].text, err);
        cr_expect(value == (rows[i].err ? 4711 : rows[i].value), "\"%s\": %.17g", rows[i].text,
                  value);
    }
}

/* The quick way must round as strtod does, on both sides of the border where it gives up. */
Test(number, doubles_round_as_strtod_does)
{
    uint64_t state = 1;

    for (int i = 0; i < 200000; i++) {
        char text[64];
        double value = -1;

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        snprintf(text, sizeof(text), "%s%llu.%0*llue%d", state & 1 ? "-" : "",
                 (unsigned long long)(state >> 40), (int)(state % 7) + 1,
                 (unsigned long long)(state >> 20) % 1000, (int)(state % 61) - 30);
        cr_assert_eq(number_parse_double(text, strlen(text), -DBL_MAX, DBL_MAX, &value), 0);
        cr_assert(value == strtod(text, NULL), "%s: %.17g", text, value);
    }
}

Test(number, doubles_have_bounds)
{
    char longer[300];
    double value = 4711;

    memset(longer, '0', sizeof(longer));
    cr_assert_eq(number_parse_double("90.0001", 7, -90, 90, &value), -ERANGE);
    cr_assert_eq(number_parse_double("-90.0001", 8, -90, 90, &value), -ERANGE);
    cr_assert_eq(number_parse_double(longer, 256, -90, 90, &value), -EINVAL);
    cr_assert(value == 4711);
    cr_assert_eq(number_parse_double(longer, 255, -90, 90, &value), 0);
    cr_assert(value == 0);
}

Test(number, durations)
{
    static const struct {
        const char *text;
        int err;
        int64_t ns;
    } rows[] = {
        {"1", 0, 1000000000},
        {"1.5", 0, 1500000000},
        {"0", 0, 0},
        {"500ms", 0, 500000000},
        {"1s", 0, 1000000000},
        {"1.5s", 0, 1500000000},
        {"10m", 0, 600000000000},
        {"2h", 0, 7200000000000},
        {"3d", 0, 259200000000000},
        {"7us", 0, 7000},
        {"7ns", 0, 7},
        {"0.000000001s", 0, 1},
        {"0.0000000010s", 0, 1},
        {"0.0000000001s", -EINVAL, 0}, /* finer than a nanosecond */
        {"0.5ns", -EINVAL, 0},
        {"106751d", 0, INT64_C(9223286400000000000)},
        {"106752d", -ERANGE, 0},
        {"99999999999999999999s", -ERANGE, 0},
        {"-1s", -EINVAL, 0},
        {"+1s", -EINVAL, 0},
        {".5s", -EINVAL, 0},
        {"1.s", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"1 s", -EINVAL, 0},
        {"1S", -EINVAL, 0},
        {"1min", -EINVAL, 0},
        {"1s2", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ns = 4711;
        int err = number_parse_duration_ns(rows[i].text, strlen(rows[i].text), &ns);

        cr_expect_eq(err, rows[i].err, "\"%s\": %d", rows[i].text, err);
        cr_expect_eq(ns, rows[i].err ? 4711 : rows[i].ns, "\"%s\"", rows[i].text);
    }
}
