/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/replay.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/daemon/recorder.h"
#include "bgp/daemon/rehearsal.h"

#define MS CLOCK_NS_PER_MS
#define S CLOCK_NS_PER_S
#define WALL_MS INT64_C(1795369201000)

#define CONFIG(fall)                                                                               \
    "vips:\n"                                                                                      \
    "  - {prefix: 192.0.2.53/32}\n"                                                                \
    "checks:\n"                                                                                    \
    "  a: {type: dns, server: 192.0.2.53, name: www.example.com., rise: 2, fall: " fall "}\n"

/* A process and its journal. */
struct scene {
    struct config *config;
    struct announcer *announcer;
    struct recorder *recorder;
    struct rehearsal rehearsal;
    char *journal;
    size_t len;
    FILE *file;
};

static struct config *config_of(const char *text)
{
    struct config *config;
    struct failure failure;

    cr_assert_eq(
        config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &config, &failure), 0,
        "%s", failure.text);
    return config;
}

static void on_log(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static void on_record(void *context, const struct journal_record *record)
{
    struct scene *scene = context;
    char line[JOURNAL_LINE_LEN];
    const size_t len = journal_encode(record, line);

    cr_assert_gt(len, 0);
    fwrite(line, 1, len, scene->file);
}

static struct moment at(int64_t ms)
{
    return (struct moment){1000 * S + ms * MS, WALL_MS + ms};
}

static void look(struct scene *scene, int64_t ms)
{
    const struct moment now = at(ms);

    announcer_run(scene->announcer, now.monotonic_ns);
    rehearsal_run(&scene->rehearsal, scene->announcer, NULL, NULL, now.monotonic_ns);
    recorder_look(scene->recorder, now);
}

static void begin(struct scene *scene, const char *text)
{
    memset(scene, 0, sizeof(*scene));
    scene->file = open_memstream(&scene->journal, &scene->len);
    scene->config = config_of(text);
    scene->announcer = announcer_new(scene->config, on_log, NULL, 5, at(0).monotonic_ns);
    scene->recorder = recorder_new(scene->announcer, on_record, scene);
    rehearsal_init(&scene->rehearsal, scene->config);
    recorder_start(scene->recorder, "0.1.0", 5, false, at(0));
    rehearsal_read(&scene->rehearsal, 0, false, at(0).monotonic_ns);
    look(scene, 0);
}

static void observe(struct scene *scene, enum health_observation observation, int64_t ms)
{
    struct probe_outcome outcome = {.observation = observation,
                                    .cause = observation == HEALTH_FAIL ? PROBE_CAUSE_SILENT
                                                                        : PROBE_CAUSE_NONE,
                                    .evidence = "it said so"};

    while (announcer_deadline_ns(scene->announcer) < at(ms).monotonic_ns) {
        look(scene, (announcer_deadline_ns(scene->announcer) - at(0).monotonic_ns) / MS + 1);
    }
    announcer_observe(scene->announcer, 0, &outcome, at(ms).monotonic_ns);
    recorder_observe(scene->recorder, 0, &outcome, at(ms));
    look(scene, ms + 3); /* a turn of the loop later */
}

static void end(struct scene *scene)
{
    recorder_flush(scene->recorder);
    recorder_free(scene->recorder);
    announcer_free(scene->announcer);
    config_free(scene->config);
    fflush(scene->file);
}

static void done(struct scene *scene)
{
    fclose(scene->file);
    free(scene->journal);
}

static json_t *replay(const char *journal, size_t len, const char *text)
{
    struct config *config = config_of(text);
    struct replay_log log;
    struct failure failure = {{0}};
    char *out = NULL;
    size_t out_len;
    FILE *file = open_memstream(&out, &out_len);
    json_t *result;

    cr_assert_eq(replay_log_parse(journal, len, &log), 0);
    cr_assert_eq(replay_run(config, &log, &REPLAY_LIMITS, file, true, &failure), 0, "%s",
                 failure.text);
    fclose(file);
    result = json_loads(out, 0, NULL);
    cr_assert(result, "%s", out);
    free(out);
    replay_log_done(&log);
    config_free(config);
    return result;
}

static double number(const json_t *object, const char *outer, const char *inner)
{
    const json_t *part = json_object_get(object, outer);

    return json_number_value(inner ? json_object_get(part, inner) : part);
}

static size_t differing(const json_t *result)
{
    const json_t *rows = json_object_get(result, "rows");
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        count += json_is_true(json_object_get(json_array_get(rows, i), "differs"));
    }
    return count;
}

/* Up for ten minutes, one lost probe at 5 minutes, dead at 10, back at 11. */
static void history(struct scene *scene)
{
    for (int64_t s = 1; s <= 720; s++) {
        observe(scene, s == 300 || (s >= 600 && s < 660) ? HEALTH_FAIL : HEALTH_PASS, s * 1000);
    }
}

Test(replay, the_same_configuration_decides_the_same)
{
    struct scene scene;
    json_t *result, *vip;

    begin(&scene, CONFIG("2"));
    history(&scene);
    end(&scene);
    cr_expect_lt(scene.len, 12000, "alike ones are one line: %zu bytes", scene.len);
    result = replay(scene.journal, scene.len, CONFIG("2"));
    vip = json_array_get(json_object_get(result, "vips"), 0);
    cr_expect_eq(differing(result), 0);
    cr_expect_eq(number(vip, "did", "withdrawals"), 1);
    cr_expect_eq(number(vip, "would", "withdrawals"), 1);
    cr_expect_float_eq(number(vip, "did", "announced_s"), 658, 1.5);
    cr_expect_float_eq(number(vip, "would", "announced_s"), 658, 1.5);
    cr_expect_lt(number(vip, "differs_s", NULL), 0.1);
    json_decref(result);
    done(&scene);
}

Test(replay, another_configuration_decides_otherwise)
{
    struct scene scene;
    json_t *result, *vip;

    begin(&scene, CONFIG("2"));
    history(&scene);
    end(&scene);
    result = replay(scene.journal, scene.len, CONFIG("1"));
    vip = json_array_get(json_object_get(result, "vips"), 0);
    cr_expect_eq(number(vip, "would", "withdrawals"), 2, "the lost probe too");
    cr_expect_geq(differing(result), 1);
    cr_expect_float_eq(number(vip, "differs_s", NULL), 3, 1.1);
    json_decref(result);

    result = replay(scene.journal, scene.len, CONFIG("100"));
    vip = json_array_get(json_object_get(result, "vips"), 0);
    cr_expect_eq(number(vip, "would", "withdrawals"), 0);
    cr_expect_float_eq(number(vip, "differs_s", NULL), 60, 2);
    json_decref(result);
    done(&scene);
}

Test(replay, an_operators_word_is_played_too)
{
    struct scene scene;
    size_t vips_n;
    json_t *result, *vip;
    struct failure failure;

    begin(&scene, CONFIG("2"));
    for (int64_t s = 1; s <= 200; s++) {
        observe(&scene, HEALTH_PASS, s * 1000);
        if (s == 50) {
            cr_assert_eq(announcer_override(scene.announcer,
                                            &(struct announcer_order){.vips = "all",
                                                                      .action = OVERRIDE_DRAIN,
                                                                      .for_ns = 100 * S,
                                                                      .owner = "noc"},
                                            at(s * 1000 + 4).monotonic_ns, &vips_n, &failure),
                         0);
            look(&scene, s * 1000 + 4);
        }
        if (s == 70) { /* the journal is rotated */
            recorder_start(scene.recorder, "0.1.0", 5, true, at(s * 1000 + 5));
        }
    }
    end(&scene);
    result = replay(scene.journal, scene.len, CONFIG("2"));
    vip = json_array_get(json_object_get(result, "vips"), 0);
    cr_expect_eq(differing(result), 0);
    cr_expect_eq(number(vip, "would", "withdrawals"), 1, "drained");
    cr_expect_eq(number(vip, "did", "withdrawals"), 1);
    cr_expect_lt(number(vip, "differs_s", NULL), 0.1);
    json_decref(result);
    done(&scene);
}

Test(replay, strangers_and_rubbish)
{
    struct scene scene;
    json_t *result;
    char *both;
    int len;

    begin(&scene, CONFIG("2"));
    history(&scene);
    end(&scene);
    result = replay(scene.journal, scene.len,
                    "vips:\n  - {prefix: 203.0.113.53/32}\n"
                    "checks:\n"
                    "  b: {type: dns, server: 203.0.113.53, name: www.example.com.}\n");
    cr_expect(json_object_get(json_object_get(result, "not_configured"), "check a"));
    cr_expect(json_object_get(json_object_get(result, "not_configured"), "vip 192.0.2.53/32"));
    cr_expect_eq(json_array_size(json_object_get(result, "not_observed")), 1);
    json_decref(result);

    /* two processes, the first journal torn, rubbish between */
    len = asprintf(&both, "%.*s\nrubbish\n{\"time\":\n%s", (int)scene.len - 30, scene.journal,
                   scene.journal);
    cr_assert_gt(len, 0);
    result = replay(both, (size_t)len, CONFIG("2"));
    cr_expect_eq(json_integer_value(json_object_get(result, "processes")), 2);
    cr_expect_eq(json_integer_value(json_object_get(result, "bad_lines")), 3);
    cr_expect_eq(differing(result), 0);
    json_decref(result);
    free(both);

    result = replay("", 0, CONFIG("2"));
    cr_expect_eq(json_array_size(json_object_get(result, "rows")), 0);
    json_decref(result);
    done(&scene);
}

Test(replay, a_journal_is_not_trusted)
{
    static const char forever[] =
        "{\"time\":\"2026-11-22T17:40:01.000Z\",\"ns\":5,\"kind\":\"check\",\"check\":\"a\","
        "\"saw\":\"pass\",\"count\":9223372036854775807,\"until_ns\":1000000000000}\n";
    struct config *config = config_of(CONFIG("2"));
    struct replay_log log;
    struct failure failure;
    char *out = NULL;
    size_t out_len;
    FILE *file = open_memstream(&out, &out_len);

    cr_assert_eq(replay_log_parse(forever, strlen(forever), &log), 0);
    cr_expect_lt(
        replay_run(config, &log, &(struct replay_limits){.events = 1000}, file, false, &failure),
        0);
    cr_expect(strstr(failure.text, "more than can be played"));
    fclose(file);
    free(out);
    replay_log_done(&log);
    config_free(config);
}
