/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/verbs.h"

#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/number.h"
#include "bgp/daemon/age.h"
#include "bgp/daemon/report.h"
#include "bgp/daemon/text.h"

#define FOR_MAX_NS (INT64_C(366) * 86400 * CLOCK_NS_PER_S)
#define HISTORY_USUAL 40

static const char *option(const json_t *request, const char *name)
{
    return json_string_value(json_object_get(json_object_get(request, "options"), name));
}

static bool flag(const json_t *request, const char *name)
{
    return json_is_true(json_object_get(json_object_get(request, "options"), name));
}

/* ---- an operator's word ---- */

static int for_read(const json_t *request, int64_t *ret_ns, struct failure *failure)
{
    const char *text = option(request, "for");

    *ret_ns = OVERRIDE_FOR_EVER;
    if (!text) {
        return 0;
    }
    if (number_parse_duration_ns(text, strlen(text), ret_ns) < 0 || *ret_ns <= 0 ||
        *ret_ns > FOR_MAX_NS) {
        return failure_set(failure, -1, "'%s' is no time like 30m, 2h or 1d", text);
    }
    return 0;
}

/* What each VIP it was about does now. */
static void order_rows(const struct announcer *announcer, const struct announcer_order *order,
                       int64_t now_ns, struct text *text, json_t *list)
{
    const struct config *config = announcer_config(announcer);
    char name[ADDRESS_TEXT_LEN], age[AGE_LEN];

    for (size_t i = 0; i < config->vips_n; i++) {
        const struct announcer_vip *state = announcer_vip(announcer, i);

        if (!override_names(order->vips, &config->routes[i].prefix)) {
            continue;
        }
        prefix_format(&config->routes[i].prefix, name);
        text_add(text, "%s: %s%s%s: %s\n", name, override_action_name(order->action),
                 order->for_ns == OVERRIDE_FOR_EVER ? "" : " for ",
                 order->for_ns == OVERRIDE_FOR_EVER ? "" : age_format(order->for_ns, age),
                 state->reason);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o}", "vip", name, "wish",
                            route_wish_name(state->verdict.want.wish), "reason", state->reason,
                            "expires_s",
                            order->for_ns == OVERRIDE_FOR_EVER
                                ? json_null()
                                : json_real(age_seconds(state->override.expires_ns - now_ns))));
    }
}

/* The PoP's services are edge's: isochronectl tells it, so that nobody here waits for an answer. */
static json_t *services_json(const struct config *config, const json_t *request,
                             enum override_action action)
{
    const bool leaves = action == OVERRIDE_DRAIN || action == OVERRIDE_WITHDRAW;

    if (!flag(request, "with-services")) {
        return NULL;
    }
    return json_pack("{s:o, s:o, s:s}", "control", control_text(config->services.control), "pop",
                     control_text(config->services.pop), "state", leaves ? "drain" : "auto");
}

static json_t *order_answer(struct announcer *announcer, enum override_action action,
                            const char *vips, const json_t *request, int64_t now_ns)
{
    struct announcer_order order = {
        .vips = vips,
        .action = action,
        .force = flag(request, "force"),
        .reason = option(request, "reason"),
        .owner = option(request, "owner"),
    };
    const struct config *config = announcer_config(announcer);
    json_t *list, *reply;
    struct failure failure;
    struct text text;
    size_t vips_n;

    if (!vips) {
        return control_refuse("which VIP? (all: every one of this host)");
    }
    if (flag(request, "with-services") && !config->services.control) {
        return control_refuse("services is not set in %s: whom to tell?", config->path);
    }
    if (for_read(request, &order.for_ns, &failure) < 0 ||
        announcer_override(announcer, &order, now_ns, &vips_n, &failure) < 0) {
        return control_refuse("%s", failure.text);
    }
    text_init(&text);
    list = json_array();
    order_rows(announcer, &order, now_ns, &text, list);
    reply = json_pack("{s:b, s:s, s:{s:o, s:o*}}", "ok", 1, "text", text_get(&text), "data", "vips",
                      list, "services", services_json(config, request, action));
    text_done(&text);
    return reply;
}

/* ---- history ---- */

static json_t *history_answer(const struct view *view, const char *vips, const json_t *request)
{
    const char *text = option(request, "count");
    uint64_t count = HISTORY_USUAL;

    if (text && number_parse_u64(text, strlen(text), 1, HISTORY_LEN, &count) < 0) {
        return control_refuse("count is 1 to %d", HISTORY_LEN);
    }
    return report_history(view, vips, (size_t)count);
}

/* ---- all of them ---- */

static json_t *vip_answer(struct announcer *announcer, const struct books *books, const char *verb,
                          const char *vips, const json_t *request, int64_t now_ns)
{
    const struct view view = {announcer, books, now_ns};

    if (strcmp(verb, "status") == 0) {
        return report_status(&view, vips);
    }
    if (strcmp(verb, "why") == 0) {
        return report_why(&view, vips);
    }
    if (strcmp(verb, "history") == 0) {
        return history_answer(&view, vips, request);
    }
    for (enum override_action action = OVERRIDE_AUTO; action <= OVERRIDE_ANNOUNCE; action++) {
        if (strcmp(verb, override_action_name(action)) == 0) {
            return order_answer(announcer, action, vips, request, now_ns);
        }
    }
    return control_refuse("vip %s: there are status, why, drain, withdraw, announce, auto, history",
                          verb);
}

json_t *verbs_answer(struct announcer *announcer, const struct books *books, const json_t *request,
                     int64_t now_ns)
{
    const json_t *arguments = json_object_get(request, "arguments");
    const char *verb = json_string_value(json_object_get(request, "verb"));
    const char *vips = json_string_value(json_object_get(request, "vip"));
    size_t next = 0;

    if (!verb) {
        return control_refuse("a request needs a verb");
    }
    if (strcmp(verb, "vip") == 0) {
        verb = json_string_value(json_array_get(arguments, next++));
        verb = verb ? verb : "status";
    } else if (strncmp(verb, "vip ", 4) == 0) {
        verb += 4;
    } else {
        return control_refuse("%s: isochrone-bgp knows vip", verb);
    }
    if (!vips) {
        vips = json_string_value(json_array_get(arguments, next));
    }
    return vip_answer(announcer, books, verb, vips, request, now_ns);
}
