/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/forecast.h"

#include <math.h>

#include "base/clock.h"

/* Common router defaults: 1000 a withdrawal, half after 15 minutes, reused below 750, held for an
 * hour at most. RFC 7196 changes none but the threshold. */
#define PENALTY 1000.0
#define REUSE 750.0
#define HALF_LIFE_NS (900 * CLOCK_NS_PER_S)
#define MAX_NS (3600 * CLOCK_NS_PER_S)

static const struct damping_limits limits = {
    .on = true,
    .penalty = PENALTY,
    .suppress = FORECAST_SUPPRESS_USUAL,
    .reuse = REUSE,
    .half_life_ns = HALF_LIFE_NS,
    .max_ns = MAX_NS,
};

void forecast_see(struct forecast *forecast, bool announced, int64_t now_ns)
{
    if (forecast->announced && !announced) {
        damping_withdrawn(&forecast->damping, &limits, now_ns);
    }
    forecast->announced = announced;
}

double forecast_penalty(const struct forecast *forecast, int64_t now_ns)
{
    return damping_penalty(&forecast->damping, &limits, now_ns);
}

unsigned forecast_left(const struct forecast *forecast, double suppress, int64_t now_ns)
{
    const double room = suppress - forecast_penalty(forecast, now_ns);

    return room < 0 ? 0 : (unsigned)(room / PENALTY) + 1;
}

int64_t forecast_held_ns(const struct forecast *forecast, double suppress, int64_t now_ns)
{
    const double penalty =
        forecast_penalty(forecast, now_ns) + PENALTY * forecast_left(forecast, suppress, now_ns);
    const double held_ns = (double)HALF_LIFE_NS * log2(penalty / REUSE);

    return held_ns < (double)MAX_NS ? (int64_t)held_ns : MAX_NS;
}
