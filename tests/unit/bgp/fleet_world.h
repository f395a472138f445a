/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inside of the simulated fleet (fleet.h): its state, and what its parts do for each other.
 *
 *   fleet.c         PoPs, their probes and decisions, and the clock
 *   fleet_faults.c  the schedule: what is configured, what fails when, and what that does to a PoP
 *   fleet_checks.c  what must hold
 */
#ifndef TEST_FLEET_WORLD_H
#define TEST_FLEET_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "bgp/decide/budget.h"
#include "bgp/decide/policy.h"
#include "fleet.h"

#define S CLOCK_NS_PER_S
#define MS CLOCK_NS_PER_MS
#define TICK_NS (50 * MS)
#define PEERS_MAX 4
#define EVENTS_MAX 20000
#define XDP_LIFE_NS (3 * S) /* the kernel answers so long after its daemon died */
#define LEASE_NS (5 * S)
#define NEVER (INT64_MAX / 2)

enum check {
    CHECK_ANSWERS, /* the hard ones first */
    CHECK_MORE,
    CHECK_FRESHNESS, /* soft */
    CHECK_TRAFFIC,
    CHECK_KERNEL,
    CHECK_PEERS,
    CHECKS_N = CHECK_PEERS + PEERS_MAX,
};
#define HARD_N 2
#define GOVERNING_N 3

enum fault {
    FAULT_DEAD,
    FAULT_SILENT,
    FAULT_WRONG,
    FAULT_HOST, /* with routes and all */
    FAULT_SOFT,
    FAULT_OVERLOAD,
    FAULT_PARTED, /* its peers are out of its reach */
    FAULT_SICK,   /* its prober observes nothing */
    FAULT_ACKS,   /* its announcements take their time */
    FAULT_LEASE,  /* nobody reaches the lease service */
    FAULT_UPGRADE,
    FAULT_ORDER,
    FAULTS_N,
};

struct event {
    int64_t at_ns;
    uint32_t pop;
    enum fault fault;
    bool begins;
    enum override_action action; /* ORDER */
    bool force;
    int64_t for_ns;
};

/* What all PoPs have in common in one schedule. */
struct plan {
    int64_t interval_ns, retry_ns, timeout_ns, peer_interval_ns, fresh_ns, peer_fresh_ns;
    int64_t soft_interval_ns;
    struct health_limits limits, soft_limits, other_limits;
    struct policy_settings settings;
    struct route_attributes attributes;
    struct budget_limits budget;
    bool vouched, kernel, leased;
    bool stuck; /* what is parted observes nothing of its peers any more, not even failures */
    uint32_t lease_allow;
    uint32_t peers_n;
};

struct probe {
    int64_t due_ns, started_ns;
    bool in_flight;
    int64_t ends_ns;
    enum health_observation observation;
    bool silent, dead; /* causes */
};

struct pop {
    struct fleet *fleet;
    uint32_t index;
    uint32_t faults[FAULTS_N]; /* how many of each are on */
    int64_t bad_ns;            /* since when it does not answer, NEVER if it does */
    int64_t good_ns;           /* since when it does; NEVER */
    int64_t calm_ns;           /* since when nothing keeps it from noticing or answering */
    int64_t quiet_ns;          /* since when nothing at all happened to it */
    int64_t dead_ns;           /* the daemon died */

    struct probe probes[CHECKS_N];
    struct health healths[CHECKS_N];
    struct grace graces[HARD_N];
    uint32_t peers[PEERS_MAX];
    struct override override;
    struct budget budget;
    struct quota quota;
    struct policy policy;
    struct policy_verdict verdict;
    int64_t decided_ns;
    int64_t change_ns; /* when the route becomes what is wanted; NEVER */

    int64_t proven_ns;                        /* all hard checks up since */
    int64_t soft_begins_ns[BUDGET_ALLOW_MAX]; /* our own count */
    uint32_t soft_begins_n;
    int64_t lease_ns; /* the service's: held until */

    bool running;
    bool adopted;
    bool silent[HARD_N];
    uint64_t blind_n[HARD_N];
    bool vouched[HARD_N];
    bool route; /* out there */
    bool ever_announced;
};

struct fleet {
    struct fleet_result *result;
    FILE *trace; /* NULL: none */
    uint64_t random, seed;
    int64_t now_ns, end_ns;
    struct plan plan;
    uint32_t pops_n;
    struct pop *pops;
    size_t events_n, event;
    struct event *events;
    bool lease_lost;
    int64_t loss_ns; /* when the last route was lost to a HARD cause */
    int64_t zero_ns; /* since when there is no route, NEVER */
    int64_t able_ns; /* since when somebody could have one all the same, NEVER */
};

/* splitmix64 of the schedule's seed. */
uint64_t fleet_random(struct fleet *fleet);
int64_t fleet_below(struct fleet *fleet, int64_t limit);
int64_t fleet_between(struct fleet *fleet, int64_t least, int64_t most);
bool fleet_chance(struct fleet *fleet, int percent);

/* A process that starts, with what the state file remembers. */
void fleet_pop_start(struct fleet *fleet, struct pop *pop);
void fleet_pop_decide(struct fleet *fleet, struct pop *pop);

/* fleet_faults.c: makes the plan; then, of the plan, the events in their order; one happens. */
uint32_t fleet_pops_pick(struct fleet *fleet);
void fleet_plan_make(struct fleet *fleet);
void fleet_schedule_make(struct fleet *fleet);
void fleet_event_happen(struct fleet *fleet, struct pop *pop, const struct event *event);

/* fleet_checks.c: the first thing that does not hold becomes the result. `pop` may be NULL. */
void fleet_fail(struct fleet *fleet, const struct pop *pop, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void fleet_decision_check(struct fleet *fleet, struct pop *pop,
                          const struct policy_verdict *before);
void fleet_routes_check(struct fleet *fleet);
bool fleet_pop_ordered_away(const struct pop *pop); /* an operator wants it away */

#endif
