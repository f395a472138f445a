/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/prober.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/clock.h"

#define SPREAD_NS (50 * CLOCK_NS_PER_MS) /* of the first probes */

struct entry {
    struct probe probe;
    int64_t due_ns; /* while nothing is in flight */
};

struct prober {
    const struct config *config;
    int epoll_fd;
    uint64_t tag;
    prober_observe *observe;
    void *context;
    struct entry entries[CONFIG_CHECKS_MAX];
};

/* Even without entropy the probe must go on: no spread then. */
static int64_t random_below(int64_t below)
{
    uint32_t value = 0;

    if (below <= 0 || getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value)) {
        return 0;
    }
    return (int64_t)(((uint64_t)value * (uint64_t)below) >> 32);
}

static void entry_conclude(struct prober *prober, size_t check, const struct probe_outcome *outcome,
                           int64_t now_ns)
{
    struct entry *entry = &prober->entries[check];
    const int64_t started_ns = entry->probe.started_ns;
    const int64_t due_ns = prober->observe(prober->context, check, outcome, started_ns, now_ns);
    const int64_t period_ns = due_ns - started_ns;

    /* never before, at most a twentieth after; and if the probe itself took longer, at once */
    entry->due_ns = due_ns + random_below(period_ns / 20);
    if (entry->due_ns < now_ns) {
        entry->due_ns = now_ns;
    }
}

static void entry_start(struct prober *prober, size_t check, int64_t now_ns)
{
    struct entry *entry = &prober->entries[check];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = prober->tag + check};
    struct probe_outcome outcome;

    if (probe_start(&entry->probe, now_ns, &outcome)) {
        entry_conclude(prober, check, &outcome, now_ns);
        return;
    }
    if (epoll_ctl(prober->epoll_fd, EPOLL_CTL_ADD, entry->probe.fd, &event) < 0) {
        outcome = (struct probe_outcome){.observation = HEALTH_UNKNOWN};
        snprintf(outcome.evidence, sizeof(outcome.evidence), "watching a socket: %s",
                 strerror(errno));
        probe_done(&entry->probe);
        entry_conclude(prober, check, &outcome, now_ns);
    }
}

struct prober *prober_new(const struct config *config, int epoll_fd, uint64_t tag,
                          prober_observe *observe, void *context, int64_t now_ns)
{
    struct prober *prober = calloc(1, sizeof(*prober));

    if (!prober) {
        return NULL;
    }
    prober->config = config;
    prober->epoll_fd = epoll_fd;
    prober->tag = tag;
    prober->observe = observe;
    prober->context = context;
    for (size_t i = 0; i < config->checks_n; i++) {
        const struct config_check *check = &config->checks[i];

        probe_init(&prober->entries[i].probe, &check->dns, &check->server, check->server_is_vip,
                   check->timeout_ns);
        prober->entries[i].due_ns = now_ns + random_below(SPREAD_NS);
    }
    return prober;
}

void prober_run(struct prober *prober, int64_t now_ns)
{
    for (size_t i = 0; i < prober->config->checks_n; i++) {
        struct entry *entry = &prober->entries[i];
        struct probe_outcome outcome;

        if (entry->probe.fd >= 0 && probe_expire(&entry->probe, now_ns, &outcome)) {
            entry_conclude(prober, i, &outcome, now_ns);
        }
        if (entry->probe.fd < 0 && now_ns >= entry->due_ns) {
            entry_start(prober, i, now_ns);
        }
    }
}

void prober_read(struct prober *prober, size_t check, int64_t now_ns)
{
    struct probe_outcome outcome;

    if (check < prober->config->checks_n &&
        probe_read(&prober->entries[check].probe, now_ns, &outcome)) {
        entry_conclude(prober, check, &outcome, now_ns);
    }
}

int64_t prober_deadline_ns(const struct prober *prober)
{
    int64_t deadline_ns = INT64_MAX;

    for (size_t i = 0; i < prober->config->checks_n; i++) {
        const struct entry *entry = &prober->entries[i];
        const int64_t next_ns =
            entry->probe.fd >= 0 ? probe_deadline_ns(&entry->probe) : entry->due_ns;

        deadline_ns = next_ns < deadline_ns ? next_ns : deadline_ns;
    }
    return deadline_ns;
}

void prober_free(struct prober *prober)
{
    if (!prober) {
        return;
    }
    for (size_t i = 0; i < prober->config->checks_n; i++) {
        probe_done(&prober->entries[i].probe);
    }
    free(prober);
}
