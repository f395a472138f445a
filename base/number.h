/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Numbers as text, strictly: the whole string must be the number, no sign where none is meant, no
 * locale, no wrap. All return 0, -EINVAL (not a number) or -ERANGE; the output is untouched on
 * failure.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Decimal digits only; leading zeros do not make it octal. */
int number_parse_u64(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Decimal with optional sign, fraction and exponent; never NaN or infinity. Rounded to the nearest
 * double. Longer than 255 characters: -EINVAL. */
int number_parse_double(const char *text, size_t len, double min, double max, double *ret_value);

/* "500ms", "1s", "1.5s", "10m", "2h", "3d"; a bare number is seconds. Also "us" and "ns"; nothing
 * finer than a nanosecond. */
int number_parse_duration_ns(const char *text, size_t len, int64_t *ret_ns);

#endif
