/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Edge's reply, what it means to edge and traffic checks, and the conversation with a server that
 * is the test.
 */
#include "bgp/probe/edge_health.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "bgp/probe/probe_edge.h"
#include "bgp/probe/probe_traffic.h"
#include "probe_play.h"

#define MS CLOCK_NS_PER_MS
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define DAY 86400

#define REPLY                                                                                      \
    "{\"ok\": true, \"text\": \"x\", \"data\": {\"version\": \"0.1.0\", \"map\": "                 \
    "{\"generation\": 1700000000, \"fault\": null}, \"zones\": {\"count\": 3, \"servfail\": 1, "   \
    "\"stale\": 2}, \"answered\": {\"udp4\": 10, \"udp6\": 20, \"tcp4\": 30, \"tcp6\": 40}, "      \
    "\"xdp\": {\"health\": \"answering\", \"answered\": {\"udp4\": 1000, \"udp6\": 2000}}}}"

static bool parse(const char *text, struct edge_health *health, struct probe_outcome *outcome)
{
    return edge_health_parse(text, strlen(text), health, outcome);
}

Test(edge_health, a_reply)
{
    struct edge_health health;
    struct probe_outcome outcome;

    cr_assert_not(parse(REPLY, &health, &outcome));
    cr_assert(health.has_map);
    cr_assert_eq(health.generation, 1700000000);
    cr_assert_str_eq(health.map_fault, "");
    cr_assert_eq(health.zones, 3);
    cr_assert_eq(health.zones_servfail, 1);
    cr_assert_eq(health.zones_stale, 2);
    cr_assert_eq(health.answered[EDGE_UDP4], 1010);
    cr_assert_eq(health.answered[EDGE_UDP6], 2020);
    cr_assert_eq(health.answered[EDGE_TCP4], 30);
    cr_assert_eq(health.answered[EDGE_TCP6], 40);
}

Test(edge_health, what_is_no_reply)
{
    static const struct {
        const char *text;
        const char *evidence;
    } rows[] = {
        {"", "a reply that is not understood"},
        {"{}", "a reply that is not understood"},
        {"[]", "a reply that is not understood"},
        {"{\"ok\": true, \"data\": {}}", "a reply that is not understood"},
        {"{\"ok\": true, \"data\": {\"map\": {\"generation\": \"1\"}}}",
         "a reply that is not understood"},
        {"{\"data\": {\"map\": null, \"zones\": {\"count\": 1, \"servfail\": 0, \"stale\": 0}, "
         "\"answered\": {\"udp4\": -1}, \"xdp\": null}}",
         "a reply that is not understood"},
        {"{\"ok\": false, \"errors\": [\"unknown verb 'health'\"]}",
         "the server refuses: unknown verb 'health'"},
        {REPLY "x", "a reply that is not understood"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct edge_health health;
        struct probe_outcome outcome;

        cr_expect(parse(rows[i].text, &health, &outcome), "%s", rows[i].text);
        cr_expect_eq(outcome.observation, HEALTH_UNKNOWN);
        cr_expect_str_eq(outcome.evidence, rows[i].evidence);
    }
}

Test(edge_health, how_old_is_too_old)
{
    static const struct probe_edge_settings settings = {.stale_s = DAY, .expired_s = 7 * DAY};
    static const struct {
        int64_t age_s;
        enum probe_cause cause;
        const char *evidence;
    } rows[] = {
        {0, PROBE_CAUSE_NONE, "map 1700000000 is 0 s old"},
        {DAY - 1, PROBE_CAUSE_NONE, "map 1700000000 is 23 h old"},
        {DAY, PROBE_CAUSE_AGING, "stale: map 1700000000 is 24 h old"},
        {7 * DAY - 1, PROBE_CAUSE_AGING, "stale: map 1700000000 is 6 days old"},
        {7 * DAY, PROBE_CAUSE_STALE, "expired: map 1700000000 is 7 days old"},
        /* a clock that jumped */
        {-1, PROBE_CAUSE_NONE, "map 1700000000 is 0 s old, from 1 s ahead"},
        {-1700000000, PROBE_CAUSE_NONE, "map 1700000000 is 0 s old, from 1700000000 s ahead"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct edge_health health = {.has_map = true, .generation = 1700000000};
        struct probe_outcome outcome;

        probe_edge_judge(&settings, &health, 1700000000 + rows[i].age_s, &outcome);
        cr_expect_eq(outcome.cause, rows[i].cause);
        cr_expect_eq(outcome.observation, rows[i].cause ? HEALTH_FAIL : HEALTH_PASS);
        cr_expect_eq(outcome.generation, 1700000000);
        cr_expect_str_eq(outcome.evidence, rows[i].evidence);
    }
}

Test(edge_health, generations_that_overflow_are_only_numbers)
{
    static const struct probe_edge_settings settings = {.stale_s = DAY, .expired_s = 7 * DAY};
    const int64_t generations[] = {INT64_MIN, INT64_MIN + 1, -1, INT64_MAX};

    for (size_t i = 0; i < COUNT(generations); i++) {
        const struct edge_health health = {.has_map = true, .generation = generations[i]};
        struct probe_outcome outcome;

        probe_edge_judge(&settings, &health, 1700000000, &outcome);
        cr_expect_eq(outcome.observation, generations[i] < 0 ? HEALTH_FAIL : HEALTH_PASS);
        probe_edge_judge(&settings, &health, INT64_MIN, &outcome);
    }
}

Test(edge_health, what_is_missing)
{
    struct probe_edge_settings settings = {0};
    struct edge_health health = {.zones = 5, .zones_servfail = 2, .zones_stale = 1};
    struct probe_outcome outcome;

    probe_edge_judge(&settings, &health, 0, &outcome);
    cr_assert_eq(outcome.cause, PROBE_CAUSE_WRONG);
    cr_assert_str_eq(outcome.evidence, "2 of 5 zones have no content");
    settings.failed_zones = 2;
    probe_edge_judge(&settings, &health, 0, &outcome);
    cr_assert_eq(outcome.observation, HEALTH_PASS);
    cr_assert_str_eq(outcome.evidence, "5 zones, no map");
    settings.stale_s = settings.expired_s = DAY;
    probe_edge_judge(&settings, &health, 0, &outcome);
    cr_assert_eq(outcome.cause, PROBE_CAUSE_WRONG);
    cr_assert_str_eq(outcome.evidence, "no map is loaded");
    settings.stale_s = 0;
    health.has_map = true;
    snprintf(health.map_fault, sizeof(health.map_fault), "too short");
    probe_edge_judge(&settings, &health, 100, &outcome);
    cr_assert_eq(outcome.observation, HEALTH_PASS);
    cr_assert_str_eq(
        outcome.evidence,
        "map 0 is 100 s old; zones with older content; a newer map is refused: too short");
}

Test(edge_health, traffic_vouches_or_says_nothing)
{
    const struct probe_traffic_settings settings = {.counts = {true, false, false, false},
                                                    .at_least = 100};
    static const struct {
        uint64_t udp4, udp6;
        enum health_observation observation;
        const char *evidence;
    } rows[] = {
        {1000, 0, HEALTH_UNKNOWN, "the first look: 1000 answers so far"},
        {1100, 0, HEALTH_PASS, "100 answers in 1000 ms"},
        {1199, 5000, HEALTH_UNKNOWN, "99 answers in 1000 ms, that shows nothing"},
        {1199, 9000, HEALTH_UNKNOWN, "0 answers in 1000 ms, that shows nothing"},
        {1198, 9000, HEALTH_UNKNOWN, "a new server: its counters begin anew"},
        {2198, 9000, HEALTH_PASS, "1000 answers in 1000 ms"},
    };
    struct probe_traffic_look look = {0};

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct edge_health health = {.answered = {rows[i].udp4, rows[i].udp6, 0, 0}};
        struct probe_outcome outcome;

        probe_traffic_judge(&settings, &health, (int64_t)i * CLOCK_NS_PER_S, &look, &outcome);
        cr_expect_eq(outcome.observation, rows[i].observation);
        cr_expect_str_eq(outcome.evidence, rows[i].evidence);
    }
}

/* --- the conversation --- */

struct server {
    char folder[32];
    char path[64];
    int listener;
    int client;
};

static void server_open(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(server->folder, "/tmp/edge_health_XXXXXX", 24);
    cr_assert(mkdtemp(server->folder));
    snprintf(server->path, sizeof(server->path), "%s/edge.sock", server->folder);
    memcpy(address.sun_path, server->path, strlen(server->path));
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(server->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(server->listener, 0), 0);
}

static void server_accept(struct server *server)
{
    char request[64];

    server->client = accept(server->listener, NULL, NULL);
    cr_assert_geq(server->client, 0);
    cr_assert_eq(recv(server->client, request, sizeof(request), 0),
                 (ssize_t)strlen(EDGE_HEALTH_REQUEST));
    cr_assert_eq(memcmp(request, EDGE_HEALTH_REQUEST, strlen(EDGE_HEALTH_REQUEST)), 0);
}

static void server_say(const struct server *server, const char *text)
{
    cr_assert_eq(send(server->client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void server_close(const struct server *server)
{
    close(server->listener);
    unlink(server->path);
    rmdir(server->folder);
}

Test(edge_health, a_conversation_in_pieces)
{
    struct server server;
    struct probe_edge_settings settings = {.control = server.path, .failed_zones = 1};
    const unsigned before = probe_play_descriptors();
    struct probe_play play;

    server_open(&server);
    probe_play_open(&play, &probe_edge, &settings, 500 * MS);
    cr_assert_not(probe_play_start(&play, 0));
    server_accept(&server);
    server_say(&server, " ");
    cr_assert_not(probe_play_ready(&play, 10000, 1));
    server_say(&server, REPLY);
    cr_assert_not(probe_play_ready(&play, 10000, 2));
    server_say(&server, "\n");
    cr_assert(probe_play_ready(&play, 10000, 3));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS, "%s", play.outcome.evidence);
    cr_assert_eq(play.outcome.elapsed_ns, 3);
    close(server.client);
    probe_play_close(&play);
    server_close(&server);
    cr_assert_eq(probe_play_descriptors(), before);
}

Test(edge_health, a_reply_that_waited_for_us_counts)
{
    struct server server;
    struct probe_edge_settings settings = {.control = server.path, .failed_zones = 1};
    struct probe_play play;

    server_open(&server);
    probe_play_open(&play, &probe_edge, &settings, 500 * MS);
    cr_assert_not(probe_play_start(&play, 0));
    server_accept(&server);
    server_say(&server, REPLY "\n");
    cr_assert(probe_run(&play.probe, 9000 * MS, &play.outcome));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS);
    probe_play_close(&play);
    server_close(&server);
}

/* What the same server means to both types: traffic never fails. */
static void expect_both(const char *path, void (*act)(struct server *, struct probe_play *),
                        struct server *server, enum health_observation edge, enum probe_cause cause)
{
    const struct probe_edge_settings edge_settings = {.control = path};
    const struct probe_traffic_settings traffic_settings = {.control = path, .at_least = 1};

    for (int i = 0; i < 2; i++) {
        struct probe_play play;

        probe_play_open(&play, i ? &probe_traffic : &probe_edge,
                        i ? (const void *)&traffic_settings : &edge_settings, 500 * MS);
        if (!probe_play_start(&play, 0)) {
            act(server, &play);
        }
        cr_expect_eq(play.outcome.observation, i ? HEALTH_UNKNOWN : edge, "%s",
                     play.outcome.evidence);
        cr_expect_eq(play.outcome.cause, i ? PROBE_CAUSE_INTERNAL : cause);
        probe_play_close(&play);
    }
}

static void hangs(struct server *server, struct probe_play *play)
{
    server_accept(server);
    cr_assert_not(probe_play_ready(play, 0, 1));
    cr_assert(probe_run(&play->probe, 500 * MS, &play->outcome));
    close(server->client);
}

static void hangs_up(struct server *server, struct probe_play *play)
{
    server_accept(server);
    close(server->client);
    cr_assert(probe_play_ready(play, 10000, 1));
}

static void never_ends(struct server *server, struct probe_play *play)
{
    static char much[EDGE_HEALTH_REPLY_MAX + 1];

    memset(much, ' ', sizeof(much) - 1);
    server_accept(server);
    server_say(server, much);
    cr_assert(probe_play_ready(play, 10000, 1));
    close(server->client);
}

static void is_absent(struct server *server, struct probe_play *play)
{
    (void)server;
    (void)play;
    cr_assert_fail("it started");
}

Test(edge_health, servers_that_do_not_reply)
{
    struct server server;

    server_open(&server);
    expect_both(server.path, hangs, &server, HEALTH_FAIL, PROBE_CAUSE_SILENT);
    expect_both(server.path, hangs_up, &server, HEALTH_FAIL, PROBE_CAUSE_DEAD);
    expect_both(server.path, never_ends, &server, HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL);
    close(server.listener);
    expect_both(server.path, is_absent, &server, HEALTH_FAIL, PROBE_CAUSE_DEAD);
    server.listener = -1;
    unlink(server.path);
    expect_both(server.path, is_absent, &server, HEALTH_FAIL, PROBE_CAUSE_DEAD);
    server_close(&server);
}
