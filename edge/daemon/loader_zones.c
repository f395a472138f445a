/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/loader_zones.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"

/* Signatures that end sooner than this are worth a warning: three days, a weekend. */
#define LOADER_SIGNATURES_S ((int64_t)3 * 24 * 60 * 60)

/* What is to be said of a zone when its turn comes. */
struct loader_outcome {
    int code;
    uint32_t warning_n;
    char *first_warning; /* owned */
};

/* Threads take the next zone from here until there are none. */
struct loader_work {
    struct loaded *loaded;
    const struct loaded *previous;
    struct loader_outcome *outcomes; /* one per zone */
    atomic_size_t next;
};

static int loader_zones_compare(const uint8_t *a, const uint8_t *b)
{
    size_t a_len = name_len(a);
    size_t b_len = name_len(b);

    return a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
}

static int loader_zones_by_name(const void *a, const void *b)
{
    const struct loaded_zone *const *first = a;
    const struct loaded_zone *const *second = b;

    return loader_zones_compare((*first)->config->name, (*second)->config->name);
}

static int loader_zones_by_origin(const void *origin, const void *zone)
{
    const struct loaded_zone *const *other = zone;

    return loader_zones_compare(origin, (*other)->config->name);
}

const struct loaded_zone *loaded_find_zone(const struct loaded *loaded, const uint8_t *origin)
{
    const struct loaded_zone **found = bsearch(origin, loaded->by_name, loaded->zone_n,
                                               sizeof(*loaded->by_name), loader_zones_by_origin);

    return found ? *found : NULL;
}

/* --- one zone --- */

static int loader_zones_read(struct zone_loader *loader, const struct config_zone *wanted,
                             struct loaded_zone *zone, struct zone_report *report,
                             struct failure *failure)
{
    struct zone_text text = {.path = wanted->file, .includes = true};
    uint8_t *bytes;
    int code = file_stamp_read(wanted->file, &zone->stamp, &bytes, &text.len, failure);

    if (code < 0) {
        return failure_wrap(failure, code, "%s", wanted->place);
    }
    text.bytes = (const char *)bytes;
    code = zone_loader_read(loader, &text, wanted->name, failure);
    free(bytes);
    if (code == 0) {
        code = zone_loader_finish(loader, &zone->zone, report, failure);
    }
    zone->stamp.includes = report->include_n > 0;
    return code;
}

static void loader_zones_keep(struct loaded_zone *zone, const struct loaded_zone *before)
{
    zone->zone = zone_ref(before->zone);
    zone->stamp = before->stamp;
    zone->loaded_s = before->loaded_s;
}

/* Any thread; each zone and its outcome belong to one. */
static void loader_zones_load_one(struct zone_loader *loader, const struct config_zone *wanted,
                                  const struct loaded_zone *before, struct loaded_zone *zone,
                                  struct loader_outcome *outcome)
{
    struct zone_report report;
    struct failure failure;

    zone->config = wanted;
    if (before && before->zone && strcmp(before->config->file, wanted->file) == 0 &&
        file_stamp_holds(wanted->file, &before->stamp)) {
        loader_zones_keep(zone, before);
        return;
    }
    report.include_n = 0;
    report.warning_n = 0;
    outcome->code = loader_zones_read(loader, wanted, zone, &report, &failure);
    if (outcome->code == 0) {
        zone->loaded_s = clock_wall_s();
        outcome->warning_n = report.warning_n;
        outcome->first_warning = report.warning_n ? strdup(report.first_warning) : NULL;
        return;
    }
    zone->fault = strdup(failure.text);
    if (before && before->zone) {
        loader_zones_keep(zone, before);
    }
}

static void *loader_zones_run(void *argument)
{
    struct loader_work *work = argument;
    struct loaded *loaded = work->loaded;
    const struct config *config = loaded->config;
    struct zone_loader *loader = zone_loader_new();

    while (loader) {
        size_t i = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        const struct config_zone *wanted = &config->zones[i];

        if (i >= config->zone_n) {
            break;
        }
        loader_zones_load_one(
            loader, wanted, work->previous ? loaded_find_zone(work->previous, wanted->name) : NULL,
            &loaded->zones[i], &work->outcomes[i]);
    }
    zone_loader_free(loader);
    return NULL;
}

/* --- all of them --- */

/* Threads that cannot be had are done without. -ENOMEM: zones were left over. */
static int loader_zones_run_all(struct loader_work *work, unsigned thread_n)
{
    size_t zone_n = work->loaded->config->zone_n;
    pthread_t threads[LOADER_ZONES_THREADS_MAX];
    unsigned helper_n = 0;

    while (helper_n + 1 < thread_n && helper_n < LOADER_ZONES_THREADS_MAX &&
           helper_n + 1 < zone_n &&
           pthread_create(&threads[helper_n], NULL, loader_zones_run, work) == 0) {
        helper_n++;
    }
    (void)loader_zones_run(work);
    for (unsigned i = 0; i < helper_n; i++) {
        pthread_join(threads[i], NULL);
    }
    return atomic_load(&work->next) < zone_n ? -ENOMEM : 0;
}

static int loader_zones_report(const struct loaded_zone *zone, const struct loader_outcome *outcome,
                               struct report *report)
{
    const struct config_zone *wanted = zone->config;

    if (outcome->first_warning) {
        report_warn(report, "%s (and %u more in zone %s)", outcome->first_warning,
                    outcome->warning_n - 1, wanted->origin);
    }
    if (outcome->code == 0) {
        return 0;
    }
    if (!zone->fault) {
        return -ENOMEM;
    }
    if (zone->zone) {
        report_add_text(report, "%s (zone %s keeps serial %u)", zone->fault, wanted->origin,
                        zone->zone->serial);
    } else {
        report_add_text(report, "%s (zone %s answers SERVFAIL)", zone->fault, wanted->origin);
    }
    return 0;
}

/* Resolvers take expired signatures for an attack, and whoever forgot to sign hears of it last. */
static void loader_zones_check_signatures(const struct loaded_zone *zone, struct report *report)
{
    int64_t now_s = clock_wall_s();
    int64_t until_s;
    char when[24];

    if (!zone->zone || !zone->zone->denial) {
        return;
    }
    until_s = zone_signature_time(zone->zone->signed_until, now_s);
    clock_format_utc(until_s, when);
    if (until_s < now_s + LOADER_SIGNATURES_S) {
        report_warn(report, "%s: signatures of zone %s %s %s", zone->config->file,
                    zone->config->origin, until_s < now_s ? "have expired since" : "expire from",
                    when);
    }
}

/* In the order of the configuration, whoever loaded what. */
static int loader_zones_collect(struct loaded *loaded, const struct loader_outcome *outcomes,
                                struct report *report)
{
    for (size_t i = 0; i < loaded->zone_n; i++) {
        struct loaded_zone *zone = &loaded->zones[i];
        int code = loader_zones_report(zone, &outcomes[i], report);

        if (code == 0) {
            loader_zones_check_signatures(zone, report);
            code = zone_set_add(loaded->zone_set, zone->config->name, zone->zone);
        }
        if (code < 0) {
            return code;
        }
        loaded->by_name[i] = zone;
        loaded->zone_failed_n += zone->fault != NULL;
        loaded->zone_missing_n += zone->zone == NULL;
    }
    qsort(loaded->by_name, loaded->zone_n, sizeof(*loaded->by_name), loader_zones_by_name);
    return zone_set_finish(loaded->zone_set);
}

int loader_zones_load_by(struct loaded *loaded, const struct loaded *previous, unsigned thread_n,
                         struct report *report)
{
    size_t zone_n = loaded->config->zone_n;
    struct loader_work work = {.loaded = loaded, .previous = previous};
    int code = -ENOMEM;

    loaded->zones = calloc(zone_n + 1, sizeof(*loaded->zones));
    loaded->by_name = calloc(zone_n + 1, sizeof(*loaded->by_name));
    loaded->zone_set = zone_set_new();
    work.outcomes = calloc(zone_n + 1, sizeof(*work.outcomes));
    if (loaded->zones && loaded->by_name && loaded->zone_set && work.outcomes) {
        loaded->zone_n = zone_n;
        code = loader_zones_run_all(&work, thread_n);
    }
    if (code == 0) {
        code = loader_zones_collect(loaded, work.outcomes, report);
    }
    for (size_t i = 0; work.outcomes && i < zone_n; i++) {
        free(work.outcomes[i].first_warning);
    }
    free(work.outcomes);
    return code;
}

int loader_zones_load(struct loaded *loaded, const struct loaded *previous, struct report *report)
{
    unsigned thread_n = 1;
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
        thread_n = (unsigned)CPU_COUNT(&cpus);
    }
    return loader_zones_load_by(loaded, previous, previous ? (thread_n + 1) / 2 : thread_n, report);
}
