/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole decision, from what probes observed to what is wanted of each route: health per check,
 * policy per VIP, an operator's word. Pure like its parts (no clock, no I/O, jitter from a seed),
 * so a test can play any history through it, and a history played again decides the same. The loop
 * gives it observations and the speaker's status, and the speaker what it wants.
 *
 * A VIP is taken over ("adopted") at the start: a process before us may have announced it and died.
 * The speaker's first reading of ExaBGP's table says whether there is anything to take over.
 */
#ifndef BGP_ANNOUNCER_H
#define BGP_ANNOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/log.h"
#include "bgp/config/config.h"
#include "bgp/decide/health.h"
#include "bgp/decide/override.h"
#include "bgp/decide/policy.h"
#include "bgp/probe/probe.h"
#include "bgp/speak/speaker.h"

struct announcer_check {
    struct health health;
    struct grace grace;
    bool vouched;                 /* the last outcome was silence while clients were answered */
    bool aging;                   /* the last failure is no reason to withdraw */
    bool silent;                  /* the last failure was silence */
    uint64_t blind_n;             /* its voucher's observations when it could last not be made */
    struct probe_outcome outcome; /* the last one */
};

struct announcer_vip {
    bool adopted;
    struct override override;
    struct policy policy;           /* what it remembers: damping, leaving */
    struct policy_verdict verdict;  /* now */
    char reason[POLICY_REASON_LEN]; /* of the verdict */
    int64_t wish_since_ns;
    char wish_reason[POLICY_REASON_LEN]; /* when the wish last changed */
};

/* An operator's word about all VIPs that `vips` names ("all", a prefix, an address, a glob). */
struct announcer_order {
    const char *vips;
    enum override_action action;
    bool force;
    int64_t for_ns;     /* OVERRIDE_FOR_EVER: until it is taken back */
    const char *reason; /* may be NULL, as may the owner */
    const char *owner;
};

/* What should outlive this process, one VIP's: as ages, so that another clock may read it. */
struct announcer_memory {
    struct override override; /* since_ns: its age; expires_ns: what is left of it */
    double penalty;
    int64_t suppressed_age_ns; /* -1: not suppressed */
    size_t begins_n;           /* of SOFT withdrawals, oldest first */
    int64_t begins_age_ns[BUDGET_ALLOW_MAX];
};

typedef void announcer_log(void *context, enum log_level level, const char *text);

struct announcer;

/* `config` is borrowed and must outlive it. `log` gets one line per transition. `seed`: of its
 * jitter, another one on every host. NULL when out of memory. */
struct announcer *announcer_new(const struct config *config, announcer_log *log, void *context,
                                uint64_t seed, int64_t now_ns);

/* What a probe of this check (index) found. */
void announcer_observe(struct announcer *announcer, size_t check,
                       const struct probe_outcome *outcome, int64_t now_ns);

/* How the speaker stands; to be told after each change, and as often as one likes. Does what
 * announcer_run() does. */
void announcer_hear(struct announcer *announcer, const struct speaker_status *status,
                    int64_t now_ns);

/* 0; -ENOENT: it names no VIP; -EBUSY: too few other PoPs would be left, and it is not forced.
 * Then nothing has changed. */
int announcer_override(struct announcer *announcer, const struct announcer_order *order,
                       int64_t now_ns, size_t *ret_vips_n, struct failure *failure);

/* Decides what is due by time alone: whenever announcer_deadline_ns() has come; more often is
 * harmless. */
void announcer_run(struct announcer *announcer, int64_t now_ns);
int64_t announcer_deadline_ns(const struct announcer *announcer);

/* What the speaker should make so; after each other call. */
const struct want *announcer_want(const struct announcer *announcer, size_t vip);

/* When a check should be probed again, given when its last probe was started and what it gave. */
int64_t announcer_next_probe_ns(const struct announcer *announcer, size_t check,
                                int64_t started_ns);

/* Whether other PoPs may count on this VIP here: it is announced, acknowledged, healthy, and nobody
 * thinks of taking it away. What a peer check should ask for. */
bool announcer_stays(const struct announcer *announcer, size_t vip);

/* Of our own flap damping, and of the budget of SOFT withdrawals. */
double announcer_penalty(const struct announcer *announcer, size_t vip, int64_t now_ns);
uint32_t announcer_budget_left(const struct announcer *announcer, size_t vip, int64_t now_ns);

/* For a state file. To be recalled before the first observation. */
void announcer_remember(const struct announcer *announcer, size_t vip, int64_t now_ns,
                        struct announcer_memory *ret_memory);
void announcer_recall(struct announcer *announcer, size_t vip,
                      const struct announcer_memory *memory, int64_t now_ns);

const struct config *announcer_config(const struct announcer *announcer);
const struct announcer_check *announcer_check(const struct announcer *announcer, size_t check);
const struct announcer_vip *announcer_vip(const struct announcer *announcer, size_t vip);
const struct speaker_status *announcer_speaker(const struct announcer *announcer);

void announcer_free(struct announcer *announcer);

#endif
