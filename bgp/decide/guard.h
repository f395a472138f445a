/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last-PoP guard: may this PoP leave, seen from what its peer checks say of the others? Pure.
 *
 * A peer counts as STAYING while a fresh probe of it passes. A peer check should ask the peer's own
 * announcer whether it stays, which a PoP denies as soon as it thinks of leaving: while it is
 * degraded, drained, or withdrawn. Everybody waits `settle`, longer than a probe's word may be old,
 * between the first thought and leaving. So of PoPs that want to leave at the same time each sees
 * that the others do not stay, and the last one never goes: no lock and no consensus is needed.
 * Peers that cannot be reached, or that we cannot probe, do not stay.
 */
#ifndef BGP_GUARD_H
#define BGP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/decide/health.h"

struct guard_limits {
    size_t at_least;   /* peers that have to stay; 0: no guard */
    int64_t settle_ns; /* from the first thought of leaving to leaving */
};

struct guard_peer {
    const struct health *health; /* borrowed */
    int64_t fresh_ns;            /* what was observed longer ago counts for nothing */
};

struct guard {
    bool on;
    bool known; /* every peer was observed at least once: that too few stay is knowledge */
    bool met;   /* enough stay; true if there is no guard */
    size_t peers_n, staying_n;
};

struct guard guard_judge(const struct guard_limits *limits, const struct guard_peer *peers,
                         size_t peers_n, int64_t now_ns);

#endif
