/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Permission for SOFT withdrawals, the seam between policy and whoever rations them: the budget of
 * this host (budget.h), or a lease of the whole fleet. Policy asks at the withdrawal and again at
 * every decision for as long as it lasts; no answer is a refusal, and a permission that is no
 * longer granted brings the VIP back. HARD withdrawals and operators need no permission.
 */
#ifndef BGP_QUOTA_H
#define BGP_QUOTA_H

#include <stddef.h>
#include <stdint.h>

enum quota_answer {
    QUOTA_REFUSED,
    QUOTA_UNREACHABLE, /* means refused */
    QUOTA_GRANTED,
};

struct quota {
    /* May this VIP be withdrawn (and stay so)? Does not block. */
    enum quota_answer (*hold)(void *context, size_t vip, int64_t now_ns);
    /* It is back, or does not need to leave any more; also if it held nothing. */
    void (*release)(void *context, size_t vip, int64_t now_ns);
    void *context;
};

#endif
