/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether real clients are being answered: isochrone-edge's counters of responses, its kernel
 * program's included, have grown since the last look. That vouches for a server whose probes get
 * lost in a flood. That nobody asks is no failure, and neither is anything else here: it passes, or
 * says nothing.
 */
#ifndef BGP_PROBE_TRAFFIC_H
#define BGP_PROBE_TRAFFIC_H

#include "bgp/probe/edge_health.h"
#include "bgp/probe/probe.h"

struct probe_traffic_settings {
    const char *control;          /* path of the control socket */
    bool counts[EDGE_TRANSPORTS]; /* which responses */
    uint64_t at_least;            /* from look to look */
};

/* What the last look saw. */
struct probe_traffic_look {
    bool valid;
    uint64_t total;
    int64_t at_ns; /* monotonic */
};

extern const struct probe_type probe_traffic;

void probe_traffic_judge(const struct probe_traffic_settings *settings,
                         const struct edge_health *health, int64_t now_ns,
                         struct probe_traffic_look *look, struct probe_outcome *ret_outcome);

#endif
