/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One dns check's probe: a query over UDP from a socket, port and message id of its own,
 * non-blocking. The caller owns the poll loop: it watches probe->fd while a probe is in flight,
 * calls probe_read() when that is readable and probe_expire() when the deadline has passed. The
 * descriptor is closed as soon as the probe has an outcome, so a late answer meets no socket.
 *
 * Only what the service did counts as a failure. What we could not do (no descriptor, no memory, no
 * port, forbidden by the local firewall) is UNKNOWN.
 */
#ifndef BGP_PROBE_H
#define BGP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "bgp/decide/health.h"
#include "bgp/probe/dns_check.h"

struct probe_outcome {
    enum health_observation observation;
    int64_t elapsed_ns; /* from query to outcome */
    char evidence[DNS_CHECK_EVIDENCE_LEN];
};

struct probe {
    const struct dns_check *check; /* borrowed */
    struct endpoint server;
    bool must_be_local; /* the server is a VIP: a probe that leaves this host would meet another PoP
                         */
    int64_t timeout_ns;
    int fd; /* -1 when nothing is in flight */
    int64_t started_ns;
    size_t query_len;
    uint8_t query[DNS_CHECK_QUERY_LEN];
};

void probe_init(struct probe *probe, const struct dns_check *check, const struct endpoint *server,
                bool must_be_local, int64_t timeout_ns);

/* Sends the query. True if that already gave an outcome; else it is in flight. */
bool probe_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

/* Reads what came. True if there is an outcome. */
bool probe_read(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

/* True if the time is up; the outcome is a failure, unless an answer was waiting unread. */
bool probe_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

/* Meaningful while in flight. */
int64_t probe_deadline_ns(const struct probe *probe);

void probe_done(struct probe *probe);

#endif
