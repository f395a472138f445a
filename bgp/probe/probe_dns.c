/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_dns.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/fd.h"

#define READS_PER_WAKE 16 /* junk from the server's address must not hold the loop */

struct
try {
    int fd;
    size_t query_len;
    uint8_t query[DNS_CHECK_QUERY_LEN];
};

struct state {
    size_t tries_n; /* sent so far */
    struct try tries[PROBE_DNS_TRIES_MAX];
};

static const struct probe_dns_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

static int query_make(const struct probe *probe, struct try *try)
{
    uint16_t id;
    int len;

    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id)) {
        return -EAGAIN;
    }
    len = dns_check_query(&settings(probe)->check, id, try->query);
    if (len > 0) {
        try->query_len = (size_t)len;
    }
    return len;
}

static bool try_send(struct probe *probe, struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    struct try *try = &state->tries[state->tries_n];
    const int len = query_make(probe, try);

    if (len < 0) {
        return outcome_unknown(outcome, "making the query: %s", strerror(-len));
    }
    try->fd = probe_connect(probe, SOCK_DGRAM, EPOLLIN, outcome);
    if (try->fd < 0) {
        return true;
    }
    state->tries_n++;
    return send(try->fd, try->query, try->query_len, 0) < 0 &&
           outcome_errno(outcome, "sending", errno);
}

/* Asks to be woken for the next one: they are spread evenly over the timeout. */
static bool next_plan(struct probe *probe, int64_t now_ns)
{
    const struct state *state = probe->state;

    if (state->tries_n < settings(probe)->tries) {
        probe->wake_ns = now_ns + probe->check->timeout_ns / settings(probe)->tries;
    }
    return false;
}

static bool dns_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    return try_send(probe, ret_outcome) || next_plan(probe, now_ns);
}

/* What this process cannot do once more does not matter while an answer may still come. */
static bool dns_wake(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    if (try_send(probe, ret_outcome) && ret_outcome->observation != HEALTH_UNKNOWN) {
        return true;
    }
    return next_plan(probe, now_ns);
}

static bool try_read(const struct probe *probe, const struct try *try,
                     struct probe_outcome *outcome)
{
    uint8_t bytes[DNS_CHECK_ANSWER_LEN];

    for (int i = 0; i < READS_PER_WAKE; i++) {
        const ssize_t len = recv(try->fd, bytes, sizeof(bytes), MSG_TRUNC);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return false;
        }
        if (len < 0) {
            return outcome_errno(outcome, "receiving", errno);
        }
        /* longer than the buffer: the judge ignores what it cannot see whole */
        if ((size_t)len <= sizeof(bytes) &&
            dns_check_judge(&settings(probe)->check, try->query, try->query_len, bytes, (size_t)len,
                            outcome)) {
            return true;
        }
    }
    return false;
}

static bool dns_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                      struct probe_outcome *ret_outcome)
{
    const struct state *state = probe->state;

    (void)events;
    (void)now_ns;
    for (size_t i = 0; i < state->tries_n; i++) {
        if (state->tries[i].fd == fd) {
            return try_read(probe, &state->tries[i], ret_outcome);
        }
    }
    return false;
}

/* If it was us who slept, the answer is waiting in a socket. */
static bool dns_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    const struct state *state = probe->state;

    (void)now_ns;
    for (size_t i = 0; i < state->tries_n; i++) {
        if (try_read(probe, &state->tries[i], ret_outcome)) {
            return true;
        }
    }
    return false;
}

static void dns_end(struct probe *probe)
{
    struct state *state = probe->state;

    for (size_t i = 0; i < state->tries_n; i++) {
        fd_close(&state->tries[i].fd);
    }
    state->tries_n = 0;
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
