/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "edge/daemon/fast_status.h"
#include "edge/daemon/server.h"
#include "edge/zone/zone.h"

#define STATUS_ZONES_SHOWN 40u
#define STATUS_OVERRIDES 8u

/* Text and data of one reply, built side by side. */
struct status_page {
    FILE *out;
    char *text;
    size_t len;
    json_t *data;
};

static bool status_open(struct status_page *page)
{
    *page = (struct status_page){0};
    page->data = json_object();
    page->out = open_memstream(&page->text, &page->len);
    return page->data && page->out;
}

static json_t *status_close(struct status_page *page)
{
    json_t *reply = NULL;

    if (page->out && fclose(page->out) == 0) {
        reply = json_pack("{s:b, s:o, s:O}", "ok", 1, "text", control_text(page->text), "data",
                          page->data);
    }
    free(page->text);
    json_decref(page->data);
    return reply;
}

static void status_age(FILE *out, int64_t seconds)
{
    if (seconds < 120) {
        fprintf(out, "%" PRId64 " s", seconds);
    } else if (seconds < 7200) {
        fprintf(out, "%" PRId64 " min", seconds / 60);
    } else if (seconds < 172800) {
        fprintf(out, "%" PRId64 " h", seconds / 3600);
    } else {
        fprintf(out, "%" PRId64 " days", seconds / 86400);
    }
}

/* --- states --- */

void status_write_origin(FILE *out, const struct states_entry *entry)
{
    char when[24];

    fprintf(out, "%s", states_layer_name((enum states_layer)entry->layer));
    if (*entry->owner) {
        fprintf(out, " %s", entry->owner);
    }
    if (entry->expires_s) {
        clock_format_utc(entry->expires_s, when);
        fprintf(out, " until %s", when);
    }
    if (*entry->reason) {
        fprintf(out, ": %s", entry->reason);
    }
}

json_t *status_entry(const struct states_entry *entry)
{
    char state[POP_STATE_TEXT_LEN];

    return json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s, s:I, s:I}", "pop", entry->pop, "service",
                     *entry->service ? entry->service : NULL, "state",
                     pop_state_format(entry->state, state), "layer",
                     states_layer_name((enum states_layer)entry->layer), "owner", entry->owner,
                     "reason", entry->reason, "set", (json_int_t)entry->set_s, "expires",
                     (json_int_t)entry->expires_s);
}

json_t *status_state(struct server *server, const struct states_entry *entry, bool cleared,
                     FILE *out)
{
    const struct states_entry *found[STATUS_OVERRIDES];
    size_t n = states_find(server->publisher->states, entry->pop, entry->service, clock_wall_s(),
                           found, STATUS_OVERRIDES);
    char state[POP_STATE_TEXT_LEN];

    fprintf(out, "%s%s%s: %s", entry->pop, *entry->service ? "/" : "", entry->service,
            pop_state_format(n ? found[0]->state : POP_STATE_UP, state));
    if (n) {
        fputs(" (", out);
        status_write_origin(out, found[0]);
        fputs(")", out);
    } else if (cleared) {
        fputs(" (nobody says otherwise)", out);
    }
    fputs("\n", out);
    return json_pack("{s:s, s:s?, s:s, s:o?}", "pop", entry->pop, "service",
                     *entry->service ? entry->service : NULL, "state", state, "by",
                     n ? status_entry(found[0]) : NULL);
}

static void status_states(struct status_page *page, const struct publisher *publisher)
{
    json_t *list = json_array();
    bool first = true;

    for (size_t i = 0; i < states_source_count(publisher->states); i++) {
        const struct states_source *source = states_source(publisher->states, i);

        for (size_t k = 0; k < source->count; k++) {
            const struct states_entry *entry = &source->entries[k];
            char state[POP_STATE_TEXT_LEN];

            json_array_append_new(list, status_entry(entry));
            fprintf(page->out, "%-9s %s%s%s %s (", first ? "states" : "", entry->pop,
                    *entry->service ? "/" : "", entry->service,
                    pop_state_format(entry->state, state));
            status_write_origin(page->out, entry);
            fputs(")\n", page->out);
            first = false;
        }
    }
    if (first) {
        fputs("states    every PoP up, nobody says otherwise\n", page->out);
    }
    json_object_set_new(page->data, "states", list);
}

static void status_feeds(struct status_page *page, const struct publisher *publisher)
{
    json_t *list = json_array();

    for (size_t i = 0; i < publisher->feed_n; i++) {
        const struct fleet_feed *feed = &publisher->feeds[i];
        bool ok = feed->status == FLEET_OK;

        fprintf(page->out, "feed      %s %s%s%s\n", feed->path, fleet_status_name(feed->status),
                ok ? "" : "  ! ", ok ? "" : feed->fault.text);
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:I, s:I, s:o}", "file", control_text(feed->path), "status",
                            fleet_status_name(feed->status), "since", (json_int_t)feed->since_s,
                            "accepted", (json_int_t)feed->accepted_s, "fault",
                            control_text(feed->fault.text)));
    }
    json_object_set_new(page->data, "feeds", list);
}

/* --- files --- */

static void status_map(struct status_page *page, const struct loaded *loaded, int64_t now_s)
{
    const struct map_header *header;
    char digest[17];
    char when[24];

    if (!loaded->image) {
        fputs("map       none\n", page->out);
        return;
    }
    header = image_header(loaded->image);
    for (size_t i = 0; i < 8; i++) {
        snprintf(digest + i * 2, 3, "%02x", header->sha256[i]);
    }
    clock_format_utc((int64_t)header->generation, when);
    fprintf(page->out, "map       generation %" PRIu64 " (%s, ", (uint64_t)header->generation,
            when);
    status_age(page->out, now_s - (int64_t)header->generation);
    fprintf(page->out, " old), %u PoPs, %u maps, %.1f MiB, sha256 %s\n", header->pop_n,
            header->map_n, (double)header->total_size / (1 << 20), digest);
    if (loaded->image_fault) {
        fprintf(page->out, "  ! older map: %s\n", loaded->image_fault);
    }
    json_object_set_new(page->data, "map",
                        json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "generation",
                                  (json_int_t)header->generation, "parent_generation",
                                  (json_int_t)header->parent_generation, "digest", digest, "pops",
                                  (json_int_t)header->pop_n, "maps", (json_int_t)header->map_n,
                                  "bytes", (json_int_t)header->total_size, "loaded",
                                  (json_int_t)loaded->image_loaded_s, "from_state_dir",
                                  loaded->from_state_dir, "fault",
                                  control_text(loaded->image_fault)));
}

/* The files that are not served as they are on disk; all of them in JSON. */
static void status_services_files(struct status_page *page, const struct loaded *loaded)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < services_file_count(loaded->services); i++) {
        const struct services_file *file = services_file_get(loaded->services, i);
        const char *state = services_file_state_name(file->state);

        if (file->fault) {
            fprintf(page->out, "  ! %s: %s\n", state, file->fault);
        }
        json_array_append_new(list, json_pack("{s:o, s:s, s:I, s:I, s:b, s:o}", "file",
                                              control_text(file->path), "state", state, "services",
                                              (json_int_t)file->service_n, "names",
                                              (json_int_t)file->name_n, "from_state_dir",
                                              file->from_copy, "fault", control_text(file->fault)));
    }
    if (loaded->services_fault && !services_file_count(loaded->services)) {
        fprintf(page->out, "  ! older services: %s\n", loaded->services_fault);
    }
    json_object_set_new(page->data, "services_files", list);
}

static void status_services(struct status_page *page, const struct server *server)
{
    const struct publisher *publisher = server->publisher;
    const struct loaded *loaded = publisher->loaded;
    json_t *list = json_array();

    fprintf(page->out, "services  %u, configuration %s%s\n", services_count(loaded->services),
            publisher->current->info.config_digest,
            loaded->from_state_dir ? "  ! map or services are copies from state_dir" : "");
    status_services_files(page, loaded);
    for (uint32_t i = 0; i < services_count(loaded->services); i++) {
        const struct service *service = services_get(loaded->services, i);
        int64_t until_s;
        enum states_ttl_reason reason =
            states_ttl_reason(publisher->states, service, clock_wall_s(), &until_s);
        uint32_t ttl = publisher->current->states->tables[service->index].ttl;

        if (reason != STATES_TTL_NORMAL) {
            fprintf(page->out, "  %s: TTL %u, lowered: a state change is %s\n", service->name, ttl,
                    reason == STATES_TTL_RECENT ? "recent" : "due");
        }
        for (unsigned k = 0; k < MAP_FAMILIES; k++) {
            if (states_is_empty(publisher->current->states, service, (enum map_family)k)) {
                fprintf(page->out, "  ! %s: nobody is left%s, on_empty answers\n", service->name,
                        service->is_alias      ? ""
                        : k == MAP_FAMILY_IPV4 ? " for IPv4"
                                               : " for IPv6");
            }
        }
        json_array_append_new(list, json_pack("{s:s, s:i, s:b}", "name", service->name, "ttl",
                                              (int)ttl, "lowered", reason != STATES_TTL_NORMAL));
    }
    json_object_set_new(page->data, "services", list);
    json_object_set_new(page->data, "services_fault", control_text(loaded->services_fault));
}

static void status_zone(FILE *out, const struct loaded_zone *zone)
{
    char when[24];

    if (!zone->zone) {
        fprintf(out, "  %-30s SERVFAIL  ! %s\n", zone->config->origin, zone->fault);
        return;
    }
    clock_format_utc(zone->loaded_s, when);
    fprintf(out, "  %-30s serial %-10u %7u records  %s%s%s\n", zone->config->origin,
            zone->zone->serial, zone->zone->record_n, when,
            zone->fault ? "  ! older content: " : "", zone->fault ? zone->fault : "");
    if (zone->zone->denial) {
        int64_t now_s = clock_wall_s();
        int64_t until_s = zone_signature_time(zone->zone->signed_until, now_s);

        clock_format_utc(until_s, when);
        fprintf(out, "  %-30s %s %s\n", "",
                until_s < now_s ? "! signatures have expired since" : "signatures until", when);
    }
}

/* When the first signature ends; null: not signed. */
static json_t *status_signed_until(const struct zone *zone)
{
    return zone && zone->denial
               ? json_integer((json_int_t)zone_signature_time(zone->signed_until, clock_wall_s()))
               : json_null();
}

/* Those with a fault first, then the first of the others. */
static void status_zones(struct status_page *page, const struct loaded *loaded)
{
    json_t *list = json_array();
    size_t shown = 0;

    fprintf(page->out, "zones     %zu, %zu failed\n", loaded->zone_n, loaded->zone_failed_n);
    for (int faulty = 1; faulty >= 0; faulty--) {
        for (size_t i = 0; i < loaded->zone_n && shown < STATUS_ZONES_SHOWN; i++) {
            if ((loaded->zones[i].fault != NULL) == faulty) {
                status_zone(page->out, &loaded->zones[i]);
                shown++;
            }
        }
    }
    if (loaded->zone_n > shown) {
        fprintf(page->out, "  ... and %zu more (--json shows all)\n", loaded->zone_n - shown);
    }
    for (size_t i = 0; i < loaded->zone_n; i++) {
        const struct loaded_zone *zone = &loaded->zones[i];

        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:s, s:I, s:I, s:I, s:o, s:o}", "origin",
                      control_text(zone->config->origin), "file", control_text(zone->config->file),
                      "status", !zone->zone ? "servfail" : (zone->fault ? "stale" : "ok"), "serial",
                      (json_int_t)(zone->zone ? zone->zone->serial : 0), "records",
                      (json_int_t)(zone->zone ? zone->zone->record_n : 0), "loaded",
                      (json_int_t)zone->loaded_s, "fault", control_text(zone->fault),
                      "signed_until", status_signed_until(zone->zone)));
    }
    json_object_set_new(page->data, "zones", list);
}

/* --- workers --- */

static uint64_t status_total(const struct counters_sum *sum)
{
    uint64_t total = 0;

    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        for (unsigned i = 0; i < COUNTERS_TRANSPORTS * COUNTERS_FAMILIES; i++) {
            total += sum->answers[kind][i / COUNTERS_FAMILIES][i % COUNTERS_FAMILIES];
        }
    }
    return total;
}

static void status_workers(struct status_page *page, const struct server *server)
{
    const struct config *config = server->publisher->started;
    json_t *workers = json_array();
    json_t *listen = json_array();

    fputs("listen   ", page->out);
    for (size_t i = 0; i < config->listen_n; i++) {
        char text[ADDRESS_TEXT_LEN];

        fprintf(page->out, " %s", endpoint_format(&config->listen[i], text));
        json_array_append_new(listen, json_string(text));
    }
    fputs("\n", page->out);
    for (size_t i = 0; i < server->worker_n; i++) {
        struct counters_sum sum = {0};
        uint64_t udp_drops;
        uint64_t tcp_drops;
        int cpu = worker_cpu(server->workers[i]);

        counters_sum_add(&sum, worker_counters(server->workers[i]));
        worker_drops(server->workers[i], &udp_drops, &tcp_drops);
        fprintf(page->out,
                "worker %zu  cpu %d, %" PRIu64 " queries, %" PRIu64
                " TCP connections, drops %" PRIu64 " UDP %" PRIu64 " TCP\n",
                i, cpu, status_total(&sum),
                sum.plain[COUNTER_TCP_OPENED] - sum.plain[COUNTER_TCP_CLOSED], udp_drops,
                tcp_drops);
        json_array_append_new(
            workers,
            json_pack("{s:i, s:I, s:I, s:I, s:I}", "cpu", cpu, "queries",
                      (json_int_t)status_total(&sum), "tcp_connections",
                      (json_int_t)(sum.plain[COUNTER_TCP_OPENED] - sum.plain[COUNTER_TCP_CLOSED]),
                      "udp_drops", (json_int_t)udp_drops, "tcp_drops", (json_int_t)tcp_drops));
    }
    json_object_set_new(page->data, "listen", listen);
    json_object_set_new(page->data, "workers", workers);
}

static void status_protection(struct status_page *page, const struct loaded *loaded)
{
    const struct cookie_secrets *cookies = &loaded->cookies;
    const struct admission_setup *setup =
        loaded->admission ? admission_get_setup(loaded->admission) : NULL;
    const char *which = !cookies->count ? "off" : cookies->own ? "own secret" : "shared secrets";
    json_t *rates = setup ? json_object() : json_null();

    fprintf(page->out, "cookies   %s\nlimits   ", which);
    for (unsigned class = 0; setup && class < ADMIT_CLASSES; class ++) {
        const char *name = admit_class_name((enum admit_class) class);

        json_object_set_new(rates, name, json_integer((json_int_t)setup->rates[class]));
        if (setup->rates[class]) {
            fprintf(page->out, " %s %u/s", name, setup->rates[class]);
        }
    }
    if (setup) {
        fprintf(page->out, "; slip %u, window %u s, networks /%u and /%u, %u accounts\n",
                setup->slip, setup->window_s, setup->ipv4_bits, setup->ipv6_bits, setup->size);
    } else {
        fputs(" off\n", page->out);
    }
    json_object_set_new(page->data, "cookies", json_string(which));
    json_object_set_new(page->data, "rate_limit", rates);
}

json_t *status_reply(struct server *server)
{
    const struct publisher *publisher = server->publisher;
    const struct config *config = publisher->loaded->config;
    int64_t now_s = clock_wall_s();
    int64_t uptime_s = (clock_monotonic_ns() - server->started_ns) / CLOCK_NS_PER_S;
    struct status_page page;
    char when[24];

    if (!status_open(&page)) {
        return status_close(&page);
    }
    fprintf(page.out, "isochrone-edge %s  %s%s%s%s up ", server->version, config->identity,
            *config->pop ? " (PoP " : "", config->pop, *config->pop ? ")" : "");
    status_age(page.out, uptime_s);
    clock_format_utc(publisher->reload_wall_s, when);
    fprintf(page.out, "\nreload    %s at %s, %.0f ms; publication %" PRIu64 "\n",
            publisher->reload_was_ok ? "ok" : "FAULTS", when, publisher->reload_s * 1000,
            publisher->sequence);
    json_object_update_new(
        page.data,
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:I, s:f, s:s}", "version", server->version,
                  "identity", config->identity, "pop", config->pop, "uptime", (json_int_t)uptime_s,
                  "sequence", (json_int_t)publisher->sequence, "reload_ok",
                  publisher->reload_was_ok, "reloaded", (json_int_t)publisher->reload_wall_s,
                  "reload_seconds", publisher->reload_s, "config_digest",
                  publisher->current->info.config_digest));
    status_map(&page, publisher->loaded, now_s);
    status_services(&page, server);
    status_states(&page, publisher);
    status_feeds(&page, publisher);
    status_workers(&page, server);
    json_object_set_new(page.data, "xdp", fast_status_line(server->fast, page.out));
    status_protection(&page, publisher->loaded);
    status_zones(&page, publisher->loaded);
    return status_close(&page);
}

/* --- stats --- */

static void status_number(struct status_page *page, json_t *object, const char *group,
                          const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
    if (value) {
        fprintf(page->out, "%-10s %-24s %" PRIu64 "\n", group, name, value);
    }
}

static void status_answers(struct status_page *page, const struct counters_sum *sum)
{
    static const char *const names[COUNTERS_TRANSPORTS][COUNTERS_FAMILIES] = {
        {"udp4", "udp6"},
        {"tcp4", "tcp6"},
    };
    json_t *outcomes = json_object();

    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        json_t *by = json_object();
        const char *name = answer_kind_name((enum answer_kind)kind);

        for (unsigned i = 0; i < COUNTERS_TRANSPORTS * COUNTERS_FAMILIES; i++) {
            unsigned transport = i / COUNTERS_FAMILIES;
            unsigned family = i % COUNTERS_FAMILIES;
            char label[64];

            snprintf(label, sizeof(label), "%s %s", name, names[transport][family]);
            if (sum->answers[kind][transport][family]) {
                fprintf(page->out, "%-10s %-24s %" PRIu64 "\n", "outcome", label,
                        sum->answers[kind][transport][family]);
            }
            json_object_set_new(by, names[transport][family],
                                json_integer((json_int_t)sum->answers[kind][transport][family]));
        }
        json_object_set_new(outcomes, name, by);
    }
    json_object_set_new(page->data, "outcomes", outcomes);
}

json_t *status_stats(struct server *server)
{
    struct status_page page;
    struct counters_sum sum;
    uint64_t udp_drops;
    uint64_t tcp_drops;
    json_t *rcodes = json_object();
    json_t *types = json_object();
    json_t *limited = json_object();

    if (!status_open(&page)) {
        json_decref(rcodes);
        json_decref(types);
        json_decref(limited);
        return status_close(&page);
    }
    server_sum(server, &sum, &udp_drops, &tcp_drops);
    status_number(&page, page.data, "total", "queries", status_total(&sum));
    status_answers(&page, &sum);
    for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
        status_number(&page, rcodes, "rcode", counter_rcode_name(i), sum.rcodes[i]);
    }
    for (unsigned i = 0; i < COUNTER_QTYPES; i++) {
        status_number(&page, types, "type", counter_qtype_name((enum counter_qtype)i),
                      sum.qtypes[i]);
    }
    for (unsigned i = 0; i < COUNTER_PLAIN_N; i++) {
        status_number(&page, page.data, "", counter_plain_name((enum counter_plain)i),
                      sum.plain[i]);
    }
    for (unsigned i = 0; i < ADMIT_CLASSES * COUNTERS_LIMITED; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%s_%s", i % COUNTERS_LIMITED ? "dropped" : "slipped",
                 admit_class_name((enum admit_class)(i / COUNTERS_LIMITED)));
        status_number(&page, limited, "limited", name,
                      sum.limited[i / COUNTERS_LIMITED][i % COUNTERS_LIMITED]);
    }
    status_number(&page, page.data, "drops", "udp_drops", udp_drops);
    status_number(&page, page.data, "drops", "tcp_drops", tcp_drops);
    json_object_set_new(page.data, "rcodes", rcodes);
    json_object_set_new(page.data, "types", types);
    json_object_set_new(page.data, "limited", limited);
    return status_close(&page);
}
