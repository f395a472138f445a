/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The quota a host has of its own: at most `allow` SOFT withdrawals at a time, and at most `allow`
 * that began within `per`; over all its VIPs, or for each VIP alone. Needs nobody else, so it works
 * where the network does not. Pure; monotonic nanoseconds.
 */
#ifndef BGP_BUDGET_H
#define BGP_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/decide/quota.h"

#define BUDGET_VIPS_MAX 64
#define BUDGET_ALLOW_MAX 16

struct budget_limits {
    uint32_t allow; /* at most BUDGET_ALLOW_MAX; 0: SOFT causes never withdraw */
    int64_t per_ns;
    bool each; /* every VIP has a budget of its own */
};

struct budget_vip {
    bool held;
    size_t begins_n; /* the latest, oldest first */
    int64_t begins_ns[BUDGET_ALLOW_MAX];
};

struct budget {
    struct budget_limits limits;
    struct budget_vip vips[BUDGET_VIPS_MAX];
};

/* The seam's functions; `budget` must outlive what it gives. */
struct quota budget_quota(struct budget *budget);

/* How many more may begin now. */
uint32_t budget_left(const struct budget *budget, size_t vip, int64_t now_ns);

/* One more began then, before we were started; in the order of time. */
void budget_recall(struct budget *budget, size_t vip, int64_t began_ns);

#endif
