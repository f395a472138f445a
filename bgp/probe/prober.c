/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/prober.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"

#define SPREAD_NS (50 * CLOCK_NS_PER_MS) /* of the first probes */
#define CHECK_SHIFT 32 /* of a check's number in the tags; its descriptors are below */

struct entry {
    struct probe probe;
    int64_t due_ns; /* while nothing is in flight */
    bool asked;     /* to be made anew as soon as possible */
    bool hasty;     /* what is in flight was asked for: it is not given up for the next such wish,
                       or a server that dies again and again would never be judged */
};

struct prober {
    const struct config *config;
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
    const int64_t started_ns = now_ns - outcome->elapsed_ns;
    const int64_t due_ns = prober->observe(prober->context, check, outcome, started_ns, now_ns);
    const int64_t period_ns = due_ns - started_ns;

    entry->hasty = false;
    /* never before, at most a twentieth after; and if the probe itself took longer, at once */
    entry->due_ns = due_ns + random_below(period_ns / 20);
    if (entry->due_ns < now_ns) {
        entry->due_ns = now_ns;
    }
}

static void entry_run(struct prober *prober, size_t check, int64_t now_ns)
{
    struct entry *entry = &prober->entries[check];
    struct probe_outcome outcome;

    if (entry->asked && !entry->hasty) {
        probe_cancel(&entry->probe);
        entry->due_ns = now_ns;
        entry->asked = false;
        entry->hasty = true;
    }
    if (probe_run(&entry->probe, now_ns, &outcome)) {
        entry_conclude(prober, check, &outcome, now_ns);
    }
    if (!entry->probe.in_flight && now_ns >= entry->due_ns &&
        probe_start(&entry->probe, now_ns, &outcome)) {
        entry_conclude(prober, check, &outcome, now_ns);
    }
}

static void triggered(void *context, const struct probe *probe, enum address_family family)
{
    struct prober *prober = context;

    for (size_t i = 0; i < prober->config->checks_n; i++) {
        struct entry *entry = &prober->entries[i];
        const enum address_family own = entry->probe.check->family;

        if (&entry->probe != probe &&
            (family == ADDRESS_NONE || own == ADDRESS_NONE || own == family)) {
            entry->asked = true;
        }
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
    prober->observe = observe;
    prober->context = context;
    for (size_t i = 0; i < config->checks_n; i++) {
        struct entry *entry = &prober->entries[i];

        if (probe_init(&entry->probe, &config->checks[i], epoll_fd,
                       tag + ((uint64_t)i << CHECK_SHIFT)) < 0) {
            prober_free(prober);
            return NULL;
        }
        entry->probe.trigger = triggered;
        entry->probe.context = prober;
        entry->due_ns = now_ns + random_below(SPREAD_NS);
    }
    return prober;
}

void prober_run(struct prober *prober, int64_t now_ns)
{
    for (size_t i = 0; i < prober->config->checks_n; i++) {
        entry_run(prober, i, now_ns);
    }
}

void prober_ready(struct prober *prober, uint64_t data, uint32_t events, int64_t now_ns)
{
    const uint64_t check = data >> CHECK_SHIFT;
    const int fd = (int)(data & INT32_MAX);
    struct probe_outcome outcome;

    if (check < prober->config->checks_n &&
        probe_ready(&prober->entries[check].probe, fd, events, now_ns, &outcome)) {
        entry_conclude(prober, check, &outcome, now_ns);
    }
}

void prober_trigger(struct prober *prober, enum address_family family)
{
    triggered(prober, NULL, family);
}

int64_t prober_deadline_ns(const struct prober *prober)
{
    int64_t deadline_ns = INT64_MAX;

    for (size_t i = 0; i < prober->config->checks_n; i++) {
        const struct entry *entry = &prober->entries[i];
        int64_t next_ns = entry->probe.in_flight ? probe_deadline_ns(&entry->probe) : entry->due_ns;

        if (entry->asked && !entry->hasty) {
            next_ns = 0;
        }
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
