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
    return true;
}

void health_init(struct health *health, int64_t now_ns)
{
    *health = (struct health){.state = HEALTH_STARTING, .state_since_ns = now_ns};
}

bool health_observe(struct health *health, const struct health_limits *limits,
                    enum health_observation observation, int64_t now_ns)
{
    health->last = observation;
    health->observed_ns = now_ns;
    health->observations_n++;
    switch (observation) {
    case HEALTH_PASS:
        health->passes_n = row_extend(health->passes_n);
        health->fails_n = 0;
        health->unknowns_n = 0;
        return health->passes_n >= limits->rise && state_set(health, HEALTH_UP, now_ns);
    case HEALTH_FAIL:
        health->fails_n = row_extend(health->fails_n);
        health->passes_n = 0;
        health->unknowns_n = 0;
        return health->fails_n >= limits->fall && state_set(health, HEALTH_DOWN, now_ns);
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
