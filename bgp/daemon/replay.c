/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/replay.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "bgp/daemon/age.h"
#include "bgp/daemon/announcer.h"
#include "bgp/daemon/recorder.h"
#include "bgp/daemon/rehearsal.h"

/* What was decided about a VIP: then (did) or here (would). */
struct side {
    bool known;
    enum route_wish wish;
    char attributes[JOURNAL_ATTRIBUTES_LEN]; /* while it is announced */
    char reason[JOURNAL_TEXT_LEN];
    uint64_t withdrawals;
    int64_t announced_ns;
};

struct track {
    struct side did, would;
    bool changed; /* not shown yet */
    int64_t changed_ns;
    int64_t changed_wall_ms;
    bool differs; /* as last shown */
    int64_t differs_ns;
    struct announcer_memory memory; /* recalled so far */
};

/* Probes alike, spread evenly over the time they took. */
struct run {
    struct probe_outcome outcome;
    int64_t left_n;
    int64_t next_ns;
    int64_t step_ns;
};

struct player {
    const struct config *config;
    struct announcer *announcer;
    struct rehearsal rehearsal;
    bool begun;  /* the process being played began in this journal */
    bool stands; /* how things stood at its beginning was played; what says so again is skipped */
    int64_t now_ns;
    int64_t wall_ms, wall_ns; /* a wall clock time, and when it was */
    uint64_t events_left;
    int64_t played_ns;
    struct run runs[CONFIG_CHECKS_MAX];
    uint64_t observed_n[CONFIG_CHECKS_MAX];
    struct track tracks[CONFIG_VIPS_MAX];
    json_t *rows;
    json_t *strangers;  /* checks and VIPs of the journal that the configuration does not have: how
                           often */
    uint64_t refused_n; /* operator's words the guard refuses here */
};

static void log_nothing(void *context, enum log_level level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

/* ---- comparing ---- */

/* "hold" is no opinion. */
static bool sides_differ(const struct track *track)
{
    const struct side *did = &track->did, *would = &track->would;

    return did->known && would->known && did->wish != ROUTE_HOLD && would->wish != ROUTE_HOLD &&
           (did->wish != would->wish ||
            (did->wish == ROUTE_ANNOUNCE && strcmp(did->attributes, would->attributes) != 0));
}

static int64_t wall_at(const struct player *player, int64_t ns)
{
    return player->wall_ms + (ns - player->wall_ns) / CLOCK_NS_PER_MS;
}

static json_t *side_json(const struct side *side)
{
    return side->known
               ? json_pack("{s:s, s:o?, s:o}", "wish", route_wish_name(side->wish), "attributes",
                           side->wish == ROUTE_ANNOUNCE ? control_text(side->attributes) : NULL,
                           "reason", control_text(side->reason))
               : json_null();
}

static void row_add(struct player *player, size_t vip)
{
    struct track *track = &player->tracks[vip];
    char time[JOURNAL_TIME_LEN], name[ADDRESS_TEXT_LEN];

    track->changed = false;
    track->differs = sides_differ(track);
    json_array_append_new(player->rows,
                          json_pack("{s:s, s:s, s:b, s:o, s:o}", "time",
                                    journal_time_format(track->changed_wall_ms, time), "vip",
                                    prefix_format(&player->config->routes[vip].prefix, name),
                                    "differs", track->differs, "did", side_json(&track->did),
                                    "would", side_json(&track->would)));
}

/* Time goes on to `ns`: everything before counts, and what has settled is shown. */
static void time_pass(struct player *player, int64_t ns)
{
    const int64_t passed_ns = ns - player->now_ns;

    for (size_t i = 0; i < player->config->vips_n; i++) {
        struct track *track = &player->tracks[i];

        track->did.announced_ns +=
            track->did.known && track->did.wish == ROUTE_ANNOUNCE ? passed_ns : 0;
        track->would.announced_ns +=
            track->would.known && track->would.wish == ROUTE_ANNOUNCE ? passed_ns : 0;
        track->differs_ns += sides_differ(track) ? passed_ns : 0;
        if (track->changed && ns >= track->changed_ns + REPLAY_SETTLE_NS) {
            row_add(player, i);
        }
    }
    player->played_ns += passed_ns;
    player->now_ns = ns;
}

static void side_set(struct player *player, size_t vip, struct side *side, enum route_wish wish,
                     const char *attributes, const char *reason)
{
    struct track *track = &player->tracks[vip];

    if (side->known && side->wish == wish && strcmp(side->attributes, attributes) == 0) {
        return;
    }
    side->withdrawals += side->known && side->wish == ROUTE_ANNOUNCE && wish == ROUTE_WITHDRAW;
    side->known = true;
    side->wish = wish;
    journal_set(side->attributes, attributes);
    journal_set(side->reason, reason);
    if (!track->changed) {
        track->changed = true;
        track->changed_ns = player->now_ns;
        track->changed_wall_ms = wall_at(player, player->now_ns);
    }
}

/* What the announcer wants now, made so. */
static void would_look(struct player *player)
{
    rehearsal_run(&player->rehearsal, player->announcer, NULL, NULL, player->now_ns);
    for (size_t i = 0; i < player->config->vips_n; i++) {
        const struct want *want = announcer_want(player->announcer, i);
        const struct route route = {player->config->routes[i].prefix, want->attributes};
        char attributes[JOURNAL_ATTRIBUTES_LEN] = "";

        if (want->wish == ROUTE_ANNOUNCE) {
            recorder_attributes(&route, attributes);
        }
        side_set(player, i, &player->tracks[i].would, want->wish, attributes,
                 announcer_vip(player->announcer, i)->reason);
    }
}

/* ---- playing ---- */

/* The run whose next probe comes first; CONFIG_CHECKS_MAX if there is none. */
static size_t run_next(const struct player *player)
{
    size_t next = CONFIG_CHECKS_MAX;

    for (size_t i = 0; i < player->config->checks_n; i++) {
        if (player->runs[i].left_n > 0 &&
            (next == CONFIG_CHECKS_MAX || player->runs[i].next_ns < player->runs[next].next_ns)) {
            next = i;
        }
    }
    return next;
}

static void run_step(struct player *player, size_t check)
{
    struct run *run = &player->runs[check];

    announcer_observe(player->announcer, check, &run->outcome, player->now_ns);
    player->observed_n[check]++;
    run->left_n--;
    run->next_ns += run->step_ns;
}

/* Everything that is due until then: probes, and what time alone decides. */
static int play_until(struct player *player, int64_t ns)
{
    for (;;) {
        const size_t check = run_next(player);
        const int64_t deadline_ns = announcer_deadline_ns(player->announcer);
        const int64_t probe_ns =
            check < CONFIG_CHECKS_MAX ? player->runs[check].next_ns : INT64_MAX;
        int64_t next_ns = deadline_ns < probe_ns ? deadline_ns : probe_ns;

        if (next_ns > ns) {
            time_pass(player, ns);
            return 0;
        }
        if (player->events_left-- == 0) {
            return -EFBIG;
        }
        next_ns = next_ns > player->now_ns ? next_ns : player->now_ns;
        time_pass(player, next_ns);
        if (probe_ns <= next_ns) {
            run_step(player, check);
        } else {
            announcer_run(player->announcer, next_ns);
        }
        would_look(player);
    }
}

static void stranger_add(struct player *player, const char *kind, const char *name)
{
    char key[JOURNAL_SUBJECT_LEN + 16];
    json_t *text;

    snprintf(key, sizeof(key), "%s %s", kind, name);
    text = control_text(key);
    if (text && json_object_size(player->strangers) < 1000) {
        const char *clean = json_string_value(text);
        const json_int_t count = json_integer_value(json_object_get(player->strangers, clean));

        json_object_set_new(player->strangers, clean, json_integer(count + 1));
    }
    json_decref(text);
}

static void check_play(struct player *player, const struct journal_record *record)
{
    struct run run = {.left_n = 1, .next_ns = record->monotonic_ns};
    size_t check = 0;

    while (check < player->config->checks_n &&
           strcmp(player->config->checks[check].name, record->subject) != 0) {
        check++;
    }
    if (check == player->config->checks_n) {
        stranger_add(player, "check", record->subject);
        return;
    }
    run.outcome.observation = HEALTH_UNKNOWN;
    for (int i = HEALTH_PASS; i <= HEALTH_UNKNOWN; i++) {
        if (strcmp(health_observation_name((enum health_observation)i), record->word) == 0) {
            run.outcome.observation = (enum health_observation)i;
        }
    }
    for (int i = PROBE_CAUSE_NONE; i <= PROBE_CAUSE_INTERNAL; i++) {
        if (strcmp(probe_cause_name((enum probe_cause)i), record->code) == 0) {
            run.outcome.cause = (enum probe_cause)i;
        }
    }
    journal_set_text(run.outcome.evidence, sizeof(run.outcome.evidence), record->text);
    run.outcome.elapsed_ns = record->elapsed_ns;
    if (record->until_ns > record->monotonic_ns && record->count_n > 1) {
        run.left_n = record->count_n;
        run.step_ns = (record->until_ns - record->monotonic_ns) / (record->count_n - 1);
    }
    player->runs[check] = run;
}

static bool vip_find(struct player *player, const struct journal_record *record, size_t *ret_vip)
{
    struct prefix prefix;

    if (prefix_parse(record->subject, true, &prefix) == 0) {
        for (size_t i = 0; i < player->config->vips_n; i++) {
            if (prefix_compare(&player->config->routes[i].prefix, &prefix) == 0) {
                *ret_vip = i;
                return true;
            }
        }
    }
    stranger_add(player, "vip", record->subject);
    return false;
}

static void request_play(struct player *player, size_t vip, const struct journal_record *record)
{
    struct announcer_order order = {
        .vips = record->subject,
        .force = record->force,
        .for_ns = OVERRIDE_FOR_EVER,
        .reason = record->text,
        .owner = record->owner,
    };
    struct override *memory = &player->tracks[vip].memory.override;
    size_t vips_n;

    for (int i = OVERRIDE_AUTO; i <= OVERRIDE_ANNOUNCE; i++) {
        if (strcmp(override_action_name((enum override_action)i), record->word) == 0) {
            order.action = (enum override_action)i;
        }
    }
    if (record->until_ns > 0) {
        order.for_ns = record->until_ns > player->now_ns ? record->until_ns - player->now_ns : 0;
    }
    if (!record->restored) {
        player->refused_n +=
            announcer_override(player->announcer, &order, player->now_ns, &vips_n, NULL) == -EBUSY;
        return;
    }
    *memory = override_make(order.action, order.force, order.for_ns, order.reason, order.owner, 0);
    memory->since_ns = record->elapsed_ns < player->now_ns ? record->elapsed_ns : player->now_ns;
    announcer_recall(player->announcer, vip, &player->tracks[vip].memory, player->now_ns);
}

static void memory_play(struct player *player, size_t vip, const struct journal_record *record)
{
    struct announcer_memory *memory = &player->tracks[vip].memory;

    memory->penalty = (double)(record->count_n < 1000000 ? record->count_n : 1000000);
    memory->suppressed_age_ns = -1;
    if (record->restored) {
        memory->suppressed_age_ns =
            record->elapsed_ns < player->now_ns ? record->elapsed_ns : player->now_ns;
    }
    announcer_recall(player->announcer, vip, memory, player->now_ns);
}

static void route_play(struct player *player, size_t vip, const struct journal_record *record)
{
    if (strcmp(record->word, "found") == 0 || strcmp(record->word, "absent") == 0) {
        rehearsal_read(&player->rehearsal, vip, record->word[0] == 'f', player->now_ns);
    }
}

static void verdict_play(struct player *player, size_t vip, const struct journal_record *record)
{
    enum route_wish wish = ROUTE_HOLD;

    for (int i = ROUTE_HOLD; i <= ROUTE_WITHDRAW; i++) {
        if (strcmp(route_wish_name((enum route_wish)i), record->word) == 0) {
            wish = (enum route_wish)i;
        }
    }
    side_set(player, vip, &player->tracks[vip].did, wish, record->detail, record->text);
    /* The journal began in the middle: then this is how ExaBGP stood. */
    if (!player->rehearsal.status.routes[vip].read && !player->begun && wish != ROUTE_HOLD) {
        rehearsal_read(&player->rehearsal, vip, wish == ROUTE_ANNOUNCE, player->now_ns);
    }
}

static void record_play(struct player *player, const struct journal_record *record)
{
    size_t vip;

    player->wall_ms = record->wall_ms;
    player->wall_ns = record->monotonic_ns;
    switch (record->kind) {
    case JOURNAL_CHECK:
        player->stands = true;
        check_play(player, record);
        return;
    case JOURNAL_REQUEST:
    case JOURNAL_MEMORY:
    case JOURNAL_ROUTE:
    case JOURNAL_VERDICT:
        if (!vip_find(player, record, &vip)) {
            return;
        }
        if (player->stands && (record->kind == JOURNAL_MEMORY ||
                               (record->kind == JOURNAL_REQUEST && record->restored))) {
            return;
        }
        if (record->kind == JOURNAL_REQUEST) {
            request_play(player, vip, record);
        } else if (record->kind == JOURNAL_MEMORY) {
            memory_play(player, vip, record);
        } else if (record->kind == JOURNAL_ROUTE) {
            route_play(player, vip, record);
        } else {
            verdict_play(player, vip, record);
        }
        return;
    case JOURNAL_START:
    case JOURNAL_SESSION:
    case JOURNAL_SPEAKER:
    case JOURNAL_LOST:
    case JOURNAL_KINDS:
        return;
    }
}

/* A process' first line: a new announcer, in the state ours would have been in. */
static int process_begin(struct player *player, const struct journal_record *record)
{
    const uint64_t seed = record->kind == JOURNAL_START ? (uint64_t)record->count_n : 0;

    player->now_ns = record->monotonic_ns;
    player->wall_ms = record->wall_ms;
    player->wall_ns = record->monotonic_ns;
    player->stands = false;
    player->begun = record->kind == JOURNAL_START && !record->restored;
    player->announcer = announcer_new(player->config, log_nothing, NULL, seed, player->now_ns);
    if (!player->announcer) {
        return -ENOMEM;
    }
    rehearsal_init(&player->rehearsal, player->config);
    memset(player->runs, 0, sizeof(player->runs));
    for (size_t i = 0; i < player->config->vips_n; i++) {
        struct track *track = &player->tracks[i];

        track->did.known = track->would.known = track->changed = false;
        track->memory = (struct announcer_memory){.suppressed_age_ns = -1};
    }
    return 0;
}

/* Nothing follows: what still runs is played to its end, and what changed last is shown. */
static int process_end(struct player *player)
{
    int64_t end_ns = player->now_ns;
    int code;

    for (size_t i = 0; i < player->config->checks_n; i++) {
        const struct run *run = &player->runs[i];

        if (run->left_n > 0) {
            const int64_t last_ns = run->next_ns + (run->left_n - 1) * run->step_ns;

            end_ns = last_ns > end_ns ? last_ns : end_ns;
        }
    }
    code = play_until(player, end_ns);
    for (size_t i = 0; i < player->config->vips_n; i++) {
        if (player->tracks[i].changed) {
            row_add(player, i);
        }
    }
    return code;
}

/* The lines of one process, from `*at` on, which is left behind them. */
static int process_play(struct player *player, const struct replay_log *log, size_t *at)
{
    const uint32_t process = log->lines[*at].process;
    int code = 0;

    for (bool first = true; code == 0 && *at < log->lines_n && log->lines[*at].process == process;
         (*at)++) {
        struct journal_record record;

        if (journal_decode(log->lines[*at].text, log->lines[*at].len, &record) < 0) {
            continue; /* it was good when it was sorted */
        }
        if (first) {
            code = process_begin(player, &record);
            first = false;
        }
        code = code ? code : play_until(player, record.monotonic_ns);
        if (code == 0) {
            player->events_left -= player->events_left > 0;
            record_play(player, &record);
            would_look(player);
        }
    }
    code = code ? code : process_end(player);
    announcer_free(player->announcer);
    player->announcer = NULL;
    return code;
}

/* ---- printing ---- */

static json_t *vip_json(const struct player *player, size_t vip)
{
    const struct track *track = &player->tracks[vip];
    char name[ADDRESS_TEXT_LEN];

    return json_pack(
        "{s:s, s:{s:f, s:I}, s:{s:f, s:I}, s:f}", "vip",
        prefix_format(&player->config->routes[vip].prefix, name), "did", "announced_s",
        age_seconds(track->did.announced_ns), "withdrawals", (json_int_t)track->did.withdrawals,
        "would", "announced_s", age_seconds(track->would.announced_ns), "withdrawals",
        (json_int_t)track->would.withdrawals, "differs_s", age_seconds(track->differs_ns));
}

static json_t *result_json(const struct player *player, const struct replay_log *log)
{
    json_t *vips = json_array(), *silent = json_array();

    for (size_t i = 0; i < player->config->vips_n; i++) {
        json_array_append_new(vips, vip_json(player, i));
    }
    for (size_t i = 0; i < player->config->checks_n; i++) {
        if (player->observed_n[i] == 0) {
            json_array_append_new(silent, json_string(player->config->checks[i].name));
        }
    }
    return json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:O, s:o, s:O, s:o}", "processes",
                     (json_int_t)log->processes_n, "played_s", age_seconds(player->played_ns),
                     "lines", (json_int_t)log->lines_n, "bad_lines", (json_int_t)log->bad_n,
                     "unknown_lines", (json_int_t)log->unknown_n, "lost_lines",
                     (json_int_t)log->lost_n, "refused", (json_int_t)player->refused_n,
                     "not_configured", player->strangers, "not_observed", silent, "rows",
                     player->rows, "vips", vips);
}

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "-";
}

static void row_print(FILE *file, const json_t *row)
{
    const json_t *did = json_object_get(row, "did"), *would = json_object_get(row, "would");
    const bool differs = json_is_true(json_object_get(row, "differs"));

    fprintf(file, "%-24s %-24s %-9s %-9s %s ", word(row, "time"), word(row, "vip"),
            word(did, "wish"), word(would, "wish"), differs ? "*" : " ");
    if (!differs) {
        fprintf(file, "%s\n", word(json_is_null(would) ? did : would, "reason"));
        return;
    }
    fprintf(file, "did: %s; would: %s", word(did, "reason"), word(would, "reason"));
    if (strcmp(word(did, "wish"), word(would, "wish")) == 0) {
        fprintf(file, "; attributes: did %s; would %s", word(did, "attributes"),
                word(would, "attributes"));
    }
    fputs("\n", file);
}

static void notes_print(FILE *file, json_t *result)
{
    static const struct {
        const char *key, *text;
    } counts[] = {
        {"bad_lines", "lines are none of a journal and were left out"},
        {"unknown_lines", "lines are of another version and were left out"},
        {"lost_lines", "lines were lost when it was written"},
        {"refused", "words of operators are refused here: too few other PoPs would stay"},
    };
    const json_t *silent = json_object_get(result, "not_observed");
    const char *name;
    json_t *count;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const json_int_t number = json_integer_value(json_object_get(result, counts[i].key));

        if (number > 0) {
            fprintf(file, "note: %lld %s\n", (long long)number, counts[i].text);
        }
    }
    json_object_foreach(json_object_get(result, "not_configured"), name, count)
    {
        fprintf(file, "note: %s is not in the configuration (%lld lines)\n", name,
                (long long)json_integer_value(count));
    }
    for (size_t i = 0; i < json_array_size(silent); i++) {
        fprintf(file, "note: check %s was never observed: what it governs stays as it starts\n",
                json_string_value(json_array_get(silent, i)));
    }
}

static void table_print(FILE *file, json_t *result, const struct player *player)
{
    const json_t *rows = json_object_get(result, "rows");
    char did[AGE_LEN], would[AGE_LEN], differs[AGE_LEN], name[ADDRESS_TEXT_LEN];

    fprintf(file, "%-24s %-24s %-9s %-9s   %s\n", "TIME", "VIP", "DID", "WOULD", "WHY");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        row_print(file, json_array_get(rows, i));
    }
    fprintf(file, "\n%-24s %12s %12s %12s %12s %12s\n", "VIP", "DID ANNOUNCE", "WITHDRAWALS",
            "WOULD", "WITHDRAWALS", "DIFFERENT");
    for (size_t i = 0; i < player->config->vips_n; i++) {
        const struct track *track = &player->tracks[i];

        fprintf(
            file, "%-24s %12s %12llu %12s %12llu %12s\n",
            prefix_format(&player->config->routes[i].prefix, name),
            age_format(track->did.announced_ns, did), (unsigned long long)track->did.withdrawals,
            age_format(track->would.announced_ns, would),
            (unsigned long long)track->would.withdrawals, age_format(track->differs_ns, differs));
    }
    notes_print(file, result);
}

int replay_run(const struct config *config, const struct replay_log *log,
               const struct replay_limits *limits, FILE *file, bool json, struct failure *failure)
{
    struct player *player = calloc(1, sizeof(*player));
    json_t *result = NULL;
    int code = 0;

    if (!player) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    player->config = config;
    player->events_left = limits->events;
    player->rows = json_array();
    player->strangers = json_object();
    for (size_t at = 0; code == 0 && at < log->lines_n;) {
        code = process_play(player, log, &at);
    }
    if (code == 0) {
        result = result_json(player, log);
        code = result ? 0 : -ENOMEM;
    }
    if (code < 0) {
        failure_set(failure, code,
                    code == -EFBIG ? "the journal holds more than can be played" : "out of memory");
    } else if (json) {
        json_dumpf(result, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        fputs("\n", file);
    } else {
        table_print(file, result, player);
    }
    json_decref(result);
    json_decref(player->strangers);
    json_decref(player->rows);
    free(player);
    return code;
}
