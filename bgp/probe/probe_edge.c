/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_edge.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bgp/probe/edge_talk.h"

#define HOUR_S INT64_C(3600)
#define DAY_S (24 * HOUR_S)
#define TEXT_LEN PROBE_EVIDENCE_LEN

static const struct probe_edge_settings *settings_of(const struct probe *probe)
{
    return probe->check->settings;
}

/* Saturating: a generation is whatever the reply says. */
static int64_t age_of(int64_t generation, int64_t now_s)
{
    int64_t age_s;

    return __builtin_sub_overflow(now_s, generation, &age_s) ? INT64_MAX : age_s;
}

/* "3 h old", "2 days old" */
static void age_format(int64_t age_s, char *text, size_t size)
{
    if (age_s < 0) {
        snprintf(text, size, "0 s old, from %" PRId64 " s ahead",
                 age_s == INT64_MIN ? INT64_MAX : -age_s);
    } else if (age_s < 2 * HOUR_S) {
        snprintf(text, size, "%" PRId64 " s old", age_s);
    } else if (age_s < 2 * DAY_S) {
        snprintf(text, size, "%" PRId64 " h old", age_s / HOUR_S);
    } else {
        snprintf(text, size, "%" PRId64 " days old", age_s / DAY_S);
    }
}

static void map_judge(const struct probe_edge_settings *settings, const struct edge_health *health,
                      int64_t now_s, struct probe_outcome *outcome)
{
    const int64_t age_s = age_of(health->generation, now_s);
    const bool judged = settings->stale_s > 0;
    char age[TEXT_LEN], notes[2 * TEXT_LEN];

    age_format(age_s, age, sizeof(age));
    snprintf(notes, sizeof(notes), "%s%s%s",
             health->zones_stale ? "; zones with older content" : "",
             *health->map_fault ? "; a newer map is refused: " : "", health->map_fault);
    if (judged && age_s >= settings->expired_s) {
        outcome_fail(outcome, PROBE_CAUSE_STALE, "expired: map %" PRId64 " is %s%s",
                     health->generation, age, notes);
    } else if (judged && age_s >= settings->stale_s) {
        outcome_fail(outcome, PROBE_CAUSE_AGING, "stale: map %" PRId64 " is %s%s",
                     health->generation, age, notes);
    } else {
        outcome_pass(outcome, "map %" PRId64 " is %s%s", health->generation, age, notes);
    }
    outcome->generation = health->generation;
}

void probe_edge_judge(const struct probe_edge_settings *settings, const struct edge_health *health,
                      int64_t now_s, struct probe_outcome *ret_outcome)
{
    if (health->zones_servfail > settings->failed_zones) {
        outcome_fail(ret_outcome, PROBE_CAUSE_WRONG,
                     "%" PRId64 " of %" PRId64 " zones have no content", health->zones_servfail,
                     health->zones);
        ret_outcome->generation = health->generation;
    } else if (health->has_map) {
        map_judge(settings, health, now_s, ret_outcome);
    } else if (settings->stale_s > 0) {
        outcome_fail(ret_outcome, PROBE_CAUSE_WRONG, "no map is loaded");
    } else {
        outcome_pass(ret_outcome, "%" PRId64 " zones, no map", health->zones);
    }
}

static bool edge_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    (void)now_ns;
    return edge_talk_start(probe->state, probe, settings_of(probe)->control, ret_outcome);
}

static bool edge_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                       struct probe_outcome *ret_outcome)
{
    struct edge_health health;
    bool done;

    (void)events;
    (void)now_ns;
    if (edge_talk_ready(probe->state, fd, &done, &health, ret_outcome)) {
        return true;
    }
    if (done) {
        probe_edge_judge(settings_of(probe), &health, clock_wall_s(), ret_outcome);
    }
    return done;
}

/* If it was us who slept, the reply is waiting in the socket. */
static bool edge_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    const struct edge_talk *talk = probe->state;

    return edge_ready(probe, talk->fd, 0, now_ns, ret_outcome);
}

static void edge_end(struct probe *probe)
{
    edge_talk_end(probe->state);
}

const struct probe_type probe_edge = {
    .name = "edge",
    .state_len = sizeof(struct edge_talk),
    .start = edge_start,
    .ready = edge_ready,
    .expire = edge_expire,
    .end = edge_end,
};
