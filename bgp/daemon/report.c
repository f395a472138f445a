/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/daemon/age.h"

#define REPLY_TEXT_LEN 262144 /* beyond this a text is cut; the data never is */

struct text {
    char *bytes;
    size_t len;
};

static void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void text_add(struct text *text, const char *format, ...)
{
    const size_t room = REPLY_TEXT_LEN - text->len;
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text->bytes + text->len, room, format, arguments);
    va_end(arguments);
    if (len > 0) {
        text->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

const char *report_vip_state(const struct announcer *announcer, size_t vip)
{
    const struct speaker_status *speaker = announcer_speaker(announcer);
    const struct exabgp_route_status status = speaker->routes[vip];

    switch (announcer_want(announcer, vip)->wish) {
    case ROUTE_HOLD:
        return "taken over";
    case ROUTE_ANNOUNCE:
        if (!status.current) {
            return "announcing";
        }
        return exabgp_sessions_up(&speaker->sessions) > 0 ? "announced" : "no session";
    case ROUTE_WITHDRAW:
        return status.known == EXABGP_KNOWN_WITHDRAWN ? "withdrawn" : "withdrawing";
    }
    return "?";
}

/* ---- for programs ---- */

static json_t *vip_json(const struct announcer *announcer, size_t vip, int64_t now_ns)
{
    const struct config *config = announcer_config(announcer);
    const struct announcer_vip *state = announcer_vip(announcer, vip);
    const struct exabgp_route_status status = announcer_speaker(announcer)->routes[vip];
    json_t *checks = json_array();
    char name[ADDRESS_TEXT_LEN];

    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        json_array_append_new(checks,
                              json_string(config->checks[config->vips[vip].checks[i]].name));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:b, s:s, s:s, s:f, s:o}", "vip",
        prefix_format(&config->routes[vip].prefix, name), "state", report_vip_state(announcer, vip),
        "wish", route_wish_name(state->verdict.want.wish), "acknowledged",
        exabgp_known_name(status.known), "holders", (int)status.holders_n, "seen",
        exabgp_seen_name(status.seen), "degraded", state->verdict.degraded, "taken_over",
        state->adopted, "reason", state->reason, "changed_because", state->wish_reason, "since_s",
        age_seconds(now_ns - state->wish_since_ns), "checks", checks);
}

static json_t *check_json(const struct announcer *announcer, size_t check, int64_t now_ns)
{
    const struct config_check *config = &announcer_config(announcer)->checks[check];
    const struct announcer_check *state = announcer_check(announcer, check);
    const struct health *health = &state->health;
    const bool observed = health->observations_n > 0;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s, s:f, s:f, s:f, s:I, s:I, s:I}", "check",
        config->name, "type", config->type->name, "class", check_class_name(config->class),
        "subject", config->subject, "state", health_state_name(health->state), "last",
        observed ? health_observation_name(health->last) : NULL, "cause",
        observed ? probe_cause_name(state->outcome.cause) : NULL, "evidence",
        state->outcome.evidence, "elapsed_ms", age_seconds(state->outcome.elapsed_ns) * 1000.0,
        "age_s", observed ? age_seconds(now_ns - health->observed_ns) : -1.0, "since_s",
        age_seconds(now_ns - health->state_since_ns), "passes", (json_int_t)health->passes_n,
        "failures", (json_int_t)health->fails_n, "observations",
        (json_int_t)health->observations_n);
}

static json_t *sessions_json(const struct announcer *announcer, int64_t now_ns)
{
    const struct exabgp_sessions *sessions = &announcer_speaker(announcer)->sessions;
    json_t *list = json_array();

    for (size_t i = 0; i < sessions->count; i++) {
        char peer[ADDRESS_TEXT_LEN];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:f}", "peer",
                                        address_format(&sessions->list[i].peer, peer), "state",
                                        exabgp_session_name(sessions->list[i].session), "since_s",
                                        age_seconds(now_ns - sessions->list[i].since_ns)));
    }
    return list;
}

static json_t *exabgp_json(const struct announcer *announcer)
{
    const struct speaker_status *speaker = announcer_speaker(announcer);
    const struct exabgp_counters *counters = &speaker->counters;

    return json_pack(
        "{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "aligned", speaker->aligned,
        "in_flight", speaker->in_flight, "commands", (json_int_t)counters->commands, "acknowledged",
        (json_int_t)counters->acknowledged, "refused", (json_int_t)counters->refused, "timeouts",
        (json_int_t)counters->timeouts, "strays", (json_int_t)counters->strays, "mismatches",
        (json_int_t)counters->mismatches, "lost", (json_int_t)counters->lost, "repairs",
        (json_int_t)counters->repairs, "events", (json_int_t)counters->events, "bad_lines",
        (json_int_t)counters->bad_lines);
}

/* ---- for people ---- */

static void vip_row(const struct announcer *announcer, size_t vip, int64_t now_ns,
                    struct text *text)
{
    const struct config *config = announcer_config(announcer);
    const struct announcer_vip *state = announcer_vip(announcer, vip);
    char name[ADDRESS_TEXT_LEN], age[AGE_LEN];

    text_add(text, "%-24s %-12s %8s %7u  %s\n", prefix_format(&config->routes[vip].prefix, name),
             report_vip_state(announcer, vip), age_format(now_ns - state->wish_since_ns, age),
             announcer_speaker(announcer)->routes[vip].holders_n, state->reason);
}

static void check_row(const struct announcer *announcer, size_t check, int64_t now_ns,
                      struct text *text)
{
    const struct config_check *config = &announcer_config(announcer)->checks[check];
    const struct announcer_check *state = announcer_check(announcer, check);
    char age[AGE_LEN];

    text_add(text, "%-24s %-12s %8s %7s  %s", config->name, health_state_name(state->health.state),
             age_format(now_ns - state->health.state_since_ns, age),
             check_class_name(config->class), config->subject);
    if (state->health.observations_n > 0) {
        text_add(text, ": %s, %s, %.1f ms, %s ago", health_observation_name(state->health.last),
                 state->outcome.evidence, age_seconds(state->outcome.elapsed_ns) * 1000.0,
                 age_format(now_ns - state->health.observed_ns, age));
    }
    text_add(text, "\n");
}

static void session_rows(const struct announcer *announcer, int64_t now_ns, struct text *text)
{
    const struct exabgp_sessions *sessions = &announcer_speaker(announcer)->sessions;
    char peer[ADDRESS_TEXT_LEN], age[AGE_LEN];

    for (size_t i = 0; i < sessions->count; i++) {
        text_add(text, "%-24s %-12s %8s\n", address_format(&sessions->list[i].peer, peer),
                 exabgp_session_name(sessions->list[i].session),
                 age_format(now_ns - sessions->list[i].since_ns, age));
    }
    if (sessions->count == 0) {
        text_add(text, "none seen\n");
    }
}

static void status_text(const struct announcer *announcer, int64_t now_ns, struct text *text)
{
    const struct config *config = announcer_config(announcer);

    text_add(text, "%-24s %-12s %8s %7s  %s\n", "VIP", "STATE", "SINCE", "HELD BY", "WHY");
    for (size_t i = 0; i < config->vips_n; i++) {
        vip_row(announcer, i, now_ns, text);
    }
    text_add(text, "\n%-24s %-12s %8s %7s  %s\n", "CHECK", "STATE", "SINCE", "CLASS", "LAST");
    for (size_t i = 0; i < config->checks_n; i++) {
        check_row(announcer, i, now_ns, text);
    }
    text_add(text, "\n%-24s %-12s %8s\n", "SESSION", "STATE", "SINCE");
    session_rows(announcer, now_ns, text);
    if (!announcer_speaker(announcer)->aligned) {
        text_add(text, "\nExaBGP's replies cannot be told apart at the moment\n");
    }
}

static void why_text(const struct announcer *announcer, size_t vip, int64_t now_ns,
                     struct text *text)
{
    const struct config *config = announcer_config(announcer);
    const struct announcer_vip *state = announcer_vip(announcer, vip);
    const struct exabgp_route_status status = announcer_speaker(announcer)->routes[vip];
    char name[ADDRESS_TEXT_LEN], age[AGE_LEN];

    text_add(text, "%s is %s%s\n", prefix_format(&config->routes[vip].prefix, name),
             report_vip_state(announcer, vip), state->verdict.degraded ? ", degraded" : "");
    text_add(text, "  decided    %s: %s\n", route_wish_name(state->verdict.want.wish),
             state->reason);
    text_add(text, "  since      %s ago: %s\n", age_format(now_ns - state->wish_since_ns, age),
             state->wish_reason);
    text_add(text, "  exabgp     %s %s ago, held for %u neighbors%s%s\n",
             exabgp_known_name(status.known), age_format(now_ns - status.known_ns, age),
             status.holders_n, status.read ? "" : " (table not read yet)",
             status.failures_n ? ", commands fail" : "");
    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        text_add(text, "  check      ");
        check_row(announcer, config->vips[vip].checks[i], now_ns, text);
    }
}

/* ---- verbs ---- */

static json_t *refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static json_t *refuse(const char *format, ...)
{
    char reason[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return json_pack("{s:b, s:[s]}", "ok", 0, "errors", reason);
}

static json_t *status_answer(const struct announcer *announcer, int64_t now_ns, struct text *text)
{
    const struct config *config = announcer_config(announcer);
    json_t *vips = json_array(), *checks = json_array();

    status_text(announcer, now_ns, text);
    for (size_t i = 0; i < config->vips_n; i++) {
        json_array_append_new(vips, vip_json(announcer, i, now_ns));
    }
    for (size_t i = 0; i < config->checks_n; i++) {
        json_array_append_new(checks, check_json(announcer, i, now_ns));
    }
    return json_pack("{s:b, s:s, s:{s:o, s:o, s:o, s:o}}", "ok", 1, "text", text->bytes, "data",
                     "vips", vips, "checks", checks, "sessions", sessions_json(announcer, now_ns),
                     "exabgp", exabgp_json(announcer));
}

static bool vip_find(const struct config *config, const char *text, size_t *ret_vip)
{
    struct prefix prefix;

    if (prefix_parse(text, true, &prefix) < 0) {
        return false;
    }
    for (size_t i = 0; i < config->vips_n; i++) {
        if (prefix_compare(&config->routes[i].prefix, &prefix) == 0) {
            *ret_vip = i;
            return true;
        }
    }
    return false;
}

static json_t *why_answer(const struct announcer *announcer, const char *name, int64_t now_ns,
                          struct text *text)
{
    const struct config *config = announcer_config(announcer);
    json_t *checks;
    size_t vip = 0;

    if (!name && config->vips_n > 1) {
        return refuse("which VIP?");
    }
    if (name && !vip_find(config, name, &vip)) {
        return refuse("%s is no VIP of this host", name);
    }
    why_text(announcer, vip, now_ns, text);
    checks = json_array();
    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        json_array_append_new(checks, check_json(announcer, config->vips[vip].checks[i], now_ns));
    }
    return json_pack("{s:b, s:s, s:{s:o, s:o, s:o, s:o}}", "ok", 1, "text", text->bytes, "data",
                     "vip", vip_json(announcer, vip, now_ns), "checks", checks, "sessions",
                     sessions_json(announcer, now_ns), "exabgp", exabgp_json(announcer));
}

static json_t *verb_answer(const struct announcer *announcer, const json_t *request, int64_t now_ns,
                           struct text *text)
{
    const json_t *arguments = json_object_get(request, "arguments");
    const char *verb = json_string_value(json_object_get(request, "verb"));
    const char *vip = json_string_value(json_object_get(request, "vip"));
    size_t next = 0;

    if (!verb) {
        return refuse("a request needs a verb");
    }
    if (strcmp(verb, "vip") == 0) {
        verb = json_string_value(json_array_get(arguments, next++));
        verb = verb ? verb : "status";
    } else if (strncmp(verb, "vip ", 4) == 0) {
        verb += 4;
    }
    if (!vip) {
        vip = json_string_value(json_array_get(arguments, next));
    }
    if (strcmp(verb, "status") == 0) {
        return status_answer(announcer, now_ns, text);
    }
    if (strcmp(verb, "why") == 0) {
        return why_answer(announcer, vip, now_ns, text);
    }
    return refuse("%s is not supported yet: status and why are", verb);
}

json_t *report_answer(const struct announcer *announcer, const json_t *request, int64_t now_ns)
{
    struct text text = {.bytes = malloc(REPLY_TEXT_LEN)};
    json_t *reply;

    if (!text.bytes) {
        return NULL;
    }
    text.bytes[0] = '\0';
    reply = verb_answer(announcer, request, now_ns, &text);
    free(text.bytes);
    return reply;
}
