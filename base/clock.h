/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two clocks that must not be mixed up: monotonic time for intervals, deadlines and leases (never
 * jumps), wall-clock time for what an operator reads and for expiry dates. No state, thread-safe.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_S INT64_C(1000000000)
#define CLOCK_NS_PER_MS INT64_C(1000000)

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t clock_monotonic_ns(void);

/* Seconds since 1970-01-01 UTC, and milliseconds. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* "2026-11-22T08:06:00Z" into `ret_text`. */
void clock_format_utc(int64_t wall_s, char ret_text[static 24]);

#endif
