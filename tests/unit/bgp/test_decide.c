/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The small parts policy is made of, each alone.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/decide/budget.h"
#include "bgp/decide/damping.h"
#include "bgp/decide/drain.h"
#include "bgp/decide/grace.h"
#include "bgp/decide/guard.h"
#include "bgp/decide/leave.h"
#include "bgp/decide/override.h"
#include "bgp/decide/vouch.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define S CLOCK_NS_PER_S

/* ---- drain ---- */

Test(drain, steps_add_up_and_wait)
{
    const struct route_attributes usual = {.communities_n = 1, .communities = {{65010, 53}}};
    const struct drain_plan plan = {
        .local_as = 65001,
        .steps_n = 7,
        .steps = {{.kind = DRAIN_PREPEND, .number = 3},
                  {.kind = DRAIN_WAIT, .wait_ns = 10 * S},
                  {.kind = DRAIN_COMMUNITIES, .count = 1, .communities = {{65535, 0}}},
                  {.kind = DRAIN_LARGE_COMMUNITIES, .count = 1, .large_communities = {{1, 2, 3}}},
                  {.kind = DRAIN_MED, .number = 1000},
                  {.kind = DRAIN_WAIT, .wait_ns = 5 * S},
                  {.kind = DRAIN_WITHDRAW}},
    };
    struct drain_position at;

    drain_at(&plan, &usual, 0, &at);
    cr_expect_eq(at.attributes.as_path_n, 4, "three more, and the one that is always there");
    cr_expect_eq(at.attributes.as_path[0], 65001);
    cr_expect_eq(at.attributes.as_path[3], 65001);
    cr_expect_eq(at.attributes.communities_n, 1);
    cr_expect_eq(at.step, 1);
    cr_expect_eq(at.next_ns, 10 * S);
    cr_expect_not(at.withdraw);

    drain_at(&plan, &usual, 10 * S, &at);
    cr_expect_eq(at.attributes.as_path_n, 4);
    cr_expect_eq(at.attributes.communities_n, 2);
    cr_expect_eq(at.attributes.communities[0].low, 53);
    cr_expect_eq(at.attributes.communities[1].high, 65535);
    cr_expect_eq(at.attributes.large_communities_n, 1);
    cr_expect(at.attributes.has_med);
    cr_expect_eq(at.attributes.med, 1000);
    cr_expect_eq(at.step, 5);
    cr_expect_eq(at.next_ns, 15 * S);

    drain_at(&plan, &usual, 15 * S, &at);
    cr_expect(at.withdraw);
    cr_expect_eq(at.step, 6);
    cr_expect_eq(at.next_ns, INT64_MAX);
}

Test(drain, without_a_withdrawal_it_stays_announced)
{
    const struct route_attributes usual = {.as_path_n = 2, .as_path = {65009, 65008}};
    const struct drain_plan plan = {
        .local_as = 65009, .steps_n = 1, .steps = {{.kind = DRAIN_PREPEND, .number = 1}}};
    struct drain_position at;

    drain_at(&plan, &usual, 1000 * S, &at);
    cr_expect_not(at.withdraw);
    cr_expect_eq(at.step, 1);
    cr_expect_eq(at.attributes.as_path_n, 3);
    cr_expect_eq(at.attributes.as_path[1], 65009);
    cr_expect_eq(at.attributes.as_path[2], 65008);
}

Test(drain, what_has_no_room_does_not_fit)
{
    struct route_attributes usual = {.as_path_n = ROUTE_AS_PATH_MAX - 2};
    struct drain_plan plan = {
        .local_as = 1, .steps_n = 1, .steps = {{.kind = DRAIN_PREPEND, .number = 2}}};

    cr_expect(drain_fits(&plan, &usual, NULL));
    plan.steps[0].number = 3;
    cr_expect_not(drain_fits(&plan, &usual, NULL));
    plan.steps[0] = (struct drain_step){.kind = DRAIN_COMMUNITIES, .count = 2};
    usual.communities_n = ROUTE_COMMUNITIES_MAX - 1;
    cr_expect_not(drain_fits(&plan, &usual, NULL));
    plan.steps[0].count = 1;
    cr_expect(drain_fits(&plan, &usual, NULL));
    plan.steps[0] = (struct drain_step){.kind = DRAIN_LARGE_COMMUNITIES, .count = 1};
    usual.large_communities_n = ROUTE_COMMUNITIES_MAX;
    cr_expect_not(drain_fits(&plan, &usual, NULL));
}

Test(drain, a_path_that_was_empty_gets_the_whole_room)
{
    const struct route_attributes usual = {0};
    struct drain_plan plan = {.local_as = 1,
                              .steps_n = 1,
                              .steps = {{.kind = DRAIN_PREPEND, .number = ROUTE_AS_PATH_MAX - 1}}};
    struct route_attributes worst;

    cr_expect(drain_fits(&plan, &usual, &worst));
    cr_expect_eq(worst.as_path_n, ROUTE_AS_PATH_MAX);
    plan.steps[0].number = ROUTE_AS_PATH_MAX;
    cr_expect_not(drain_fits(&plan, &usual, &worst));
}

/* ---- override ---- */

Test(override, ends_when_its_time_is_over)
{
    struct override override =
        override_make(OVERRIDE_DRAIN, true, 10 * S, "a\nb\x1b[2J", NULL, 5 * S);

    cr_expect_str_eq(override.reason, "a?b?[2J");
    cr_expect_str_eq(override.owner, "");
    cr_expect_eq(override.expires_ns, 15 * S);
    cr_expect_not(override_expire(&override, 15 * S - 1));
    cr_expect_eq(override.action, OVERRIDE_DRAIN);
    cr_expect(override_expire(&override, 15 * S));
    cr_expect_eq(override.action, OVERRIDE_AUTO);
    cr_expect_not(override.force);
    cr_expect_not(override_expire(&override, 16 * S));
    override = override_make(OVERRIDE_WITHDRAW, false, OVERRIDE_FOR_EVER, "", "", 5 * S);
    cr_expect_not(override_expire(&override, INT64_MAX - 1));
    override = override_make(OVERRIDE_WITHDRAW, false, OVERRIDE_FOR_EVER - 1, "", "", 5 * S);
    cr_expect_eq(override.expires_ns, OVERRIDE_FOR_EVER, "no overflow");
}

Test(override, long_texts_are_cut)
{
    char text[1024];
    struct override override;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    override = override_make(OVERRIDE_WITHDRAW, false, S, text, text, 0);
    cr_expect_eq(strlen(override.reason), OVERRIDE_REASON_LEN - 1);
    cr_expect_eq(strlen(override.owner), OVERRIDE_OWNER_LEN - 1);
}

Test(override, which_vips_a_pattern_names)
{
    static const struct {
        const char *pattern, *vip;
        bool names;
    } rows[] = {
        {"all", "192.0.2.53/32", true},
        {"192.0.2.53/32", "192.0.2.53/32", true},
        {"192.0.2.53", "192.0.2.53/32", true},
        {"192.0.2.*", "192.0.2.53/32", true},
        {"*/32", "192.0.2.53/32", true},
        {"*:*", "192.0.2.53/32", false},
        {"*:*", "2001:db8::53/128", true},
        {"192.0.2.5", "192.0.2.53/32", false},
        {"192.0.2.53/24", "192.0.2.53/32", false},
        {"", "192.0.2.53/32", false},
        {"[", "192.0.2.53/32", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct prefix vip;

        cr_assert_eq(prefix_parse(rows[i].vip, true, &vip), 0);
        cr_expect_eq(override_names(rows[i].pattern, &vip), rows[i].names, "%s", rows[i].pattern);
    }
    cr_expect_str_eq(override_action_name(OVERRIDE_AUTO), "auto");
    cr_expect_str_eq(override_action_name(OVERRIDE_ANNOUNCE), "announce");
}

/* ---- damping ---- */

Test(damping, halves_and_suppresses)
{
    const struct damping_limits limits = damping_limits_usual();
    const int64_t half = limits.half_life_ns;
    struct damping damping = {0};

    damping_withdrawn(&damping, &limits, 0);
    cr_expect_float_eq(damping_penalty(&damping, &limits, half), 500, 1e-6);
    cr_expect_not(damping_suppressed(&damping, &limits, 0));
    damping_withdrawn(&damping, &limits, half);
    cr_expect_float_eq(damping_penalty(&damping, &limits, half), 1500, 1e-6);
    damping_withdrawn(&damping, &limits, half);
    cr_expect(damping_suppressed(&damping, &limits, half));
    cr_expect_eq(damping_until_ns(&damping, &limits, half), half + limits.max_ns,
                 "2500 would take longer than the longest wait");
    cr_expect(damping_suppressed(&damping, &limits, half + limits.max_ns - 1));
    cr_expect_not(damping_suppressed(&damping, &limits, half + limits.max_ns));
    cr_expect(damping_penalty(&damping, &limits, half + limits.max_ns) <= limits.reuse);
}

Test(damping, ends_at_reuse)
{
    struct damping_limits limits = damping_limits_usual();
    struct damping damping = {0};

    limits.max_ns = 100 * limits.half_life_ns;
    for (int i = 0; i < 3; i++) {
        damping_withdrawn(&damping, &limits, 0);
    }
    /* 3000 to 750 are two half-lives */
    cr_expect_eq(damping_until_ns(&damping, &limits, 0), 2 * limits.half_life_ns);
    cr_expect(damping_suppressed(&damping, &limits, 2 * limits.half_life_ns - 1));
    cr_expect_not(damping_suppressed(&damping, &limits, 2 * limits.half_life_ns));
    limits.on = false;
    damping_withdrawn(&damping, &limits, 0);
    cr_expect_not(damping_suppressed(&damping, &limits, 0));
    cr_expect_eq(damping_penalty(&damping, &limits, 0), 0);
}

/* ---- budget ---- */

Test(budget, counts_at_a_time_and_over_time)
{
    struct budget budget = {.limits = {.allow = 2, .per_ns = 100 * S}};
    const struct quota quota = budget_quota(&budget);

    cr_expect_eq(quota.hold(quota.context, 0, 0), QUOTA_GRANTED);
    cr_expect_eq(quota.hold(quota.context, 0, S), QUOTA_GRANTED, "the same one, still");
    cr_expect_eq(budget_left(&budget, 0, S), 1);
    cr_expect_eq(quota.hold(quota.context, 1, S), QUOTA_GRANTED);
    cr_expect_eq(quota.hold(quota.context, 2, S), QUOTA_REFUSED);
    quota.release(quota.context, 0, 2 * S);
    cr_expect_eq(quota.hold(quota.context, 0, 3 * S), QUOTA_REFUSED, "begun within the period");
    cr_expect_eq(quota.hold(quota.context, 0, 100 * S), QUOTA_GRANTED);
    cr_expect_eq(quota.hold(quota.context, 2, 1000 * S), QUOTA_REFUSED, "two are still out");
}

Test(budget, each_vip_its_own)
{
    struct budget budget = {.limits = {.allow = 1, .per_ns = 100 * S, .each = true}};
    const struct quota quota = budget_quota(&budget);

    cr_expect_eq(quota.hold(quota.context, 0, 0), QUOTA_GRANTED);
    cr_expect_eq(quota.hold(quota.context, 1, 0), QUOTA_GRANTED);
    quota.release(quota.context, 1, 0);
    cr_expect_eq(quota.hold(quota.context, 1, S), QUOTA_REFUSED);
}

Test(budget, remembers_the_latest)
{
    struct budget budget = {.limits = {.allow = 1, .per_ns = 100 * S}};

    for (int i = 0; i < 3 * BUDGET_ALLOW_MAX; i++) {
        budget_recall(&budget, 5, i * S);
    }
    cr_expect_eq(budget.vips[5].begins_n, BUDGET_ALLOW_MAX);
    cr_expect_eq(budget.vips[5].begins_ns[BUDGET_ALLOW_MAX - 1], (3 * BUDGET_ALLOW_MAX - 1) * S);
    cr_expect_eq(budget_left(&budget, 0, 50 * S), 0);
    cr_expect_eq(budget_left(&budget, 0, 200 * S), 1);
}

/* ---- guard, vouch, grace ---- */

Test(guard, counts_only_fresh_passes)
{
    static const struct {
        enum health_observation last;
        uint64_t observations_n;
        int64_t age_ns;
        size_t staying_n;
        bool known;
    } rows[] = {
        {HEALTH_PASS, 1, 0, 1, true},         {HEALTH_PASS, 1, 2 * S, 1, true},
        {HEALTH_PASS, 1, 2 * S + 1, 0, true}, {HEALTH_FAIL, 1, 0, 0, true},
        {HEALTH_UNKNOWN, 9, 0, 0, true},      {HEALTH_PASS, 0, 0, 0, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct guard_limits limits = {.at_least = 1};
        const struct health health = {.last = rows[i].last,
                                      .observations_n = rows[i].observations_n,
                                      .observed_ns = 10 * S - rows[i].age_ns};
        const struct guard_peer peer = {&health, 2 * S};
        const struct guard guard = guard_judge(&limits, &peer, 1, 10 * S);

        cr_expect_eq(guard.staying_n, rows[i].staying_n, "row %zu", i);
        cr_expect_eq(guard.known, rows[i].known, "row %zu", i);
        cr_expect_eq(guard.met, rows[i].staying_n > 0, "row %zu", i);
    }
}

Test(guard, none_is_always_met)
{
    const struct guard_limits limits = {0};

    cr_expect(guard_judge(&limits, NULL, 0, 0).met);
    cr_expect_not(guard_judge(&limits, NULL, 0, 0).on);
}

Test(vouch, only_a_fresh_pass_of_what_is_not_down_covers)
{
    struct health traffic = {
        .state = HEALTH_UP, .last = HEALTH_PASS, .observations_n = 3, .observed_ns = S};

    cr_expect(vouch_covers(&traffic, S, 2 * S));
    cr_expect_not(vouch_covers(&traffic, S, 2 * S + 1));
    traffic.last = HEALTH_FAIL;
    cr_expect_not(vouch_covers(&traffic, S, S));
    traffic.last = HEALTH_PASS;
    traffic.state = HEALTH_DOWN;
    cr_expect_not(vouch_covers(&traffic, S, S));
    traffic.state = HEALTH_STARTING;
    cr_expect(vouch_covers(&traffic, S, S), "growth needs no row");
    cr_expect_not(vouch_waits(&traffic, 0));
    cr_expect(vouch_waits(&traffic, 2), "it had two, and has only one more");
    traffic.observations_n = 1;
    cr_expect(vouch_waits(&traffic, 0));
    traffic.observations_n = 0;
    cr_expect_not(vouch_covers(&traffic, S, S));
    cr_expect(vouch_waits(&traffic, 0));
}

/* u: passes and is up, p: passes, d: death, w: another failure, ?: unknown; time is the index */
Test(grace, counts_from_the_first_death_since_it_was_up)
{
    static const struct {
        const char *observations;
        bool died, dead;
        int64_t since_ns;
    } rows[] = {
        {"uud", true, true, 2},   {"uuddd", true, true, 2},    {"udpd", true, true, 1},
        {"udpud", true, true, 4}, {"udw", true, false, 1},     {"uw", false, false, 0},
        {"uwd", true, true, 2},   {"ud?", true, true, 1},      {"udu", false, false, 0},
        {"d", true, true, 0},     {"udpdpdpd", true, true, 1},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct grace grace = {0};
        struct health health = {0};

        for (int64_t k = 0; rows[i].observations[k]; k++) {
            const char what = rows[i].observations[k];

            health.state = what == 'u' ? HEALTH_UP : what == '?' ? health.state : HEALTH_DOWN;
            health.last = what == 'u' || what == 'p' ? HEALTH_PASS
                          : what == '?'              ? HEALTH_UNKNOWN
                                                     : HEALTH_FAIL;
            grace_observe(&grace, &health, what == 'd', k);
        }
        cr_expect_eq(grace.died, rows[i].died, "%s", rows[i].observations);
        cr_expect_eq(grace.dead, rows[i].dead, "%s", rows[i].observations);
        cr_expect_eq(grace.since_ns, rows[i].since_ns, "%s", rows[i].observations);
    }
}

/* ---- leave ---- */

static enum quota_answer answer_now;
static int released_n;

static enum quota_answer hold(void *context, size_t vip, int64_t now_ns)
{
    (void)context, (void)vip, (void)now_ns;
    return answer_now;
}

static void release(void *context, size_t vip, int64_t now_ns)
{
    (void)context, (void)vip, (void)now_ns;
    released_n++;
}

static enum leave_state step(struct leave *leave, bool wanted, bool met, enum quota_answer answer,
                             int64_t now_ns)
{
    static const struct leave_limits limits = {.allowed = true, .jitter_ns = S, .retry_ns = 10 * S};
    const struct guard guard = {.on = true, .known = true, .met = met};
    const struct quota quota = {.hold = hold, .release = release};
    const struct leave_view view = {
        .wanted = wanted, .may_start = true, .guard = &guard, .settle_ns = 5 * S, .quota = &quota};

    answer_now = answer;
    leave_step(leave, &limits, &view, now_ns);
    return leave->state;
}

Test(leave, every_refusal_says_why_and_tries_again_later)
{
    static const struct {
        bool met;
        enum quota_answer answer;
        enum leave_refusal refusal;
    } rows[] = {
        {false, QUOTA_GRANTED, LEAVE_REFUSED_GUARD},
        {true, QUOTA_REFUSED, LEAVE_REFUSED_QUOTA},
        {true, QUOTA_UNREACHABLE, LEAVE_REFUSED_UNREACHABLE},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct leave leave = {.random = i};

        cr_expect_eq(step(&leave, true, true, QUOTA_GRANTED, S), LEAVE_LEAVING);
        cr_expect_eq(step(&leave, true, true, QUOTA_GRANTED, leave.until_ns - 1), LEAVE_LEAVING);
        cr_expect_eq(step(&leave, true, rows[i].met, rows[i].answer, leave.until_ns),
                     LEAVE_STAYING);
        cr_expect_eq(leave.refusal, rows[i].refusal);
        cr_expect(leave.until_ns >= 15 * S);
        cr_expect_eq(step(&leave, true, true, QUOTA_GRANTED, leave.until_ns - 1), LEAVE_STAYING);
        cr_expect_eq(step(&leave, true, true, QUOTA_GRANTED, leave.until_ns), LEAVE_LEAVING);
        cr_expect_eq(step(&leave, true, true, QUOTA_GRANTED, leave.until_ns), LEAVE_LEFT);
        /* and the same brings it back at once */
        released_n = 0;
        cr_expect_eq(step(&leave, true, rows[i].met, rows[i].answer, 100 * S), LEAVE_STAYING);
        cr_expect_eq(leave.refusal, rows[i].refusal);
        cr_expect_eq(released_n, 1);
    }
}

Test(leave, comes_back_after_a_moment_unless_it_is_wanted_again)
{
    struct leave leave = {.state = LEAVE_LEFT, .until_ns = INT64_MAX};

    cr_expect_eq(step(&leave, false, true, QUOTA_GRANTED, S), LEAVE_RETURNING);
    cr_expect_eq(step(&leave, true, true, QUOTA_GRANTED, S), LEAVE_LEFT);
    cr_expect_eq(step(&leave, false, true, QUOTA_GRANTED, S), LEAVE_RETURNING);
    released_n = 0;
    cr_expect_eq(step(&leave, false, true, QUOTA_GRANTED, leave.until_ns), LEAVE_STAYING);
    cr_expect_eq(released_n, 1);
}

Test(leave, jitter_is_the_seeds)
{
    struct leave one = {.random = 1}, same = {.random = 1}, other = {.random = 2};

    step(&one, true, true, QUOTA_GRANTED, 0);
    step(&same, true, true, QUOTA_GRANTED, 0);
    step(&other, true, true, QUOTA_GRANTED, 0);
    cr_expect_eq(one.until_ns, same.until_ns);
    cr_expect_neq(one.until_ns, other.until_ns);
    cr_expect(one.until_ns >= 5 * S && one.until_ns < 6 * S);
}
