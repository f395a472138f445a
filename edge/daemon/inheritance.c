/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/inheritance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "edge/daemon/handover.h"
#include "edge/daemon/states_file.h"

static const char *const inheritance_transports[COUNTERS_TRANSPORTS] = {"udp", "tcp"};
static const char *const inheritance_families[COUNTERS_FAMILIES] = {"ipv4", "ipv6"};

/* --- counters --- */

/* One place where every counter has its name: `visit` gets each in turn. */
static void inheritance_each(struct counters_sum *sum,
                             void (*visit)(void *context, const char *name, uint64_t *value),
                             void *context)
{
    char name[96];

    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        for (unsigned i = 0; i < COUNTERS_TRANSPORTS * COUNTERS_FAMILIES; i++) {
            unsigned transport = i / COUNTERS_FAMILIES;
            unsigned family = i % COUNTERS_FAMILIES;

            snprintf(name, sizeof(name), "answers/%s/%s/%s",
                     answer_kind_name((enum answer_kind)kind), inheritance_transports[transport],
                     inheritance_families[family]);
            visit(context, name, &sum->answers[kind][transport][family]);
        }
    }
    for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
        snprintf(name, sizeof(name), "rcodes/%u", i); /* not all have names */
        visit(context, name, &sum->rcodes[i]);
    }
    for (unsigned i = 0; i < COUNTER_QTYPES; i++) {
        snprintf(name, sizeof(name), "types/%s", counter_qtype_name((enum counter_qtype)i));
        visit(context, name, &sum->qtypes[i]);
    }
    for (unsigned i = 0; i < COUNTER_PLAIN_N; i++) {
        visit(context, counter_plain_name((enum counter_plain)i), &sum->plain[i]);
    }
    for (unsigned i = 0; i < ADMIT_CLASSES * COUNTERS_LIMITED; i++) {
        snprintf(name, sizeof(name), "limited/%s/%u",
                 admit_class_name((enum admit_class)(i / COUNTERS_LIMITED)), i % COUNTERS_LIMITED);
        visit(context, name, &sum->limited[i / COUNTERS_LIMITED][i % COUNTERS_LIMITED]);
    }
}

static void inheritance_write_one(void *context, const char *name, uint64_t *value)
{
    if (*value) {
        (void)json_object_set_new(context, name, json_integer((json_int_t)*value));
    }
}

json_t *inheritance_write_counters(const struct counters_sum *sum)
{
    struct counters_sum copy = *sum;
    json_t *object = json_object();

    if (object) {
        inheritance_each(&copy, inheritance_write_one, object);
    }
    return object;
}

static uint64_t inheritance_number(const json_t *from, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(from, name));

    return number > 0 ? (uint64_t)number : 0;
}

struct inheritance_reading {
    const json_t *from;
};

static void inheritance_read_one(void *context, const char *name, uint64_t *value)
{
    const struct inheritance_reading *reading = context;

    *value += inheritance_number(reading->from, name);
}

void inheritance_read_counters(const json_t *from, struct counters_sum *sum)
{
    struct inheritance_reading reading = {from};

    inheritance_each(sum, inheritance_read_one, &reading);
}

/* --- connections --- */

static int64_t inheritance_since(const json_t *from, const char *name, int64_t now_ns)
{
    uint64_t age_ns = inheritance_number(from, name);

    return age_ns < (uint64_t)now_ns ? now_ns - (int64_t)age_ns : 0;
}

static json_t *inheritance_write_rest(const struct tcp_rest *rest)
{
    return handover_bytes(rest->bytes ? rest->bytes + rest->start : NULL, rest->len - rest->start);
}

static int inheritance_read_rest(const json_t *from, struct tcp_rest *rest)
{
    return from ? handover_read_bytes(from, &rest->bytes, &rest->len) : 0;
}

json_t *inheritance_write_connection(const struct tcp_passed *passed, size_t worker, int64_t now_ns)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:o, s:o}", "worker", (json_int_t)worker,
                     "queries", (json_int_t)passed->stream.query_n, "age_ns",
                     (json_int_t)(now_ns - passed->opened_ns), "phase_ns",
                     (json_int_t)(now_ns - passed->since_ns), "ending", passed->ending, "finished",
                     passed->finished, "bad", passed->stream.bad, "held",
                     inheritance_write_rest(&passed->stream.held), "pending",
                     inheritance_write_rest(&passed->stream.pending));
}

int inheritance_read_connection(const json_t *from, int fd, int64_t now_ns,
                                struct tcp_passed *ret_passed, size_t *ret_worker)
{
    struct tcp_passed passed = {.fd = fd};
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int code = 0;

    passed.opened_ns = inheritance_since(from, "age_ns", now_ns);
    passed.since_ns = inheritance_since(from, "phase_ns", now_ns);
    passed.ending = json_is_true(json_object_get(from, "ending"));
    passed.finished = json_is_true(json_object_get(from, "finished"));
    passed.stream.bad = json_is_true(json_object_get(from, "bad"));
    passed.stream.query_n = inheritance_number(from, "queries");
    if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
        address_from_sockaddr((const struct sockaddr *)&peer, &passed.client, NULL) < 0) {
        code = -ENOTCONN; /* the client has gone in the meantime */
    }
    if (code == 0) {
        code = inheritance_read_rest(json_object_get(from, "held"), &passed.stream.held);
    }
    if (code == 0) {
        code = inheritance_read_rest(json_object_get(from, "pending"), &passed.stream.pending);
    }
    if (code < 0) {
        tcp_passed_done(&passed);
        return code;
    }
    *ret_passed = passed;
    *ret_worker = (size_t)inheritance_number(from, "worker");
    return 0;
}

/* --- the publisher --- */

/* A secret of the server's own, so that clients' cookies stay good where there is no state_dir. */
static json_t *inheritance_write_cookies(const struct cookie_secrets *cookies)
{
    return cookies->own && cookies->count ? handover_bytes(cookies->secrets[0], COOKIE_SECRET_LEN)
                                          : json_null();
}

static void inheritance_read_cookies(const json_t *from, struct cookie_secrets *cookies)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (!cookies->own || handover_read_bytes(from, &bytes, &len) < 0) {
        return;
    }
    if (len == COOKIE_SECRET_LEN) {
        memcpy(cookies->secrets[0], bytes, len);
    }
    free(bytes);
}

json_t *inheritance_write_publisher(const struct publisher *publisher)
{
    json_t *feeds = json_object();

    for (size_t i = 0; feeds && i < publisher->feed_n; i++) {
        /* JSON has no word for a path that is no UTF-8: that feed reads its file again */
        (void)json_object_set_new(feeds, publisher->feeds[i].path,
                                  states_json_write(states_source(publisher->states, i + 1)));
    }
    return json_pack(
        "{s:I, s:I, s:I, s:o, s:o, s:{s:o}}", "publications", (json_int_t)publisher->sequence,
        "reloads_ok", (json_int_t)publisher->reload_ok_n, "reloads_failed",
        (json_int_t)publisher->reload_failed_n, "operator",
        states_json_write(states_source(publisher->states, 0)), "feeds", feeds, "keepsakes",
        "cookie_secret", inheritance_write_cookies(&publisher->loaded->cookies));
}

int inheritance_read_publisher(const json_t *from, struct publisher *publisher,
                               struct failure *failure)
{
    const json_t *feeds = json_object_get(from, "feeds");
    size_t n = states_source_count(publisher->states);
    struct states_source *sources = calloc(n, sizeof(*sources));
    struct cookie_secrets cookies = publisher->loaded->cookies;
    int code = sources ? 0 : failure_set(failure, -ENOMEM, "out of memory");

    for (size_t i = 0; i < n && code == 0; i++) {
        const json_t *entries = i ? json_object_get(feeds, publisher->feeds[i - 1].path)
                                  : json_object_get(from, "operator");

        code = states_json_read(entries, i ? STATES_FLEET : STATES_OPERATOR, &sources[i], failure);
    }
    if (code == 0) {
        publisher->sequence += inheritance_number(from, "publications");
        publisher->reload_ok_n += inheritance_number(from, "reloads_ok");
        publisher->reload_failed_n += inheritance_number(from, "reloads_failed");
        inheritance_read_cookies(
            json_object_get(json_object_get(from, "keepsakes"), "cookie_secret"), &cookies);
        code = publisher_inherit(publisher, sources, &cookies);
        code = code < 0 ? failure_set(failure, code, "out of memory") : 0;
    }
    for (size_t i = 0; sources && i < n; i++) {
        states_source_done(&sources[i]);
    }
    free(sources);
    explicit_bzero(&cookies, sizeof(cookies));
    return code < 0 ? failure_wrap(failure, code, "states of the other process") : 0;
}
