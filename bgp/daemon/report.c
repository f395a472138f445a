/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "bgp/daemon/age.h"
#include "bgp/daemon/text.h"

#define PENALTY_WORTH_A_LINE 1.0

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

static json_t *operator_json(const struct override *override, int64_t now_ns)
{
    const bool ends = override->expires_ns != OVERRIDE_FOR_EVER;

    if (override->action == OVERRIDE_AUTO) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:o, s:b, s:f, s:o}", "action",
                     override_action_name(override->action), "owner", control_text(override->owner),
                     "reason", control_text(override->reason), "force", override->force, "since_s",
                     age_seconds(now_ns - override->since_ns), "left_s",
                     ends ? json_real(age_seconds(override->expires_ns - now_ns)) : json_null());
}

/* Where a drain stands in its plan. */
static json_t *drain_json(const struct view *view, size_t vip)
{
    const struct policy_verdict *verdict = &announcer_vip(view->announcer, vip)->verdict;
    const struct drain_plan *plan = &announcer_config(view->announcer)->vips[vip].settings.drain;

    if (verdict->code != POLICY_OPERATOR_DRAINS && verdict->code != POLICY_OPERATOR_WAITS) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:s?}", "step", (json_int_t)verdict->drain_step, "of",
                     (json_int_t)plan->steps_n, "name",
                     verdict->drain_step < plan->steps_n
                         ? drain_step_name(plan->steps[verdict->drain_step].kind)
                         : NULL);
}

static json_t *damping_json(const struct view *view, size_t vip)
{
    const struct forecast *forecast = books_forecast(view->books, vip);
    const struct policy *policy = &announcer_vip(view->announcer, vip)->policy;

    return json_pack("{s:f, s:b, s:f, s:I, s:I}", "penalty",
                     announcer_penalty(view->announcer, vip, view->now_ns), "suppressed",
                     policy->damping.suppressed, "network_penalty",
                     forecast_penalty(forecast, view->now_ns), "network_left",
                     (json_int_t)forecast_left(forecast, FORECAST_SUPPRESS_USUAL, view->now_ns),
                     "network_left_rfc7196",
                     (json_int_t)forecast_left(forecast, FORECAST_SUPPRESS_7196, view->now_ns));
}

static json_t *guard_json(const struct guard *guard)
{
    return json_pack("{s:b, s:b, s:b, s:I, s:I}", "on", guard->on, "known", guard->known, "met",
                     guard->met, "peers", (json_int_t)guard->peers_n, "staying",
                     (json_int_t)guard->staying_n);
}

static json_t *check_names(const struct config *config, size_t vip)
{
    json_t *checks = json_array();

    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        json_array_append_new(checks,
                              json_string(config->checks[config->vips[vip].checks[i]].name));
    }
    return checks;
}

static json_t *vip_json(const struct view *view, size_t vip)
{
    const struct announcer *announcer = view->announcer;
    const struct config *config = announcer_config(announcer);
    const struct announcer_vip *state = announcer_vip(announcer, vip);
    const struct exabgp_route_status status = announcer_speaker(announcer)->routes[vip];
    char name[ADDRESS_TEXT_LEN];

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:b, s:b, s:b, s:s, s:s?, s:s, s:s, s:f, s:o, s:o, "
        "s:o, "
        "s:o, s:I, s:o}",
        "vip", prefix_format(&config->routes[vip].prefix, name), "state",
        report_vip_state(announcer, vip), "wish", route_wish_name(state->verdict.want.wish),
        "acknowledged", exabgp_known_name(status.known), "holders", (int)status.holders_n, "seen",
        exabgp_seen_name(status.seen), "sessions_up",
        (int)exabgp_sessions_up(&announcer_speaker(announcer)->sessions), "degraded",
        state->verdict.degraded, "stays", announcer_stays(announcer, vip), "taken_over",
        state->adopted, "code", policy_code_name(state->verdict.code), "overrode",
        state->verdict.overrode ? policy_code_name(state->verdict.overruled) : NULL, "reason",
        state->reason, "changed_because", state->wish_reason, "since_s",
        age_seconds(view->now_ns - state->wish_since_ns), "operator",
        operator_json(&state->override, view->now_ns), "drain", drain_json(view, vip), "damping",
        damping_json(view, vip), "guard", guard_json(&state->verdict.guard), "budget_left",
        (json_int_t)announcer_budget_left(announcer, vip, view->now_ns), "checks",
        check_names(config, vip));
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

static json_t *holder_json(const struct announcer *announcer)
{
    const struct speaker_holder *holder = &announcer_speaker(announcer)->holder;

    return json_pack("{s:I, s:I, s:I}", "brains", (json_int_t)holder->brains, "leases_lost",
                     (json_int_t)holder->leases_lost, "withdrawals",
                     (json_int_t)holder->withdrawals);
}

static json_t *books_json(const struct view *view)
{
    struct disk_counters counters;

    books_counters(view->books, &counters);
    return json_pack("{s:I, s:I, s:b, s:I, s:I, s:b, s:I}", "journal_lines",
                     (json_int_t)counters.lines, "journal_lost", (json_int_t)counters.lines_lost,
                     "journal_failing", counters.journal_failing, "saves",
                     (json_int_t)counters.saves, "saves_failed", (json_int_t)counters.saves_failed,
                     "saves_failing", counters.state_failing, "starts",
                     (json_int_t)books_starts(view->books));
}

/* ---- for people ---- */

static void operator_row(const struct view *view, size_t vip, struct text *text)
{
    const struct override *override = &announcer_vip(view->announcer, vip)->override;
    char age[AGE_LEN];

    if (override->action == OVERRIDE_AUTO) {
        return;
    }
    text_add(text, "  operator   %s by %s%s", override_action_name(override->action),
             override->owner[0] ? override->owner : "somebody", override->force ? ", forced" : "");
    if (override->expires_ns != OVERRIDE_FOR_EVER) {
        text_add(text, ", %s left", age_format(override->expires_ns - view->now_ns, age));
    }
    text_add(text, "%s%s\n", override->reason[0] ? ": " : "", override->reason);
}

/* Our own damping, and what we guess of the network's. */
static void damping_row(const struct view *view, size_t vip, struct text *text)
{
    const struct forecast *forecast = books_forecast(view->books, vip);
    const struct config *config = announcer_config(view->announcer);
    const unsigned left = forecast_left(forecast, FORECAST_SUPPRESS_USUAL, view->now_ns);
    char age[AGE_LEN];

    if (config->vips[vip].settings.damping.on) {
        text_add(text, "  damping    our penalty %.0f of %.0f%s\n",
                 announcer_penalty(view->announcer, vip, view->now_ns),
                 config->vips[vip].settings.damping.suppress,
                 announcer_vip(view->announcer, vip)->policy.damping.suppressed ? ", waiting" : "");
    }
    text_add(text, "  network    penalty %.0f; ", forecast_penalty(forecast, view->now_ns));
    if (left == 0) {
        text_add(
            text, "routers that damp as usual (above 2000) may suppress it for %s; ",
            age_format(forecast_held_ns(forecast, FORECAST_SUPPRESS_USUAL, view->now_ns), age));
    } else {
        text_add(
            text, "%u more withdrawal%s now and routers that damp as usual hold it for %s; ", left,
            left > 1 ? "s" : "",
            age_format(forecast_held_ns(forecast, FORECAST_SUPPRESS_USUAL, view->now_ns), age));
    }
    text_add(text, "by RFC 7196 %u more\n",
             forecast_left(forecast, FORECAST_SUPPRESS_7196, view->now_ns));
}

static void vip_row(const struct view *view, size_t vip, struct text *text)
{
    const struct config *config = announcer_config(view->announcer);
    const struct announcer_vip *state = announcer_vip(view->announcer, vip);
    const struct exabgp_route_status *status = &announcer_speaker(view->announcer)->routes[vip];
    char name[ADDRESS_TEXT_LEN], age[AGE_LEN];

    text_add(text, "%-24s %-12s %8s  %-9s %-10s %7u  %-8s %s\n",
             prefix_format(&config->routes[vip].prefix, name),
             report_vip_state(view->announcer, vip),
             age_format(view->now_ns - state->wish_since_ns, age),
             route_wish_name(state->verdict.want.wish), exabgp_known_name(status->known),
             status->holders_n, exabgp_seen_name(status->seen), state->reason);
    operator_row(view, vip, text);
    if (forecast_penalty(books_forecast(view->books, vip), view->now_ns) >= PENALTY_WORTH_A_LINE) {
        damping_row(view, vip, text);
    }
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

/* That all is well needs no line. */
static void holder_row(const struct announcer *announcer, struct text *text)
{
    const struct speaker_holder *holder = &announcer_speaker(announcer)->holder;

    if (holder->brains > 1 || holder->leases_lost > 0) {
        text_add(text,
                 "\n%llu brains started, %llu leases lost; the holder withdrew %llu VIPs by "
                 "itself\n",
                 (unsigned long long)holder->brains, (unsigned long long)holder->leases_lost,
                 (unsigned long long)holder->withdrawals);
    }
}

static void books_rows(const struct view *view, struct text *text)
{
    struct disk_counters counters;

    books_counters(view->books, &counters);
    if (counters.journal_failing) {
        text_add(text, "\nthe journal cannot be written: %llu lines lost so far\n",
                 (unsigned long long)counters.lines_lost);
    }
    if (counters.state_failing) {
        text_add(text, "\nthe state file cannot be written: operators' words will be forgotten\n");
    }
    if (books_starts(view->books) > 1) {
        text_add(text, "\nstarted %zu times within %d minutes\n", books_starts(view->books),
                 BOOKS_STARTS_SPAN_S / 60);
    }
}

static bool vip_named(const struct view *view, const char *vips, size_t vip)
{
    return !vips || override_names(vips, &announcer_config(view->announcer)->routes[vip].prefix);
}

static void status_text(const struct view *view, const char *vips, struct text *text)
{
    const struct config *config = announcer_config(view->announcer);

    text_add(text, "%-24s %-12s %8s  %-9s %-10s %7s  %-8s %s\n", "VIP", "STATE", "SINCE", "WANTED",
             "EXABGP", "HELD BY", "SEEN", "WHY");
    for (size_t i = 0; i < config->vips_n; i++) {
        if (vip_named(view, vips, i)) {
            vip_row(view, i, text);
        }
    }
    text_add(text, "\n%-24s %-12s %8s %7s  %s\n", "CHECK", "STATE", "SINCE", "CLASS", "LAST");
    for (size_t i = 0; i < config->checks_n; i++) {
        check_row(view->announcer, i, view->now_ns, text);
    }
    text_add(text, "\n%-24s %-12s %8s\n", "SESSION", "STATE", "SINCE");
    session_rows(view->announcer, view->now_ns, text);
    if (!announcer_speaker(view->announcer)->aligned) {
        text_add(text, "\nExaBGP's replies cannot be told apart at the moment\n");
    }
    holder_row(view->announcer, text);
    books_rows(view, text);
}

static void why_text(const struct view *view, size_t vip, struct text *text)
{
    const struct announcer *announcer = view->announcer;
    const struct config *config = announcer_config(announcer);
    const struct announcer_vip *state = announcer_vip(announcer, vip);
    const struct exabgp_route_status status = announcer_speaker(announcer)->routes[vip];
    const struct guard *guard = &state->verdict.guard;
    char name[ADDRESS_TEXT_LEN], age[AGE_LEN];

    text_add(text, "%s is %s%s\n", prefix_format(&config->routes[vip].prefix, name),
             report_vip_state(announcer, vip), state->verdict.degraded ? ", degraded" : "");
    text_add(text, "  decided    %s (%s): %s\n", route_wish_name(state->verdict.want.wish),
             policy_code_name(state->verdict.code), state->reason);
    text_add(text, "  since      %s ago: %s\n",
             age_format(view->now_ns - state->wish_since_ns, age), state->wish_reason);
    operator_row(view, vip, text);
    text_add(text, "  exabgp     %s %s ago, held for %u neighbors, sessions up: %zu%s%s\n",
             exabgp_known_name(status.known), age_format(view->now_ns - status.known_ns, age),
             status.holders_n, exabgp_sessions_up(&announcer_speaker(announcer)->sessions),
             status.read ? "" : " (table not read yet)",
             status.failures_n ? ", commands fail" : "");
    damping_row(view, vip, text);
    if (config->budget.allow > 0) {
        text_add(text, "  budget     %u SOFT withdrawals left\n",
                 announcer_budget_left(announcer, vip, view->now_ns));
    }
    if (guard->on) {
        text_add(text, "  last PoP   %zu of %zu others stay%s%s\n", guard->staying_n,
                 guard->peers_n, guard->met ? "" : ": too few, it may not leave",
                 guard->known ? "" : " (not all were seen yet)");
    }
    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        text_add(text, "  check      ");
        check_row(announcer, config->vips[vip].checks[i], view->now_ns, text);
    }
}

/* ---- replies ---- */

json_t *report_status(const struct view *view, const char *vips)
{
    const struct config *config = announcer_config(view->announcer);
    json_t *list = json_array(), *checks = json_array(), *reply;
    struct text text;
    size_t named_n = 0;

    for (size_t i = 0; i < config->vips_n; i++) {
        if (vip_named(view, vips, i)) {
            json_array_append_new(list, vip_json(view, i));
            named_n++;
        }
    }
    if (named_n == 0) {
        json_decref(list);
        json_decref(checks);
        return control_refuse("%s is no VIP of this host", vips);
    }
    for (size_t i = 0; i < config->checks_n; i++) {
        json_array_append_new(checks, check_json(view->announcer, i, view->now_ns));
    }
    text_init(&text);
    status_text(view, vips, &text);
    reply = json_pack("{s:b, s:s, s:{s:o, s:o, s:o, s:o, s:o, s:o}}", "ok", 1, "text",
                      text_get(&text), "data", "vips", list, "checks", checks, "sessions",
                      sessions_json(view->announcer, view->now_ns), "exabgp",
                      exabgp_json(view->announcer), "holder", holder_json(view->announcer), "books",
                      books_json(view));
    text_done(&text);
    return reply;
}

json_t *report_why(const struct view *view, const char *vip)
{
    const struct config *config = announcer_config(view->announcer);
    json_t *checks, *reply;
    struct text text;
    size_t found = 0, found_n = 0;

    for (size_t i = 0; i < config->vips_n; i++) {
        if (vip_named(view, vip, i)) {
            found = found_n++ ? found : i;
        }
    }
    if (found_n != 1) {
        return found_n ? control_refuse("which VIP?")
                       : control_refuse("%s is no VIP of this host", vip);
    }
    checks = json_array();
    for (size_t i = 0; i < config->vips[found].checks_n; i++) {
        json_array_append_new(
            checks, check_json(view->announcer, config->vips[found].checks[i], view->now_ns));
    }
    text_init(&text);
    why_text(view, found, &text);
    reply = json_pack("{s:b, s:s, s:{s:o, s:o, s:o, s:o}}", "ok", 1, "text", text_get(&text),
                      "data", "vip", vip_json(view, found), "checks", checks, "sessions",
                      sessions_json(view->announcer, view->now_ns), "exabgp",
                      exabgp_json(view->announcer));
    text_done(&text);
    return reply;
}

/* Of these VIPs, or of none in particular. */
static bool record_named(const struct journal_record *record, const char *vips)
{
    struct prefix prefix;

    return !vips || prefix_parse(record->subject, true, &prefix) < 0 ||
           record->kind == JOURNAL_SESSION || override_names(vips, &prefix);
}

json_t *report_history(const struct view *view, const char *vips, size_t count)
{
    const struct history *history = books_history(view->books);
    const size_t all_n = history ? history->count : 0;
    json_t *list = json_array(), *reply;
    size_t first = all_n;
    struct text text;

    for (size_t left = count; left > 0 && first > 0; first--) {
        left -= record_named(history_get(history, first - 1), vips);
    }
    text_init(&text);
    for (size_t i = first; i < all_n; i++) {
        const struct journal_record *record = history_get(history, i);
        char time[JOURNAL_TIME_LEN], words[1024];

        if (record_named(record, vips)) {
            history_describe(record, words, sizeof(words));
            text_add(&text, "%s  %s\n", journal_time_format(record->wall_ms, time), words);
            json_array_append_new(list, history_json(record));
        }
    }
    reply = json_pack("{s:b, s:o, s:{s:o}}", "ok", 1, "text", control_text(text_get(&text)), "data",
                      "changes", list);
    text_done(&text);
    return reply;
}
