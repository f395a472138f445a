/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_traffic.h"

#include <inttypes.h>

#include "base/clock.h"
#include "bgp/probe/edge_talk.h"

struct state {
    struct edge_talk talk;
    struct probe_traffic_look look;
};

static const struct probe_traffic_settings *settings_of(const struct probe *probe)
{
    return probe->check->settings;
}

void probe_traffic_judge(const struct probe_traffic_settings *settings,
                         const struct edge_health *health, int64_t now_ns,
                         struct probe_traffic_look *look, struct probe_outcome *ret_outcome)
{
    const struct probe_traffic_look before = *look;
    uint64_t total = 0, more;

    for (unsigned i = 0; i < EDGE_TRANSPORTS; i++) {
        total += settings->counts[i] ? health->answered[i] : 0;
    }
    *look = (struct probe_traffic_look){.valid = true, .total = total, .at_ns = now_ns};
    more = total - before.total;
    if (!before.valid) {
        outcome_unknown(ret_outcome, "the first look: %" PRIu64 " answers so far", total);
    } else if (total < before.total) {
        outcome_unknown(ret_outcome, "a new server: its counters begin anew");
    } else if (more < settings->at_least) {
        outcome_unknown(ret_outcome, "%" PRIu64 " answers in %" PRId64 " ms, that shows nothing",
                        more, (now_ns - before.at_ns) / CLOCK_NS_PER_MS);
    } else {
        outcome_pass(ret_outcome, "%" PRIu64 " answers in %" PRId64 " ms", more,
                     (now_ns - before.at_ns) / CLOCK_NS_PER_MS);
    }
}

/* Growth is from look to look: after one that failed the next is the first. */
static bool unseen(struct state *state, struct probe_outcome *outcome)
{
    state->look.valid = false;
    outcome->observation = HEALTH_UNKNOWN;
    outcome->cause = PROBE_CAUSE_INTERNAL;
    return true;
}

static bool traffic_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    (void)now_ns;
    return edge_talk_start(&state->talk, probe, settings_of(probe)->control, ret_outcome) &&
           unseen(state, ret_outcome);
}

static bool traffic_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                          struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    struct edge_health health;
    bool done;

    (void)events;
    if (edge_talk_ready(&state->talk, fd, &done, &health, ret_outcome)) {
        return unseen(state, ret_outcome);
    }
    if (done) {
        probe_traffic_judge(settings_of(probe), &health, now_ns, &state->look, ret_outcome);
    }
    return done;
}

static bool traffic_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    /* if it was us who slept, the reply is waiting in the socket */
    if (traffic_ready(probe, state->talk.fd, 0, now_ns, ret_outcome)) {
        return true;
    }
    outcome_unknown(ret_outcome, "no reply in %" PRId64 " ms",
                    probe->check->timeout_ns / CLOCK_NS_PER_MS);
    return unseen(state, ret_outcome);
}

static void traffic_end(struct probe *probe)
{
    struct state *state = probe->state;

    edge_talk_end(&state->talk);
}

const struct probe_type probe_traffic = {
    .name = "traffic",
    .state_len = sizeof(struct state),
    .start = traffic_start,
    .ready = traffic_ready,
    .expire = traffic_expire,
    .end = traffic_end,
};
