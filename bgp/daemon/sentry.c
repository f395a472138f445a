/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/sentry.h"

#include <stdlib.h>

#include "bgp/probe/probe_dns.h"

#define FD_MAX (UINT64_C(1) << 32) /* tags per VIP: a probe counts descriptors from its own */

struct entry {
    size_t vip;
    struct config_check check;
    struct probe_dns_settings settings;
    struct probe probe;
    struct health health;
    int64_t due_ns; /* while nothing is in flight */
};

struct sentry {
    bool awake;
    sentry_down *down;
    void *context;
    size_t count;
    struct entry entries[];
};

static int entry_init(struct entry *entry, size_t vip, const struct link_sentry *plan, int epoll_fd,
                      uint64_t tag)
{
    entry->vip = vip;
    entry->settings =
        (struct probe_dns_settings){.check = plan->check, .tries = plan->tries, .tcp = plan->tcp};
    entry->check = (struct config_check){
        .name = "sentry",
        .class = CHECK_HARD,
        .type = &probe_dns,
        .settings = &entry->settings,
        .server = plan->server,
        .server_is_vip = plan->server_is_vip,
        .interval_ns = plan->interval_ns,
        .retry_ns = plan->retry_ns,
        .timeout_ns = plan->timeout_ns,
        .limits = {.rise = 1, .fall = plan->fall},
    };
    return probe_init(&entry->probe, &entry->check, epoll_fd, tag);
}

struct sentry *sentry_new(const struct link_plan *plan, int epoll_fd, uint64_t tag,
                          sentry_down *down, void *context)
{
    struct sentry *sentry = calloc(1, sizeof(*sentry) + plan->vips_n * sizeof(sentry->entries[0]));

    if (!sentry) {
        return NULL;
    }
    sentry->down = down;
    sentry->context = context;
    for (size_t i = 0; i < plan->vips_n; i++) {
        if (!plan->vips[i].watched) {
            continue;
        }
        if (entry_init(&sentry->entries[sentry->count], i, &plan->vips[i].sentry, epoll_fd,
                       tag + sentry->count * FD_MAX) < 0) {
            sentry_free(sentry);
            return NULL;
        }
        sentry->count++;
    }
    return sentry;
}

void sentry_wake(struct sentry *sentry, int64_t now_ns)
{
    sentry_sleep(sentry);
    sentry->awake = true;
    for (size_t i = 0; i < sentry->count; i++) {
        health_init(&sentry->entries[i].health, now_ns);
        sentry->entries[i].due_ns = now_ns;
    }
}

void sentry_sleep(struct sentry *sentry)
{
    sentry->awake = false;
    for (size_t i = 0; i < sentry->count; i++) {
        probe_cancel(&sentry->entries[i].probe);
    }
}

static void conclude(struct sentry *sentry, struct entry *entry,
                     const struct probe_outcome *outcome, int64_t now_ns)
{
    const bool changed =
        health_observe(&entry->health, &entry->check.limits, outcome->observation, now_ns);
    const bool confirm = outcome->observation == HEALTH_FAIL && entry->health.state != HEALTH_DOWN;

    entry->due_ns =
        entry->probe.started_ns + (confirm ? entry->check.retry_ns : entry->check.interval_ns);
    if (changed && entry->health.state == HEALTH_DOWN) {
        sentry->down(sentry->context, entry->vip, outcome->evidence);
    }
}

void sentry_ready(struct sentry *sentry, uint64_t data, uint32_t events, int64_t now_ns)
{
    struct entry *entry = &sentry->entries[data / FD_MAX];
    struct probe_outcome outcome;

    if (sentry->awake && data / FD_MAX < sentry->count &&
        probe_ready(&entry->probe, (int)(data % FD_MAX), events, now_ns, &outcome)) {
        conclude(sentry, entry, &outcome, now_ns);
    }
}

void sentry_run(struct sentry *sentry, int64_t now_ns)
{
    for (size_t i = 0; sentry->awake && i < sentry->count; i++) {
        struct entry *entry = &sentry->entries[i];
        struct probe_outcome outcome;

        if (probe_run(&entry->probe, now_ns, &outcome)) {
            conclude(sentry, entry, &outcome, now_ns);
        }
        if (!entry->probe.in_flight && now_ns >= entry->due_ns &&
            probe_start(&entry->probe, now_ns, &outcome)) {
            conclude(sentry, entry, &outcome, now_ns);
        }
    }
}

int64_t sentry_deadline_ns(const struct sentry *sentry)
{
    int64_t deadline_ns = INT64_MAX;

    for (size_t i = 0; sentry->awake && i < sentry->count; i++) {
        const struct entry *entry = &sentry->entries[i];
        const int64_t next_ns =
            entry->probe.in_flight ? probe_deadline_ns(&entry->probe) : entry->due_ns;

        deadline_ns = next_ns < deadline_ns ? next_ns : deadline_ns;
    }
    return deadline_ns;
}

void sentry_free(struct sentry *sentry)
{
    if (!sentry) {
        return;
    }
    for (size_t i = 0; i < sentry->count; i++) {
        probe_done(&sentry->entries[i].probe);
    }
    free(sentry);
}
