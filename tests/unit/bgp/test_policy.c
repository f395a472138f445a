/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/policy.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/decide/budget.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define CHECKS_MAX 4
#define PEERS 3
#define S CLOCK_NS_PER_S

/* One VIP with everything policy looks at, all of it to be set by hand. */
struct scene {
    int64_t now_ns;
    bool adopted, heartbeat;
    size_t checks_n;
    struct health healths[CHECKS_MAX];
    struct grace graces[CHECKS_MAX];
    struct policy_check checks[CHECKS_MAX];
    struct health peer_healths[PEERS];
    struct guard_peer peers[PEERS];
    struct override override;
    struct budget budget;
    struct quota quota;
    struct route_attributes usual;
    struct policy_settings settings;
    struct policy policy;
    struct policy_verdict verdict;
    char reason[POLICY_REASON_LEN];
};

/* A check per letter pair: H or S for its class, then u up, d down, s starting, f starting after a
 * failure, q starting and silent. */
static void checks_set(struct scene *scene, const char *text)
{
    static const char *const names[CHECKS_MAX] = {"one", "two", "three", "four"};

    scene->checks_n = 0;
    for (; *text; text += 2) {
        const size_t i = scene->checks_n++;
        struct health *health = &scene->healths[i];

        health_init(health, 0);
        health->state = text[1] == 'u' ? HEALTH_UP : text[1] == 'd' ? HEALTH_DOWN : HEALTH_STARTING;
        health->fails_n = text[1] == 'd' || text[1] == 'f' || text[1] == 'q';
        scene->checks[i] = (struct policy_check){.name = names[i],
                                                 .hard = text[0] == 'H',
                                                 .health = health,
                                                 .grace = &scene->graces[i],
                                                 .silent = text[1] == 'q',
                                                 .evidence = "SERVFAIL"};
    }
}

/* So many peers passed just now, the others failed. */
static void peers_set(struct scene *scene, size_t staying_n)
{
    for (size_t i = 0; i < PEERS; i++) {
        scene->peer_healths[i] = (struct health){.last = i < staying_n ? HEALTH_PASS : HEALTH_FAIL,
                                                 .observations_n = 1,
                                                 .observed_ns = scene->now_ns};
        scene->peers[i] = (struct guard_peer){&scene->peer_healths[i], 2 * S};
    }
}

static void scene_init(struct scene *scene, const char *checks)
{
    *scene = (struct scene){.now_ns = 100 * S};
    scene->usual = (struct route_attributes){.next_hop_self = true, .has_med = true, .med = 7};
    scene->settings =
        (struct policy_settings){.attributes = &scene->usual, .drain = drain_plan_usual()};
    scene->quota = budget_quota(&scene->budget);
    checks_set(scene, checks);
    policy_init(&scene->policy, 1, scene->now_ns);
}

/* With a guard of one peer that has 5 s to hear, and SOFT withdrawals allowed. */
static void scene_init_guarded(struct scene *scene, const char *checks)
{
    scene_init(scene, checks);
    scene->settings.guard = (struct guard_limits){.at_least = 1, .settle_ns = 5 * S};
    scene->settings.leave =
        (struct leave_limits){.allowed = true, .jitter_ns = 2 * S, .retry_ns = 10 * S};
    scene->budget.limits = (struct budget_limits){.allow = 1, .per_ns = 3600 * S};
    peers_set(scene, PEERS);
}

static enum route_wish decide(struct scene *scene)
{
    const struct policy_input input = {.checks_n = scene->checks_n,
                                       .checks = scene->checks,
                                       .peers_n = PEERS,
                                       .peers = scene->peers,
                                       .heartbeat = scene->heartbeat,
                                       .adopted = scene->adopted,
                                       .override = &scene->override,
                                       .quota = &scene->quota};

    if (scene->peers[0].health == NULL) {
        peers_set(scene, 0);
    }
    policy_decide(&scene->policy, &scene->settings, &input, scene->now_ns, &scene->verdict);
    policy_explain(&scene->policy, &scene->settings, &input, &scene->verdict, scene->now_ns,
                   scene->reason);
    return scene->verdict.want.wish;
}

static enum route_wish decide_after(struct scene *scene, int64_t ns)
{
    scene->now_ns += ns;
    return decide(scene);
}

static void expect_at(const struct scene *scene, enum route_wish wish, const char *words, int line)
{
    cr_expect_eq(scene->verdict.want.wish, wish, "line %d: %s", line, scene->reason);
    cr_expect(strstr(scene->reason, words), "line %d: %s", line, scene->reason);
}

#define expect(scene, wish, words) expect_at(scene, wish, words, __LINE__)

static void order(struct scene *scene, enum override_action action, bool force)
{
    scene->override =
        override_make(action, force, OVERRIDE_FOR_EVER, "fibre work", "ada", scene->now_ns);
}

Test(policy, what_to_do)
{
    static const struct {
        const char *checks;
        bool adopted;
        enum route_wish wish;
        bool degraded, settled;
        const char *reason; /* must contain */
    } rows[] = {
        {"Hu", false, ROUTE_ANNOUNCE, false, true, "all 1 hard checks up"},
        {"HuHu", false, ROUTE_ANNOUNCE, false, true, "all 2 hard"},
        {"HuHd", false, ROUTE_WITHDRAW, false, true, "two down"},
        {"Hd", false, ROUTE_WITHDRAW, false, true, "SERVFAIL"},
        {"Hs", false, ROUTE_WITHDRAW, false, false, "starting"},
        {"HuHs", false, ROUTE_WITHDRAW, false, false, "starting: check two"},
        {"HuSd", false, ROUTE_ANNOUNCE, true, true, "degraded: soft check two down (SERVFAIL)"},
        {"HuSdSd", false, ROUTE_ANNOUNCE, true, true, "and 1 more"},
        {"HuSs", false, ROUTE_ANNOUNCE, false, true, "all 1 hard"},
        {"HdSd", false, ROUTE_WITHDRAW, true, true, "one down"},
        {"Hs", true, ROUTE_HOLD, false, false, "taken over"},
        {"HuHs", true, ROUTE_HOLD, false, false, "until check two decides"},
        {"Hf", true, ROUTE_WITHDRAW, false, false, "fails at once (SERVFAIL)"},
        {"HuHf", true, ROUTE_WITHDRAW, false, false, "check two fails at once"},
        {"HsSf", true, ROUTE_HOLD, false, false, "taken over"},
        {"Hq", true, ROUTE_HOLD, false, false, "until check one decides"},
        {"HuHq", true, ROUTE_HOLD, false, false, "until check two decides"},
        {"HqHf", true, ROUTE_WITHDRAW, false, false, "check two fails at once"},
        {"HqHd", true, ROUTE_WITHDRAW, false, false, "two down"},
        {"Hq", false, ROUTE_WITHDRAW, false, false, "starting"},
        {"Hu", true, ROUTE_ANNOUNCE, false, true, "all 1 hard"},
        {"Hf", false, ROUTE_WITHDRAW, false, false, "starting"},
        /* the configuration refuses these; they must still fail closed */
        {"Su", false, ROUTE_WITHDRAW, false, true, "no hard check"},
        {"", true, ROUTE_WITHDRAW, false, true, "no hard check"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene;

        scene_init(&scene, rows[i].checks);
        scene.adopted = rows[i].adopted;
        decide(&scene);
        expect(&scene, rows[i].wish, rows[i].reason);
        cr_expect_eq(scene.verdict.degraded, rows[i].degraded, "%s", rows[i].checks);
        cr_expect_eq(scene.verdict.settled, rows[i].settled, "%s", rows[i].checks);
        cr_expect_eq(scene.verdict.want.attributes.med, 7);
    }
}

/* ---- operators ---- */

Test(policy, operators_say_beats_judgement_but_not_hard_unless_forced)
{
    static const struct {
        const char *checks;
        enum override_action action;
        bool force;
        enum route_wish wish;
        const char *reason;
    } rows[] = {
        {"Hu", OVERRIDE_WITHDRAW, false, ROUTE_WITHDRAW,
         "withdrawn by ada: fibre work; overrides good checks"},
        {"HuSd", OVERRIDE_ANNOUNCE, false, ROUTE_ANNOUNCE, "announced by ada: fibre work"},
        {"Hd", OVERRIDE_ANNOUNCE, false, ROUTE_WITHDRAW,
         "hard check one down after 1 failures (SERVFAIL); overrides ada's announce"},
        {"Hs", OVERRIDE_ANNOUNCE, false, ROUTE_WITHDRAW, "starting"},
        {"Hd", OVERRIDE_ANNOUNCE, true, ROUTE_ANNOUNCE,
         "announced by ada, forced: fibre work; overrides the hard checks"},
        {"Hs", OVERRIDE_ANNOUNCE, true, ROUTE_ANNOUNCE, "overrides the start"},
        {"Hd", OVERRIDE_WITHDRAW, true, ROUTE_WITHDRAW, "hard check one down"},
        {"Hs", OVERRIDE_WITHDRAW, false, ROUTE_WITHDRAW, "withdrawn by ada"},
        {"Hs", OVERRIDE_DRAIN, false, ROUTE_HOLD, "taken over"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene;

        scene_init(&scene, rows[i].checks);
        scene.adopted = rows[i].wish == ROUTE_HOLD;
        order(&scene, rows[i].action, rows[i].force);
        decide(&scene);
        expect(&scene, rows[i].wish, rows[i].reason);
    }
}

Test(policy, a_drain_goes_step_by_step_and_back)
{
    struct scene scene;

    scene_init(&scene, "Hu");
    decide(&scene);
    order(&scene, OVERRIDE_DRAIN, false);
    decide_after(&scene, S);
    expect(&scene, ROUTE_ANNOUNCE,
           "drained by ada: fibre work; step 2 of 3, wait, for 59.0 s more");
    cr_expect_eq(scene.verdict.want.attributes.communities_n, 1);
    cr_expect_eq(scene.verdict.want.attributes.communities[0].high, 65535);
    cr_expect_eq(scene.verdict.want.attributes.med, 7);
    cr_expect_not(scene.verdict.stays);
    cr_expect_eq(scene.verdict.next_ns, scene.override.since_ns + 60 * S);
    decide_after(&scene, 59 * S - 1);
    expect(&scene, ROUTE_ANNOUNCE, "step 2");
    decide_after(&scene, 1);
    expect(&scene, ROUTE_WITHDRAW, "drained and withdrawn by ada");
    scene.override.action = OVERRIDE_AUTO;
    decide_after(&scene, S);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");
    cr_expect_eq(scene.verdict.want.attributes.communities_n, 0);
    cr_expect_eq(damping_penalty(&scene.policy.damping, &scene.settings.damping, scene.now_ns), 0);
}

Test(policy, a_drain_announces_nothing_and_hard_goes_before_its_end)
{
    struct scene scene;

    scene_init(&scene, "Hs");
    decide(&scene);
    order(&scene, OVERRIDE_DRAIN, false);
    checks_set(&scene, "Hu");
    decide_after(&scene, S);
    expect(&scene, ROUTE_WITHDRAW, "drained and withdrawn");

    scene_init(&scene, "Hu");
    decide(&scene);
    order(&scene, OVERRIDE_DRAIN, false);
    decide_after(&scene, S);
    expect(&scene, ROUTE_ANNOUNCE, "step 2");
    checks_set(&scene, "Hd");
    decide_after(&scene, S);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down");
}

Test(policy, an_operator_does_not_take_the_last_pop_unless_forced)
{
    struct scene scene;

    scene_init_guarded(&scene, "Hu");
    peers_set(&scene, 1);
    decide(&scene);
    cr_expect_not(policy_is_last(&scene.verdict));
    order(&scene, OVERRIDE_WITHDRAW, false);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "to be withdrawn by ada: fibre work; stays: 1 of 3 peers stay");
    cr_expect_eq(scene.verdict.next_ns, scene.now_ns + 5 * S, "others have to hear of it first");
    cr_expect_not(scene.verdict.stays);
    scene.now_ns += 5 * S;
    peers_set(&scene, 1);
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "withdrawn by ada");
    peers_set(&scene, 0);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "stays: 0 of 3 peers stay");
    cr_expect(policy_is_last(&scene.verdict));
    order(&scene, OVERRIDE_WITHDRAW, true);
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "withdrawn by ada, forced");
}

Test(policy, before_peers_are_known_an_operators_withdrawal_does_not_come_back)
{
    struct scene scene;

    scene_init_guarded(&scene, "Hs");
    memset(scene.peer_healths, 0, sizeof(scene.peer_healths));
    order(&scene, OVERRIDE_WITHDRAW, false); /* remembered from before a restart */
    scene.override.since_ns -= 1000 * S;
    scene.adopted = true;
    decide(&scene);
    expect(&scene, ROUTE_HOLD, "taken over");
    scene.adopted = false; /* there was nothing to take over */
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "starting");
    checks_set(&scene, "Hu");
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "to be withdrawn by ada");
    peers_set(&scene, 2);
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "withdrawn by ada");
}

/* ---- restart grace ---- */

static void die(struct scene *scene, int64_t ago_ns)
{
    checks_set(scene, "Hd");
    scene->graces[0] =
        (struct grace){.died = true, .dead = true, .since_ns = scene->now_ns - ago_ns};
}

Test(policy, death_is_excused_for_the_grace_and_nothing_else_is)
{
    struct scene scene;

    scene_init(&scene, "Hu");
    scene.settings.restart_grace_ns = 2 * S;
    decide(&scene);
    die(&scene, S / 2);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "restart grace: one died 0.5 s ago (SERVFAIL), for 1.5 s more");
    cr_expect_eq(scene.verdict.next_ns, scene.now_ns + 3 * S / 2);
    cr_expect_not(scene.verdict.stays);
    scene.graces[0].dead = false; /* it hangs, or answers wrongly */
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down");
    scene.graces[0].dead = true;
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down"); /* nothing out there to keep any more */
}

Test(policy, the_grace_ends_unless_the_kernel_answers)
{
    struct scene scene;

    scene_init(&scene, "Hu");
    scene.settings.restart_grace_ns = 2 * S;
    decide(&scene);
    die(&scene, 0);
    decide_after(&scene, 2 * S - 1);
    expect(&scene, ROUTE_ANNOUNCE, "restart grace");
    scene.heartbeat = true;
    decide_after(&scene, 10 * S);
    expect(&scene, ROUTE_ANNOUNCE, "the kernel answers meanwhile");
    scene.heartbeat = false;
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down");

    scene_init(&scene, "Hu"); /* without a grace a heartbeat excuses nothing */
    decide(&scene);
    die(&scene, 0);
    scene.heartbeat = true;
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down");
}

Test(policy, all_that_is_down_must_have_died)
{
    struct scene scene;

    scene_init(&scene, "HuHu");
    scene.settings.restart_grace_ns = 2 * S;
    decide(&scene);
    checks_set(&scene, "HdHd");
    scene.graces[0] = (struct grace){.died = true, .dead = true, .since_ns = scene.now_ns};
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down");
}

Test(policy, a_takeover_is_excused_too)
{
    struct scene scene;

    scene_init(&scene, "Hf");
    scene.settings.restart_grace_ns = 2 * S;
    scene.adopted = true;
    scene.graces[0] = (struct grace){.died = true, .dead = true, .since_ns = scene.now_ns};
    decide(&scene);
    expect(&scene, ROUTE_HOLD, "restart grace");
    cr_expect_not(scene.verdict.settled);
    decide_after(&scene, 2 * S);
    expect(&scene, ROUTE_WITHDRAW, "fails at once");
}

/* ---- start-up, damping ---- */

Test(policy, soft_checks_gate_the_first_announcement_for_a_while)
{
    struct scene scene;

    scene_init(&scene, "HsSs");
    scene.settings.startup_wait_ns = 60 * S;
    decide_after(&scene, 100 * S);
    checks_set(&scene, "HuSs");
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW,
           "waiting for the soft ones before the first announcement, for 1 min more");
    cr_expect_eq(scene.verdict.next_ns, scene.now_ns + 60 * S);
    decide_after(&scene, 60 * S - 1);
    cr_expect_eq(scene.verdict.code, POLICY_GATED);
    decide_after(&scene, 1);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");

    /* only the first one, and only soft checks that are not up */
    checks_set(&scene, "HdSd");
    decide(&scene);
    checks_set(&scene, "HuSd");
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "degraded");
    scene_init(&scene, "HuSu");
    scene.settings.startup_wait_ns = 60 * S;
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");
}

Test(policy, the_gate_yields_to_an_operator_and_to_being_the_last)
{
    struct scene scene;

    scene_init_guarded(&scene, "HuSd");
    scene.settings.startup_wait_ns = 60 * S;
    decide(&scene);
    cr_expect_eq(scene.verdict.code, POLICY_GATED);
    order(&scene, OVERRIDE_ANNOUNCE, false);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "announced by ada: fibre work; overrides the start");

    scene_init_guarded(&scene, "HuSd");
    scene.settings.startup_wait_ns = 60 * S;
    memset(scene.peer_healths, 0, sizeof(scene.peer_healths));
    decide(&scene);
    cr_expect_eq(scene.verdict.code, POLICY_GATED, "not knowing is no reason");
    decide_after(&scene, 5 * S - 1);
    cr_expect_eq(scene.verdict.code, POLICY_GATED);
    decide_after(&scene, 1);
    expect(&scene, ROUTE_ANNOUNCE, "degraded"); /* nobody has said a word in `settle` */

    scene_init_guarded(&scene, "HuSd");
    scene.settings.startup_wait_ns = 60 * S;
    decide(&scene);
    cr_expect_eq(scene.verdict.code, POLICY_GATED);
    peers_set(&scene, 0);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "degraded");

    scene_init(&scene, "HuSd"); /* what was taken over is left alone */
    scene.settings.startup_wait_ns = 60 * S;
    scene.adopted = true;
    decide(&scene);
    cr_expect_eq(scene.verdict.want.wish, ROUTE_HOLD);
    cr_expect_eq(scene.verdict.code, POLICY_GATED);
    cr_expect_not(scene.verdict.settled);
}

static void flap(struct scene *scene, int times)
{
    for (int i = 0; i < times; i++) {
        checks_set(scene, "Hu");
        decide_after(scene, S);
        checks_set(scene, "Hd");
        decide_after(scene, S);
        cr_assert_eq(scene->verdict.code, POLICY_HARD, "no withdrawal is ever late");
    }
    checks_set(scene, "Hu");
    decide_after(scene, S);
}

Test(policy, damping_delays_announcements_only)
{
    struct scene scene;

    scene_init(&scene, "Hu");
    scene.settings.damping = damping_limits_usual();
    flap(&scene, 2);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");
    flap(&scene, 1);
    expect(&scene, ROUTE_WITHDRAW, "flapped too often: penalty 2");
    cr_expect(scene.verdict.until_ns > scene.now_ns);
    cr_expect_eq(scene.verdict.next_ns, scene.verdict.until_ns);
    order(&scene, OVERRIDE_ANNOUNCE, false);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "overrides the flap damping");
    scene.override.action = OVERRIDE_AUTO;
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard"); /* what is out there is not taken back */
    checks_set(&scene, "Hd");
    decide_after(&scene, S);
    checks_set(&scene, "Hu");
    decide(&scene);
    cr_expect_eq(scene.verdict.code, POLICY_DAMPED);
    decide_after(&scene, scene.verdict.until_ns - scene.now_ns - 1);
    cr_expect_eq(scene.verdict.code, POLICY_DAMPED);
    decide_after(&scene, 1);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");
}

Test(policy, damping_yields_to_being_the_last)
{
    struct scene scene;

    scene_init_guarded(&scene, "Hu");
    scene.settings.damping = damping_limits_usual();
    for (int i = 0; i < 4; i++) {
        checks_set(&scene, "Hu");
        peers_set(&scene, 0);
        decide_after(&scene, S);
        cr_expect_eq(scene.verdict.want.wish, ROUTE_ANNOUNCE);
        checks_set(&scene, "Hd");
        decide_after(&scene, S);
    }
    checks_set(&scene, "Hu");
    peers_set(&scene, 3);
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "flapped too often");
    peers_set(&scene, 0);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");
}

/* ---- SOFT ---- */

static void leave(struct scene *scene)
{
    checks_set(scene, "HuSu");
    decide(scene);
    checks_set(scene, "HuSd");
    decide(scene);
    expect(scene, ROUTE_ANNOUNCE, "soft check two down (SERVFAIL); about to leave");
    cr_expect_not(scene->verdict.stays);
    scene->now_ns = scene->verdict.next_ns;
    peers_set(scene, PEERS);
    decide(scene);
    expect(scene, ROUTE_WITHDRAW,
           "soft check two down (SERVFAIL); permitted, and 3 of 3 peers stay");
}

Test(policy, a_soft_cause_withdraws_only_with_leave_and_comes_back)
{
    struct scene scene;
    int64_t began_ns;

    scene_init_guarded(&scene, "HuSu");
    began_ns = scene.now_ns;
    leave(&scene);
    cr_expect(scene.now_ns - began_ns >= 5 * S && scene.now_ns - began_ns < 7 * S);
    checks_set(&scene, "HuSu");
    decide_after(&scene, S);
    expect(&scene, ROUTE_WITHDRAW, "soft checks up again: coming back");
    cr_expect(scene.verdict.next_ns < scene.now_ns + 2 * S);
    scene.now_ns = scene.verdict.next_ns;
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "all 1 hard");
    cr_expect(scene.verdict.stays);

    checks_set(&scene, "HuSd"); /* the budget of this hour is used up */
    decide_after(&scene, 100 * S);
    decide_after(&scene, 7 * S);
    expect(&scene, ROUTE_ANNOUNCE, "stays: 0 of 3 peers stay"); /* nor is their word fresh */
    decide_after(&scene, 12 * S);
    decide_after(&scene, 5 * S);
    peers_set(&scene, PEERS);
    decide_after(&scene, 2 * S);
    expect(&scene, ROUTE_ANNOUNCE, "stays: the quota of withdrawals is used up");
}

Test(policy, a_soft_cause_never_withdraws_the_last_or_without_permission)
{
    struct scene scene;

    scene_init_guarded(&scene, "HuSd");
    peers_set(&scene, 0);
    decide(&scene);
    decide_after(&scene, 7 * S);
    expect(&scene, ROUTE_ANNOUNCE, "stays: 0 of 3 peers stay");

    scene_init_guarded(&scene, "HuSd");
    scene.settings.leave.allowed = false;
    for (int i = 0; i < 100; i++) {
        peers_set(&scene, PEERS);
        cr_expect_eq(decide_after(&scene, S), ROUTE_ANNOUNCE);
    }
}

Test(policy, age_alone_degrades_and_never_leaves)
{
    struct scene scene;

    scene_init_guarded(&scene, "HuSd");
    scene.checks[1].aging = true;
    for (int i = 0; i < 100; i++) {
        peers_set(&scene, PEERS);
        cr_expect_eq(decide_after(&scene, S), ROUTE_ANNOUNCE);
        cr_expect_eq(scene.policy.leave.state, LEAVE_STAYING);
    }
    cr_assert(scene.verdict.degraded);
    scene.checks[1].aging = false; /* too old now */
    decide(&scene);
    cr_assert_eq(scene.policy.leave.state, LEAVE_LEAVING);
}

Test(policy, what_left_comes_back_when_the_others_go)
{
    struct scene scene;

    scene_init_guarded(&scene, "HuSu");
    leave(&scene);
    peers_set(&scene, 0);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "degraded: soft check two down (SERVFAIL); stays: 0 of 3");
}

Test(policy, hard_beats_having_left_and_an_operator_ends_it)
{
    struct scene scene;

    scene_init_guarded(&scene, "HuSu");
    leave(&scene);
    checks_set(&scene, "HdSd");
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "hard check one down");
    checks_set(&scene, "HuSd");
    decide(&scene);
    expect(&scene, ROUTE_WITHDRAW, "soft check two down");
    order(&scene, OVERRIDE_ANNOUNCE, false);
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "announced by ada");
}

Test(policy, a_new_process_does_not_leave_at_once)
{
    struct scene scene;

    scene_init_guarded(&scene, "HuSd");
    scene.settings.startup_wait_ns = 60 * S;
    scene.policy.announced = true;
    for (int i = 0; i < 60; i++) {
        decide(&scene);
        cr_expect_eq(scene.policy.leave.state, LEAVE_STAYING);
        scene.now_ns += S;
    }
    decide(&scene);
    cr_expect_eq(scene.policy.leave.state, LEAVE_LEAVING);
}

Test(policy, vouched_silence_degrades)
{
    struct scene scene;

    scene_init(&scene, "Hu");
    scene.checks[0].vouched = true;
    decide(&scene);
    expect(&scene, ROUTE_ANNOUNCE, "degraded: one silent while clients are answered");
    cr_expect(scene.verdict.degraded);
    cr_expect_not(scene.verdict.stays);
}

Test(policy, codes_have_names)
{
    for (int code = 0; code < POLICY_CODES_N; code++) {
        cr_expect(policy_code_name((enum policy_code)code)[0] != '?');
    }
}
