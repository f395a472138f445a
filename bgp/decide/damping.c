/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/damping.h"

#include <math.h>

#include "base/clock.h"

struct damping_limits damping_limits_usual(void)
{
    return (struct damping_limits){
        .on = true,
        .penalty = 1000,
        .suppress = 2000,
        .reuse = 750,
        .half_life_ns = 900 * CLOCK_NS_PER_S,
        .max_ns = 900 * CLOCK_NS_PER_S,
    };
}

double damping_penalty(const struct damping *damping, const struct damping_limits *limits,
                       int64_t now_ns)
{
    const double half_lives =
        (double)(now_ns - damping->at_ns) / (double)(limits->on ? limits->half_life_ns : 1);

    return damping->penalty > 0 && limits->on ? damping->penalty * exp2(-half_lives) : 0;
}

void damping_withdrawn(struct damping *damping, const struct damping_limits *limits, int64_t now_ns)
{
    if (!limits->on) {
        return;
    }
    damping->penalty = damping_penalty(damping, limits, now_ns) + limits->penalty;
    damping->at_ns = now_ns;
    if (!damping->suppressed && damping->penalty > limits->suppress) {
        damping->suppressed = true;
        damping->suppressed_ns = now_ns;
    }
}

int64_t damping_until_ns(const struct damping *damping, const struct damping_limits *limits,
                         int64_t now_ns)
{
    double decay_ns;

    if (!limits->on || !damping->suppressed) {
        return now_ns;
    }
    if (damping->penalty <= limits->reuse) {
        return now_ns;
    }
    decay_ns = log2(damping->penalty / limits->reuse) * (double)limits->half_life_ns;
    if (decay_ns >= (double)(damping->suppressed_ns - damping->at_ns + limits->max_ns)) {
        return damping->suppressed_ns + limits->max_ns;
    }
    return damping->at_ns + (int64_t)ceil(decay_ns);
}

bool damping_suppressed(struct damping *damping, const struct damping_limits *limits,
                        int64_t now_ns)
{
    if (damping->suppressed && damping_until_ns(damping, limits, now_ns) <= now_ns) {
        /* Served in full: what is left would make the next flap wait again at once. */
        damping->penalty = fmin(damping_penalty(damping, limits, now_ns), limits->reuse);
        damping->at_ns = now_ns;
        damping->suppressed = false;
    }
    return limits->on && damping->suppressed;
}
