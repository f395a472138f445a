/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define DOUBLE_MAX_LEN 255 /* longest text of a double we look at */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int number_parse_u64(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool overflow = false;

    if (len == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i])) {
            return -EINVAL;
        }
        /* go on after an overflow: "99999999999999999999x" is no number at all */
        overflow |= __builtin_mul_overflow(value, UINT64_C(10), &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value);
    }
    if (overflow || value < min || value > max) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

/* What the text of a double says, before it is one. */
struct decimal {
    bool negative;
    uint64_t digits; /* the significant digits, exact as long as `exact` */
    int exponent;    /* of ten */
    bool exact;
};

/* Reads [+-]digits[.digits][e[+-]digits]; at least one digit before the exponent. */
static int decimal_parse(const char *text, size_t len, struct decimal *ret_decimal)
{
    struct decimal decimal = {.exact = true};
    size_t i = 0, digit_count = 0;
    int exponent = 0, shift = 0;
    bool fraction = false, exponent_negative = false;

    if (i < len && (text[i] == '+' || text[i] == '-')) {
        decimal.negative = text[i++] == '-';
    }
    for (; i < len && (is_digit(text[i]) || (text[i] == '.' && !fraction)); i++) {
        if (text[i] == '.') {
            fraction = true;
            continue;
        }
        digit_count++;
        shift -= fraction;
        if (decimal.digits > (UINT64_MAX - 9) / 10) {
            decimal.exact = false;
        } else {
            decimal.digits = decimal.digits * 10 + (uint64_t)(text[i] - '0');
        }
    }
    if (digit_count == 0) {
        return -EINVAL;
    }
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        size_t first;

        i++;
        if (i < len && (text[i] == '+' || text[i] == '-')) {
            exponent_negative = text[i++] == '-';
        }
        for (first = i; i < len && is_digit(text[i]); i++) {
            exponent = exponent < 100000 ? exponent * 10 + (text[i] - '0') : exponent;
        }
        if (i == first) {
            return -EINVAL;
        }
    }
    if (i != len) {
        return -EINVAL;
    }
    decimal.exponent = shift + (exponent_negative ? -exponent : exponent);
    *ret_decimal = decimal;
    return 0;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* strtod() rounds rightly whatever the number; `text` is known to be well-formed. */
static int double_parse_slowly(const char *text, size_t len, double *ret_value)
{
    char copy[DOUBLE_MAX_LEN + 1];

    (void)pthread_once(&c_locale_once, c_locale_make);
    if (c_locale == (locale_t)0) {
        return -ENOMEM;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    *ret_value = strtod_l(copy, NULL, c_locale);
    return 0;
}

int number_parse_double(const char *text, size_t len, double min, double max, double *ret_value)
{
    /* Both operands exact, so one IEEE operation rounds rightly (Clinger 1990). Covers what
     * measurements look like. */
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal decimal;
    double value;
    int err;

    if (len > DOUBLE_MAX_LEN) {
        return -EINVAL;
    }
    err = decimal_parse(text, len, &decimal);
    if (err < 0) {
        return err;
    }
    if (decimal.exact && decimal.digits <= UINT64_C(1) << 53 && decimal.exponent >= -22 &&
        decimal.exponent <= 22) {
        value = (double)decimal.digits;
        value = decimal.exponent < 0 ? value / powers[-decimal.exponent]
                                     : value * powers[decimal.exponent];
        value = decimal.negative ? -value : value;
    } else {
        err = double_parse_slowly(text, len, &value);
        if (err < 0) {
            return err;
        }
    }
    if (!isfinite(value) || value < min || value > max) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

static int64_t unit_ns(const char *unit, size_t len)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"", CLOCK_NS_PER_S},
        {"ns", 1},
        {"us", 1000},
        {"ms", CLOCK_NS_PER_MS},
        {"s", CLOCK_NS_PER_S},
        {"m", 60 * CLOCK_NS_PER_S},
        {"h", 3600 * CLOCK_NS_PER_S},
        {"d", 86400 * CLOCK_NS_PER_S},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, unit, len) == 0) {
            return units[i].ns;
        }
    }
    return 0;
}

int number_parse_duration_ns(const char *text, size_t len, int64_t *ret_ns)
{
    size_t whole = 0, fraction, end;
    int64_t value = 0, place, unit;
    bool overflow = false;

    while (whole < len && is_digit(text[whole])) {
        whole++;
    }
    fraction = end = whole;
    if (end < len && text[end] == '.') {
        fraction = ++end;
        while (end < len && is_digit(text[end])) {
            end++;
        }
        if (end == fraction) {
            return -EINVAL;
        }
    }
    unit = unit_ns(text + end, len - end);
    if (whole == 0 || unit == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < whole; i++) {
        overflow |= __builtin_mul_overflow(value, INT64_C(10), &value);
        overflow |= __builtin_add_overflow(value, (int64_t)(text[i] - '0'), &value);
    }
    overflow |= __builtin_mul_overflow(value, unit, &value);
    place = unit;
    for (size_t i = fraction; i < end; i++) {
        int64_t part = (int64_t)(text[i] - '0') * place;

        if (part % 10 != 0) {
            return -EINVAL; /* finer than a nanosecond */
        }
        overflow |= __builtin_add_overflow(value, part / 10, &value);
        place /= 10;
    }
    if (overflow) {
        return -ERANGE;
    }
    *ret_ns = value;
    return 0;
}
