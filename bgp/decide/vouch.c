/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/vouch.h"

bool vouch_covers(const struct health *traffic, int64_t fresh_ns, int64_t now_ns)
{
    return traffic->observations_n > 0 && traffic->state != HEALTH_DOWN &&
           traffic->last == HEALTH_PASS && now_ns - traffic->observed_ns <= fresh_ns;
}

bool vouch_waits(const struct health *traffic, uint64_t blind_n)
{
    return traffic->observations_n < blind_n + 2;
}
