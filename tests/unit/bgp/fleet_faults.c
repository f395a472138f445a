/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "fleet_world.h"

static bool bad(const struct pop *pop)
{
    return pop->faults[FAULT_DEAD] || pop->faults[FAULT_SILENT] || pop->faults[FAULT_WRONG] ||
           pop->faults[FAULT_HOST];
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
    if (pop->override.force && fleet_pop_ordered_away(pop)) {
        pop->calm_ns = fleet->now_ns;
    }
    pop->override =
        override_make(event->action, event->force, event->for_ns, "", "", fleet->now_ns);
    fleet_pop_decide(fleet, pop);
}

void fleet_event_happen(struct fleet *fleet, struct pop *pop, const struct event *event)
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
            fleet_pop_start(fleet, pop);
        }
        break;
    case FAULT_UPGRADE: /* the holder keeps the route */
        if (pop->running && event->begins) {
            fleet_pop_start(fleet, pop);
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
    const int64_t skew_ns = fleet_chance(fleet, 50) ? 0 : fleet_between(fleet, 0, 5 * S);
    const uint32_t one = (uint32_t)fleet_below(fleet, fleet->pops_n);

    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        if (share ? fleet_chance(fleet, share) : i == one) {
            fault_add(fleet, i, fault, at_ns + fleet_below(fleet, skew_ns),
                      for_ns + fleet_below(fleet, for_ns / 4));
        }
    }
}

static void orders_add(struct fleet *fleet, int share, int64_t at_ns, bool may_force)
{
    static const enum override_action actions[] = {OVERRIDE_AUTO,  OVERRIDE_WITHDRAW,
                                                   OVERRIDE_DRAIN, OVERRIDE_WITHDRAW,
                                                   OVERRIDE_DRAIN, OVERRIDE_ANNOUNCE};
    const enum override_action action = actions[fleet_below(fleet, 6)];
    const uint32_t one = (uint32_t)fleet_below(fleet, fleet->pops_n);
    const bool force = may_force && fleet_chance(fleet, 30);
    const int64_t skew_ns = fleet_chance(fleet, 50) ? 0 : fleet_between(fleet, 0, 5 * S);

    for (uint32_t i = 0; i < fleet->pops_n; i++) {
        if (share ? fleet_chance(fleet, share) : i == one) {
            event_add(fleet, (struct event){.at_ns = at_ns + fleet_below(fleet, skew_ns),
                                            .pop = i,
                                            .fault = FAULT_ORDER,
                                            .begins = true,
                                            .action = action,
                                            .force = force,
                                            .for_ns = fleet_between(fleet, 10 * S, 90 * S)});
        }
    }
}

/* ---- a schedule ---- */

static int share_pick(struct fleet *fleet)
{
    static const int shares[] = {0, 0, 10, 50, 90, 100, 100};

    return shares[fleet_below(fleet, 7)];
}

static enum fault fault_pick(struct fleet *fleet)
{
    static const enum fault soft[] = {FAULT_SOFT,   FAULT_SOFT, FAULT_SOFT,    FAULT_OVERLOAD,
                                      FAULT_PARTED, FAULT_SICK, FAULT_UPGRADE, FAULT_ACKS};
    static const enum fault hard[] = {FAULT_DEAD, FAULT_DEAD, FAULT_SILENT, FAULT_WRONG,
                                      FAULT_HOST};

    return fleet->result->strict || fleet_chance(fleet, 50) ? soft[fleet_below(fleet, 8)]
                                                            : hard[fleet_below(fleet, 5)];
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
    const uint32_t one = (uint32_t)fleet_below(fleet, fleet->pops_n);
    const int64_t at_ns = fleet_between(fleet, 15 * S, 40 * S);

    fault_add(fleet, one, FAULT_PARTED, at_ns, 80 * S);
    others_add(fleet, one, FAULT_SOFT, at_ns, 80 * S);
    fault_add(fleet, one, FAULT_SOFT, at_ns + 20 * S, 50 * S);
}

/* One that an operator took away, and then the others fail. */
static void maintenance_pattern_add(struct fleet *fleet)
{
    const uint32_t one = (uint32_t)fleet_below(fleet, fleet->pops_n);
    const int64_t at_ns = fleet_between(fleet, 15 * S, 40 * S);

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
    const uint32_t one = (uint32_t)fleet_below(fleet, fleet->pops_n);
    const bool together = fleet_chance(fleet, 30);

    if (fleet_chance(fleet, 50)) {
        for (int64_t at_ns = 20 * S; at_ns < fleet->end_ns;
             at_ns += fleet_between(fleet, 8 * S, 20 * S)) {
            const int64_t for_ns = fleet_between(fleet, 2 * S, 5 * S);

            for (uint32_t i = 0; i < fleet->pops_n; i++) {
                if (together || i == one) {
                    fault_add(fleet, i, FAULT_WRONG, at_ns, for_ns);
                }
            }
        }
    }
    if (fleet_chance(fleet, 30)) {
        const int64_t at_ns = fleet_between(fleet, 20 * S, 90 * S),
                      for_ns = fleet_between(fleet, S, 3 * S);

        fault_add(fleet, one, FAULT_DEAD, at_ns, for_ns);
        fault_add(fleet, one, fleet_chance(fleet, 50) ? FAULT_SILENT : FAULT_WRONG, at_ns + for_ns,
                  fleet_between(fleet, 5 * S, 20 * S));
    }
    if (fleet_chance(fleet, 15)) {
        const int64_t at_ns = fleet_between(fleet, 20 * S, 90 * S);

        cause_add(fleet, FAULT_SOFT, 100, at_ns - 10 * S, 90 * S);
        cause_add(fleet, FAULT_HOST, 100, at_ns, fleet_between(fleet, S, 20 * S));
    }
}

void fleet_schedule_make(struct fleet *fleet)
{
    const bool guarded = fleet->plan.settings.guard.at_least > 0;
    const int causes_n = (int)fleet_between(fleet, 1, 12);

    if (fleet_chance(fleet, 35)) { /* the control plane is lost, and with it all that hangs on it */
        const int64_t at_ns = fleet_between(fleet, 20 * S, 60 * S),
                      for_ns = fleet_between(fleet, 20 * S, 90 * S);

        cause_add(fleet, FAULT_SOFT, fleet_chance(fleet, 50) ? 100 : 40, at_ns, for_ns);
        fault_add(fleet, 0, FAULT_LEASE, at_ns, for_ns);
        if (fleet_chance(fleet, 50)) {
            cause_add(fleet, FAULT_PARTED, 100, at_ns, for_ns);
        }
    }
    if (fleet_chance(fleet, 30)) { /* everybody degrades at once, again and again */
        for (int64_t at_ns = 15 * S; at_ns < fleet->end_ns; at_ns += 60 * S) {
            cause_add(fleet, FAULT_SOFT, 100, at_ns, 30 * S);
        }
    }
    for (int i = 0; i < causes_n; i++) {
        const enum fault fault = fault_pick(fleet);
        const int64_t at_ns = fleet_between(fleet, 10 * S, fleet->end_ns - 20 * S);
        /* a restart is a short death */
        const int64_t for_ns = fault == FAULT_DEAD && fleet_chance(fleet, 50)
                                   ? fleet_between(fleet, 100 * MS, 3 * S)
                                   : fleet_between(fleet, S, 60 * S);

        if (fault == FAULT_OVERLOAD && !fleet->plan.vouched && fleet->result->strict) {
            continue; /* unvouched silence is HARD */
        }
        cause_add(fleet, fault, share_pick(fleet), at_ns, for_ns);
        if (guarded && fleet_chance(fleet, 30)) {
            orders_add(fleet, share_pick(fleet), fleet_between(fleet, 10 * S, fleet->end_ns),
                       !fleet->result->strict);
        }
    }
    if (fleet_chance(fleet, 20)) {
        lonely_pattern_add(fleet);
    }
    if (!fleet->result->strict) {
        hard_patterns_add(fleet);
        if (guarded && fleet_chance(fleet, 20)) {
            maintenance_pattern_add(fleet);
        }
    }
    qsort(fleet->events, fleet->events_n, sizeof(fleet->events[0]), event_compare);
}

uint32_t fleet_pops_pick(struct fleet *fleet)
{
    const int64_t kind = fleet_below(fleet, 10);

    return (uint32_t)(kind < 2   ? 2
                      : kind < 3 ? fleet_between(fleet, 3, 4)
                      : kind < 5 ? fleet_between(fleet, 5, 12)
                      : kind < 8 ? fleet_between(fleet, 13, 60)
                                 : fleet_between(fleet, 100, 300));
}

static void plan_policy_make(struct fleet *fleet, struct plan *plan)
{
    struct policy_settings *settings = &plan->settings;

    settings->attributes = &plan->attributes;
    settings->drain = drain_plan_usual();
    settings->drain.steps[1].wait_ns = fleet_between(fleet, S, 20 * S);
    settings->restart_grace_ns = fleet_chance(fleet, 60) ? 2 * S : 0;
    settings->startup_wait_ns = fleet_chance(fleet, 50) ? fleet_between(fleet, 1, 30) * S : 0;
    if (fleet_chance(fleet, 80)) {
        plan->peers_n = (uint32_t)fleet_between(fleet, 1, PEERS_MAX);
        plan->peers_n = plan->peers_n < fleet->pops_n ? plan->peers_n : fleet->pops_n - 1;
        settings->guard.at_least = (size_t)fleet_between(fleet, 1, plan->peers_n);
        /* as the configuration makes it */
        settings->guard.settle_ns = plan->peer_fresh_ns + plan->timeout_ns + S;
        settings->leave = (struct leave_limits){
            .allowed = fleet_chance(fleet, 80),
            .jitter_ns = fleet_chance(fleet, 50) ? 0 : fleet_below(fleet, 10 * S),
            .retry_ns = fleet_between(fleet, S, 20 * S)};
        if (fleet_chance(fleet, 70)) {
            settings->damping = damping_limits_usual();
            settings->damping.half_life_ns = fleet_between(fleet, 20, 60) * S;
            settings->damping.max_ns = fleet_between(fleet, 30, 90) * S;
        }
    }
    plan->leased = fleet_chance(fleet, 50);
    plan->lease_allow = (uint32_t)fleet_between(fleet, 1, 1 + fleet->pops_n / 10);
    plan->budget = (struct budget_limits){.allow = (uint32_t)fleet_between(fleet, 1, 2),
                                          .per_ns = fleet_between(fleet, 20, 120) * S};
}

void fleet_plan_make(struct fleet *fleet)
{
    struct plan *plan = &fleet->plan;

    plan->interval_ns = fleet_between(fleet, 5, 20) * 100 * MS;
    plan->retry_ns = fleet_between(fleet, 1, 5) * 100 * MS;
    plan->timeout_ns = fleet_between(fleet, 2, 5) * 100 * MS;
    plan->peer_interval_ns = fleet_between(fleet, 5, 30) * 100 * MS;
    plan->soft_interval_ns = fleet_between(fleet, 5, 30) * 100 * MS;
    plan->fresh_ns = plan->interval_ns + plan->interval_ns / 10 + plan->timeout_ns;
    plan->peer_fresh_ns = plan->peer_interval_ns + plan->peer_interval_ns / 10 + plan->timeout_ns;
    plan->limits = (struct health_limits){.rise = (uint32_t)fleet_between(fleet, 1, 3),
                                          .fall = (uint32_t)fleet_between(fleet, 1, 3),
                                          .hold_down_ns = fleet_chance(fleet, 30) ? 5 * S : 0};
    plan->limits.window = 4 * plan->limits.fall;
    plan->limits.window_fails = 2 * plan->limits.fall;
    plan->soft_limits = (struct health_limits){.rise = 2, .fall = 2};
    plan->other_limits = (struct health_limits){.rise = 1, .fall = 1};
    plan->vouched = fleet_chance(fleet, 50);
    plan->kernel = fleet_chance(fleet, 50);
    plan->stuck = fleet_chance(fleet, 50);
    plan_policy_make(fleet, plan);
}
