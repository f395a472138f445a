/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/health.h"

static uint32_t row_extend(uint32_t count)
{
    return count < UINT32_MAX ? count + 1 : count;
}

static bool state_set(struct health *health, enum health_state state, int64_t now_ns)
{
    if (health->state == state) {
        return false;
    }
    health->state = state;
    health->state_since_ns = now_ns;
    if (state == HEALTH_UP) {
        health->window_n = 0; /* or what was survived would count against the next failure */
    }
    return true;
}

static void window_add(struct health *health, bool failed)
{
    health->window = health->window << 1 | failed;
    health->window_n += health->window_n < HEALTH_WINDOW_MAX;
}

uint32_t health_window_fails(const struct health *health, uint32_t size)
{
    const uint32_t count = size < health->window_n ? size : health->window_n;
    const uint64_t unused = count < HEALTH_WINDOW_MAX ? UINT64_MAX << count : 0;

    return (uint32_t)__builtin_popcountll(health->window & ~unused);
}

static bool passed(struct health *health, const struct health_limits *limits, int64_t now_ns)
{
    health->passes_n = row_extend(health->passes_n);
    health->fails_n = 0;
    health->unknowns_n = 0;
    window_add(health, false);
    return health->passes_n >= limits->rise && now_ns >= health->held_until_ns &&
           state_set(health, HEALTH_UP, now_ns);
}

static bool failed(struct health *health, const struct health_limits *limits, int64_t now_ns)
{
    const bool was_up = health->state == HEALTH_UP;

    health->fails_n = row_extend(health->fails_n);
    health->passes_n = 0;
    health->unknowns_n = 0;
    window_add(health, true);
    if (health->fails_n < limits->fall &&
        (limits->window == 0 ||
         health_window_fails(health, limits->window) < limits->window_fails)) {
        return false;
    }
    if (was_up) {
        health->held_until_ns = now_ns + limits->hold_down_ns;
    }
    return state_set(health, HEALTH_DOWN, now_ns);
}

void health_init(struct health *health, int64_t now_ns)
{
    *health = (struct health){
        .state = HEALTH_STARTING, .state_since_ns = now_ns, .held_until_ns = INT64_MIN};
}

bool health_observe(struct health *health, const struct health_limits *limits,
                    enum health_observation observation, int64_t now_ns)
{
    health->last = observation;
    health->observed_ns = now_ns;
    health->observations_n++;
    switch (observation) {
    case HEALTH_PASS:
        return passed(health, limits, now_ns);
    case HEALTH_FAIL:
        return failed(health, limits, now_ns);
    case HEALTH_UNKNOWN:
        health->unknowns_n = row_extend(health->unknowns_n);
        return false;
    }
    return false;
}

const char *health_state_name(enum health_state state)
{
    switch (state) {
    case HEALTH_STARTING:
        return "starting";
    case HEALTH_UP:
        return "up";
    case HEALTH_DOWN:
        return "down";
    }
    return "?";
}

const char *health_observation_name(enum health_observation observation)
{
    switch (observation) {
    case HEALTH_PASS:
        return "pass";
    case HEALTH_FAIL:
        return "fail";
    case HEALTH_UNKNOWN:
        return "unknown";
    }
    return "?";
}
