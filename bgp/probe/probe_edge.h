/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How old what isochrone-edge serves is, and what of it is missing, as it says itself. All of that
 * may be so at every PoP at once: a check of this type is soft by nature.
 */
#ifndef BGP_PROBE_EDGE_H
#define BGP_PROBE_EDGE_H

#include "bgp/probe/edge_health.h"
#include "bgp/probe/probe.h"

struct probe_edge_settings {
    const char *control;  /* path of the control socket */
    int64_t stale_s;      /* a map of this age or more degrades; 0: age is not looked at */
    int64_t expired_s;    /* one of this age may withdraw, as far as policy lets a soft check */
    int64_t failed_zones; /* more without content than that are a failure */
};

extern const struct probe_type probe_edge;

/* `now_s`: wall clock. A map from the future is fresh: clocks jump. */
void probe_edge_judge(const struct probe_edge_settings *settings, const struct edge_health *health,
                      int64_t now_s, struct probe_outcome *ret_outcome);

#endif
