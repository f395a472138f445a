/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/recorder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define S CLOCK_NS_PER_S
#define WALL_MS INT64_C(1795369201000)

static const char text[] =
    "vips:\n"
    "  - {prefix: 192.0.2.53/32}\n"
    "checks:\n"
    "  a: {type: dns, server: 192.0.2.53, name: www.example.com., rise: 1, fall: 1}\n";

struct scene {
    struct config *config;
    struct announcer *announcer;
    struct recorder *recorder;
    struct speaker_status speaker;
    char told[4096]; /* one line per record */
};

static void on_log(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void on_record(void *context, const struct journal_record *record)
{
    struct scene *scene = context;
    const size_t len = strlen(scene->told);
    char line[JOURNAL_LINE_LEN];

    cr_assert_gt(journal_encode(record, line), 0);
    snprintf(scene->told + len, sizeof(scene->told) - len, "%d %s %s %s %lld\n", (int)record->kind,
             record->subject, record->word, record->code, (long long)record->count_n);
}

static struct moment at(int64_t s)
{
    return (struct moment){(1000 + s) * S, WALL_MS + s * 1000};
}

static void scene_open(struct scene *scene)
{
    struct failure failure;

    memset(scene, 0, sizeof(*scene));
    cr_assert_eq(config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &scene->config,
                                   &failure),
                 0);
    scene->announcer = announcer_new(scene->config, on_log, NULL, 1, at(0).monotonic_ns);
    scene->recorder = recorder_new(scene->announcer, on_record, scene);
    scene->speaker = *announcer_speaker(scene->announcer);
    cr_assert(scene->announcer && scene->recorder);
}

static void scene_close(struct scene *scene)
{
    recorder_free(scene->recorder);
    announcer_free(scene->announcer);
    config_free(scene->config);
}

static void observe(struct scene *scene, enum health_observation observation, const char *evidence,
                    int64_t s)
{
    struct probe_outcome outcome = {.observation = observation,
                                    .cause = observation == HEALTH_FAIL ? PROBE_CAUSE_DEAD
                                                                        : PROBE_CAUSE_NONE};

    snprintf(outcome.evidence, sizeof(outcome.evidence), "%s", evidence);
    recorder_observe(scene->recorder, 0, &outcome, at(s));
    announcer_observe(scene->announcer, 0, &outcome, at(s).monotonic_ns);
}

/* What was recorded since the last time. */
static void told_is(struct scene *scene, const char *wanted)
{
    cr_expect_str_eq(scene->told, wanted);
    scene->told[0] = '\0';
}

Test(recorder, probes_alike_are_one_record)
{
    struct scene scene;

    scene_open(&scene);
    observe(&scene, HEALTH_PASS, "1 address", 0);
    told_is(&scene, "1 a pass none 1\n");
    observe(&scene, HEALTH_PASS, "2 addresses", 1);
    observe(&scene, HEALTH_PASS, "1 address", 2);
    told_is(&scene, "");
    observe(&scene, HEALTH_FAIL, "refused", 3);
    told_is(&scene, "1 a pass none 2\n1 a fail dead 1\n");
    observe(&scene, HEALTH_FAIL, "unreachable", 4);
    told_is(&scene, "1 a fail dead 1\n"); /* failures of other words are other failures */
    observe(&scene, HEALTH_FAIL, "unreachable", 5);
    observe(&scene, HEALTH_FAIL, "unreachable", 70);
    told_is(&scene, "1 a fail dead 1\n1 a fail dead 1\n"); /* a minute is over */
    observe(&scene, HEALTH_FAIL, "unreachable", 71);
    recorder_flush(scene.recorder);
    told_is(&scene, "1 a fail dead 1\n");
    recorder_flush(scene.recorder);
    told_is(&scene, "");
    scene_close(&scene);
}

Test(recorder, verdicts_words_and_routes)
{
    struct scene scene;
    size_t vips_n;
    struct failure failure;
    const struct announcer_order drain = {
        .vips = "all", .action = OVERRIDE_DRAIN, .for_ns = 3600 * S, .owner = "noc"};

    scene_open(&scene);
    recorder_start(scene.recorder, "0.1.0", 7, false, at(0));
    told_is(&scene, "0    7\n");
    recorder_look(scene.recorder, at(0));
    told_is(&scene, "7 192.0.2.53/32 hold taken_over 0\n");
    recorder_look(scene.recorder, at(1));
    told_is(&scene, "");
    scene.speaker.routes[0].read = true;
    scene.speaker.routes[0].known = EXABGP_KNOWN_WITHDRAWN;
    announcer_hear(scene.announcer, &scene.speaker, at(1).monotonic_ns);
    observe(&scene, HEALTH_PASS, "1 address", 2);
    recorder_look(scene.recorder, at(2));
    told_is(&scene, "1 a pass none 1\n7 192.0.2.53/32 announce up 0\n5 192.0.2.53/32 absent  0\n");
    scene.speaker.routes[0].known = EXABGP_KNOWN_ANNOUNCED;
    scene.speaker.counters.timeouts = 2;
    announcer_hear(scene.announcer, &scene.speaker, at(3).monotonic_ns);
    recorder_look(scene.recorder, at(3));
    told_is(&scene, "5 192.0.2.53/32 announced  0\n6  timeout  2\n");
    cr_assert_eq(announcer_override(scene.announcer, &drain, at(4).monotonic_ns, &vips_n, &failure),
                 0);
    recorder_look(scene.recorder, at(4));
    told_is(&scene, "2 192.0.2.53/32 drain  0\n7 192.0.2.53/32 announce operator_drains 0\n");
    recorder_start(scene.recorder, "0.1.0", 7, true, at(5));
    told_is(&scene, "0    7\n2 192.0.2.53/32 drain  0\n"
                    "7 192.0.2.53/32 announce operator_drains 0\n");
    scene_close(&scene);
}

Test(recorder, sessions)
{
    struct scene scene;
    struct address peer;

    scene_open(&scene);
    address_parse("10.99.0.2", &peer);
    recorder_look(scene.recorder, at(0));
    scene.told[0] = '\0';
    for (int i = 0; i < 3; i++) { /* it floods while a peer refuses */
        exabgp_sessions_set(&scene.speaker.sessions, &peer,
                            i % 2 ? EXABGP_SESSION_DOWN : EXABGP_SESSION_CONNECTED,
                            at(i).monotonic_ns);
        announcer_hear(scene.announcer, &scene.speaker, at(i).monotonic_ns);
        recorder_look(scene.recorder, at(i));
    }
    told_is(&scene, "4 10.99.0.2 connected  0\n");
    exabgp_sessions_set(&scene.speaker.sessions, &peer, EXABGP_SESSION_UP, at(4).monotonic_ns);
    announcer_hear(scene.announcer, &scene.speaker, at(4).monotonic_ns);
    recorder_look(scene.recorder, at(4));
    told_is(&scene, "4 10.99.0.2 up  0\n");
    scene_close(&scene);
}
