/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define RUN_NS (60 * CLOCK_NS_PER_S)

/* Observations alike, behind one that was written. */
struct run {
    bool begun;
    struct journal_record record; /* count_n of it wait */
    int64_t begun_ns;
};

struct vip_seen {
    struct override override;
    struct want want;
    enum policy_code code;
    bool decided; /* the two above were recorded */
    int64_t wanted_ns;
    bool read;
    enum exabgp_known known;
};

struct recorder {
    const struct announcer *announcer;
    recorder_sink *sink;
    void *context;
    struct exabgp_sessions sessions;
    struct exabgp_counters counters;
    struct vip_seen vips[CONFIG_VIPS_MAX];
    struct run runs[CONFIG_CHECKS_MAX];
};

static struct journal_record record_make(enum journal_kind kind, struct moment now)
{
    return (struct journal_record){
        .kind = kind, .wall_ms = now.wall_ms, .monotonic_ns = now.monotonic_ns};
}

static void put(struct recorder *recorder, const struct journal_record *record)
{
    recorder->sink(recorder->context, record);
}

/* ---- observations ---- */

static void run_write(struct recorder *recorder, struct run *run)
{
    if (run->record.count_n > 0) {
        put(recorder, &run->record);
        run->record.count_n = 0;
    }
}

static bool run_goes_on(const struct run *run, const struct journal_record *record)
{
    return run->begun && record->monotonic_ns - run->begun_ns < RUN_NS &&
           strcmp(run->record.word, record->word) == 0 &&
           strcmp(run->record.code, record->code) == 0 &&
           (strcmp(record->word, health_observation_name(HEALTH_PASS)) == 0 ||
            strcmp(run->record.text, record->text) == 0);
}

void recorder_observe(struct recorder *recorder, size_t check, const struct probe_outcome *outcome,
                      struct moment now)
{
    const struct config *config = announcer_config(recorder->announcer);
    struct run *run = &recorder->runs[check];
    struct journal_record record = record_make(JOURNAL_CHECK, now);

    journal_set(record.subject, config->checks[check].name);
    journal_set(record.word, health_observation_name(outcome->observation));
    journal_set(record.code, probe_cause_name(outcome->cause));
    journal_set(record.text, outcome->evidence);
    record.elapsed_ns = outcome->elapsed_ns;
    record.count_n = 1;
    if (!run_goes_on(run, &record)) {
        run_write(recorder, run);
        put(recorder, &record);
        *run = (struct run){.begun = true, .record = record, .begun_ns = now.monotonic_ns};
        run->record.count_n = 0;
        return;
    }
    if (run->record.count_n > 0) {
        record.monotonic_ns = run->record.monotonic_ns;
        record.wall_ms = run->record.wall_ms;
        record.until_ns = now.monotonic_ns;
        record.count_n = run->record.count_n + 1;
        if (record.elapsed_ns < run->record.elapsed_ns) {
            record.elapsed_ns = run->record.elapsed_ns; /* the slowest one */
        }
    }
    run->record = record;
}

void recorder_flush(struct recorder *recorder)
{
    for (size_t i = 0; i < CONFIG_CHECKS_MAX; i++) {
        run_write(recorder, &recorder->runs[i]);
    }
}

/* ---- what is seen of a VIP ---- */

static struct journal_record vip_record(const struct recorder *recorder, enum journal_kind kind,
                                        size_t vip, struct moment now)
{
    struct journal_record record = record_make(kind, now);
    char name[ADDRESS_TEXT_LEN];

    journal_set(record.subject,
                prefix_format(&announcer_config(recorder->announcer)->routes[vip].prefix, name));
    return record;
}

static void override_put(struct recorder *recorder, size_t vip, bool restored, struct moment now)
{
    const struct override *override = &announcer_vip(recorder->announcer, vip)->override;
    struct journal_record record = vip_record(recorder, JOURNAL_REQUEST, vip, now);

    journal_set(record.word, override_action_name(override->action));
    journal_set(record.text, override->reason);
    journal_set(record.owner, override->owner);
    if (override->action != OVERRIDE_AUTO && override->expires_ns != OVERRIDE_FOR_EVER) {
        record.until_ns = override->expires_ns;
        record.expires_s =
            (now.wall_ms + (override->expires_ns - now.monotonic_ns) / CLOCK_NS_PER_MS) / 1000;
    }
    record.force = override->force;
    record.restored = restored;
    record.elapsed_ns = restored ? now.monotonic_ns - override->since_ns : 0;
    put(recorder, &record);
}

static void memory_put(struct recorder *recorder, size_t vip, struct moment now)
{
    struct journal_record record = vip_record(recorder, JOURNAL_MEMORY, vip, now);
    struct announcer_memory memory;

    announcer_remember(recorder->announcer, vip, now.monotonic_ns, &memory);
    record.count_n = (int64_t)memory.penalty;
    record.restored = memory.suppressed_age_ns >= 0;
    record.elapsed_ns = record.restored ? memory.suppressed_age_ns : 0;
    if (record.count_n > 0 || record.restored) {
        put(recorder, &record);
    }
}

void recorder_attributes(const struct route *route, char ret_text[static JOURNAL_ATTRIBUTES_LEN])
{
    char command[ROUTE_COMMAND_LEN];
    const size_t len = route_announce_command(route, command);
    const char *attributes;

    command[len - 1] = '\0';
    attributes = strstr(command, "next-hop");
    journal_set_text(ret_text, JOURNAL_ATTRIBUTES_LEN, attributes ? attributes : command);
}

static void verdict_put(struct recorder *recorder, size_t vip, struct moment now)
{
    const struct announcer_vip *state = announcer_vip(recorder->announcer, vip);
    const struct route route = {announcer_config(recorder->announcer)->routes[vip].prefix,
                                state->verdict.want.attributes};
    struct journal_record record = vip_record(recorder, JOURNAL_VERDICT, vip, now);

    journal_set(record.word, route_wish_name(state->verdict.want.wish));
    journal_set(record.code, policy_code_name(state->verdict.code));
    journal_set(record.text, state->reason);
    if (state->verdict.want.wish == ROUTE_ANNOUNCE) {
        recorder_attributes(&route, record.detail);
    }
    put(recorder, &record);
}

static bool want_differs(const struct want *a, const struct want *b)
{
    return a->wish != b->wish ||
           (a->wish == ROUTE_ANNOUNCE && !route_attributes_equal(&a->attributes, &b->attributes));
}

static void vip_look(struct recorder *recorder, size_t vip, struct moment now)
{
    const struct announcer_vip *state = announcer_vip(recorder->announcer, vip);
    struct vip_seen *seen = &recorder->vips[vip];

    if (seen->override.action != state->override.action ||
        (state->override.action != OVERRIDE_AUTO &&
         seen->override.since_ns != state->override.since_ns)) {
        override_put(recorder, vip, false, now);
    }
    seen->override = state->override;
    if (!seen->decided || seen->code != state->verdict.code ||
        want_differs(&seen->want, &state->verdict.want)) {
        if (!seen->decided || want_differs(&seen->want, &state->verdict.want)) {
            seen->wanted_ns = now.monotonic_ns;
        }
        verdict_put(recorder, vip, now);
    }
    seen->decided = true;
    seen->want = state->verdict.want;
    seen->code = state->verdict.code;
}

/* ---- what is heard of ExaBGP ---- */

static void route_look(struct recorder *recorder, size_t vip,
                       const struct exabgp_route_status *status, struct moment now)
{
    struct vip_seen *seen = &recorder->vips[vip];
    struct journal_record record = vip_record(recorder, JOURNAL_ROUTE, vip, now);

    if (status->read && !seen->read) {
        journal_set(record.word, status->holders_n > 0 ? "found" : "absent");
        put(recorder, &record);
    } else if (status->known != seen->known) {
        journal_set(record.word, exabgp_known_name(status->known));
        record.elapsed_ns = now.monotonic_ns - seen->wanted_ns;
        put(recorder, &record);
    }
    seen->read = status->read;
    seen->known = status->known;
}

static void session_look(struct recorder *recorder, const struct exabgp_session_status *now_is,
                         struct moment now)
{
    struct journal_record record = record_make(JOURNAL_SESSION, now);
    char peer[ADDRESS_TEXT_LEN];

    for (size_t i = 0; i < recorder->sessions.count; i++) {
        if (address_compare(&recorder->sessions.list[i].peer, &now_is->peer) == 0) {
            /* "connected" and "down" alternate all the time while a peer refuses */
            if ((recorder->sessions.list[i].session == EXABGP_SESSION_UP) ==
                (now_is->session == EXABGP_SESSION_UP)) {
                return;
            }
            break;
        }
    }
    journal_set(record.subject, address_format(&now_is->peer, peer));
    journal_set(record.word, exabgp_session_name(now_is->session));
    put(recorder, &record);
}

static void counter_look(struct recorder *recorder, const char *event, uint64_t before,
                         uint64_t after, struct moment now)
{
    struct journal_record record = record_make(JOURNAL_SPEAKER, now);

    if (before != after) {
        journal_set(record.word, event);
        record.count_n = (int64_t)(after & INT64_MAX);
        put(recorder, &record);
    }
}

static void speaker_look(struct recorder *recorder, struct moment now)
{
    const struct speaker_status *status = announcer_speaker(recorder->announcer);
    const struct exabgp_counters before = recorder->counters;

    for (size_t i = 0; i < status->routes_n && i < CONFIG_VIPS_MAX; i++) {
        route_look(recorder, i, &status->routes[i], now);
    }
    for (size_t i = 0; i < status->sessions.count; i++) {
        session_look(recorder, &status->sessions.list[i], now);
    }
    recorder->sessions = status->sessions;
    counter_look(recorder, "timeout", before.timeouts, status->counters.timeouts, now);
    counter_look(recorder, "refused", before.refused, status->counters.refused, now);
    counter_look(recorder, "mismatch", before.mismatches, status->counters.mismatches, now);
    recorder->counters = status->counters;
}

void recorder_look(struct recorder *recorder, struct moment now)
{
    for (size_t i = 0; i < announcer_config(recorder->announcer)->vips_n; i++) {
        vip_look(recorder, i, now);
    }
    speaker_look(recorder, now);
}

/* ---- life ---- */

void recorder_start(struct recorder *recorder, const char *version, uint64_t seed, bool continued,
                    struct moment now)
{
    const struct config *config = announcer_config(recorder->announcer);
    struct journal_record record = record_make(JOURNAL_START, now);

    journal_set(record.text, version);
    journal_set(record.detail, config->path);
    record.count_n = (int64_t)(seed & INT64_MAX);
    record.restored = continued;
    put(recorder, &record);
    for (size_t i = 0; i < config->vips_n; i++) {
        const struct announcer_vip *state = announcer_vip(recorder->announcer, i);

        if (state->override.action != OVERRIDE_AUTO) {
            override_put(recorder, i, true, now);
        }
        recorder->vips[i].override = state->override;
        memory_put(recorder, i, now);
        if (continued) {
            verdict_put(recorder, i, now);
        }
    }
}

struct recorder *recorder_new(const struct announcer *announcer, recorder_sink *sink, void *context)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));

    if (recorder) {
        recorder->announcer = announcer;
        recorder->sink = sink;
        recorder->context = context;
    }
    return recorder;
}

void recorder_free(struct recorder *recorder)
{
    free(recorder);
}
