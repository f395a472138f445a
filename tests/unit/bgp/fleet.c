/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

#include "bgp/decide/vouch.h"
#include "fleet_world.h"

uint64_t fleet_random(struct fleet *fleet)
{
    uint64_t word = fleet->random += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

int64_t fleet_below(struct fleet *fleet, int64_t limit)
{
    return limit > 0 ? (int64_t)(fleet_random(fleet) % (uint64_t)limit) : 0;
}

int64_t fleet_between(struct fleet *fleet, int64_t least, int64_t most)
{
    return least + fleet_below(fleet, most - least + 1);
}

bool fleet_chance(struct fleet *fleet, int percent)
{
    return fleet_below(fleet, 100) < percent;
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
        pop->change_ns =
            fleet->now_ns + (pop->faults[FAULT_ACKS] ? fleet_between(fleet, S, 3 * S) : 0);
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

void fleet_pop_decide(struct fleet *fleet, struct pop *pop)
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
    fleet_decision_check(fleet, pop, &before);
    if (pop->verdict.settled || pop->verdict.want.wish == ROUTE_WITHDRAW) {
        pop->adopted = false;
    }
    route_want(fleet, pop);
}

void fleet_pop_start(struct fleet *fleet, struct pop *pop)
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
        pop->probes[i] = (struct probe){.due_ns = fleet->now_ns + fleet_below(fleet, 200 * MS)};
    }
    memset(pop->graces, 0, sizeof(pop->graces));
    memset(pop->blind_n, 0, sizeof(pop->blind_n));
    memset(pop->silent, 0, sizeof(pop->silent));
    memset(pop->vouched, 0, sizeof(pop->vouched));
    policy_init(&pop->policy, fleet_random(fleet), fleet->now_ns);
    pop->verdict = (struct policy_verdict){.want.wish = ROUTE_HOLD, .code = POLICY_CODES_N};
    pop->proven_ns = NEVER;
    pop->ever_announced = false;
    pop->change_ns = NEVER;
    pop->calm_ns = fleet->now_ns;
    fleet_pop_decide(fleet, pop);
}

static bool pop_stays(const struct pop *pop)
{
    return pop->running && pop->route && pop->verdict.stays;
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
    } else if (pop->faults[FAULT_SILENT] ||
               (pop->faults[FAULT_OVERLOAD] && fleet_chance(fleet, 70))) {
        probe->silent = true;
        outcome(probe, HEALTH_FAIL, fleet->plan.timeout_ns, now_ns);
    } else {
        outcome(probe, pop->faults[FAULT_WRONG] ? HEALTH_FAIL : HEALTH_PASS,
                fleet_below(fleet, fleet->plan.timeout_ns / 4), now_ns);
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
        outcome(probe, HEALTH_UNKNOWN, fleet_below(fleet, fleet->plan.timeout_ns), now_ns);
        return; /* growth is from look to look */
    } else if (check == CHECK_TRAFFIC) {
        good = traffic_grows(pop, last_ns);
    } else if (check == CHECK_KERNEL) {
        good = kernel_answers(pop, now_ns);
    } else {
        good =
            !pop->faults[FAULT_PARTED] && pop_stays(&fleet->pops[pop->peers[check - CHECK_PEERS]]);
    }
    outcome(probe, good ? HEALTH_PASS : HEALTH_FAIL, fleet_below(fleet, fleet->plan.timeout_ns),
            now_ns);
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
    probe->due_ns = probe->started_ns + pace_ns + fleet_below(fleet, pace_ns / 20);
    fleet->result->observations++;
    fleet_pop_decide(fleet, pop);
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

/* ---- the clock ---- */

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
        fleet_pop_start(fleet, pop);
    }
}

static void tick(struct fleet *fleet)
{
    for (; fleet->event < fleet->events_n && fleet->events[fleet->event].at_ns <= fleet->now_ns;
         fleet->event++) {
        const struct event *event = &fleet->events[fleet->event];

        fleet_event_happen(fleet, &fleet->pops[event->pop], event);
    }
    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        struct pop *pop = &fleet->pops[i];

        if (!pop->running) {
            continue;
        }
        probes_run(fleet, pop);
        if (fleet->now_ns >= pop->verdict.next_ns || fleet->now_ns >= pop->decided_ns + S ||
            (pop->override.action != OVERRIDE_AUTO && fleet->now_ns >= pop->override.expires_ns)) {
            fleet_pop_decide(fleet, pop);
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
    fleet_routes_check(fleet);
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
    ret_result->strict = fleet_chance(&fleet, 50);
    fleet.pops_n = ret_result->pops_n = fleet_pops_pick(&fleet);
    fleet.end_ns = ret_result->virtual_ns = fleet_between(&fleet, 90, 240) * S;
    fleet.pops = calloc(fleet.pops_n, sizeof(fleet.pops[0]));
    fleet.events = calloc(EVENTS_MAX, sizeof(fleet.events[0]));
    if (!fleet.pops || !fleet.events) {
        fleet_fail(&fleet, NULL, "out of memory");
    } else {
        fleet_plan_make(&fleet);
        fleet_schedule_make(&fleet);
        pops_make(&fleet);
        for (; fleet.now_ns < fleet.end_ns && ret_result->good; fleet.now_ns += TICK_NS) {
            tick(&fleet);
        }
    }
    free(fleet.events);
    free(fleet.pops);
}
