/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Turns the health of the checks that govern one VIP into what should be done with its route, and
 * says why. Pure.
 *
 * HARD checks prove that this host cannot answer: a hard check that is down withdraws the VIP. SOFT
 * checks look at things every PoP may share, so they never withdraw; they only mark the VIP as
 * degraded. Nothing is announced before every hard check is up.
 *
 * An ADOPTED VIP may still be announced by the process before us, which died without a word (ExaBGP
 * keeps its routes). It is left alone until the first observations are in; then a hard failure
 * withdraws it without waiting for `fall`, because nobody watched it in between.
 */
#ifndef BGP_POLICY_H
#define BGP_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "bgp/decide/health.h"
#include "bgp/speak/route.h"

#define POLICY_REASON_LEN 256

struct policy_check {
    const char *name; /* borrowed */
    bool hard;
    const struct health *health; /* borrowed */
    const char *evidence;        /* of its last observation; borrowed, "" if none */
};

struct policy_verdict {
    enum route_wish wish;
    bool degraded; /* a soft check is down; says nothing about the wish */
    bool settled;  /* no hard check is starting any more: the VIP need not count as adopted any
                      longer */
    char reason[POLICY_REASON_LEN];
};

void policy_decide(const struct policy_check *checks, size_t checks_n, bool adopted,
                   struct policy_verdict *ret_verdict);

#endif
