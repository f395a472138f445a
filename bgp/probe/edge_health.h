/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What isochrone-edge says of itself (the verb "health" of its control socket): the reply's bytes
 * to values. Whoever listens there may say anything: every byte is hostile.
 */
#ifndef BGP_EDGE_HEALTH_H
#define BGP_EDGE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/probe/outcome.h"

#define EDGE_HEALTH_REQUEST "{\"verb\": \"health\"}\n"
#define EDGE_HEALTH_REPLY_MAX 16384u
#define EDGE_HEALTH_FAULT_LEN 96

enum edge_transport {
    EDGE_UDP4,
    EDGE_UDP6,
    EDGE_TCP4,
    EDGE_TCP6,
    EDGE_TRANSPORTS,
};

struct edge_health {
    bool has_map;
    int64_t generation;                    /* of the map: when its data is from, wall clock */
    char map_fault[EDGE_HEALTH_FAULT_LEN]; /* why it is not the newest one; "": it is */
    int64_t zones;
    int64_t zones_servfail;             /* without content */
    int64_t zones_stale;                /* with older content than on disk */
    uint64_t answered[EDGE_TRANSPORTS]; /* by the server and by its kernel program */
};

/* False with the values; true with an outcome (UNKNOWN) if this is no such reply. */
bool edge_health_parse(const char *bytes, size_t len, struct edge_health *ret_health,
                       struct probe_outcome *ret_outcome);

#endif
