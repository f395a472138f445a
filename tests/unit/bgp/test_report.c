/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/report.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/daemon/verbs.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MS CLOCK_NS_PER_MS
#define START (1000 * MS)

static const char text[] =
    "vips:\n"
    "  - {prefix: 192.0.2.53/32, requires: [a, slow]}\n"
    "  - {prefix: 198.51.100.53/32, requires: [b]}\n"
    "checks:\n"
    "  a: {type: dns, server: 192.0.2.53, name: www.example.com., rise: 1, fall: 1}\n"
    "  b: {type: dns, server: 198.51.100.53, name: www.example.com., rise: 1, fall: 1}\n"
    "  slow: {type: dns, class: soft, server: 192.0.2.53, name: x.example.com., rise: 1, fall: "
    "1}\n";

static void on_log(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

struct scene {
    struct config *config;
    struct announcer *announcer;
    struct books *books;
    struct speaker *speaker;
};

static void exchange(struct scene *scene)
{
    announcer_hear(scene->announcer, speaker_status(scene->speaker), START);
    for (size_t i = 0; i < scene->config->vips_n; i++) {
        speaker_want(scene->speaker, i, announcer_want(scene->announcer, i));
    }
}

static void scene_open(struct scene *scene)
{
    struct failure failure;

    cr_assert_eq(config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &scene->config,
                                   &failure),
                 0);
    scene->announcer = announcer_new(scene->config, on_log, NULL, 1, START);
    scene->speaker = speaker_new(scene->config->routes, scene->config->vips_n, on_log, NULL, START);
    cr_assert(scene->announcer && scene->speaker);
    scene->books = books_open(scene->announcer, &(struct books_options){.version = "1"},
                              (struct moment){START, 0});
    cr_assert(scene->books);
    exchange(scene);
}

static void scene_close(struct scene *scene)
{
    books_close(scene->books, (struct moment){START, 0});
    announcer_free(scene->announcer);
    speaker_free(scene->speaker);
    config_free(scene->config);
}

/* The next command must come, and gets this reply. */
static void reply(struct scene *scene, const char *words)
{
    char line[ROUTE_COMMAND_LEN];

    cr_assert_gt(speaker_command(scene->speaker, START, line), 0);
    speaker_receive(scene->speaker, words, strlen(words), START);
    exchange(scene);
}

static void observe(struct scene *scene, size_t check, enum health_observation observation)
{
    struct probe_outcome outcome = {.observation = observation, .elapsed_ns = 2 * MS};

    snprintf(outcome.evidence, sizeof(outcome.evidence), "it said so");
    announcer_observe(scene->announcer, check, &outcome, START);
    exchange(scene);
}

static json_t *ask(const struct scene *scene, const char *request, int64_t now_ns)
{
    json_t *parsed = json_loads(request, 0, NULL), *answer;

    cr_assert(parsed);
    answer = verbs_answer(scene->announcer, scene->books, parsed, now_ns);
    json_decref(parsed);
    cr_assert(answer);
    return answer;
}

static const char *text_of(const json_t *answer)
{
    cr_assert(json_is_true(json_object_get(answer, "ok")));
    return json_string_value(json_object_get(answer, "text"));
}

#define HEADER "Peer            AS        up/down state       |     #sent     #recvd\n"
#define PEER "10.99.0.2       65000     0:00:05 established           1          0\n"

Test(report, states_of_a_vip)
{
    static const char connected[] = "{ \"type\": \"state\", \"neighbor\": { \"address\": { "
                                    "\"peer\": \"10.99.0.2\" }, \"state\": \"connected\" } }\n";
    struct scene scene;
    char line[ROUTE_COMMAND_LEN];

    scene_open(&scene);
    cr_assert_str_eq(report_vip_state(scene.announcer, 0), "taken over");
    reply(&scene, HEADER "done\n");
    reply(&scene, "neighbor 10.99.0.2 ipv4 unicast 198.51.100.53/32 next-hop self\ndone\n");
    reply(&scene, "done\n"); /* what the sessions are like */
    cr_assert_str_eq(report_vip_state(scene.announcer, 0), "withdrawn");
    cr_assert_str_eq(report_vip_state(scene.announcer, 1), "taken over");
    observe(&scene, 1, HEALTH_FAIL);
    cr_assert_str_eq(report_vip_state(scene.announcer, 1), "withdrawing");
    reply(&scene, "done\n");
    cr_assert_str_eq(report_vip_state(scene.announcer, 1), "withdrawn");
    observe(&scene, 0, HEALTH_PASS);
    cr_assert_str_eq(report_vip_state(scene.announcer, 0), "announcing");
    reply(&scene, "done\n");
    cr_assert_str_eq(report_vip_state(scene.announcer, 0), "no session");
    cr_assert_gt(speaker_command(scene.speaker, START, line), 0);
    speaker_receive(scene.speaker, connected, strlen(connected), START);
    exchange(&scene);
    cr_assert_str_eq(report_vip_state(scene.announcer, 0), "no session", "TCP is no session");
    scene_close(&scene);
}

Test(report, status_and_why)
{
    struct scene scene;
    json_t *answer, *vip;

    scene_open(&scene);
    reply(&scene, HEADER PEER "done\n");
    reply(&scene, "done\n");
    reply(&scene, "done\n"); /* what the sessions are like */
    observe(&scene, 0, HEALTH_PASS);
    observe(&scene, 2, HEALTH_FAIL);
    reply(&scene, "done\n");
    reply(&scene, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\ndone\n");

    answer = ask(&scene, "{\"verb\": \"vip status\"}", START + 192 * CLOCK_NS_PER_S);
    cr_assert(strstr(text_of(answer),
                     "192.0.2.53/32            announced       3m12s  announce  announced        1"
                     "  unknown  all 1 hard checks up; degraded: soft check slow down"));
    cr_assert(strstr(text_of(answer), "b                        starting"));
    cr_assert(strstr(text_of(answer), "10.99.0.2                up"));
    vip = json_array_get(json_object_get(json_object_get(answer, "data"), "vips"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(vip, "state")), "announced");
    cr_assert(json_is_true(json_object_get(vip, "degraded")));
    cr_assert_eq(json_integer_value(json_object_get(vip, "holders")), 1);
    cr_assert_float_eq(json_real_value(json_object_get(vip, "since_s")), 192.0, 0.001);
    json_decref(answer);

    answer = ask(&scene, "{\"verb\": \"vip\", \"arguments\": [\"why\", \"192.0.2.53\"]}", START);
    cr_assert(strstr(text_of(answer), "192.0.2.53/32 is announced, degraded\n"));
    cr_assert(strstr(text_of(answer), "held for 1 neighbors"));
    cr_assert(strstr(text_of(answer), "fail, it said so, 2.0 ms"));
    cr_assert(strstr(text_of(answer), "network    penalty 0; 3 more withdrawals now and routers "
                                      "that damp as usual hold it for 30m00s; by RFC 7196 7 more"),
              "%s", text_of(answer));
    cr_assert_eq(json_array_size(json_object_get(json_object_get(answer, "data"), "checks")), 2);
    json_decref(answer);
    scene_close(&scene);
}

Test(report, refusals)
{
    static const struct {
        const char *request, *reason;
    } rows[] = {
        {"{}", "a request needs a verb"},
        {"{\"verb\": 3}", "a request needs a verb"},
        {"{\"verb\": \"pop\"}", "isochrone-bgp knows vip"},
        {"{\"verb\": \"vip\", \"arguments\": [\"empty\"]}", "there are status, why, drain"},
        {"{\"verb\": \"vip drain\"}", "which VIP?"},
        {"{\"verb\": \"vip drain\", \"vip\": \"203.0.113.*\"}", "203.0.113.* is no VIP"},
        {"{\"verb\": \"vip status\", \"vip\": \"203.0.113.*\"}", "203.0.113.* is no VIP"},
        {"{\"verb\": \"vip drain\", \"vip\": \"all\", \"options\": {\"for\": \"soon\"}}",
         "'soon' is no time"},
        {"{\"verb\": \"vip drain\", \"vip\": \"all\", \"options\": {\"for\": \"0s\"}}",
         "'0s' is no time"},
        {"{\"verb\": \"vip drain\", \"vip\": \"all\", \"options\": {\"with-services\": true}}",
         "services is not set"},
        {"{\"verb\": \"vip history\", \"options\": {\"count\": \"0\"}}", "count is 1 to"},
        {"{\"verb\": \"vip\", \"arguments\": [\"why\"]}", "which VIP?"},
        {"{\"verb\": \"vip why\", \"vip\": \"203.0.113.1\"}", "203.0.113.1 is no VIP"},
        {"{\"verb\": \"vip why\", \"vip\": \"192.0.2.0/24\"}", "is no VIP"},
    };
    struct scene scene;

    scene_open(&scene);
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *parsed = json_loads(rows[i].request, JSON_ALLOW_NUL, NULL);
        json_t *answer = verbs_answer(scene.announcer, scene.books, parsed, START);
        const char *reason =
            json_string_value(json_array_get(json_object_get(answer, "errors"), 0));

        cr_expect(json_is_false(json_object_get(answer, "ok")), "%s", rows[i].request);
        cr_expect(reason && strstr(reason, rows[i].reason), "%s: %s", rows[i].request,
                  reason ? reason : "(none)");
        json_decref(answer);
        json_decref(parsed);
    }
    scene_close(&scene);
}

/* A turn of the loop: what is wanted is acknowledged and held. */
static void settle(struct scene *scene, const char *held)
{
    char line[ROUTE_COMMAND_LEN];

    exchange(scene);
    books_turn(scene->books, (struct moment){START, 0});
    while (speaker_command(scene->speaker, START, line) > 0) {
        const char *words = strncmp(line, "show adj", 8) == 0 ? held : "";

        speaker_receive(scene->speaker, words, strlen(words), START);
        speaker_receive(scene->speaker, "done\n", 5, START);
        exchange(scene);
        books_turn(scene->books, (struct moment){START, 0});
    }
}

#define HELD "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\n"

Test(report, an_operators_word)
{
    static const char drain[] = "{\"verb\": \"vip\", \"arguments\": [\"drain\", \"192.0.2.*\"], "
                                "\"options\": {\"for\": \"2h\", "
                                "\"reason\": \"router upgrade\", \"owner\": \"noc\"}}";
    struct scene scene;
    json_t *answer, *data;

    scene_open(&scene);
    reply(&scene, HEADER PEER "done\n");
    reply(&scene, "done\n");
    observe(&scene, 0, HEALTH_PASS);
    settle(&scene, HELD);

    answer = ask(&scene, drain, START);
    cr_assert(strstr(text_of(answer), "192.0.2.53/32: drain for 2h00m: drained by noc"), "%s",
              text_of(answer));
    data = json_array_get(json_object_get(json_object_get(answer, "data"), "vips"), 0);
    cr_expect_float_eq(json_real_value(json_object_get(data, "expires_s")), 7200, 0.001);
    cr_expect_null(json_object_get(json_object_get(answer, "data"), "services"));
    json_decref(answer);
    settle(&scene, HELD);

    answer = ask(&scene, "{\"verb\": \"vip status\", \"vip\": \"192.0.2.53\"}", START);
    cr_expect(strstr(text_of(answer), "  operator   drain by noc, 2h00m left: router upgrade\n"),
              "%s", text_of(answer));
    data = json_array_get(json_object_get(json_object_get(answer, "data"), "vips"), 0);
    cr_expect_eq(json_array_size(json_object_get(json_object_get(answer, "data"), "vips")), 1);
    cr_expect_str_eq(json_string_value(json_object_get(data, "code")), "operator_drains");
    cr_expect_str_eq(
        json_string_value(json_object_get(json_object_get(data, "operator"), "action")), "drain");
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(data, "drain"), "name")),
                     "wait");
    json_decref(answer);

    answer = ask(&scene, "{\"verb\": \"vip withdraw\", \"vip\": \"192.0.2.53\"}", START);
    json_decref(answer);
    settle(&scene, "");
    answer = ask(&scene, "{\"verb\": \"vip why\", \"vip\": \"192.0.2.53\"}", START);
    cr_expect(strstr(text_of(answer), "is withdrawn"), "%s", text_of(answer));
    cr_expect(strstr(text_of(answer), "network    penalty 1000; 2 more withdrawals"), "%s",
              text_of(answer));
    json_decref(answer);
    answer = ask(&scene, "{\"verb\": \"vip auto\", \"vip\": \"all\"}", START);
    json_decref(answer);
    settle(&scene, HELD);

    answer = ask(&scene, "{\"verb\": \"vip history\", \"vip\": \"192.0.2.53\"}", START);
    cr_expect(strstr(text_of(answer), "192.0.2.53/32: operator noc: drain, until 1970-01-01T02:00"),
              "%s", text_of(answer));
    cr_expect(strstr(text_of(answer), "192.0.2.53/32: withdraw, operator_withdraws:"));
    cr_expect(strstr(text_of(answer), "192.0.2.53/32: operator: auto"));
    cr_expect(strstr(text_of(answer), "192.0.2.53/32: announce, up:"));
    cr_expect(!strstr(text_of(answer), "198.51.100.53"), "another VIP");
    json_decref(answer);
    answer = ask(&scene, "{\"verb\": \"vip history\", \"options\": {\"count\": \"2\"}}", START);
    cr_expect_eq(json_array_size(json_object_get(json_object_get(answer, "data"), "changes")), 2);
    json_decref(answer);
    scene_close(&scene);
}

Test(report, what_the_holder_did_alone)
{
    struct speaker_status status;
    struct scene scene;
    json_t *answer, *holder;

    scene_open(&scene);
    answer = ask(&scene, "{\"verb\": \"vip status\"}", START);
    cr_expect_null(strstr(text_of(answer), "leases lost"), "%s", text_of(answer));
    json_decref(answer);

    status = *speaker_status(scene.speaker);
    status.holder = (struct speaker_holder){.brains = 3, .leases_lost = 2, .withdrawals = 1};
    announcer_hear(scene.announcer, &status, START);
    answer = ask(&scene, "{\"verb\": \"vip status\"}", START);
    cr_expect(
        strstr(text_of(answer), "\n3 brains started, 2 leases lost; the holder withdrew 1 VIPs"),
        "%s", text_of(answer));
    holder = json_object_get(json_object_get(answer, "data"), "holder");
    cr_expect_eq(json_integer_value(json_object_get(holder, "brains")), 3);
    cr_expect_eq(json_integer_value(json_object_get(holder, "leases_lost")), 2);
    cr_expect_eq(json_integer_value(json_object_get(holder, "withdrawals")), 1);
    json_decref(answer);
    scene_close(&scene);
}
