/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Asking isochrone-edge for its health over its control socket, without waiting: a part of a probe,
 * for the types that need it.
 */
#ifndef BGP_EDGE_TALK_H
#define BGP_EDGE_TALK_H

#include "bgp/probe/edge_health.h"
#include "bgp/probe/probe.h"

struct edge_talk {
    bool open;
    int fd;
    size_t len;
    char reply[EDGE_HEALTH_REPLY_MAX];
};

/* Each is true with an outcome. */
bool edge_talk_start(struct edge_talk *talk, const struct probe *probe, const char *path,
                     struct probe_outcome *ret_outcome);

/* Its descriptor is ready. `ret_done`: the values are there. */
bool edge_talk_ready(struct edge_talk *talk, int fd, bool *ret_done, struct edge_health *ret_health,
                     struct probe_outcome *ret_outcome);

void edge_talk_end(struct edge_talk *talk);

#endif
