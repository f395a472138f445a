/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_dns.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/probe/dns_serial.h"

/* What one of the two questions gave. */
struct side {
    struct dns_exchange exchange;
    bool concluded;
    struct probe_outcome outcome;
};

struct state {
    struct side own, reference;
    struct dns_serial serial;
};

static const struct probe_dns_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

/* Our server passed and is compared with the other one, if that said anything. */
static bool conclude_compared(const struct probe *probe, int64_t now_ns,
                              struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    const bool told =
        state->reference.concluded && state->reference.outcome.observation == HEALTH_PASS;
    const uint32_t own = state->own.exchange.serial;
    char server[ADDRESS_TEXT_LEN], span[OUTCOME_SPAN_LEN];
    size_t len;

    endpoint_format(&settings(probe)->reference, server);
    dns_serial_observe(&state->serial, own, told ? &state->reference.exchange.serial : NULL,
                       now_ns);
    if (dns_serial_is_stale(&state->serial, settings(probe)->lag_ns, now_ns)) {
        return outcome_fail(outcome, PROBE_CAUSE_STALE, "serial %u behind %u of %s for %s",
                            (unsigned)own, (unsigned)state->serial.wanted, server,
                            outcome_span((now_ns - state->serial.since_ns) / CLOCK_NS_PER_S, span));
    }
    *outcome = state->own.outcome;
    len = strlen(outcome->evidence);
    snprintf(outcome->evidence + len, sizeof(outcome->evidence) - len,
             told ? ", not behind %s" : ", %s does not tell its own", server);
    return true;
}

/* Anything but a pass of our server decides; a pass waits for the other one. */
static bool conclude(const struct probe *probe, int64_t now_ns, struct probe_outcome *outcome)
{
    const struct state *state = probe->state;

    if (!state->own.concluded) {
        return false;
    }
    if (!settings(probe)->has_reference || state->own.outcome.observation != HEALTH_PASS) {
        *outcome = state->own.outcome;
        return true;
    }
    return state->reference.concluded && conclude_compared(probe, now_ns, outcome);
}

static void wake_plan(struct probe *probe)
{
    const struct state *state = probe->state;
    const int64_t own_ns = state->own.concluded ? INT64_MAX : state->own.exchange.next_ns;
    const int64_t reference_ns =
        state->reference.concluded ? INT64_MAX : state->reference.exchange.next_ns;

    probe->wake_ns = own_ns < reference_ns ? own_ns : reference_ns;
}

static void side_start(struct side *side, const struct probe *probe, int64_t now_ns)
{
    side->exchange.tcp = settings(probe)->tcp;
    side->exchange.tries = settings(probe)->tries;
    side->concluded = dns_exchange_start(&side->exchange, probe, now_ns, &side->outcome);
}

static bool dns_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    struct dns_exchange *own = &state->own.exchange, *reference = &state->reference.exchange;

    own->check = &settings(probe)->check;
    own->server = &probe->check->server;
    own->must_be_local = probe->check->server_is_vip;
    side_start(&state->own, probe, now_ns);
    state->reference.concluded = true;
    if (settings(probe)->has_reference) {
        reference->check = &settings(probe)->reference_check;
        reference->server = &settings(probe)->reference;
        side_start(&state->reference, probe, now_ns);
    }
    wake_plan(probe);
    return conclude(probe, now_ns, ret_outcome);
}

static bool dns_wake(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    struct side *const sides[] = {&state->own, &state->reference};

    for (size_t i = 0; i < 2; i++) {
        if (!sides[i]->concluded && now_ns >= sides[i]->exchange.next_ns) {
            sides[i]->concluded =
                dns_exchange_wake(&sides[i]->exchange, probe, now_ns, &sides[i]->outcome);
        }
    }
    wake_plan(probe);
    return conclude(probe, now_ns, ret_outcome);
}

static bool dns_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                      struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    struct side *const sides[] = {&state->own, &state->reference};

    (void)events;
    for (size_t i = 0; probe->in_flight && i < 2; i++) {
        if (!sides[i]->concluded &&
            dns_exchange_ready(&sides[i]->exchange, probe, fd, &sides[i]->outcome)) {
            sides[i]->concluded = true;
            dns_exchange_end(&sides[i]->exchange);
        }
    }
    wake_plan(probe);
    return probe->in_flight && conclude(probe, now_ns, ret_outcome);
}

static bool dns_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    if (!state->own.concluded) {
        state->own.concluded =
            dns_exchange_expire(&state->own.exchange, probe, &state->own.outcome);
    }
    if (!state->reference.concluded) {
        /* that it says nothing is no failure of ours */
        if (!dns_exchange_expire(&state->reference.exchange, probe, &state->reference.outcome)) {
            outcome_unknown(&state->reference.outcome, "no answer");
        }
        state->reference.concluded = true;
    }
    return conclude(probe, now_ns, ret_outcome);
}

static void dns_end(struct probe *probe)
{
    struct state *state = probe->state;

    dns_exchange_end(&state->own.exchange);
    dns_exchange_end(&state->reference.exchange);
}

const struct probe_type probe_dns = {
    .name = "dns",
    .state_len = sizeof(struct state),
    .start = dns_start,
    .ready = dns_ready,
    .wake = dns_wake,
    .expire = dns_expire,
    .end = dns_end,
};
