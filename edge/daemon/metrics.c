/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/metrics.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/metrics/page.h"
#include "edge/daemon/fast_status.h"
#include "edge/daemon/server.h"
#include "edge/zone/zone.h"
#include "maps/pop_state.h"

#define PREFIX "isochrone_edge"

static void metrics_head(FILE *out, const char *name, const char *type, const char *help)
{
    metrics_page_head(out, PREFIX, name, type, help);
}

static void metrics_one(FILE *out, const char *name, const char *type, const char *help,
                        uint64_t value)
{
    metrics_page_one(out, PREFIX, name, type, help, value);
}

static void metrics_seconds(FILE *out, const char *name, const char *help, double value)
{
    metrics_page_seconds(out, PREFIX, name, help, value);
}

static void metrics_queries(FILE *out, const struct counters_sum *sum)
{
    static const char *const transports[COUNTERS_TRANSPORTS] = {"udp", "tcp"};
    static const char *const families[COUNTERS_FAMILIES] = {"ipv4", "ipv6"};

    metrics_head(out, "queries_total", "counter",
                 "Queries by what became of them; dropped ones got no response.");
    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        for (unsigned i = 0; i < COUNTERS_TRANSPORTS * COUNTERS_FAMILIES; i++) {
            unsigned transport = i / COUNTERS_FAMILIES;
            unsigned family = i % COUNTERS_FAMILIES;

            fprintf(out,
                    "isochrone_edge_queries_total{outcome=\"%s\",transport=\"%s\",family=\"%s\"} "
                    "%" PRIu64 "\n",
                    answer_kind_name((enum answer_kind)kind), transports[transport],
                    families[family], sum->answers[kind][transport][family]);
        }
    }
    metrics_head(out, "responses_total", "counter", "Responses by response code.");
    for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
        if (sum->rcodes[i] || i <= 5) {
            fprintf(out, "isochrone_edge_responses_total{rcode=\"%s\"} %" PRIu64 "\n",
                    counter_rcode_name(i), sum->rcodes[i]);
        }
    }
    metrics_head(out, "query_types_total", "counter", "Answered queries by type.");
    for (unsigned i = 0; i < COUNTER_QTYPES; i++) {
        fprintf(out, "isochrone_edge_query_types_total{type=\"%s\"} %" PRIu64 "\n",
                counter_qtype_name((enum counter_qtype)i), sum->qtypes[i]);
    }
}

static const char *metrics_plain_help(enum counter_plain plain)
{
    static const char *const helps[COUNTER_PLAIN_N] = {
        [COUNTER_QUERY_BYTES] = "Bytes of queries, without transport headers.",
        [COUNTER_RESPONSE_BYTES] = "Bytes of responses, without transport headers.",
        [COUNTER_TRUNCATED] = "Responses with TC set.",
        [COUNTER_EDNS] = "Queries with EDNS.",
        [COUNTER_ECS] = "Queries with a usable client subnet option.",
        [COUNTER_COOKIE_CLIENT] = "Queries with a client cookie alone.",
        [COUNTER_COOKIE_BAD] = "Queries with a server cookie that is not ours or out of time.",
        [COUNTER_COOKIE_VALID] = "Queries with a valid server cookie.",
        [COUNTER_UDP_BATCHES] = "Receive calls that brought at least one datagram.",
        [COUNTER_UDP_SEND_ERRORS] = "UDP responses the kernel did not take.",
        [COUNTER_TCP_OPENED] = "TCP connections accepted.",
        [COUNTER_TCP_CLOSED] = "TCP connections closed, for whatever reason.",
        [COUNTER_TCP_PEER] = "TCP connections closed by the client.",
        [COUNTER_TCP_IDLE] = "TCP connections closed after the idle time.",
        [COUNTER_TCP_SLOW] = "TCP connections reset: the client wrote or read too slowly.",
        [COUNTER_TCP_SPENT] = "TCP connections closed after their lifetime or last query.",
        [COUNTER_TCP_EVICTED] = "TCP connections reset to make room for new ones.",
        [COUNTER_TCP_MEMORY] = "TCP connections reset because too much was to be kept for them.",
        [COUNTER_TCP_BAD] = "TCP connections closed because what came in was no DNS query.",
        [COUNTER_TCP_ERRORS] = "TCP connections that failed.",
        [COUNTER_TCP_LIMITED] = "TCP connections refused: their client had too many.",
    };

    return helps[plain];
}

static void metrics_limited(FILE *out, const struct counters_sum *sum)
{
    static const char *const names[COUNTERS_LIMITED] = {"limited_slipped_total",
                                                        "limited_dropped_total"};
    static const char *const helps[COUNTERS_LIMITED] = {
        "Responses over a limit of rate_limit that were sent short.",
        "Responses over a limit of rate_limit that were not sent."};

    for (unsigned how = 0; how < COUNTERS_LIMITED; how++) {
        metrics_head(out, names[how], "counter", helps[how]);
        for (unsigned class = 0; class < ADMIT_CLASSES; class ++) {
            fprintf(out, "isochrone_edge_%s{class=\"%s\"} %" PRIu64 "\n", names[how],
                    admit_class_name((enum admit_class) class), sum->limited[class][how]);
        }
    }
}

static void metrics_traffic(FILE *out, struct server *server)
{
    struct counters_sum sum;
    uint64_t udp_drops;
    uint64_t tcp_drops;

    server_sum(server, &sum, &udp_drops, &tcp_drops);
    metrics_queries(out, &sum);
    for (unsigned i = 0; i < COUNTER_PLAIN_N; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%s_total", counter_plain_name((enum counter_plain)i));
        metrics_one(out, name, "counter", metrics_plain_help((enum counter_plain)i), sum.plain[i]);
    }
    metrics_limited(out, &sum);
    metrics_one(out, "tcp_connections", "gauge", "TCP connections open now.",
                sum.plain[COUNTER_TCP_OPENED] - sum.plain[COUNTER_TCP_CLOSED]);
    metrics_head(out, "socket_drops_total", "counter",
                 "What the kernel dropped before us because a worker's queue was full.");
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_drops(server->workers[i], &udp_drops, &tcp_drops);
        fprintf(out,
                "isochrone_edge_socket_drops_total{worker=\"%zu\",transport=\"udp\"} %" PRIu64 "\n"
                "isochrone_edge_socket_drops_total{worker=\"%zu\",transport=\"tcp\"} %" PRIu64 "\n",
                i, udp_drops, i, tcp_drops);
    }
}

static void metrics_map(FILE *out, const struct publisher *publisher, int64_t now_s)
{
    const struct loaded *loaded = publisher->loaded;

    if (!loaded->image) {
        return;
    }
    metrics_one(out, "map_generation", "gauge", "Generation of the latency map (seconds).",
                image_header(loaded->image)->generation);
    metrics_head(out, "map_age_seconds", "gauge", "Age of the latency map's data.");
    fprintf(out, "isochrone_edge_map_age_seconds %" PRId64 "\n",
            now_s - (int64_t)image_header(loaded->image)->generation);
    metrics_one(out, "map_stale", "gauge",
                "1 if an older map is served because the configured one cannot be.",
                loaded->image_fault || loaded->from_state_dir);
    metrics_one(out, "services_stale", "gauge",
                "1 if older services are served because the configured ones cannot be.",
                loaded->services_fault || loaded->from_state_dir);
}

/* What a column of variants holds. */
static const char *metrics_family(const struct service *service, unsigned family)
{
    return service->is_alias ? "cname" : family == MAP_FAMILY_IPV4 ? "ipv4" : "ipv6";
}

static void metrics_states(FILE *out, const struct snapshot *snapshot)
{
    metrics_head(out, "pop_state", "gauge",
                 "State of a PoP of a service: 0 up, 1..100 shed percent, 128 drain, 255 down.");
    for (uint32_t i = 0; i < services_count(snapshot->services); i++) {
        const struct service *service = services_get(snapshot->services, i);

        for (unsigned k = 0; k < MAP_FAMILIES * image_pop_count(snapshot->image); k++) {
            unsigned family = k % MAP_FAMILIES;
            uint32_t pop = k / MAP_FAMILIES;
            uint8_t state = snapshot->states->tables[service->index].states[family][pop];

            if (state == MAP_STATE_ABSENT) {
                continue;
            }
            fputs("isochrone_edge_pop_state{service=\"", out);
            metrics_page_label(out, service->name);
            fputs("\",pop=\"", out);
            metrics_page_label(out, image_pop(snapshot->image, pop)->name);
            fprintf(out, "\",family=\"%s\"} %u\n", metrics_family(service, family), state);
        }
    }
}

static void metrics_services(FILE *out, const struct snapshot *snapshot)
{
    metrics_head(out, "service_empty", "gauge",
                 "1 if nobody is left of a service for a family: on_empty answers.");
    for (uint32_t i = 0; i < MAP_FAMILIES * services_count(snapshot->services); i++) {
        const struct service *service = services_get(snapshot->services, i / MAP_FAMILIES);
        enum map_family family = (enum map_family)(i % MAP_FAMILIES);

        if (service_has_column(service, family)) {
            fputs("isochrone_edge_service_empty{service=\"", out);
            metrics_page_label(out, service->name);
            fprintf(out, "\",family=\"%s\"} %d\n", metrics_family(service, family),
                    states_is_empty(snapshot->states, service, family));
        }
    }
    metrics_head(out, "service_ttl_seconds", "gauge", "TTL a service is answered with now.");
    for (uint32_t i = 0; i < services_count(snapshot->services); i++) {
        const struct service *service = services_get(snapshot->services, i);

        fputs("isochrone_edge_service_ttl_seconds{service=\"", out);
        metrics_page_label(out, service->name);
        fprintf(out, "\"} %" PRIu32 "\n", snapshot->states->tables[service->index].ttl);
    }
}

static void metrics_feeds(FILE *out, const struct publisher *publisher)
{
    metrics_head(out, "feed_ok", "gauge", "1 if the file of the fleet feed is as it should be.");
    for (size_t i = 0; i < publisher->feed_n; i++) {
        fputs("isochrone_edge_feed_ok{file=\"", out);
        metrics_page_label(out, publisher->feeds[i].path);
        fprintf(out, "\"} %d\n", publisher->feeds[i].status == FLEET_OK);
    }
}

static void metrics_signatures(FILE *out, const struct loaded *loaded, int64_t now_s)
{
    metrics_head(out, "zone_signature_expiry_timestamp_seconds", "gauge",
                 "When the first signature of a signed zone expires.");
    for (size_t i = 0; i < loaded->zone_n; i++) {
        const struct zone *zone = loaded->zones[i].zone;

        if (zone && zone->denial) {
            fputs("isochrone_edge_zone_signature_expiry_timestamp_seconds{zone=\"", out);
            metrics_page_label(out, loaded->zones[i].config->origin);
            fprintf(out, "\"} %" PRId64 "\n", zone_signature_time(zone->signed_until, now_s));
        }
    }
}

static void metrics_publisher(FILE *out, const struct publisher *publisher)
{
    int64_t now_s = clock_wall_s();

    metrics_one(out, "zones_loaded", "gauge", "Zones that answer.",
                publisher->loaded->zone_n - publisher->loaded->zone_missing_n);
    metrics_one(out, "zones_failed", "gauge",
                "Zones whose last load failed; they keep older content or answer SERVFAIL.",
                publisher->loaded->zone_failed_n);
    metrics_signatures(out, publisher->loaded, now_s);
    metrics_one(out, "services", "gauge", "Services.", services_count(publisher->loaded->services));
    metrics_one(out, "services_files_failed", "gauge",
                "Services files that are not served as they are on disk.",
                publisher->loaded->services_bad_n);
    metrics_map(out, publisher, now_s);
    metrics_head(out, "reloads_total", "counter", "Reloads by result.");
    fprintf(out,
            "isochrone_edge_reloads_total{result=\"ok\"} %" PRIu64 "\n"
            "isochrone_edge_reloads_total{result=\"failed\"} %" PRIu64 "\n",
            publisher->reload_ok_n, publisher->reload_failed_n);
    metrics_seconds(out, "reload_seconds", "How long the last reload took.", publisher->reload_s);
    metrics_one(out, "reload_ok", "gauge", "1 if the last load or reload found no fault.",
                publisher->reload_was_ok);
    metrics_one(out, "reload_timestamp_seconds", "gauge", "When that was.",
                (uint64_t)publisher->reload_wall_s);
    metrics_one(out, "publications_total", "counter", "Snapshots published.", publisher->sequence);
    metrics_states(out, publisher->current);
    metrics_services(out, publisher->current);
    metrics_feeds(out, publisher);
}

int metrics_write(void *context, FILE *out)
{
    struct server *server = context;

    metrics_head(out, "info", "gauge", "Version.");
    fprintf(out, "isochrone_edge_info{version=\"%s\"} 1\n", server->version);
    metrics_seconds(out, "uptime_seconds", "Since the start.",
                    (double)(clock_monotonic_ns() - server->started_ns) / (double)CLOCK_NS_PER_S);
    metrics_one(out, "workers", "gauge", "Worker threads.", server->worker_n);
    metrics_traffic(out, server);
    pthread_mutex_lock(&server->publisher->lock);
    metrics_publisher(out, server->publisher);
    pthread_mutex_unlock(&server->publisher->lock);
    fast_status_metrics(server->fast, out);
    return 0;
}
