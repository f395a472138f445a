/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our own flap damping, so that the network never has to damp us: every withdrawal adds a penalty
 * that halves with time; above `suppress` the next announcement waits until it has fallen to
 * `reuse`, at most `max`. It only ever delays announcements. Pure; monotonic nanoseconds.
 *
 * The model is that of RFC 2439 with the usual figures of routers (a penalty of 1000 a flap), so
 * that the values can be compared with theirs. Unlike there the longest suppression is a time of
 * its own and no ceiling of the penalty: the usual ceiling lies below the usual `suppress`.
 */
#ifndef BGP_DAMPING_H
#define BGP_DAMPING_H

#include <stdbool.h>
#include <stdint.h>

struct damping_limits {
    bool on;
    double penalty;       /* of a withdrawal */
    double suppress;      /* above this it waits */
    double reuse;         /* until it is no more than this; below `suppress` */
    int64_t half_life_ns; /* more than 0 */
    int64_t max_ns;       /* no wait is longer */
};

struct damping {
    double penalty; /* at `at_ns` */
    int64_t at_ns;
    bool suppressed;
    int64_t suppressed_ns; /* since then */
};

/* The figures of the manual page. */
struct damping_limits damping_limits_usual(void);

/* What is left of the penalty now. */
double damping_penalty(const struct damping *damping, const struct damping_limits *limits,
                       int64_t now_ns);

/* The VIP was withdrawn. */
void damping_withdrawn(struct damping *damping, const struct damping_limits *limits,
                       int64_t now_ns);

/* Whether an announcement has to wait; notes when the wait is over. */
bool damping_suppressed(struct damping *damping, const struct damping_limits *limits,
                        int64_t now_ns);

/* When the wait will be over; `now_ns` if there is none. */
int64_t damping_until_ns(const struct damping *damping, const struct damping_limits *limits,
                         int64_t now_ns);

#endif
