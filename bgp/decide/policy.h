/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Turns what is known about one VIP into what should be done with its route, and says why. Pure:
 * time is an argument, and a history played again decides the same.
 *
 * Who decides, strongest first; the first that has something to say wins:
 *
 *   1. an operator who forced `announce`, over everything
 *   2. HARD: a hard check is down (this host provably cannot answer): withdraw at once, whatever
 *      others say; except death within `restart_grace`
 *   3. an operator's `withdraw` or `drain` (the last PoP's only if forced)
 *   4. restart grace: leave it as it is
 *   5. proof: before every hard check is up, what may have been taken over is left alone and
 *      nothing is announced
 *   6. an operator's `announce`
 *   7. the start-up gate: soft checks hold back the first announcement, for so long at most
 *   8. our own flap damping: holds back announcements
 *   9. SOFT: a soft check is down and leaving is allowed, nobody else is in need of us, and the
 *      quota grants it
 *  10. announce; degraded, if a soft check is down
 *
 * 7 and 8 yield where the last-PoP guard knows that too few others stay, or has heard nothing of
 * them for `settle` after the start; 3 and 9 wait for it to be met. What every PoP may share never
 * gets past 9, so no single event empties the anycast set.
 *
 * An ADOPTED VIP may still be announced by the process before us, which died without a word (ExaBGP
 * keeps its routes). It is left alone until the first observations are in; then a hard failure
 * withdraws it without waiting for `fall`, because nobody watched it in between. Silence alone
 * needs its row even so: under overload, probes are lost at every PoP, and a new release that
 * starts everywhere at that moment must not take every route.
 */
#ifndef BGP_POLICY_H
#define BGP_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "bgp/decide/damping.h"
#include "bgp/decide/drain.h"
#include "bgp/decide/grace.h"
#include "bgp/decide/guard.h"
#include "bgp/decide/health.h"
#include "bgp/decide/leave.h"
#include "bgp/decide/override.h"
#include "bgp/decide/quota.h"
#include "bgp/speak/route.h"

#define POLICY_REASON_LEN 384
#define POLICY_NONE SIZE_MAX

/* One governing check as policy sees it. */
struct policy_check {
    const char *name;            /* borrowed */
    const struct health *health; /* borrowed */
    const struct grace *grace;   /* borrowed */
    const char *evidence;        /* of its last observation; borrowed, "" if none */
    bool hard;
    bool aging;   /* its last failure is no reason to withdraw */
    bool silent;  /* its last failure was silence */
    bool vouched; /* it was, while clients were answered */
};

/* What is configured for one VIP. */
struct policy_settings {
    const struct route_attributes *attributes; /* the usual ones; borrowed */
    struct drain_plan drain;
    int64_t restart_grace_ns; /* 0: none */
    int64_t startup_wait_ns;  /* 0: no gate */
    struct leave_limits leave;
    struct guard_limits guard;
    struct damping_limits damping;
};

/* What is the case. All borrowed. */
struct policy_input {
    size_t checks_n;
    const struct policy_check *checks;
    size_t peers_n;
    const struct guard_peer *peers;
    bool heartbeat; /* an xdp check is up and passed last: the kernel answers whatever died */
    bool adopted;
    const struct override *override; /* expired ones taken away */
    const struct quota *quota;
    size_t vip; /* of the quota */
};

/* What is remembered between decisions. */
struct policy {
    struct want want; /* of the last decision; HOLD before the first */
    bool announced;   /* at least once */
    bool proven;      /* all hard checks were up at least once */
    int64_t started_ns;
    int64_t proven_ns; /* then; the start-up gate counts from it */
    struct damping damping;
    struct leave leave;
};

enum policy_code {
    POLICY_FORCED,             /* the operator's announce, over everything */
    POLICY_HARD,               /* a hard check is down */
    POLICY_UNGOVERNED,         /* there is no hard check: the configuration refuses that */
    POLICY_TAKEOVER_FAILS,     /* taken over, and a hard check fails at once, not by silence */
    POLICY_OPERATOR_WITHDRAWS, /* also at the end of a drain */
    POLICY_OPERATOR_DRAINS,
    POLICY_OPERATOR_WAITS, /* for the last-PoP guard before it withdraws */
    POLICY_GRACE,
    POLICY_TAKEN_OVER,
    POLICY_STARTING,
    POLICY_OPERATOR_ANNOUNCES,
    POLICY_GATED,
    POLICY_DAMPED,
    POLICY_SOFT,
    POLICY_UP,
};
#define POLICY_CODES_N (POLICY_UP + 1)

struct policy_verdict {
    struct want want;
    enum policy_code code;
    bool overrode; /* the strongest that wanted otherwise is `overruled` */
    enum policy_code overruled;
    bool degraded; /* a soft check is down, or a hard one is vouched for; says nothing about the
                      wish */
    bool settled;  /* no hard check is starting any more and it is not held: the VIP need not count
                      as adopted any longer */
    bool stays;    /* others may count on it: announced, proven, not degraded, not about to leave */
    size_t check;  /* the hard check it is about, POLICY_NONE if none */
    size_t soft;   /* the first soft check that is down, POLICY_NONE if none */
    size_t softs_n;
    size_t vouched;    /* the first hard check that is vouched for, POLICY_NONE if none */
    size_t drain_step; /* OPERATOR_DRAINS and _WAITS: of the plan, steps_n at its end */
    struct guard guard;
    int64_t until_ns; /* when what holds is over by itself, INT64_MAX if it is not */
    int64_t next_ns; /* decide again then at the latest, though nothing happens; INT64_MAX: never */
};

/* `seed`: of its jitter; another one on every host and for every VIP. */
void policy_init(struct policy *policy, uint64_t seed, int64_t now_ns);

void policy_decide(struct policy *policy, const struct policy_settings *settings,
                   const struct policy_input *input, int64_t now_ns,
                   struct policy_verdict *ret_verdict);

/* The reason in words: what won, and what it overrode. */
void policy_explain(const struct policy *policy, const struct policy_settings *settings,
                    const struct policy_input *input, const struct policy_verdict *verdict,
                    int64_t now_ns, char ret_reason[static POLICY_REASON_LEN]);

/* Whether an operator's unforced withdrawal or drain would be held back now, seen from the last
 * decision: it is the last PoP. */
bool policy_is_last(const struct policy_verdict *verdict);

/* "hard", "grace", ...: short, stable, for programs. */
const char *policy_code_name(enum policy_code code);

#endif
