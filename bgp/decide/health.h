/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Judges one check from what its probes observed. Pure: no clock, no I/O; time is an argument
 * (monotonic nanoseconds).
 *
 *   - so many passes in a row (`rise`) make it up, so many failures in a row (`fall`) make it down;
 *   - so do so many failures among the last `window` observations, wherever they stand: a service
 *     that answers every other time breaks every row of failures and is still no service;
 *   - what went down stays down for `hold_down` at least, however well its probes pass.
 *
 * What comes up starts with an empty window: a recovery takes `rise` passes, and failures survived
 * do not count against the next one.
 *
 * An observation that says nothing about the service (no descriptor, no memory, no free port) is
 * UNKNOWN: it neither counts nor breaks a row, so a sick prober never takes a healthy service down.
 */
#ifndef BGP_HEALTH_H
#define BGP_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_WINDOW_MAX 64

enum health_state {
    HEALTH_STARTING, /* neither row was completed yet */
    HEALTH_UP,
    HEALTH_DOWN,
};

enum health_observation {
    HEALTH_PASS,
    HEALTH_FAIL,
    HEALTH_UNKNOWN,
};

struct health_limits {
    uint32_t rise;         /* passes in a row that make it up, at least 1 */
    uint32_t fall;         /* failures in a row that make it down, at least 1 */
    uint32_t window;       /* observations looked back on, at most HEALTH_WINDOW_MAX; 0: none */
    uint32_t window_fails; /* failures among them that make it down, at least 1 */
    int64_t hold_down_ns;  /* from up to down, and down at least so long */
};

struct health {
    enum health_state state;
    enum health_observation last; /* meaningless while observations_n is 0 */
    uint32_t passes_n;            /* in a row; one of the two rows is always empty */
    uint32_t fails_n;
    uint32_t unknowns_n; /* since the last observation that did say something */
    uint32_t window_n;   /* observations since it came up, UNKNOWN ones left out, at most
                            HEALTH_WINDOW_MAX */
    uint64_t window;     /* a bit each, the latest is the lowest; set: it failed */
    uint64_t observations_n;
    int64_t state_since_ns;
    int64_t held_until_ns; /* not up before */
    int64_t observed_ns;
};

void health_init(struct health *health, int64_t now_ns);

/* True if the state changed. */
bool health_observe(struct health *health, const struct health_limits *limits,
                    enum health_observation observation, int64_t now_ns);

/* Failures among the last `size` observations, none from before it came up. */
uint32_t health_window_fails(const struct health *health, uint32_t size);

/* "starting", "up", "down" and "pass", "fail", "unknown". */
const char *health_state_name(enum health_state state);
const char *health_observation_name(enum health_observation observation);

#endif
