/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/policy.h"

#include <stdio.h>

struct tally {
    size_t hard_n, hard_up_n, hard_starting_n, soft_down_n;
    const struct policy_check *down;     /* the first hard check that is down */
    const struct policy_check *failing;  /* the first hard check that is starting and just failed */
    const struct policy_check *starting; /* the first hard check that is starting */
    const struct policy_check *soft_down;
};

static void tally_hard(struct tally *tally, const struct policy_check *check)
{
    tally->hard_n++;
    switch (check->health->state) {
    case HEALTH_UP:
        tally->hard_up_n++;
        break;
    case HEALTH_DOWN:
        tally->down = tally->down ? tally->down : check;
        break;
    case HEALTH_STARTING:
        tally->hard_starting_n++;
        tally->starting = tally->starting ? tally->starting : check;
        if (check->health->fails_n > 0 && !tally->failing) {
            tally->failing = check;
        }
        break;
    }
}

static struct tally tally_checks(const struct policy_check *checks, size_t checks_n)
{
    struct tally tally = {0};

    for (size_t i = 0; i < checks_n; i++) {
        if (checks[i].hard) {
            tally_hard(&tally, &checks[i]);
        } else if (checks[i].health->state == HEALTH_DOWN) {
            tally.soft_down_n++;
            tally.soft_down = tally.soft_down ? tally.soft_down : &checks[i];
        }
    }
    return tally;
}

static void reason_announce(const struct tally *tally, char reason[static POLICY_REASON_LEN])
{
    if (tally->soft_down) {
        snprintf(reason, POLICY_REASON_LEN,
                 "all %zu hard checks up; degraded: soft check %s down (%s)%s", tally->hard_n,
                 tally->soft_down->name, tally->soft_down->evidence,
                 tally->soft_down_n > 1 ? " and more" : "");
        return;
    }
    snprintf(reason, POLICY_REASON_LEN, "all %zu hard checks up", tally->hard_n);
}

void policy_decide(const struct policy_check *checks, size_t checks_n, bool adopted,
                   struct policy_verdict *ret_verdict)
{
    const struct tally tally = tally_checks(checks, checks_n);
    char *reason = ret_verdict->reason;

    ret_verdict->degraded = tally.soft_down_n > 0;
    ret_verdict->settled = tally.hard_starting_n == 0;
    if (tally.down) {
        ret_verdict->wish = ROUTE_WITHDRAW;
        snprintf(reason, POLICY_REASON_LEN, "hard check %s down after %u failures (%s)",
                 tally.down->name, tally.down->health->fails_n, tally.down->evidence);
    } else if (tally.hard_n == 0) {
        /* The configuration refuses this; without any proof of life the only safe answer is no. */
        ret_verdict->wish = ROUTE_WITHDRAW;
        snprintf(reason, POLICY_REASON_LEN, "no hard check governs it");
    } else if (tally.hard_up_n == tally.hard_n) {
        ret_verdict->wish = ROUTE_ANNOUNCE;
        reason_announce(&tally, reason);
    } else if (adopted && tally.failing) {
        ret_verdict->wish = ROUTE_WITHDRAW;
        snprintf(reason, POLICY_REASON_LEN, "taken over, and hard check %s fails at once (%s)",
                 tally.failing->name, tally.failing->evidence);
    } else if (adopted) {
        ret_verdict->wish = ROUTE_HOLD;
        snprintf(reason, POLICY_REASON_LEN, "taken over: kept as it is until check %s decides",
                 tally.starting->name);
    } else {
        ret_verdict->wish = ROUTE_WITHDRAW;
        snprintf(reason, POLICY_REASON_LEN, "starting: check %s has passed %u times in a row%s%s%s",
                 tally.starting->name, tally.starting->health->passes_n,
                 tally.starting->evidence[0] ? " (" : "", tally.starting->evidence,
                 tally.starting->evidence[0] ? ")" : "");
    }
}
