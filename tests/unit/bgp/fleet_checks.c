/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fleet_world.h"

void fleet_fail(struct fleet *fleet, const struct pop *pop, const char *format, ...)
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
        fleet_fail(fleet, pop, "a SOFT withdrawal that nothing allows");
    }
    if (plan->leased) {
        for (uint32_t i = 0; i < fleet->pops_n; i++) {
            out_n += withdrawn_for_soft(&fleet->pops[i]);
        }
        if (out_n > plan->lease_allow) {
            fleet_fail(fleet, pop, "%u SOFT withdrawals at a time, %u are allowed", out_n,
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
        fleet_fail(fleet, pop, "%u SOFT withdrawals within %.0f s, %u are allowed", begun_n,
                   (double)plan->budget.per_ns / (double)S, plan->budget.allow);
    }
}

bool fleet_pop_ordered_away(const struct pop *pop)
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
            fleet_fail(fleet, pop, "withdrawn as HARD although it answers for %.2f s",
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
        if (!fleet_pop_ordered_away(pop)) {
            fleet_fail(fleet, pop, "withdrawn for an operator who did not say so");
        }
        return;
    case POLICY_UNGOVERNED:
    case POLICY_STARTING:
    case POLICY_GATED:
    case POLICY_DAMPED:
        fleet_fail(fleet, pop, "an announced VIP was withdrawn for no failure");
        return;
    case POLICY_FORCED:
    case POLICY_OPERATOR_DRAINS:
    case POLICY_OPERATOR_WAITS:
    case POLICY_GRACE:
    case POLICY_TAKEN_OVER:
    case POLICY_OPERATOR_ANNOUNCES:
    case POLICY_UP:
        fleet_fail(fleet, pop, "withdrawn by a rule that never does");
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
        fleet_fail(fleet, pop, "announced although not all hard checks are up");
    }
    fleet->result->returns += before == POLICY_SOFT || before == POLICY_OPERATOR_WITHDRAWS;
    if (fleet_pop_ordered_away(pop) && somebody_stays(pop) && guarded && was == ROUTE_WITHDRAW) {
        fleet_fail(fleet, pop, "announced against the word of an operator");
    }
    if (ordered || (guarded && !somebody_stays(pop))) {
        return;
    }
    if (!pop->route && !pop->ever_announced && pop->healths[CHECK_FRESHNESS].state != HEALTH_UP &&
        fleet->now_ns < pop->proven_ns + plan->settings.startup_wait_ns) {
        fleet_fail(fleet, pop, "announced although the start-up gate is shut");
    }
    if (pop->policy.damping.suppressed) {
        fleet_fail(fleet, pop, "announced although it is damped");
    }
}

void fleet_decision_check(struct fleet *fleet, struct pop *pop, const struct policy_verdict *before)
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
        fleet_fail(fleet, pop, "it left without having been announced");
    }
    for (size_t i = 0; i < HARD_N; i++) {
        const struct health *health = &pop->healths[i];

        proven = proven && health->state == HEALTH_UP;
        if (pop->adopted && health->state == HEALTH_STARTING && health->fails_n > 0 &&
            !pop->silent[i] && is != ROUTE_WITHDRAW && fleet->plan.settings.restart_grace_ns == 0 &&
            pop->verdict.code != POLICY_FORCED) {
            fleet_fail(fleet, pop, "taken over, failing, and not withdrawn at once");
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

/* ---- what must hold at every moment ---- */

/* Everything it takes to announce has been there long enough. */
static bool able(const struct fleet *fleet, const struct pop *pop)
{
    const struct plan *plan = &fleet->plan;
    int64_t needs_ns = rise_ns(plan) + 2 * S;

    if (plan->settings.guard.at_least == 0) {
        needs_ns += plan->settings.startup_wait_ns; /* nobody says that it is needed */
    }
    if (pop->override.force && fleet_pop_ordered_away(pop)) {
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
        fleet_fail(fleet, pop, "HARD for %.2f s and not withdrawn, %.2f s is the most",
                   (double)(fleet->now_ns - since_ns) / (double)S,
                   (double)hard_ns(pop) / (double)S);
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
        fleet_fail(fleet, pop, "held back for %.2f s and no reason",
                   (double)(fleet->now_ns - pop->good_ns) / (double)S);
    }
}

void fleet_routes_check(struct fleet *fleet)
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
            fleet_fail(fleet, NULL, "zero routes although nothing HARD happened");
        } else if (fleet->now_ns - fleet->loss_ns > hear_ns(&fleet->plan)) {
            fleet_fail(fleet, NULL, "zero routes, and no HARD loss for %.2f s",
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
        fleet_fail(fleet, idle, "zero routes for %.2f s although this PoP could have one",
                   (double)(fleet->now_ns - fleet->able_ns) / (double)S);
    }
}
