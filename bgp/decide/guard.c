/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/guard.h"

struct guard guard_judge(const struct guard_limits *limits, const struct guard_peer *peers,
                         size_t peers_n, int64_t now_ns)
{
    struct guard guard = {.on = limits->at_least > 0, .known = true, .peers_n = peers_n};

    for (size_t i = 0; i < peers_n; i++) {
        const struct health *health = peers[i].health;

        /* The state lags by rise and fall; here the last word counts. */
        if (health->observations_n == 0) {
            guard.known = false;
        } else if (health->last == HEALTH_PASS &&
                   now_ns - health->observed_ns <= peers[i].fresh_ns) {
            guard.staying_n++;
        }
    }
    guard.met = !guard.on || guard.staying_n >= limits->at_least;
    return guard;
}
