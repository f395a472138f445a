/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a VIP leaves for a SOFT cause, and comes back: slowly, one at a time, and never the last one.
 * Pure; monotonic nanoseconds.
 *
 *     STAYING ──wanted──► LEAVING ──settle + jitter over, guard met, quota granted──► LEFT
 *        ▲                   │ refused: later again                                    │
 *        ├───────────────────┘                                                         │
 *        ├──guard not met any more, or permission lost: at once────────────────────────┤
 *        └──jitter over── RETURNING ◄──not wanted any more─────────────────────────────┘
 *
 * The jitter spreads hosts that see the same cause clear at the same moment; it comes from a seed,
 * so that a history played again decides the same.
 */
#ifndef BGP_LEAVE_H
#define BGP_LEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/decide/guard.h"
#include "bgp/decide/quota.h"

enum leave_state {
    LEAVE_STAYING,
    LEAVE_LEAVING,   /* still announced */
    LEAVE_LEFT,      /* withdrawn */
    LEAVE_RETURNING, /* withdrawn for a moment more */
};

enum leave_refusal {
    LEAVE_REFUSED_NOT,
    LEAVE_REFUSED_GUARD,
    LEAVE_REFUSED_QUOTA,
    LEAVE_REFUSED_UNREACHABLE, /* who gives the permission */
};

struct leave_limits {
    bool allowed; /* may a SOFT cause withdraw at all? */
    int64_t jitter_ns;
    int64_t retry_ns; /* from a refusal to the next try, plus jitter */
};

struct leave {
    enum leave_state state;
    enum leave_refusal refusal; /* why it stays although it wants to leave */
    int64_t until_ns;           /* LEAVING, RETURNING: when that ends; STAYING: no try before */
    uint64_t random;            /* the state of its jitter; the seed at the start */
};

struct leave_view {
    bool wanted;    /* there is a SOFT cause */
    bool may_start; /* nothing stronger decides about this VIP at the moment */
    const struct guard *guard;
    int64_t settle_ns;
    const struct quota *quota;
    size_t vip; /* of the quota */
};

void leave_step(struct leave *leave, const struct leave_limits *limits,
                const struct leave_view *view, int64_t now_ns);

/* When it wants to be stepped though nothing happens; INT64_MAX: never. */
int64_t leave_deadline_ns(const struct leave *leave, int64_t now_ns);

#endif
