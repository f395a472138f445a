/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fleet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/decide/budget.h"
#include "bgp/decide/policy.h"
#include "bgp/decide/vouch.h"

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

static uint64_t random_word(struct fleet *fleet)
{
    uint64_t word = fleet->random += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

static int64_t below(struct fleet *fleet, int64_t limit)
{
    return limit > 0 ? (int64_t)(random_word(fleet) % (uint64_t)limit) : 0;
}

static int64_t between(struct fleet *fleet, int64_t least, int64_t most)
{
    return least + below(fleet, most - least + 1);
}

static bool chance(struct fleet *fleet, int percent)
{
    return below(fleet, 100) < percent;
}

static void fail(struct fleet *fleet, const struct pop *pop, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct fleet *fleet, const struct pop *pop, const char *format, ...)
{
    struct fleet_result *result = fleet->result;
    char what[320];
    va_list arguments;

    if (!result->good) {
        return; /* the first is the one to look at */
    }
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    result->good = false;
    snprintf(result->text, sizeof(result->text), "seed %llu, %u PoPs, at %.2f s, PoP %d (%s): %s",
             (unsigned long long)fleet->seed, fleet->pops_n, (double)fleet->now_ns / (double)S,
             pop ? (int)pop->index : -1, pop ? policy_code_name(pop->verdict.code) : "", what);
}

/* ---- the times that must hold ---- */

static int64_t twentieth_more(int64_t ns)
{
    return ns + ns / 20;
}

/* From a failure to the outcome of the probe that is the first to see it. */
static int64_t first_sight_ns(const struct plan *plan)
{
    return twentieth_more(plan->interval_ns) + plan->timeout_ns + 2 * TICK_NS;
}

/* From a HARD failure to its withdrawal. */
static int64_t hard_ns(const struct pop *pop)
{
    const struct plan *plan = &pop->fleet->plan;
    /* what was taken over and is silent is confirmed at the usual pace */
    const bool slow = pop->adopted && (pop->faults[FAULT_SILENT] || pop->faults[FAULT_OVERLOAD]);
    const int64_t retry_ns = twentieth_more(slow ? plan->interval_ns : plan->retry_ns) + TICK_NS;
    const int64_t each_ns = (retry_ns > plan->timeout_ns ? retry_ns : plan->timeout_ns) + TICK_NS;
    int64_t seen_ns = first_sight_ns(plan) + (plan->limits.fall - 1) * each_ns;
    int64_t excused_ns = 0;

    if (pop->faults[FAULT_SILENT] && plan->vouched) {
        /* traffic is not seen to stop before its own next look, or the one after it */
        seen_ns += 2 * (twentieth_more(plan->interval_ns) + TICK_NS) + plan->timeout_ns +
                   twentieth_more(plan->interval_ns);
    }
    if (pop->faults[FAULT_DEAD] && plan->settings.restart_grace_ns > 0) {
        excused_ns = first_sight_ns(plan) + plan->settings.restart_grace_ns;
        if (plan->kernel) {
            const int64_t kernel_ns = XDP_LIFE_NS + first_sight_ns(plan);

            excused_ns = excused_ns > kernel_ns ? excused_ns : kernel_ns;
        }
    }
    return (seen_ns > excused_ns ? seen_ns : excused_ns) + 2 * TICK_NS;
}

/* From good answers to all hard checks up. */
static int64_t rise_ns(const struct plan *plan)
{
    return (plan->limits.rise + 1) * (twentieth_more(plan->interval_ns) + TICK_NS) +
           plan->timeout_ns + plan->limits.hold_down_ns;
}

/* From the last staying peer's end to this PoP's knowing. */
static int64_t hear_ns(const struct plan *plan)
{
    return plan->peer_fresh_ns + plan->timeout_ns + S + 3 * TICK_NS;
}

/* ---- permission ---- */

static enum quota_answer lease_hold(void *context, size_t vip, int64_t now_ns)
{
    struct pop *pop = context;
    struct fleet *fleet = pop->fleet;
    uint32_t held_n = 0;

    (void)vip;
    if (fleet->lease_lost || pop->faults[FAULT_PARTED]) {
        return QUOTA_UNREACHABLE;
    }
    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        held_n += &fleet->pops[i] != pop && fleet->pops[i].lease_ns > now_ns;
    }
    if (pop->lease_ns <= now_ns && held_n >= fleet->plan.lease_allow) {
        return QUOTA_REFUSED;
    }
    pop->lease_ns = now_ns + LEASE_NS;
    return QUOTA_GRANTED;
}

static void lease_release(void *context, size_t vip, int64_t now_ns)
{
    struct pop *pop = context;

    (void)vip, (void)now_ns;
    if (!pop->fleet->lease_lost && !pop->faults[FAULT_PARTED]) {
        pop->lease_ns = 0; /* else it runs out by itself */
    }
}

/* ---- what must hold at every decision ---- */

static bool withdrawn_for_soft(const struct pop *pop)
{
    return pop->running && pop->verdict.code == POLICY_SOFT;
}

static void soft_count(struct fleet *fleet, struct pop *pop)
{
    const struct plan *plan = &fleet->plan;
    uint32_t out_n = 0, begun_n = 0;

    fleet->result->soft++;
    if (!plan->settings.leave.allowed) {
        fail(fleet, pop, "a SOFT withdrawal that nothing allows");
    }
    if (plan->leased) {
        for (uint32_t i = 0; i < fleet->pops_n; i++) {
            out_n += withdrawn_for_soft(&fleet->pops[i]);
        }
        if (out_n > plan->lease_allow) {
            fail(fleet, pop, "%u SOFT withdrawals at a time, %u are allowed", out_n,
                 plan->lease_allow);
        }
        return;
    }
    if (pop->soft_begins_n == BUDGET_ALLOW_MAX) {
        pop->soft_begins_n--;
        memmove(pop->soft_begins_ns, pop->soft_begins_ns + 1,
                pop->soft_begins_n * sizeof(pop->soft_begins_ns[0]));
    }
    pop->soft_begins_ns[pop->soft_begins_n++] = fleet->now_ns;
    for (uint32_t i = 0; i < pop->soft_begins_n; i++) {
        begun_n += fleet->now_ns - pop->soft_begins_ns[i] < plan->budget.per_ns;
    }
    if (begun_n > plan->budget.allow) {
        fail(fleet, pop, "%u SOFT withdrawals within %.0f s, %u are allowed", begun_n,
             (double)plan->budget.per_ns / (double)S, plan->budget.allow);
    }
}

static bool operator_holds(const struct pop *pop)
{
    return pop->override.action == OVERRIDE_WITHDRAW || pop->override.action == OVERRIDE_DRAIN;
}

static void withdrawal_check(struct fleet *fleet, struct pop *pop, enum policy_code before)
{
    if ((before == POLICY_FORCED || pop->proven_ns == NEVER) && pop->verdict.code != POLICY_SOFT) {
        return; /* what was not true before is not true now */
    }
    switch (pop->verdict.code) {
    case POLICY_HARD:
    case POLICY_TAKEOVER_FAILS:
        fleet->result->hard++;
        /* what was seen may be as old as the oldest failure that counts */
        if (pop->good_ns != NEVER && fleet->now_ns - pop->good_ns > hard_ns(pop) + S &&
            !pop->faults[FAULT_OVERLOAD] && pop->calm_ns < fleet->now_ns - 2 * hard_ns(pop) - S) {
            fail(fleet, pop, "withdrawn as HARD although it answers for %.2f s",
                 (double)(fleet->now_ns - pop->good_ns) / (double)S);
        }
        return;
    case POLICY_SOFT:
        if (before != POLICY_SOFT) {
            soft_count(fleet, pop);
        }
        return;
    case POLICY_OPERATOR_WITHDRAWS:
        fleet->result->operators++;
        if (!operator_holds(pop)) {
            fail(fleet, pop, "withdrawn for an operator who did not say so");
        }
        return;
    case POLICY_UNGOVERNED:
    case POLICY_STARTING:
    case POLICY_GATED:
    case POLICY_DAMPED:
        fail(fleet, pop, "an announced VIP was withdrawn for no failure");
        return;
    case POLICY_FORCED:
    case POLICY_OPERATOR_DRAINS:
    case POLICY_OPERATOR_WAITS:
    case POLICY_GRACE:
    case POLICY_TAKEN_OVER:
    case POLICY_OPERATOR_ANNOUNCES:
    case POLICY_UP:
        fail(fleet, pop, "withdrawn by a rule that never does");
        return;
    }
}

/* Seen with our own eyes, not with the guard's. */
static bool somebody_stays(const struct pop *pop)
{
    const struct plan *plan = &pop->fleet->plan;
    uint32_t passes_n = 0;

    for (uint32_t i = 0; i < plan->peers_n; i++) {
        const struct health *health = &pop->healths[CHECK_PEERS + i];

        passes_n += health->observations_n > 0 && health->last == HEALTH_PASS &&
                    pop->fleet->now_ns - health->observed_ns <= plan->peer_fresh_ns;
    }
    return passes_n >= plan->settings.guard.at_least;
}

static void announcement_check(struct fleet *fleet, struct pop *pop, enum policy_code before,
                               enum route_wish was)
{
    const struct plan *plan = &fleet->plan;
    const bool ordered = pop->override.action == OVERRIDE_ANNOUNCE;
    const bool guarded = plan->settings.guard.at_least > 0;
    bool proven = true;

    for (size_t i = 0; i < HARD_N; i++) {
        proven = proven && pop->healths[i].state == HEALTH_UP;
    }
    if (ordered && pop->override.force) {
        return;
    }
    if (!proven) {
        fail(fleet, pop, "announced although not all hard checks are up");
    }
    fleet->result->returns += before == POLICY_SOFT || before == POLICY_OPERATOR_WITHDRAWS;
    if (operator_holds(pop) && somebody_stays(pop) && guarded && was == ROUTE_WITHDRAW) {
        fail(fleet, pop, "announced against the word of an operator");
    }
    if (ordered || (guarded && !somebody_stays(pop))) {
        return;
    }
    if (!pop->route && !pop->ever_announced && pop->healths[CHECK_FRESHNESS].state != HEALTH_UP &&
        fleet->now_ns < pop->proven_ns + plan->settings.startup_wait_ns) {
        fail(fleet, pop, "announced although the start-up gate is shut");
    }
    if (pop->policy.damping.suppressed) {
        fail(fleet, pop, "announced although it is damped");
    }
}

static void decision_check(struct fleet *fleet, struct pop *pop,
                           const struct policy_verdict *before)
{
    const enum route_wish was = before->want.wish, is = pop->verdict.want.wish;
    const enum policy_code code = pop->verdict.code;
    const bool fresh = code != before->code;
    bool proven = true;

    if (is == ROUTE_WITHDRAW && was != ROUTE_WITHDRAW && pop->route &&
        (code == POLICY_HARD || code == POLICY_TAKEOVER_FAILS || pop->override.force ||
         before->code == POLICY_FORCED)) {
        fleet->loss_ns = fleet->now_ns;
    }
    if (is == ROUTE_WITHDRAW && was == ROUTE_ANNOUNCE) {
        withdrawal_check(fleet, pop, before->code);
    } else if (is == ROUTE_WITHDRAW && pop->verdict.code == POLICY_SOFT && fresh &&
               pop->soft_begins_n == 0 && !fleet->plan.leased) {
        fail(fleet, pop, "it left without having been announced");
    }
    for (size_t i = 0; i < HARD_N; i++) {
        const struct health *health = &pop->healths[i];

        proven = proven && health->state == HEALTH_UP;
        if (pop->adopted && health->state == HEALTH_STARTING && health->fails_n > 0 &&
            !pop->silent[i] && is != ROUTE_WITHDRAW && fleet->plan.settings.restart_grace_ns == 0 &&
            pop->verdict.code != POLICY_FORCED) {
            fail(fleet, pop, "taken over, failing, and not withdrawn at once");
        }
    }
    if (proven && pop->proven_ns == NEVER) {
        pop->proven_ns = fleet->now_ns;
    }
    if (is == ROUTE_ANNOUNCE && was != ROUTE_ANNOUNCE) {
        announcement_check(fleet, pop, before->code, was);
    }
    pop->ever_announced = pop->ever_announced || is == ROUTE_ANNOUNCE;
    fleet->result->damped += fresh && pop->verdict.code == POLICY_DAMPED;
    fleet->result->gated += fresh && pop->verdict.code == POLICY_GATED;
    fleet->result->excused += fresh && pop->verdict.code == POLICY_GRACE;
}

/* ---- one PoP ---- */

static struct policy_input input_make(const struct pop *pop,
                                      struct policy_check checks[GOVERNING_N],
                                      struct guard_peer peers[PEERS_MAX])
{
    static const struct grace none = {0};
    const struct plan *plan = &pop->fleet->plan;

    for (size_t i = 0; i < GOVERNING_N; i++) {
        checks[i] = (struct policy_check){.name = "",
                                          .hard = i < HARD_N,
                                          .health = &pop->healths[i],
                                          .grace = i < HARD_N ? &pop->graces[i] : &none,
                                          .silent = i < HARD_N && pop->silent[i],
                                          .vouched = i < HARD_N && pop->vouched[i],
                                          .evidence = ""};
    }
    for (size_t i = 0; i < plan->peers_n; i++) {
        peers[i] = (struct guard_peer){&pop->healths[CHECK_PEERS + i], plan->peer_fresh_ns};
    }
    return (struct policy_input){
        .checks_n = GOVERNING_N,
        .checks = checks,
        .peers_n = plan->peers_n,
        .peers = peers,
        .heartbeat = plan->kernel && pop->healths[CHECK_KERNEL].state == HEALTH_UP &&
                     vouch_covers(&pop->healths[CHECK_KERNEL], plan->fresh_ns, pop->fleet->now_ns),
        .adopted = pop->adopted,
        .override = &pop->override,
        .quota = &pop->quota,
    };
}

/* What ExaBGP makes of it: withdrawals go out even where nothing is acknowledged. */
static void route_want(struct fleet *fleet, struct pop *pop)
{
    const bool wanted = pop->verdict.want.wish == ROUTE_ANNOUNCE;

    if (pop->verdict.want.wish == ROUTE_HOLD || pop->route == wanted) {
        pop->change_ns = NEVER;
    } else if (!wanted) {
        pop->change_ns = fleet->now_ns;
    } else if (pop->change_ns == NEVER) {
        pop->change_ns = fleet->now_ns + (pop->faults[FAULT_ACKS] ? between(fleet, S, 3 * S) : 0);
    }
}

static void decision_trace(struct fleet *fleet, const struct pop *pop,
                           const struct policy_input *input, const struct policy_verdict *before)
{
    char reason[POLICY_REASON_LEN];

    if (fleet->trace &&
        (pop->verdict.code != before->code || pop->verdict.want.wish != before->want.wish ||
         pop->verdict.stays != before->stays)) {
        policy_explain(&pop->policy, &fleet->plan.settings, input, &pop->verdict, fleet->now_ns,
                       reason);
        fprintf(fleet->trace, "%8.2f PoP %-3u %-8s %s%s\n", (double)fleet->now_ns / (double)S,
                pop->index, route_wish_name(pop->verdict.want.wish), reason,
                pop->verdict.stays ? "; stays" : "");
    }
}

static void pop_decide(struct fleet *fleet, struct pop *pop)
{
    const struct policy_verdict before = pop->verdict;
    const enum leave_refusal refusal = pop->policy.leave.refusal;
    struct policy_check checks[GOVERNING_N];
    struct guard_peer peers[PEERS_MAX];
    struct policy_input input;

    if (override_expire(&pop->override, fleet->now_ns)) {
        pop->quiet_ns = fleet->now_ns;
    }
    input = input_make(pop, checks, peers);
    policy_decide(&pop->policy, &fleet->plan.settings, &input, fleet->now_ns, &pop->verdict);
    pop->decided_ns = fleet->now_ns;
    fleet->result->decisions++;
    fleet->result->refusals +=
        pop->policy.leave.refusal != LEAVE_REFUSED_NOT && refusal == LEAVE_REFUSED_NOT;
    decision_trace(fleet, pop, &input, &before);
    decision_check(fleet, pop, &before);
    if (pop->verdict.settled || pop->verdict.want.wish == ROUTE_WITHDRAW) {
        pop->adopted = false;
    }
    route_want(fleet, pop);
}

/* A process that starts, with what the state file remembers. */
static void pop_start(struct fleet *fleet, struct pop *pop)
{
    const struct budget before = pop->budget;

    pop->running = true;
    pop->adopted = pop->route; /* the table is read before the first probe is back */
    pop->budget = (struct budget){.limits = fleet->plan.budget};
    for (size_t i = 0; i < before.vips[0].begins_n; i++) {
        budget_recall(&pop->budget, 0, before.vips[0].begins_ns[i]);
    }
    pop->quota = fleet->plan.leased ? (struct quota){lease_hold, lease_release, pop}
                                    : budget_quota(&pop->budget);
    for (size_t i = 0; i < CHECKS_N; i++) {
        health_init(&pop->healths[i], fleet->now_ns);
        pop->probes[i] = (struct probe){.due_ns = fleet->now_ns + below(fleet, 200 * MS)};
    }
    memset(pop->graces, 0, sizeof(pop->graces));
    memset(pop->blind_n, 0, sizeof(pop->blind_n));
    memset(pop->silent, 0, sizeof(pop->silent));
    memset(pop->vouched, 0, sizeof(pop->vouched));
    policy_init(&pop->policy, random_word(fleet), fleet->now_ns);
    pop->verdict = (struct policy_verdict){.want.wish = ROUTE_HOLD, .code = POLICY_CODES_N};
    pop->proven_ns = NEVER;
    pop->ever_announced = false;
    pop->change_ns = NEVER;
    pop->calm_ns = fleet->now_ns;
    pop_decide(fleet, pop);
}

static bool pop_stays(const struct pop *pop)
{
    return pop->running && pop->route && pop->verdict.stays;
}

static bool bad(const struct pop *pop)
{
    return pop->faults[FAULT_DEAD] || pop->faults[FAULT_SILENT] || pop->faults[FAULT_WRONG] ||
           pop->faults[FAULT_HOST];
}

/* ---- probes ---- */

static void outcome(struct probe *probe, enum health_observation observation, int64_t after_ns,
                    int64_t now_ns)
{
    probe->observation = observation;
    probe->ends_ns = now_ns + after_ns;
}

static void hard_sample(struct fleet *fleet, const struct pop *pop, struct probe *probe)
{
    const int64_t now_ns = fleet->now_ns;

    if (pop->faults[FAULT_DEAD]) {
        probe->dead = true;
        outcome(probe, HEALTH_FAIL, 0, now_ns);
    } else if (pop->faults[FAULT_SILENT] || (pop->faults[FAULT_OVERLOAD] && chance(fleet, 70))) {
        probe->silent = true;
        outcome(probe, HEALTH_FAIL, fleet->plan.timeout_ns, now_ns);
    } else {
        outcome(probe, pop->faults[FAULT_WRONG] ? HEALTH_FAIL : HEALTH_PASS,
                below(fleet, fleet->plan.timeout_ns / 4), now_ns);
    }
}

/* Does what was counted grow since the last look? */
static bool traffic_grows(const struct pop *pop, int64_t last_ns)
{
    const bool stopped = pop->faults[FAULT_DEAD] || pop->faults[FAULT_SILENT];

    return !stopped || pop->bad_ns > last_ns;
}

static bool kernel_answers(const struct pop *pop, int64_t now_ns)
{
    return !pop->faults[FAULT_DEAD] || now_ns < pop->dead_ns + XDP_LIFE_NS;
}

static void probe_sample(struct fleet *fleet, struct pop *pop, size_t check)
{
    struct probe *probe = &pop->probes[check];
    const int64_t now_ns = fleet->now_ns, last_ns = probe->started_ns;
    bool good = true;

    probe->in_flight = true;
    probe->started_ns = now_ns;
    probe->silent = probe->dead = false;
    if (pop->faults[FAULT_SICK]) {
        outcome(probe, HEALTH_UNKNOWN, 0, now_ns);
        return;
    }
    if (check < HARD_N) {
        hard_sample(fleet, pop, probe);
        return;
    }
    if (check == CHECK_FRESHNESS) {
        good = !pop->faults[FAULT_SOFT];
    } else if (check == CHECK_TRAFFIC && pop->healths[check].observations_n == 0) {
        outcome(probe, HEALTH_UNKNOWN, below(fleet, fleet->plan.timeout_ns), now_ns);
        return; /* growth is from look to look */
    } else if (check == CHECK_TRAFFIC) {
        good = traffic_grows(pop, last_ns);
    } else if (check == CHECK_KERNEL) {
        good = kernel_answers(pop, now_ns);
    } else {
        good =
            !pop->faults[FAULT_PARTED] && pop_stays(&fleet->pops[pop->peers[check - CHECK_PEERS]]);
    }
    outcome(probe, good ? HEALTH_PASS : HEALTH_FAIL, below(fleet, fleet->plan.timeout_ns), now_ns);
}

static void probe_end(struct fleet *fleet, struct pop *pop, size_t check)
{
    const struct plan *plan = &fleet->plan;
    const struct health_limits *limits = check < HARD_N             ? &plan->limits
                                         : check == CHECK_FRESHNESS ? &plan->soft_limits
                                                                    : &plan->other_limits;
    struct probe *probe = &pop->probes[check];
    struct health *health = &pop->healths[check];
    enum health_observation observation = probe->observation;
    int64_t pace_ns = check >= CHECK_PEERS ? plan->peer_interval_ns : plan->interval_ns;

    if (check == CHECK_FRESHNESS) {
        pace_ns = plan->soft_interval_ns;
    }
    probe->in_flight = false;
    if (check < HARD_N) {
        if (probe->observation == HEALTH_UNKNOWN) {
            pop->blind_n[check] = pop->healths[CHECK_TRAFFIC].observations_n;
        }
        pop->vouched[check] =
            probe->silent && plan->vouched &&
            vouch_covers(&pop->healths[CHECK_TRAFFIC], plan->fresh_ns, fleet->now_ns);
        if (pop->vouched[check] ||
            (probe->silent && plan->vouched &&
             vouch_waits(&pop->healths[CHECK_TRAFFIC], pop->blind_n[check]))) {
            observation = HEALTH_UNKNOWN;
        }
        if (probe->observation == HEALTH_FAIL) {
            pop->silent[check] = probe->silent;
        }
    }
    health_observe(health, limits, observation, fleet->now_ns);
    if (check < HARD_N) {
        grace_observe(&pop->graces[check], health, probe->dead, fleet->now_ns);
    }
    if (health->state == HEALTH_UP && health->last == HEALTH_FAIL) {
        pace_ns = plan->retry_ns;
    }
    probe->due_ns = probe->started_ns + pace_ns + below(fleet, pace_ns / 20);
    fleet->result->observations++;
    pop_decide(fleet, pop);
}

static void probes_run(struct fleet *fleet, struct pop *pop)
{
    const size_t checks_n = CHECK_PEERS + fleet->plan.peers_n;

    for (size_t i = 0; i < checks_n; i++) {
        struct probe *probe = &pop->probes[i];

        if ((i == CHECK_TRAFFIC && !fleet->plan.vouched) ||
            (i == CHECK_KERNEL && !fleet->plan.kernel)) {
            continue;
        }
        if (i >= CHECK_PEERS && pop->faults[FAULT_PARTED] && fleet->plan.stuck) {
            continue; /* not even a failure comes */
        }
        if (probe->in_flight && fleet->now_ns >= probe->ends_ns) {
            probe_end(fleet, pop, i);
        }
        if (!probe->in_flight && fleet->now_ns >= probe->due_ns) {
            probe_sample(fleet, pop, i);
        }
    }
}

/* ---- what must hold at every moment ---- */

/* Everything it takes to announce has been there long enough. */
static bool able(const struct fleet *fleet, const struct pop *pop)
{
    const struct plan *plan = &fleet->plan;
    int64_t needs_ns = rise_ns(plan) + 2 * S;

    if (plan->settings.guard.at_least == 0) {
        needs_ns += plan->settings.startup_wait_ns; /* nobody says that it is needed */
    }
    if (pop->override.force && operator_holds(pop)) {
        return false;
    }
    return pop->running && pop->good_ns != NEVER && !pop->faults[FAULT_SICK] &&
           !pop->faults[FAULT_OVERLOAD] && fleet->now_ns - pop->good_ns > needs_ns &&
           fleet->now_ns - pop->calm_ns > needs_ns;
}

static void hard_check(struct fleet *fleet, const struct pop *pop)
{
    const int64_t since_ns = pop->bad_ns > pop->calm_ns ? pop->bad_ns : pop->calm_ns;
    const bool forced = pop->override.action == OVERRIDE_ANNOUNCE && pop->override.force;

    /* Of a wrong answer among lost and vouched-for ones no time can be said. */
    const bool masked = pop->faults[FAULT_OVERLOAD] && fleet->plan.vouched;

    if (pop->running && pop->bad_ns != NEVER && !forced && !pop->faults[FAULT_SICK] && !masked &&
        pop->verdict.want.wish != ROUTE_WITHDRAW && fleet->now_ns - since_ns > hard_ns(pop)) {
        fail(fleet, pop, "HARD for %.2f s and not withdrawn, %.2f s is the most",
             (double)(fleet->now_ns - since_ns) / (double)S, (double)hard_ns(pop) / (double)S);
    }
}

/* Nothing speaks against it, and for longer than anything may hold it back. */
static void idle_check(struct fleet *fleet, const struct pop *pop)
{
    const struct plan *plan = &fleet->plan;
    const int64_t calm_ns = pop->calm_ns > pop->quiet_ns ? pop->calm_ns : pop->quiet_ns;
    const int64_t held_ns = rise_ns(plan) + plan->settings.startup_wait_ns +
                            (plan->settings.damping.on ? plan->settings.damping.max_ns : 0) +
                            plan->settings.leave.jitter_ns + 5 * S;

    if (pop->running && pop->good_ns != NEVER && pop->override.action == OVERRIDE_AUTO &&
        !pop->faults[FAULT_SICK] && !pop->faults[FAULT_OVERLOAD] &&
        (!pop->faults[FAULT_SOFT] || !plan->settings.leave.allowed) &&
        fleet->now_ns - pop->good_ns > held_ns && fleet->now_ns - calm_ns > held_ns &&
        pop->verdict.want.wish != ROUTE_ANNOUNCE) {
        fail(fleet, pop, "held back for %.2f s and no reason",
             (double)(fleet->now_ns - pop->good_ns) / (double)S);
    }
}

static void routes_check(struct fleet *fleet)
{
    const struct pop *idle = NULL;
    uint32_t routes_n = 0;

    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        const struct pop *pop = &fleet->pops[i];

        routes_n += pop->route;
        idle = !pop->route && able(fleet, pop) ? pop : idle;
        hard_check(fleet, pop);
        idle_check(fleet, pop);
    }
    if (routes_n > 0) {
        fleet->zero_ns = fleet->able_ns = NEVER;
        return;
    }
    if (fleet->zero_ns == NEVER) {
        fleet->zero_ns = fleet->now_ns;
        fleet->result->zeros++;
        if (fleet->result->strict) {
            fail(fleet, NULL, "zero routes although nothing HARD happened");
        } else if (fleet->now_ns - fleet->loss_ns > hear_ns(&fleet->plan)) {
            fail(fleet, NULL, "zero routes, and no HARD loss for %.2f s",
                 (double)(fleet->now_ns - fleet->loss_ns) / (double)S);
        }
    }
    if (!idle) {
        fleet->able_ns = NEVER;
        return;
    }
    fleet->able_ns = fleet->able_ns == NEVER ? fleet->now_ns : fleet->able_ns;
    if (fleet->now_ns - fleet->able_ns > fleet->result->zero_able_ns) {
        fleet->result->zero_able_ns = fleet->now_ns - fleet->able_ns;
    }
    if (fleet->now_ns - fleet->able_ns > hear_ns(&fleet->plan) + 3 * S) {
        fail(fleet, idle, "zero routes for %.2f s although this PoP could have one",
             (double)(fleet->now_ns - fleet->able_ns) / (double)S);
    }
}

/* ---- events ---- */

static void answering_note(struct fleet *fleet, struct pop *pop, bool was_bad)
{
    const bool is_bad = bad(pop);

    if (is_bad != was_bad) {
        pop->bad_ns = is_bad ? fleet->now_ns : NEVER;
        pop->good_ns = is_bad ? NEVER : fleet->now_ns;
    }
    pop->calm_ns = fleet->now_ns;
}

static void host_go(struct fleet *fleet, struct pop *pop)
{
    fleet->loss_ns = pop->route ? fleet->now_ns : fleet->loss_ns;
    pop->running = false;
    pop->route = false;
    pop->verdict = (struct policy_verdict){.want.wish = ROUTE_WITHDRAW, .code = POLICY_CODES_N};
}

static void order_take(struct fleet *fleet, struct pop *pop, const struct event *event)
{
    /* As the control socket does: refused at once where it is plain. */
    if (!pop->running ||
        (!event->force && policy_is_last(&pop->verdict) &&
         (event->action == OVERRIDE_WITHDRAW || event->action == OVERRIDE_DRAIN))) {
        return;
    }
    if (pop->override.force && operator_holds(pop)) {
        pop->calm_ns = fleet->now_ns;
    }
    pop->override =
        override_make(event->action, event->force, event->for_ns, "", "", fleet->now_ns);
    pop_decide(fleet, pop);
}

static void fault_turn(struct fleet *fleet, struct pop *pop, const struct event *event)
{
    static const char *const names[FAULTS_N] = {
        "dead",   "silent", "wrong", "host",  "soft",    "overload",
        "parted", "sick",   "acks",  "lease", "upgrade", "order",
    };
    const bool was_bad = bad(pop);

    if (fleet->trace) {
        fprintf(fleet->trace, "%8.2f PoP %-3u -------- %s %s\n", (double)fleet->now_ns / (double)S,
                pop->index,
                event->fault == FAULT_ORDER ? override_action_name(event->action)
                : event->begins             ? "begins"
                                            : "ends",
                names[event->fault]);
    }
    pop->quiet_ns = fleet->now_ns;
    pop->faults[event->fault] += event->begins ? 1 : UINT32_MAX;
    switch (event->fault) {
    case FAULT_DEAD:
        pop->dead_ns = fleet->now_ns;
        break;
    case FAULT_HOST:
        if (event->begins && pop->faults[FAULT_HOST] == 1) {
            host_go(fleet, pop);
        } else if (pop->faults[FAULT_HOST] == 0) {
            pop_start(fleet, pop);
        }
        break;
    case FAULT_UPGRADE: /* the holder keeps the route */
        if (pop->running && event->begins) {
            pop_start(fleet, pop);
        }
        break;
    case FAULT_ORDER:
        order_take(fleet, pop, event);
        return;
    case FAULT_LEASE:
        fleet->lease_lost = event->begins;
        return;
    case FAULT_SILENT:
    case FAULT_WRONG:
    case FAULT_SICK:
    case FAULT_OVERLOAD:
        break;
    case FAULT_SOFT:
    case FAULT_PARTED:
    case FAULT_ACKS:
    case FAULTS_N:
        return;
    }
    answering_note(fleet, pop, was_bad);
}

static int event_compare(const void *a, const void *b)
{
    const struct event *one = a, *other = b;

    if (one->at_ns != other->at_ns) {
        return one->at_ns < other->at_ns ? -1 : 1;
    }
    if (one->pop != other->pop) {
        return one->pop < other->pop ? -1 : 1;
    }
    if (one->fault != other->fault) {
        return one->fault < other->fault ? -1 : 1;
    }
    return (int)other->begins - (int)one->begins;
}

static void event_add(struct fleet *fleet, struct event event)
{
    if (fleet->events_n < EVENTS_MAX) {
        fleet->events[fleet->events_n++] = event;
    }
}

/* A fault of one PoP, and its end. */
static void fault_add(struct fleet *fleet, uint32_t pop, enum fault fault, int64_t at_ns,
                      int64_t for_ns)
{
    const bool instant = fault == FAULT_UPGRADE;

    if (fleet->events_n + 2 > EVENTS_MAX) {
        return; /* a fault that began would never end */
    }
    event_add(fleet, (struct event){.at_ns = at_ns, .pop = pop, .fault = fault, .begins = true});
    event_add(fleet, (struct event){.at_ns = at_ns + (instant ? 0 : for_ns),
                                    .pop = pop,
                                    .fault = fault,
                                    .begins = false});
}

/* One cause that strikes one, some or all, at once or nearly. */
static void cause_add(struct fleet *fleet, enum fault fault, int share, int64_t at_ns,
                      int64_t for_ns)
{
    const int64_t skew_ns = chance(fleet, 50) ? 0 : between(fleet, 0, 5 * S);
    const uint32_t one = (uint32_t)below(fleet, fleet->pops_n);

    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        if (share ? chance(fleet, share) : i == one) {
            fault_add(fleet, i, fault, at_ns + below(fleet, skew_ns),
                      for_ns + below(fleet, for_ns / 4));
        }
    }
}

static void orders_add(struct fleet *fleet, int share, int64_t at_ns, bool may_force)
{
    static const enum override_action actions[] = {OVERRIDE_AUTO,  OVERRIDE_WITHDRAW,
                                                   OVERRIDE_DRAIN, OVERRIDE_WITHDRAW,
                                                   OVERRIDE_DRAIN, OVERRIDE_ANNOUNCE};
    const enum override_action action = actions[below(fleet, 6)];
    const uint32_t one = (uint32_t)below(fleet, fleet->pops_n);
    const bool force = may_force && chance(fleet, 30);
    const int64_t skew_ns = chance(fleet, 50) ? 0 : between(fleet, 0, 5 * S);

    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        if (share ? chance(fleet, share) : i == one) {
            event_add(fleet, (struct event){.at_ns = at_ns + below(fleet, skew_ns),
                                            .pop = i,
                                            .fault = FAULT_ORDER,
                                            .begins = true,
                                            .action = action,
                                            .force = force,
                                            .for_ns = between(fleet, 10 * S, 90 * S)});
        }
    }
}

/* ---- a schedule ---- */

static int share_pick(struct fleet *fleet)
{
    static const int shares[] = {0, 0, 10, 50, 90, 100, 100};

    return shares[below(fleet, 7)];
}

static enum fault fault_pick(struct fleet *fleet)
{
    static const enum fault soft[] = {FAULT_SOFT,   FAULT_SOFT, FAULT_SOFT,    FAULT_OVERLOAD,
                                      FAULT_PARTED, FAULT_SICK, FAULT_UPGRADE, FAULT_ACKS};
    static const enum fault hard[] = {FAULT_DEAD, FAULT_DEAD, FAULT_SILENT, FAULT_WRONG,
                                      FAULT_HOST};

    return fleet->result->strict || chance(fleet, 50) ? soft[below(fleet, 8)]
                                                      : hard[below(fleet, 5)];
}

/* All but one. */
static void others_add(struct fleet *fleet, uint32_t one, enum fault fault, int64_t at_ns,
                       int64_t for_ns)
{
    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        if (i != one) {
            fault_add(fleet, i, fault, at_ns, for_ns);
        }
    }
}

/* One that hears nothing of the others any more, while they degrade and then itself. */
static void lonely_pattern_add(struct fleet *fleet)
{
    const uint32_t one = (uint32_t)below(fleet, fleet->pops_n);
    const int64_t at_ns = between(fleet, 15 * S, 40 * S);

    fault_add(fleet, one, FAULT_PARTED, at_ns, 80 * S);
    others_add(fleet, one, FAULT_SOFT, at_ns, 80 * S);
    fault_add(fleet, one, FAULT_SOFT, at_ns + 20 * S, 50 * S);
}

/* One that an operator took away, and then the others fail. */
static void maintenance_pattern_add(struct fleet *fleet)
{
    const uint32_t one = (uint32_t)below(fleet, fleet->pops_n);
    const int64_t at_ns = between(fleet, 15 * S, 40 * S);

    event_add(fleet, (struct event){.at_ns = at_ns,
                                    .pop = one,
                                    .fault = FAULT_ORDER,
                                    .begins = true,
                                    .action = OVERRIDE_WITHDRAW,
                                    .for_ns = 90 * S});
    others_add(fleet, one, FAULT_DEAD, at_ns + 25 * S, 40 * S);
}

/* What single causes rarely make: one or all of them flapping, a crash that ends in a hang, and the
 * lights going out where the control plane is gone too. */
static void hard_patterns_add(struct fleet *fleet)
{
    const uint32_t one = (uint32_t)below(fleet, fleet->pops_n);
    const bool together = chance(fleet, 30);

    if (chance(fleet, 50)) {
        for (int64_t at_ns = 20 * S; at_ns < fleet->end_ns;
             at_ns += between(fleet, 8 * S, 20 * S)) {
            const int64_t for_ns = between(fleet, 2 * S, 5 * S);

            for (uint32_t i = 0; i < fleet->pops_n; i++) {
                if (together || i == one) {
                    fault_add(fleet, i, FAULT_WRONG, at_ns, for_ns);
                }
            }
        }
    }
    if (chance(fleet, 30)) {
        const int64_t at_ns = between(fleet, 20 * S, 90 * S), for_ns = between(fleet, S, 3 * S);

        fault_add(fleet, one, FAULT_DEAD, at_ns, for_ns);
        fault_add(fleet, one, chance(fleet, 50) ? FAULT_SILENT : FAULT_WRONG, at_ns + for_ns,
                  between(fleet, 5 * S, 20 * S));
    }
    if (chance(fleet, 15)) {
        const int64_t at_ns = between(fleet, 20 * S, 90 * S);

        cause_add(fleet, FAULT_SOFT, 100, at_ns - 10 * S, 90 * S);
        cause_add(fleet, FAULT_HOST, 100, at_ns, between(fleet, S, 20 * S));
    }
}

static void schedule_make(struct fleet *fleet)
{
    const bool guarded = fleet->plan.settings.guard.at_least > 0;
    const int causes_n = (int)between(fleet, 1, 12);

    if (chance(fleet, 35)) { /* the control plane is lost, and with it all that hangs on it */
        const int64_t at_ns = between(fleet, 20 * S, 60 * S),
                      for_ns = between(fleet, 20 * S, 90 * S);

        cause_add(fleet, FAULT_SOFT, chance(fleet, 50) ? 100 : 40, at_ns, for_ns);
        fault_add(fleet, 0, FAULT_LEASE, at_ns, for_ns);
        if (chance(fleet, 50)) {
            cause_add(fleet, FAULT_PARTED, 100, at_ns, for_ns);
        }
    }
    if (chance(fleet, 30)) { /* everybody degrades at once, again and again */
        for (int64_t at_ns = 15 * S; at_ns < fleet->end_ns; at_ns += 60 * S) {
            cause_add(fleet, FAULT_SOFT, 100, at_ns, 30 * S);
        }
    }
    for (int i = 0; i < causes_n; i++) {
        const enum fault fault = fault_pick(fleet);
        const int64_t at_ns = between(fleet, 10 * S, fleet->end_ns - 20 * S);
        /* a restart is a short death */
        const int64_t for_ns = fault == FAULT_DEAD && chance(fleet, 50)
                                   ? between(fleet, 100 * MS, 3 * S)
                                   : between(fleet, S, 60 * S);

        if (fault == FAULT_OVERLOAD && !fleet->plan.vouched && fleet->result->strict) {
            continue; /* unvouched silence is HARD */
        }
        cause_add(fleet, fault, share_pick(fleet), at_ns, for_ns);
        if (guarded && chance(fleet, 30)) {
            orders_add(fleet, share_pick(fleet), between(fleet, 10 * S, fleet->end_ns),
                       !fleet->result->strict);
        }
    }
    if (chance(fleet, 20)) {
        lonely_pattern_add(fleet);
    }
    if (!fleet->result->strict) {
        hard_patterns_add(fleet);
        if (guarded && chance(fleet, 20)) {
            maintenance_pattern_add(fleet);
        }
    }
    qsort(fleet->events, fleet->events_n, sizeof(fleet->events[0]), event_compare);
}

static uint32_t pops_pick(struct fleet *fleet)
{
    const int64_t kind = below(fleet, 10);

    return (uint32_t)(kind < 2   ? 2
                      : kind < 3 ? between(fleet, 3, 4)
                      : kind < 5 ? between(fleet, 5, 12)
                      : kind < 8 ? between(fleet, 13, 60)
                                 : between(fleet, 100, 300));
}

static void plan_policy_make(struct fleet *fleet, struct plan *plan)
{
    struct policy_settings *settings = &plan->settings;

    settings->attributes = &plan->attributes;
    settings->drain = drain_plan_usual();
    settings->drain.steps[1].wait_ns = between(fleet, S, 20 * S);
    settings->restart_grace_ns = chance(fleet, 60) ? 2 * S : 0;
    settings->startup_wait_ns = chance(fleet, 50) ? between(fleet, 1, 30) * S : 0;
    if (chance(fleet, 80)) {
        plan->peers_n = (uint32_t)between(fleet, 1, PEERS_MAX);
        plan->peers_n = plan->peers_n < fleet->pops_n ? plan->peers_n : fleet->pops_n - 1;
        settings->guard.at_least = (size_t)between(fleet, 1, plan->peers_n);
        /* as the configuration makes it */
        settings->guard.settle_ns = plan->peer_fresh_ns + plan->timeout_ns + S;
        settings->leave =
            (struct leave_limits){.allowed = chance(fleet, 80),
                                  .jitter_ns = chance(fleet, 50) ? 0 : below(fleet, 10 * S),
                                  .retry_ns = between(fleet, S, 20 * S)};
        if (chance(fleet, 70)) {
            settings->damping = damping_limits_usual();
            settings->damping.half_life_ns = between(fleet, 20, 60) * S;
            settings->damping.max_ns = between(fleet, 30, 90) * S;
        }
    }
    plan->leased = chance(fleet, 50);
    plan->lease_allow = (uint32_t)between(fleet, 1, 1 + fleet->pops_n / 10);
    plan->budget = (struct budget_limits){.allow = (uint32_t)between(fleet, 1, 2),
                                          .per_ns = between(fleet, 20, 120) * S};
}

static void plan_make(struct fleet *fleet)
{
    struct plan *plan = &fleet->plan;

    plan->interval_ns = between(fleet, 5, 20) * 100 * MS;
    plan->retry_ns = between(fleet, 1, 5) * 100 * MS;
    plan->timeout_ns = between(fleet, 2, 5) * 100 * MS;
    plan->peer_interval_ns = between(fleet, 5, 30) * 100 * MS;
    plan->soft_interval_ns = between(fleet, 5, 30) * 100 * MS;
    plan->fresh_ns = plan->interval_ns + plan->interval_ns / 10 + plan->timeout_ns;
    plan->peer_fresh_ns = plan->peer_interval_ns + plan->peer_interval_ns / 10 + plan->timeout_ns;
    plan->limits = (struct health_limits){.rise = (uint32_t)between(fleet, 1, 3),
                                          .fall = (uint32_t)between(fleet, 1, 3),
                                          .hold_down_ns = chance(fleet, 30) ? 5 * S : 0};
    plan->limits.window = 4 * plan->limits.fall;
    plan->limits.window_fails = 2 * plan->limits.fall;
    plan->soft_limits = (struct health_limits){.rise = 2, .fall = 2};
    plan->other_limits = (struct health_limits){.rise = 1, .fall = 1};
    plan->vouched = chance(fleet, 50);
    plan->kernel = chance(fleet, 50);
    plan->stuck = chance(fleet, 50);
    plan_policy_make(fleet, plan);
}

static void pops_make(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        struct pop *pop = &fleet->pops[i];

        pop->fleet = fleet;
        pop->index = i;
        pop->bad_ns = NEVER;
        pop->dead_ns = -NEVER;
        pop->route = true; /* taken over: a fleet that runs */
        for (uint32_t k = 0; k < fleet->plan.peers_n; k++) {
            pop->peers[k] = (i + 1 + k) % fleet->pops_n;
        }
        pop_start(fleet, pop);
    }
}

static void tick(struct fleet *fleet)
{
    for (; fleet->event < fleet->events_n && fleet->events[fleet->event].at_ns <= fleet->now_ns;
         fleet->event++) {
        const struct event *event = &fleet->events[fleet->event];

        fault_turn(fleet, &fleet->pops[event->pop], event);
    }
    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        struct pop *pop = &fleet->pops[i];

        if (!pop->running) {
            continue;
        }
        probes_run(fleet, pop);
        if (fleet->now_ns >= pop->verdict.next_ns || fleet->now_ns >= pop->decided_ns + S ||
            (pop->override.action != OVERRIDE_AUTO && fleet->now_ns >= pop->override.expires_ns)) {
            pop_decide(fleet, pop);
        }
        if (fleet->now_ns >= pop->change_ns) {
            pop->route = pop->verdict.want.wish == ROUTE_ANNOUNCE;
            pop->change_ns = NEVER;
            if (fleet->trace) {
                fprintf(fleet->trace, "%8.2f PoP %-3u -------- route %s\n",
                        (double)fleet->now_ns / (double)S, pop->index,
                        pop->route ? "there" : "gone");
            }
        }
    }
    routes_check(fleet);
}

void fleet_play(uint64_t seed, FILE *trace, struct fleet_result *ret_result)
{
    struct fleet fleet = {.result = ret_result,
                          .trace = trace,
                          .random = seed,
                          .seed = seed,
                          .loss_ns = -NEVER,
                          .zero_ns = NEVER,
                          .able_ns = NEVER};

    memset(ret_result, 0, sizeof(*ret_result));
    ret_result->good = true;
    ret_result->strict = chance(&fleet, 50);
    fleet.pops_n = ret_result->pops_n = pops_pick(&fleet);
    fleet.end_ns = ret_result->virtual_ns = between(&fleet, 90, 240) * S;
    fleet.pops = calloc(fleet.pops_n, sizeof(fleet.pops[0]));
    fleet.events = calloc(EVENTS_MAX, sizeof(fleet.events[0]));
    if (!fleet.pops || !fleet.events) {
        fail(&fleet, NULL, "out of memory");
    } else {
        plan_make(&fleet);
        schedule_make(&fleet);
        pops_make(&fleet);
        for (; fleet.now_ns < fleet.end_ns && ret_result->good; fleet.now_ns += TICK_NS) {
            tick(&fleet);
        }
    }
    free(fleet.events);
    free(fleet.pops);
}
