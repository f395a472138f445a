/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "edge/daemon/fast.h"
#include "edge/daemon/fast_words.h"
#include "edge/daemon/server.h"

#define HEALTH_TEXT_LEN 512

/* Responses of the workers: whatever was not dropped. */
static json_t *health_answered(const struct server *server)
{
    static const char *const names[COUNTERS_TRANSPORTS][COUNTERS_FAMILIES] = {
        {"udp4", "udp6"},
        {"tcp4", "tcp6"},
    };
    json_t *answered = json_object();
    struct counters_sum sum;
    uint64_t udp_drops;
    uint64_t tcp_drops;

    server_sum(server, &sum, &udp_drops, &tcp_drops);
    for (unsigned i = 0; i < COUNTERS_TRANSPORTS * COUNTERS_FAMILIES; i++) {
        unsigned transport = i / COUNTERS_FAMILIES;
        unsigned family = i % COUNTERS_FAMILIES;
        uint64_t total = 0;

        for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
            total += kind == ANSWER_DROPPED ? 0 : sum.answers[kind][transport][family];
        }
        json_object_set_new(answered, names[transport][family], json_integer((json_int_t)total));
    }
    return answered;
}

static json_t *health_map(const struct loaded *loaded)
{
    return loaded->image ? json_pack("{s:I, s:o}", "generation",
                                     (json_int_t)image_header(loaded->image)->generation, "fault",
                                     control_text(loaded->image_fault))
                         : json_null();
}

static json_t *health_kernel(struct fast *fast)
{
    struct fast_view *view = fast ? calloc(1, sizeof(*view)) : NULL;
    uint64_t answered;
    uint64_t ipv6;
    json_t *object;

    if (!view) {
        return json_null();
    }
    fast_view(fast, view);
    answered = fast_answered(&view->status.counters);
    ipv6 = view->status.counters.answered_ipv6;
    object =
        json_pack("{s:s, s:{s:I, s:I}, s:f}", "health", fast_health_name(view->health), "answered",
                  "udp4", (json_int_t)(answered - ipv6), "udp6", (json_int_t)ipv6,
                  "beat_left_seconds", (double)view->status.beat_left_ns / (double)CLOCK_NS_PER_S);
    free(view);
    return object;
}

json_t *health_reply(struct server *server)
{
    const struct publisher *publisher = server->publisher;
    const struct loaded *loaded = publisher->loaded;
    int64_t now_s = clock_wall_s();
    char text[HEALTH_TEXT_LEN];
    char map[64] = "none";

    if (loaded->image) {
        snprintf(map, sizeof(map), "generation %" PRIu64 ", %" PRId64 " s old",
                 (uint64_t)image_header(loaded->image)->generation,
                 now_s - (int64_t)image_header(loaded->image)->generation);
    }
    snprintf(text, sizeof(text),
             "map %s; %zu zones, %zu without content, %zu with older content; publication %" PRIu64
             "\n",
             map, loaded->zone_n, loaded->zone_missing_n,
             loaded->zone_failed_n - loaded->zone_missing_n, publisher->sequence);
    return json_pack(
        "{s:b, s:s, s:{s:s, s:I, s:I, s:I, s:b, s:s, s:o, s:{s:I, s:I, s:I}, s:o, s:o}}", "ok", 1,
        "text", text, "data", "version", server->version, "pid", (json_int_t)getpid(), "now",
        (json_int_t)now_s, "sequence", (json_int_t)publisher->sequence, "reload_ok",
        publisher->reload_was_ok, "config_digest", publisher->current->info.config_digest, "map",
        health_map(loaded), "zones", "count", (json_int_t)loaded->zone_n, "servfail",
        (json_int_t)loaded->zone_missing_n, "stale",
        (json_int_t)(loaded->zone_failed_n - loaded->zone_missing_n), "answered",
        health_answered(server), "xdp", health_kernel(server->fast));
}
