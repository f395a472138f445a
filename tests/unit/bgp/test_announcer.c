/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole decision in virtual time: a configuration, observations, and the model of ExaBGP.
 */
#include "bgp/daemon/announcer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fake_exabgp.h"

#define MS CLOCK_NS_PER_MS

static const char text[] =
    "vips:\n"
    "  - {prefix: 192.0.2.53/32}\n"
    "  - {prefix: 2001:db8::53/128}\n"
    "checks:\n"
    "  four: {type: dns, server: 192.0.2.53, name: www.example.com., rise: 3, fall: 2}\n"
    "  six: {type: dns, server: \"2001:db8::53\", name: www.example.com., rise: 3, fall: 2}\n"
    "  soft: {type: dns, class: soft, server: 192.0.2.53, name: slow.example.com., fall: 1}\n";

enum { FOUR, SIX, SOFT };

struct play {
    struct config *config;
    struct announcer *announcer;
    struct speaker *speaker;
    struct fake_exabgp fake;
    int64_t now_ns;
    char log[32768];
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

static void start(struct play *play)
{
    play->announcer = announcer_new(play->config, on_log, play, 1, play->now_ns);
    play->speaker =
        speaker_new(play->config->routes, play->config->vips_n, on_log, play, play->now_ns);
    cr_assert(play->announcer && play->speaker);
}

static void play_open(struct play *play, uint64_t seed)
{
    struct failure failure = {0};

    memset(play, 0, sizeof(*play));
    fake_init(&play->fake, seed);
    cr_assert_eq(
        config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &play->config, &failure),
        0, "%s", failure.text);
    play->now_ns = 1000 * MS;
    start(play);
}

static void play_restart(struct play *play)
{
    announcer_free(play->announcer);
    speaker_free(play->speaker);
    start(play);
}

static void play_close(struct play *play)
{
    announcer_free(play->announcer);
    speaker_free(play->speaker);
    config_free(play->config);
}

static void exchange(struct play *play)
{
    announcer_hear(play->announcer, speaker_status(play->speaker), play->now_ns);
    for (size_t i = 0; i < play->config->vips_n; i++) {
        speaker_want(play->speaker, i, announcer_want(play->announcer, i));
    }
}

static void run(struct play *play, int64_t ms)
{
    for (const int64_t end_ns = play->now_ns + ms * MS; play->now_ns < end_ns;
         play->now_ns += 5 * MS) {
        char line[ROUTE_COMMAND_LEN], bytes[512];
        size_t len;

        exchange(play);
        while ((len = speaker_command(play->speaker, play->now_ns, line)) > 0) {
            fake_write(&play->fake, line, len);
            fake_step(&play->fake, play->now_ns);
            while ((len = fake_read(&play->fake, bytes, sizeof(bytes))) > 0) {
                speaker_receive(play->speaker, bytes, len, play->now_ns);
            }
            exchange(play);
        }
        fake_step(&play->fake, play->now_ns);
    }
}

static void observe(struct play *play, size_t check, enum health_observation observation)
{
    struct probe_outcome outcome = {.observation = observation, .elapsed_ns = MS};

    snprintf(outcome.evidence, sizeof(outcome.evidence), "evidence of %s",
             health_observation_name(observation));
    announcer_observe(play->announcer, check, &outcome, play->now_ns);
    run(play, 20);
}

static void observe_n(struct play *play, size_t check, enum health_observation observation, int n)
{
    for (int i = 0; i < n; i++) {
        observe(play, check, observation);
    }
}

Test(announcer, nothing_is_announced_before_it_is_proven)
{
    struct play play;

    play_open(&play, 1);
    run(&play, 5000);
    cr_assert_eq(play.fake.announces_n, 0);
    observe_n(&play, FOUR, HEALTH_PASS, 2);
    cr_assert_eq(play.fake.announces_n, 0);
    observe(&play, FOUR, HEALTH_PASS);
    cr_assert(play.fake.sent[0]);
    cr_assert_not(play.fake.sent[1], "families are judged apart");
    cr_assert(strstr(play.log, "<5>check four: up after 3 passes (evidence of pass, 1.0 ms)"));
    cr_assert(strstr(play.log, "<5>vip 192.0.2.53/32: announce: all 1 hard checks up"));
    cr_assert(strstr(play.log, "<5>vip 192.0.2.53/32: announced in "));
    play_close(&play);
}

Test(announcer, fall_failures_withdraw_and_no_fewer)
{
    struct play play;

    play_open(&play, 1);
    observe_n(&play, FOUR, HEALTH_PASS, 3);
    observe_n(&play, SIX, HEALTH_PASS, 3);
    cr_assert(play.fake.sent[0] && play.fake.sent[1]);
    observe(&play, FOUR, HEALTH_FAIL);
    cr_assert(play.fake.sent[0]);
    observe(&play, FOUR, HEALTH_FAIL);
    cr_assert_not(play.fake.sent[0]);
    cr_assert(play.fake.sent[1]);
    cr_assert(strstr(play.log, "<4>vip 192.0.2.53/32: withdraw: hard check four down after 2 "
                               "failures (evidence of fail)"));
    observe_n(&play, FOUR, HEALTH_PASS, 3);
    cr_assert(play.fake.sent[0]);
    play_close(&play);
}

Test(announcer, unknown_and_soft_never_withdraw)
{
    struct play play;

    play_open(&play, 1);
    observe_n(&play, FOUR, HEALTH_PASS, 3);
    observe_n(&play, FOUR, HEALTH_UNKNOWN, 20);
    observe_n(&play, SOFT, HEALTH_FAIL, 20);
    cr_assert(play.fake.sent[0]);
    cr_assert_eq(play.fake.withdraws_n, 0);
    cr_assert(announcer_vip(play.announcer, 0)->verdict.degraded);
    cr_assert(strstr(play.log, "<3>check four: cannot be made, it stays up (evidence of unknown)"));
    cr_assert(strstr(play.log, "<4>vip 192.0.2.53/32: degraded: "));
    play_close(&play);
}

Test(announcer, a_taken_over_route_stays_while_it_answers)
{
    struct play play;

    play_open(&play, 1);
    play.fake.held[0] = play.fake.sent[0] = true;
    run(&play, 100);
    cr_assert(play.fake.sent[0]);
    observe(&play, FOUR, HEALTH_PASS);
    cr_assert(play.fake.sent[0]);
    cr_assert_eq(announcer_vip(play.announcer, 0)->verdict.want.wish, ROUTE_HOLD);
    observe_n(&play, FOUR, HEALTH_PASS, 2);
    cr_assert_eq(announcer_vip(play.announcer, 0)->verdict.want.wish, ROUTE_ANNOUNCE);
    cr_assert_eq(play.fake.withdraws_n, 0);
    cr_assert(strstr(play.log, "found announced in ExaBGP, taking it over"));
    play_close(&play);
}

Test(announcer, a_taken_over_route_that_fails_is_withdrawn_at_once)
{
    struct play play;

    play_open(&play, 1);
    play.fake.held[0] = play.fake.sent[0] = true;
    run(&play, 100);
    observe(&play, FOUR, HEALTH_FAIL); /* fall is 2 */
    cr_assert_not(play.fake.sent[0]);
    /* and comes back only by rise */
    observe_n(&play, FOUR, HEALTH_PASS, 2);
    cr_assert_not(play.fake.sent[0]);
    observe(&play, FOUR, HEALTH_PASS);
    cr_assert(play.fake.sent[0]);
    play_close(&play);
}

Test(announcer, a_route_nobody_announced_is_not_taken_over)
{
    struct play play;

    play_open(&play, 1);
    run(&play, 100);
    cr_assert_not(announcer_vip(play.announcer, 0)->adopted);
    cr_assert_eq(announcer_vip(play.announcer, 0)->verdict.want.wish, ROUTE_WITHDRAW);
    cr_assert_eq(play.fake.withdraws_n, 0, "there is nothing to withdraw");
    play_close(&play);
}

Test(announcer, probes_are_closer_together_after_a_failure)
{
    struct play play;

    play_open(&play, 1);
    cr_assert_eq(announcer_next_probe_ns(play.announcer, FOUR, 0), 1000 * MS);
    observe_n(&play, FOUR, HEALTH_PASS, 3);
    cr_assert_eq(announcer_next_probe_ns(play.announcer, FOUR, 0), 1000 * MS);
    observe(&play, FOUR, HEALTH_FAIL);
    cr_assert_eq(announcer_next_probe_ns(play.announcer, FOUR, 0), 100 * MS);
    observe(&play, FOUR, HEALTH_FAIL);
    cr_assert_eq(announcer_next_probe_ns(play.announcer, FOUR, 0), 1000 * MS);
    play_close(&play);
}

/* Over random histories, faults and restarts: a route the peer sees was proven by `rise` passes in
 * a row with fewer than `fall` failures since, or found at a start and not judged yet; and in the
 * end the last row decides. */
Test(announcer, any_history, .timeout = 300)
{
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct play play;
        bool end_up[2];

        play_open(&play, seed);
        play.fake.faults = (struct fake_faults){.lose_reply = seed % 3 ? 0 : 100,
                                                .chatter = 200,
                                                .max_delay_ms = seed % 4 ? 0 : 800,
                                                .flap = seed % 5 ? 0 : 5};
        for (int i = 0; i < 150; i++) {
            const uint64_t kind = fake_random(&play.fake, 10);

            observe(&play, fake_random(&play.fake, 3),
                    kind < 6   ? HEALTH_PASS
                    : kind < 9 ? HEALTH_FAIL
                               : HEALTH_UNKNOWN);
            if (fake_random(&play.fake, 60) == 0) {
                play_restart(&play);
            }
            run(&play, (int64_t)fake_random(&play.fake, 100));
            if (seed % 3 && seed % 4 && seed % 5) { /* no faults: what is wished is so at once */
                for (size_t vip = 0; vip < 2; vip++) {
                    const enum route_wish wish =
                        announcer_vip(play.announcer, vip)->verdict.want.wish;

                    cr_assert(wish == ROUTE_HOLD ||
                              play.fake.sent[vip] == (wish == ROUTE_ANNOUNCE));
                }
            }
        }
        play.fake.faults = (struct fake_faults){0};
        for (size_t vip = 0; vip < 2; vip++) {
            end_up[vip] = fake_random(&play.fake, 2);
            observe_n(&play, vip, end_up[vip] ? HEALTH_PASS : HEALTH_FAIL, 3);
        }
        run(&play, 60000);
        for (size_t vip = 0; vip < 2; vip++) {
            cr_assert_eq(play.fake.sent[vip], end_up[vip], "seed %llu", (unsigned long long)seed);
        }
        play_close(&play);
    }
}
