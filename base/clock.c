/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_monotonic_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

int64_t clock_wall_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / CLOCK_NS_PER_MS;
}

void clock_format_utc(int64_t wall_s, char ret_text[static 24])
{
    /* A year of more than four digits would not fit, and is no time anybody means. */
    const int64_t min_s = INT64_C(-62167219200); /* 0000-01-01T00:00:00Z */
    const int64_t max_s = INT64_C(253402300799); /* 9999-12-31T23:59:59Z */
    time_t time = (time_t)(wall_s < min_s ? min_s : wall_s > max_s ? max_s : wall_s);
    struct tm parts;

    if (!gmtime_r(&time, &parts)) {
        memset(&parts, 0, sizeof(parts));
    }
    /* the clamp above keeps the year within four digits; the type does not know */
    (void)snprintf(ret_text, 24, "%04u-%02u-%02uT%02u:%02u:%02uZ",
                   ((unsigned)parts.tm_year + 1900U) % 10000U, ((unsigned)parts.tm_mon + 1U) % 100U,
                   (unsigned)parts.tm_mday % 100U, (unsigned)parts.tm_hour % 100U,
                   (unsigned)parts.tm_min % 100U, (unsigned)parts.tm_sec % 100U);
}
