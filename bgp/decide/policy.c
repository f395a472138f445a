/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/policy.h"

/* What one decision is made from. */
struct view {
    const struct policy *policy; /* as the last decision left it */
    const struct policy_settings *settings;
    const struct policy_input *input;
    int64_t now_ns;
    struct guard guard;
    size_t hard_n, hard_up_n, hard_starting_n;
    size_t down;      /* the first hard check that is down; POLICY_NONE, as all of these */
    size_t failing;   /* the first that is starting and just failed, not by silence */
    size_t starting;  /* the first that is starting */
    bool dead;        /* whatever is down or failing died */
    int64_t died_ns;  /* the first of them */
    bool proven;      /* all hard checks are up */
    bool soft_waits;  /* a soft check is not up */
    bool soft_leaves; /* one is down, and not for its age alone */
    bool suppressed;  /* by damping */
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void first(size_t *found, size_t index)
{
    *found = *found == POLICY_NONE ? index : *found;
}

/* ---- what is the case ---- */

static void death_see(struct view *view, const struct grace *grace)
{
    view->dead = view->dead && grace->died && grace->dead;
    view->died_ns = earlier(view->died_ns, grace->since_ns);
}

static void hard_see(struct view *view, struct policy_verdict *verdict, size_t index)
{
    const struct policy_check *check = &view->input->checks[index];

    view->hard_n++;
    if (check->vouched) {
        first(&verdict->vouched, index);
    }
    switch (check->health->state) {
    case HEALTH_UP:
        view->hard_up_n++;
        break;
    case HEALTH_DOWN:
        first(&view->down, index);
        death_see(view, check->grace);
        break;
    case HEALTH_STARTING:
        view->hard_starting_n++;
        first(&view->starting, index);
        if (check->health->fails_n > 0 && !check->silent) {
            first(&view->failing, index);
            death_see(view, check->grace);
        }
        break;
    }
}

static struct view view_make(const struct policy *policy, const struct policy_settings *settings,
                             const struct policy_input *input, int64_t now_ns,
                             struct policy_verdict *verdict)
{
    struct view view = {.policy = policy,
                        .settings = settings,
                        .input = input,
                        .now_ns = now_ns,
                        .down = POLICY_NONE,
                        .failing = POLICY_NONE,
                        .starting = POLICY_NONE,
                        .dead = true,
                        .died_ns = INT64_MAX};

    view.guard = guard_judge(&settings->guard, input->peers, input->peers_n, now_ns);
    for (size_t i = 0; i < input->checks_n; i++) {
        const struct policy_check *check = &input->checks[i];

        if (check->hard) {
            hard_see(&view, verdict, i);
        } else {
            view.soft_waits = view.soft_waits || check->health->state != HEALTH_UP;
            if (check->health->state == HEALTH_DOWN) {
                verdict->softs_n++;
                view.soft_leaves = view.soft_leaves || !check->aging;
                first(&verdict->soft, i);
            }
        }
    }
    view.proven = view.hard_n > 0 && view.hard_up_n == view.hard_n;
    return view;
}

/* ---- the rules: each true if it has something to say, and then says it all ---- */

static bool say(struct policy_verdict *verdict, enum policy_code code, enum route_wish wish)
{
    verdict->code = code;
    verdict->want.wish = wish;
    return true;
}

static bool say_of(struct policy_verdict *verdict, enum policy_code code, enum route_wish wish,
                   size_t check)
{
    verdict->check = check;
    return say(verdict, code, wish);
}

static bool forced(const struct view *view, struct policy_verdict *verdict)
{
    return view->input->override->action == OVERRIDE_ANNOUNCE && view->input->override->force &&
           say(verdict, POLICY_FORCED, ROUTE_ANNOUNCE);
}

/* Only death is excused, only what is out there is kept, and only so long; while the kernel
 * answers, as long as it does. */
static bool excused(const struct view *view)
{
    if (view->settings->restart_grace_ns == 0 || !view->dead || view->died_ns == INT64_MAX ||
        view->policy->want.wish == ROUTE_WITHDRAW) {
        return false;
    }
    return view->input->heartbeat ||
           view->now_ns - view->died_ns < view->settings->restart_grace_ns;
}

static bool hard(const struct view *view, struct policy_verdict *verdict)
{
    if (view->hard_n == 0) {
        return say(verdict, POLICY_UNGOVERNED, ROUTE_WITHDRAW);
    }
    if (view->down != POLICY_NONE) {
        return !excused(view) && say_of(verdict, POLICY_HARD, ROUTE_WITHDRAW, view->down);
    }
    return view->input->adopted && view->failing != POLICY_NONE && !excused(view) &&
           say_of(verdict, POLICY_TAKEOVER_FAILS, ROUTE_WITHDRAW, view->failing);
}

/* Too few others are there: not to announce would be worse than whatever speaks against it. A peer
 * not heard of since the start is not there either, once its word had the time to come. */
static bool needed(const struct view *view)
{
    const bool heard = view->guard.known ||
                       view->now_ns - view->policy->started_ns >= view->settings->guard.settle_ns;

    return view->guard.on && heard && !view->guard.met;
}

/* Others have been told that we do not stay since the operator's word; they may be counted on once
 * they had time to hear it. */
static int64_t operator_settled_ns(const struct view *view)
{
    return view->input->override->since_ns + view->settings->guard.settle_ns;
}

static bool operator_may_leave(const struct view *view)
{
    if (view->input->override->force || !view->guard.on) {
        return true;
    }
    return view->guard.met &&
           (view->now_ns >= operator_settled_ns(view) || view->policy->want.wish == ROUTE_WITHDRAW);
}

/* It may not leave yet, or ever: it stays as it is, unless nobody else would be left. */
static bool operator_waits(const struct view *view, struct policy_verdict *verdict)
{
    if (view->now_ns < operator_settled_ns(view)) {
        verdict->until_ns = operator_settled_ns(view);
    }
    return say(verdict, POLICY_OPERATOR_WAITS,
               needed(view) ? ROUTE_ANNOUNCE : view->policy->want.wish);
}

static bool operator_leaves(const struct view *view, struct policy_verdict *verdict)
{
    const struct override *override = view->input->override;
    const bool drains = override->action == OVERRIDE_DRAIN;
    struct drain_position position = {.withdraw = true, .attributes = *view->settings->attributes};

    if (!drains && override->action != OVERRIDE_WITHDRAW) {
        return false;
    }
    if (drains) {
        drain_at(&view->settings->drain, view->settings->attributes,
                 view->now_ns - override->since_ns, &position);
        /* What is not announced needs no steps, and a drain announces nothing. */
        position.withdraw = position.withdraw || view->policy->want.wish == ROUTE_WITHDRAW;
    }
    if (position.withdraw && operator_may_leave(view)) {
        return say(verdict, POLICY_OPERATOR_WITHDRAWS, ROUTE_WITHDRAW);
    }
    if (!view->proven) {
        return false;
    }
    verdict->drain_step = position.step;
    verdict->want.attributes = position.attributes;
    if (position.withdraw) {
        return operator_waits(view, verdict);
    }
    if (position.next_ns != INT64_MAX) {
        verdict->until_ns = override->since_ns + position.next_ns;
    }
    return say(verdict, POLICY_OPERATOR_DRAINS, ROUTE_ANNOUNCE);
}

static bool grace(const struct view *view, struct policy_verdict *verdict)
{
    const size_t check = view->down != POLICY_NONE ? view->down : view->failing;

    if (view->proven || check == POLICY_NONE || !excused(view)) {
        return false;
    }
    if (!view->input->heartbeat) {
        verdict->until_ns = view->died_ns + view->settings->restart_grace_ns;
    }
    verdict->want = view->policy->want;
    return say_of(verdict, POLICY_GRACE, view->policy->want.wish, check);
}

static bool unproven(const struct view *view, struct policy_verdict *verdict)
{
    if (view->proven) {
        return false;
    }
    return view->input->adopted ? say_of(verdict, POLICY_TAKEN_OVER, ROUTE_HOLD, view->starting)
                                : say_of(verdict, POLICY_STARTING, ROUTE_WITHDRAW, view->starting);
}

static bool operator_announces(const struct view *view, struct policy_verdict *verdict)
{
    return view->input->override->action == OVERRIDE_ANNOUNCE &&
           say(verdict, POLICY_OPERATOR_ANNOUNCES, ROUTE_ANNOUNCE);
}

static bool gate(const struct view *view, struct policy_verdict *verdict)
{
    const int64_t end_ns = view->policy->proven_ns + view->settings->startup_wait_ns;

    if (view->policy->announced || !view->soft_waits || view->now_ns >= end_ns || needed(view)) {
        return false;
    }
    verdict->until_ns = end_ns;
    return say(verdict, POLICY_GATED, view->input->adopted ? ROUTE_HOLD : ROUTE_WITHDRAW);
}

static bool damped(const struct view *view, struct policy_verdict *verdict)
{
    if (!view->suppressed || view->policy->want.wish != ROUTE_WITHDRAW || needed(view)) {
        return false;
    }
    verdict->until_ns =
        damping_until_ns(&view->policy->damping, &view->settings->damping, view->now_ns);
    return say(verdict, POLICY_DAMPED, ROUTE_WITHDRAW);
}

static bool soft(const struct view *view, struct policy_verdict *verdict)
{
    const struct leave *leave = &view->policy->leave;

    if (leave->state != LEAVE_LEFT && leave->state != LEAVE_RETURNING) {
        return false;
    }
    verdict->until_ns = leave->until_ns;
    return say(verdict, POLICY_SOFT, ROUTE_WITHDRAW);
}

static bool up(const struct view *view, struct policy_verdict *verdict)
{
    return view->proven && say(verdict, POLICY_UP, ROUTE_ANNOUNCE);
}

typedef bool rule(const struct view *view, struct policy_verdict *verdict);

static rule *const rules[] = {
    forced, hard, operator_leaves, grace, unproven, operator_announces, gate, damped, soft, up,
};
#define RULES_N (sizeof(rules) / sizeof(rules[0]))

/* ---- deciding ---- */

/* The first rule that says something; RULES_N if none. */
static size_t rules_ask(const struct view *view, size_t at, struct policy_verdict *verdict)
{
    while (at < RULES_N && !rules[at](view, verdict)) {
        at++;
    }
    return at;
}

static void leave_see(struct policy *policy, const struct view *view,
                      const struct policy_verdict *verdict)
{
    struct policy_verdict scratch = *verdict;
    const size_t winner = rules_ask(view, 0, &scratch);
    const struct leave_view leave = {
        .wanted = view->soft_leaves && view->input->override->action != OVERRIDE_ANNOUNCE,
        .may_start = (winner == RULES_N || rules[winner] == soft || rules[winner] == up) &&
                     view->now_ns - policy->started_ns >= view->settings->startup_wait_ns,
        .guard = &view->guard,
        .settle_ns = view->settings->guard.settle_ns,
        .quota = view->input->quota,
        .vip = view->input->vip,
    };

    leave_step(&policy->leave, &view->settings->leave, &leave, view->now_ns);
}

static void overruled_find(const struct view *view, size_t winner, struct policy_verdict *verdict)
{
    for (size_t at = winner + 1; at < RULES_N; at++) {
        struct policy_verdict other = *verdict;

        if (rules[at](view, &other) && other.want.wish != verdict->want.wish) {
            verdict->overrode = true;
            verdict->overruled = other.code;
            return;
        }
    }
}

static bool operator_says(enum policy_code code)
{
    return code == POLICY_FORCED || code == POLICY_OPERATOR_WITHDRAWS ||
           code == POLICY_OPERATOR_DRAINS || code == POLICY_OPERATOR_WAITS;
}

/* An operator's withdrawals are no flaps. */
static void remember(struct policy *policy, const struct policy_settings *settings,
                     const struct policy_verdict *verdict, int64_t now_ns)
{
    if (policy->want.wish == ROUTE_ANNOUNCE && verdict->want.wish == ROUTE_WITHDRAW &&
        !operator_says(verdict->code)) {
        damping_withdrawn(&policy->damping, &settings->damping, now_ns);
    }
    policy->announced = policy->announced || verdict->want.wish == ROUTE_ANNOUNCE;
    policy->want = verdict->want;
}

void policy_init(struct policy *policy, uint64_t seed, int64_t now_ns)
{
    *policy = (struct policy){.want.wish = ROUTE_HOLD, .started_ns = now_ns, .leave.random = seed};
}

void policy_decide(struct policy *policy, const struct policy_settings *settings,
                   const struct policy_input *input, int64_t now_ns,
                   struct policy_verdict *ret_verdict)
{
    struct policy_verdict verdict = {.want.attributes = *settings->attributes,
                                     .check = POLICY_NONE,
                                     .soft = POLICY_NONE,
                                     .vouched = POLICY_NONE,
                                     .until_ns = INT64_MAX};
    struct view view = view_make(policy, settings, input, now_ns, &verdict);
    size_t winner;

    if (view.proven && !policy->proven) {
        policy->proven = true;
        policy->proven_ns = now_ns;
    }
    view.suppressed = damping_suppressed(&policy->damping, &settings->damping, now_ns);
    leave_see(policy, &view, &verdict);
    winner = rules_ask(&view, 0, &verdict);
    overruled_find(&view, winner, &verdict);
    verdict.guard = view.guard;
    verdict.degraded = verdict.softs_n > 0 || verdict.vouched != POLICY_NONE;
    verdict.settled = view.hard_starting_n == 0 && verdict.want.wish != ROUTE_HOLD;
    verdict.stays = view.proven && !verdict.degraded &&
                    (verdict.code == POLICY_UP || verdict.code == POLICY_OPERATOR_ANNOUNCES);
    verdict.next_ns = earlier(verdict.until_ns, leave_deadline_ns(&policy->leave, now_ns));
    remember(policy, settings, &verdict, now_ns);
    *ret_verdict = verdict;
}

bool policy_is_last(const struct policy_verdict *verdict)
{
    return verdict->want.wish != ROUTE_WITHDRAW && !verdict->guard.met;
}
