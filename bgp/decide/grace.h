/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A restart is not a failure: what dies is excused for `restart_grace`, counted from its death, and
 * for as long as the kernel goes on answering without it (an xdp check that is up). Only death is
 * excused: what hangs or answers wrongly is not being restarted. Pure; monotonic nanoseconds.
 *
 * Per check. A death counts from the first probe that met it, and the next one gets a grace of its
 * own only after the check was up and passed again: a service that crashes in a loop is excused
 * once.
 */
#ifndef BGP_GRACE_H
#define BGP_GRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "bgp/decide/health.h"

struct grace {
    bool died;        /* since it was last up and passed */
    bool dead;        /* its last failure was death */
    int64_t since_ns; /* when it died; meaningless unless `died` */
};

/* After health_observe(). `dead`: this observation is a failure because nobody is there. */
void grace_observe(struct grace *grace, const struct health *health, bool dead, int64_t now_ns);

#endif
