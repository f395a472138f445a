/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/grace.h"

void grace_observe(struct grace *grace, const struct health *health, bool dead, int64_t now_ns)
{
    switch (health->last) {
    case HEALTH_PASS:
        if (health->state == HEALTH_UP) {
            *grace = (struct grace){0};
        }
        return;
    case HEALTH_FAIL:
        grace->dead = dead;
        if (dead && !grace->died) {
            grace->died = true;
            grace->since_ns = now_ns;
        }
        return;
    case HEALTH_UNKNOWN:
        return;
    }
}
