/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Operators, guards and graces through the whole announcer, in virtual time, with a speaker to
 * which everything works.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/daemon/announcer.h"

#define MS CLOCK_NS_PER_MS
#define S CLOCK_NS_PER_S

static const char plain[] =
    "vips:\n"
    "  - {prefix: 192.0.2.53/32, requires: [four, soft]}\n"
    "  - {prefix: 2001:db8::53/128, requires: [six]}\n"
    "checks:\n"
    "  four: {type: dns, server: 192.0.2.53, name: x., rise: 2, fall: 2}\n"
    "  six: {type: dns, server: \"2001:db8::53\", name: x., rise: 2, fall: 2}\n"
    "  soft: {type: dns, class: soft, server: 192.0.2.53, name: x., rise: 2, fall: 1}\n"
    "  peer: {type: dns, class: peer, server: 198.51.100.1, name: x.}\n"
    "  more: {type: dns, class: watch, server: 192.0.2.53, name: x., rise: 1}\n"
    "restart_grace: 2s\n"
    "drain: [{prepend: 2}, {wait: 10s}, withdraw]\n"
    "local_as: 65001\n";

static const char guarded[] = "last_pop: {at_least: 1}\n"
                              "soft_withdraw: {allow: 1, jitter: 1s}\n";

enum { FOUR, SIX, SOFT, PEER, MORE };

struct play {
    struct config *config;
    struct announcer *announcer;
    int64_t now_ns;
    char log[65536];
    size_t log_len;
};

static void on_log(void *context, enum log_level level, const char *line)
{
    struct play *play = context;
    const int len = snprintf(play->log + play->log_len, sizeof(play->log) - play->log_len,
                             "<%d>%s\n", (int)level, line);

    if (len > 0 && (size_t)len < sizeof(play->log) - play->log_len) {
        play->log_len += (size_t)len;
    }
}

/* All is done as wanted, and seen to be. */
static void hear(struct play *play)
{
    struct speaker_status status = {.aligned = true, .routes_n = play->config->vips_n};

    for (size_t i = 0; i < play->config->vips_n; i++) {
        const bool announce = announcer_want(play->announcer, i)->wish == ROUTE_ANNOUNCE;

        status.routes[i] = (struct exabgp_route_status){
            .read = true,
            .known = announce ? EXABGP_KNOWN_ANNOUNCED : EXABGP_KNOWN_WITHDRAWN,
        };
    }
    status.sessions.count = 1;
    status.sessions.list[0].session = EXABGP_SESSION_UP;
    announcer_hear(play->announcer, &status, play->now_ns);
}

static void start(struct play *play)
{
    play->announcer = announcer_new(play->config, on_log, play, 1, play->now_ns);
    cr_assert(play->announcer);
    hear(play);
}

static void play_open(struct play *play, const char *more)
{
    struct failure failure = {0};
    char text[4096];

    memset(play, 0, sizeof(*play));
    snprintf(text, sizeof(text), "%s%s", plain, more);
    cr_assert_eq(
        config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &play->config, &failure),
        0, "%s", failure.text);
    play->now_ns = 1000 * S;
    start(play);
}

static void play_close(struct play *play)
{
    announcer_free(play->announcer);
    config_free(play->config);
}

static void observe(struct play *play, size_t check, enum probe_cause cause)
{
    struct probe_outcome outcome = {
        .observation = cause == PROBE_CAUSE_NONE ? HEALTH_PASS : HEALTH_FAIL, .cause = cause};

    snprintf(outcome.evidence, sizeof(outcome.evidence), "evidence of %s", probe_cause_name(cause));
    announcer_observe(play->announcer, check, &outcome, play->now_ns);
    hear(play);
}

static void observe_n(struct play *play, size_t check, enum probe_cause cause, int n)
{
    for (int i = 0; i < n; i++) {
        observe(play, check, cause);
    }
}

/* All checks pass, until all that is hard is up. */
static void come_up(struct play *play)
{
    for (size_t check = FOUR; check <= PEER; check++) {
        observe_n(play, check, PROBE_CAUSE_NONE, 2);
    }
}

/* Wakes when the announcer says, as the loop does; peers pass each half second meanwhile. */
static void pass_time(struct play *play, int64_t ns, bool peers)
{
    const int64_t end_ns = play->now_ns + ns;
    int64_t peer_ns = play->now_ns;

    while (play->now_ns < end_ns) {
        int64_t next_ns = announcer_deadline_ns(play->announcer);

        cr_assert(next_ns > play->now_ns, "a deadline that never passes");
        next_ns = peers && peer_ns < next_ns ? peer_ns : next_ns;
        play->now_ns = next_ns < end_ns ? next_ns : end_ns;
        if (peers && play->now_ns >= peer_ns) {
            observe(play, PEER, PROBE_CAUSE_NONE);
            peer_ns = play->now_ns + S / 2;
        }
        hear(play);
    }
}

static enum route_wish wish(const struct play *play, size_t vip)
{
    return announcer_want(play->announcer, vip)->wish;
}

static int order(struct play *play, const char *vips, enum override_action action, bool force,
                 int64_t for_ns, struct failure *failure)
{
    const struct announcer_order order = {.vips = vips,
                                          .action = action,
                                          .force = force,
                                          .for_ns = for_ns,
                                          .reason = "fibre work",
                                          .owner = "ada"};
    size_t vips_n = 99;
    const int result = announcer_override(play->announcer, &order, play->now_ns, &vips_n, failure);

    hear(play);
    return result ? result : (int)vips_n;
}

Test(announcer_policy, a_drain_of_two_hours)
{
    struct failure failure;
    struct play play;

    play_open(&play, "");
    come_up(&play);
    cr_assert_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    cr_assert(announcer_stays(play.announcer, 0));
    cr_assert_eq(order(&play, "192.0.2.*", OVERRIDE_DRAIN, false, 7200 * S, &failure), 1);
    cr_expect_eq(announcer_want(play.announcer, 0)->attributes.as_path_n, 3);
    cr_expect_eq(announcer_want(play.announcer, 1)->attributes.as_path_n, 0);
    cr_expect_not(announcer_stays(play.announcer, 0));
    pass_time(&play, 10 * S - 1, false);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    pass_time(&play, 1, false);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW, "at the very moment");
    cr_expect_eq(wish(&play, 1), ROUTE_ANNOUNCE);
    pass_time(&play, 7190 * S - 1, false);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);
    pass_time(&play, 1, false);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    cr_expect_eq(announcer_want(play.announcer, 0)->attributes.as_path_n, 0);
    cr_expect(strstr(play.log, "<5>vip 192.0.2.53/32: ada says drain: fibre work\n"));
    cr_expect(strstr(play.log, "vip 192.0.2.53/32: still announce: drained by ada, for "));
    cr_expect(strstr(play.log, "<4>vip 192.0.2.53/32: withdraw: drained and withdrawn by ada"));
    cr_expect(strstr(play.log, "<5>vip 192.0.2.53/32: drain by ada is over\n"));
    cr_expect(strstr(play.log, "<5>vip 192.0.2.53/32: announce: all 1 hard checks up\n"));
    play_close(&play);
}

Test(announcer_policy, orders_that_name_nothing_or_too_much)
{
    struct failure failure;
    struct play play;

    play_open(&play, guarded);
    come_up(&play);
    cr_expect_eq(order(&play, "198.*", OVERRIDE_DRAIN, false, S, &failure), -ENOENT);
    cr_expect_str_eq(failure.text, "198.* is no VIP of this host");
    observe(&play, PEER, PROBE_CAUSE_SILENT);
    cr_expect_eq(order(&play, "all", OVERRIDE_WITHDRAW, false, S, &failure), -EBUSY);
    cr_expect(strstr(failure.text, "192.0.2.53/32 would be left to 0 of 1 peers, it takes 1"));
    cr_expect_eq(announcer_vip(play.announcer, 0)->override.action, OVERRIDE_AUTO);
    cr_expect_eq(announcer_vip(play.announcer, 1)->override.action, OVERRIDE_AUTO);
    cr_expect_eq(order(&play, "all", OVERRIDE_ANNOUNCE, false, S, &failure), 2);
    cr_expect_eq(order(&play, "all", OVERRIDE_AUTO, false, S, &failure), 2);
    cr_expect_eq(order(&play, "all", OVERRIDE_WITHDRAW, true, S, &failure), 2);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);
    cr_expect_eq(wish(&play, 1), ROUTE_WITHDRAW);
    play_close(&play);
}

Test(announcer_policy, a_restart_withdraws_nothing_and_a_death_does)
{
    struct play play;

    play_open(&play, "");
    come_up(&play);
    observe_n(&play, FOUR, PROBE_CAUSE_DEAD, 2);
    cr_expect_eq(announcer_check(play.announcer, FOUR)->health.state, HEALTH_DOWN);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    cr_expect_not(announcer_stays(play.announcer, 0));
    pass_time(&play, S, false);
    observe_n(&play, FOUR, PROBE_CAUSE_NONE, 2);
    pass_time(&play, 10 * S, false);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    cr_expect(strstr(play.log,
                     "still announce: restart grace: four died 0.0 s ago (evidence of dead), "
                     "for 2.0 s more"));

    observe_n(&play, FOUR, PROBE_CAUSE_DEAD, 2);
    pass_time(&play, 2 * S - 1, false);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    pass_time(&play, 1, false);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);

    observe_n(&play, SIX, PROBE_CAUSE_WRONG, 2);
    cr_expect_eq(wish(&play, 1), ROUTE_WITHDRAW, "at once");
    play_close(&play);
}

Test(announcer_policy, a_heartbeat_prolongs_the_grace)
{
    struct play play;

    play_open(&play, "");
    play.config->vips[0].heartbeats_n = 1; /* as for a check of type xdp */
    play.config->vips[0].heartbeats[0] = MORE;
    come_up(&play);
    observe(&play, MORE, PROBE_CAUSE_NONE);
    observe_n(&play, FOUR, PROBE_CAUSE_DEAD, 2);
    for (int i = 0; i < 10; i++) {
        pass_time(&play, S, false);
        observe(&play, MORE, PROBE_CAUSE_NONE);
        cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    }
    observe(&play, MORE, PROBE_CAUSE_DEAD);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);

    observe_n(&play, FOUR, PROBE_CAUSE_NONE, 2);
    observe(&play, MORE, PROBE_CAUSE_NONE);
    observe_n(&play, FOUR, PROBE_CAUSE_DEAD, 2);
    pass_time(&play, 4 * S, false); /* nobody asked the kernel any more */
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);
    play_close(&play);
}

Test(announcer_policy, silence_is_vouched_for_and_wrongness_is_not)
{
    struct play play;

    play_open(&play, "");
    play.config->checks[FOUR].vouched_by = MORE; /* as for a check of type traffic */
    come_up(&play);
    observe(&play, MORE, PROBE_CAUSE_NONE);
    observe_n(&play, FOUR, PROBE_CAUSE_SILENT, 5);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    cr_expect(announcer_vip(play.announcer, 0)->verdict.degraded);
    cr_expect(strstr(play.log, "degraded: four silent while clients are answered"));
    cr_expect_not(strstr(play.log, "cannot be made"), "it could");
    observe(&play, FOUR, PROBE_CAUSE_NONE);
    cr_expect_not(announcer_vip(play.announcer, 0)->verdict.degraded);
    observe_n(&play, FOUR, PROBE_CAUSE_WRONG, 2);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);

    observe_n(&play, FOUR, PROBE_CAUSE_NONE, 2);
    observe(&play, MORE, PROBE_CAUSE_SILENT); /* nobody is being answered */
    observe_n(&play, FOUR, PROBE_CAUSE_SILENT, 2);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);
    play_close(&play);
}

/* A new process whose predecessor had announced everything. */
static void restart(struct play *play, size_t vouched_by)
{
    struct speaker_status status = {.aligned = true, .routes_n = play->config->vips_n};

    for (size_t i = 0; i < play->config->vips_n; i++) {
        status.routes[i] = (struct exabgp_route_status){
            .read = true, .holders_n = 1, .known = EXABGP_KNOWN_ANNOUNCED};
    }
    announcer_free(play->announcer);
    play->config->checks[FOUR].vouched_by = vouched_by;
    play->announcer = announcer_new(play->config, on_log, play, 1, play->now_ns);
    cr_assert(play->announcer);
    announcer_hear(play->announcer, &status, play->now_ns);
}

/* As observe(), but a route stays as it was found as long as it is held. */
static enum route_wish look(struct play *play, size_t check, enum probe_cause cause)
{
    const struct probe_outcome outcome = {.observation = cause == PROBE_CAUSE_NONE ? HEALTH_PASS
                                                         : cause == PROBE_CAUSE_INTERNAL
                                                             ? HEALTH_UNKNOWN
                                                             : HEALTH_FAIL,
                                          .cause = cause};

    play->now_ns += 100 * MS;
    announcer_observe(play->announcer, check, &outcome, play->now_ns);
    return wish(play, 0);
}

Test(announcer_policy, silence_takes_a_route_taken_over_only_by_its_row)
{
    struct play play;

    play_open(&play, "");
    restart(&play, POLICY_NONE);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_HOLD);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_WITHDRAW, "fall is 2");

    restart(&play, POLICY_NONE);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_HOLD);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_WRONG), ROUTE_WITHDRAW);
    restart(&play, POLICY_NONE);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_WRONG), ROUTE_WITHDRAW, "nobody watched it");
    play_close(&play);
}

/* An overload while every brain starts anew: the traffic check needs two looks to see anything. */
Test(announcer_policy, a_voucher_that_starts_too_is_waited_for)
{
    struct play play;

    play_open(&play, "");
    restart(&play, MORE);
    play.config->checks[MORE].limits.rise = 3;
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_HOLD);
    look(&play, MORE, PROBE_CAUSE_INTERNAL);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_HOLD);
    cr_expect_not(announcer_vip(play.announcer, 0)->verdict.degraded, "nobody has vouched yet");
    look(&play, MORE, PROBE_CAUSE_NONE);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_HOLD);
    }
    cr_expect(announcer_vip(play.announcer, 0)->verdict.degraded);

    look(&play, FOUR, PROBE_CAUSE_NONE);
    look(&play, FOUR, PROBE_CAUSE_NONE);
    look(&play, SOFT, PROBE_CAUSE_NONE);
    look(&play, MORE, PROBE_CAUSE_INTERNAL); /* no descriptors for a while */
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_INTERNAL), ROUTE_ANNOUNCE);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_ANNOUNCE);
    look(&play, MORE, PROBE_CAUSE_INTERNAL);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_ANNOUNCE);
    look(&play, MORE, PROBE_CAUSE_NONE);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_ANNOUNCE);

    restart(&play, MORE); /* and one that sees nothing grow does not hold it up */
    look(&play, MORE, PROBE_CAUSE_INTERNAL);
    look(&play, MORE, PROBE_CAUSE_INTERNAL);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_HOLD);
    cr_expect_eq(look(&play, FOUR, PROBE_CAUSE_SILENT), ROUTE_WITHDRAW);
    play_close(&play);
}

Test(announcer_policy, soft_leaves_by_permission_and_the_budget_is_shown)
{
    struct play play;

    play_open(&play, guarded);
    come_up(&play);
    cr_expect_eq(announcer_budget_left(play.announcer, 0, play.now_ns), 1);
    observe(&play, SOFT, PROBE_CAUSE_STALE);
    pass_time(&play, 3100 * MS, true); /* settle: 1.6 s, 0.5 s and a second */
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    pass_time(&play, S, true);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);
    cr_expect_eq(announcer_budget_left(play.announcer, 0, play.now_ns), 0);
    cr_expect_float_eq(announcer_penalty(play.announcer, 0, play.now_ns), 1000, 10);
    pass_time(&play, 5 * S, false); /* no word of the peer any more */
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    play_close(&play);
}

Test(announcer_policy, what_is_remembered_holds_in_the_next_process)
{
    struct announcer_memory memory;
    struct failure failure;
    struct play play;

    play_open(&play, guarded);
    come_up(&play);
    for (int i = 0; i < 3; i++) {
        observe_n(&play, FOUR, PROBE_CAUSE_WRONG, 2);
        observe_n(&play, FOUR, PROBE_CAUSE_NONE, 2);
    }
    cr_assert_eq(announcer_vip(play.announcer, 0)->verdict.code, POLICY_DAMPED);
    cr_assert_eq(order(&play, "192.0.2.53", OVERRIDE_DRAIN, false, 100 * S, &failure), 1);
    pass_time(&play, 30 * S, true);
    announcer_remember(play.announcer, 0, play.now_ns, &memory);
    cr_expect_eq(memory.override.since_ns, 30 * S);
    cr_expect_eq(memory.override.expires_ns, 70 * S);
    cr_expect_eq(memory.begins_n, 0);
    memory.begins_n = 1;
    memory.begins_age_ns[0] = 60 * S;

    announcer_free(play.announcer);
    play.now_ns += 12345 * S; /* another clock */
    play.announcer = announcer_new(play.config, on_log, &play, 1, play.now_ns);
    announcer_recall(play.announcer, 0, &memory, play.now_ns);
    hear(&play);
    come_up(&play);
    cr_expect_eq(wish(&play, 0), ROUTE_WITHDRAW);
    cr_expect_eq(announcer_vip(play.announcer, 0)->verdict.code, POLICY_OPERATOR_WITHDRAWS);
    cr_expect_eq(announcer_budget_left(play.announcer, 0, play.now_ns), 0);
    pass_time(&play, 70 * S, true);
    cr_expect_eq(announcer_vip(play.announcer, 0)->verdict.code, POLICY_DAMPED);
    pass_time(&play, 900 * S - 100 * S, true);
    cr_expect_eq(wish(&play, 0), ROUTE_ANNOUNCE);
    play_close(&play);
}
