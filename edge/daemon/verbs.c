/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/verbs.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/log.h"
#include "base/number.h"
#include "edge/daemon/explain.h"
#include "edge/daemon/fast_status.h"
#include "edge/daemon/health.h"
#include "edge/daemon/predecessor.h"
#include "edge/daemon/server.h"
#include "edge/daemon/states_file.h"
#include "edge/daemon/status.h"
#include "maps/pop_state.h"

#define VERBS_FOR_MAX_NS (INT64_C(366) * 86400 * CLOCK_NS_PER_S)

/* --- requests --- */

static const char *verbs_argument(const json_t *request, size_t index)
{
    return json_string_value(json_array_get(json_object_get(request, "arguments"), index));
}

static const char *verbs_option(const json_t *request, const char *name)
{
    return json_string_value(json_object_get(json_object_get(request, "options"), name));
}

static bool verbs_flag(const json_t *request, const char *name)
{
    return json_is_true(json_object_get(json_object_get(request, "options"), name));
}

/* --- reload --- */

static json_t *verbs_list(char *const *texts, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, control_text(texts[i]));
    }
    return list;
}

static json_t *verbs_reload(struct server *server)
{
    struct publisher *publisher = server->publisher;
    struct report report = {0};
    char text[512];
    json_t *reply;

    server_reload(server, &report);
    snprintf(text, sizeof(text),
             "%s in %.0f ms: %zu zones (%zu failed), %u services (%zu files failed)%s\n",
             report.count ? "reloaded with faults" : "reloaded", publisher->reload_s * 1000,
             publisher->loaded->zone_n, publisher->loaded->zone_failed_n,
             services_count(publisher->loaded->services), publisher->loaded->services_bad_n,
             publisher->loaded->image_fault ? ", older map kept" : "");
    reply = json_pack("{s:b, s:s, s:o, s:o, s:{s:f, s:I, s:I}}", "ok", report.count == 0, "text",
                      text, "errors", verbs_list(report.texts, report.kept), "warnings",
                      verbs_list(report.warnings, report.warning_kept), "data", "seconds",
                      publisher->reload_s, "faults", (json_int_t)report.count, "sequence",
                      (json_int_t)publisher->sequence);
    report_done(&report);
    return reply;
}

/* --- pop --- */

/* The entries a pop command means: every PoP (and service at it) that matches. */
struct verbs_targets {
    struct states_source entries;
    const struct states_entry *wanted; /* pop and service are globs */
    bool clear;
    int code;
};

static void verbs_target(struct verbs_targets *targets, const char *pop, const char *service)
{
    struct states_entry entry = *targets->wanted;

    for (size_t i = 0; i < targets->entries.count; i++) {
        if (strcmp(targets->entries.entries[i].pop, pop) == 0 &&
            strcmp(targets->entries.entries[i].service, service) == 0) {
            return;
        }
    }
    memset(entry.pop, 0, sizeof(entry.pop));
    memset(entry.service, 0, sizeof(entry.service));
    memcpy(entry.pop, pop, strnlen(pop, sizeof(entry.pop) - 1));
    memcpy(entry.service, service, strnlen(service, sizeof(entry.service) - 1));
    if (targets->code == 0) {
        targets->code = states_source_add(&targets->entries, &entry);
    }
}

static bool verbs_serves(const struct service *service, uint32_t pop)
{
    return service->addresses[MAP_FAMILY_IPV4][pop].count > 0 ||
           service->addresses[MAP_FAMILY_IPV6][pop].count > 0;
}

static void verbs_find_targets(const struct publisher *publisher, struct verbs_targets *targets)
{
    const struct loaded *loaded = publisher->loaded;
    const struct states_source *said = states_source(publisher->states, 0);
    const struct states_entry *wanted = targets->wanted;

    for (uint32_t pop = 0; loaded->image && pop < image_pop_count(loaded->image); pop++) {
        const char *name = image_pop(loaded->image, pop)->name;

        if (fnmatch(wanted->pop, name, 0) != 0) {
            continue;
        }
        if (!*wanted->service) {
            verbs_target(targets, name, "");
            continue;
        }
        for (uint32_t i = 0; i < services_count(loaded->services); i++) {
            const struct service *service = services_get(loaded->services, i);

            if (verbs_serves(service, pop) && fnmatch(wanted->service, service->name, 0) == 0) {
                verbs_target(targets, name, service->name);
            }
        }
    }
    /* what was said about a PoP that left the map can still be taken back */
    for (size_t i = 0; targets->clear && i < said->count; i++) {
        if (fnmatch(wanted->pop, said->entries[i].pop, 0) == 0 &&
            fnmatch(wanted->service, said->entries[i].service, 0) == 0) {
            verbs_target(targets, said->entries[i].pop, said->entries[i].service);
        }
    }
}

static int verbs_text_option(const json_t *request, const char *name, char *ret_text, size_t size)
{
    const char *text = verbs_option(request, name);

    if (!text) {
        return 0;
    }
    if (strlen(text) >= size) {
        return -EINVAL;
    }
    snprintf(ret_text, size, "%s", text);
    return 0;
}

/* "drain", "shed 30" or "shed", "30": the words after the name, joined. */
static int verbs_parse_state(const json_t *request, bool *ret_clear, uint8_t *ret_state)
{
    const char *word = verbs_argument(request, 1);
    const char *number = verbs_argument(request, 2);
    char text[64];

    if (!word) {
        return -EINVAL;
    }
    *ret_clear = strcmp(word, "auto") == 0 && !number;
    if (*ret_clear) {
        return 0;
    }
    snprintf(text, sizeof(text), "%s%s%s", word, number ? " " : "", number ? number : "");
    return pop_state_parse(text, ret_state);
}

static int verbs_parse_pop(const json_t *request, struct states_entry *entry, bool *ret_clear,
                           struct failure *failure)
{
    const char *name = verbs_argument(request, 0);
    const char *period = verbs_option(request, "for");
    int64_t period_ns = 0;

    entry->layer = STATES_OPERATOR;
    entry->set_s = clock_wall_s();
    if (!name || states_name_parse(name, entry) < 0) {
        return failure_set(failure, -EINVAL, "'%s' is no PoP or PoP/service", name ? name : "");
    }
    if (verbs_parse_state(request, ret_clear, &entry->state) < 0) {
        return failure_set(failure, -EINVAL,
                           "the state is up, down, drain, 'shed N' (0 to 100) or auto");
    }
    if (verbs_text_option(request, "reason", entry->reason, sizeof(entry->reason)) < 0 ||
        verbs_text_option(request, "owner", entry->owner, sizeof(entry->owner)) < 0) {
        return failure_set(failure, -EINVAL, "reason or owner is too long (%d and %d bytes)",
                           STATES_REASON_SIZE - 1, STATES_NAME_SIZE - 1);
    }
    if (period && (number_parse_duration_ns(period, strlen(period), &period_ns) < 0 ||
                   period_ns < CLOCK_NS_PER_S || period_ns > VERBS_FOR_MAX_NS)) {
        return failure_set(failure, -EINVAL, "'%s' is no time from 1s to 366d", period);
    }
    entry->expires_s = period ? entry->set_s + period_ns / CLOCK_NS_PER_S : 0;
    return 0;
}

static json_t *verbs_pop_reply(struct server *server, const struct verbs_targets *targets)
{
    json_t *list = json_array();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *reply;

    if (!out) {
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < targets->entries.count; i++) {
        json_array_append_new(
            list, status_state(server, &targets->entries.entries[i], targets->clear, out));
    }
    if (!server->publisher->operator_path) {
        fputs("(no state_dir: this ends with the process)\n", out);
    }
    fclose(out);
    reply = json_pack("{s:b, s:o, s:{s:o}}", "ok", 1, "text", control_text(text), "data", "states",
                      list);
    free(text);
    return reply;
}

static json_t *verbs_pop(struct server *server, const json_t *request)
{
    struct states_entry wanted = {0};
    struct verbs_targets targets = {.wanted = &wanted};
    struct failure failure = {{0}};
    json_t *reply = NULL;
    int code = verbs_parse_pop(request, &wanted, &targets.clear, &failure);

    if (code < 0) {
        return control_refuse("%s", failure.text);
    }
    verbs_find_targets(server->publisher, &targets);
    if (targets.code < 0) {
        reply = control_refuse("too many states");
    } else if (targets.entries.count == 0) {
        reply = control_refuse("nothing in the map matches '%s'", verbs_argument(request, 0));
    } else if (publisher_set_states(server->publisher, targets.entries.entries,
                                    targets.entries.count, targets.clear,
                                    verbs_flag(request, "force"), &failure) < 0) {
        reply = control_refuse("%s", failure.text);
    } else {
        log_notice("pop %s: %s by %s (%s)", verbs_argument(request, 0), verbs_argument(request, 1),
                   *wanted.owner ? wanted.owner : "nobody named",
                   *wanted.reason ? wanted.reason : "no reason given");
        reply = verbs_pop_reply(server, &targets);
    }
    states_source_done(&targets.entries);
    return reply;
}

/* --- explain --- */

static json_t *verbs_explain(struct server *server, const json_t *request)
{
    struct explain_request wanted = {
        .client = verbs_argument(request, 0),
        .name = verbs_argument(request, 1),
        .type = verbs_argument(request, 2),
        .from = verbs_option(request, "from"),
        .resolver = verbs_flag(request, "resolver"),
    };
    struct failure failure = {{0}};
    json_t *reply = NULL;

    if (!wanted.client || !wanted.name) {
        return control_refuse("explain CLIENT NAME [TYPE]");
    }
    if (explain(server->publisher, server->fast, &wanted, clock_wall_s(), &reply, &failure) < 0) {
        return control_refuse("%s", failure.text);
    }
    return reply;
}

json_t *verbs_handle(void *context, const json_t *request)
{
    struct server *server = context;
    const char *verb = json_string_value(json_object_get(request, "verb"));

    if (!verb) {
        return control_refuse("no verb");
    }
    if (strcmp(verb, "status") == 0) {
        return status_reply(server);
    }
    if (strcmp(verb, "health") == 0) {
        return health_reply(server);
    }
    if (strcmp(verb, "stats") == 0) {
        return status_stats(server);
    }
    if (strcmp(verb, "reload") == 0) {
        return verbs_reload(server);
    }
    if (strcmp(verb, "pop") == 0) {
        return verbs_pop(server, request);
    }
    if (strcmp(verb, "explain") == 0) {
        return verbs_explain(server, request);
    }
    if (strcmp(verb, "xdp") == 0) {
        return fast_status_reply(server, request);
    }
    if (strcmp(verb, "replace") == 0) {
        return predecessor_begin(server, request);
    }
    return control_refuse("unknown verb '%s': status, health, reload, stats, explain, pop, xdp",
                          verb);
}
