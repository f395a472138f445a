/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/exabgp_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define BACKOFF_MAX_S 30

int64_t exabgp_backoff_ns(uint32_t failures_n)
{
    const uint32_t shift = failures_n < 6 ? failures_n : 6;
    const int64_t seconds = INT64_C(1) << shift;

    return (seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S) * CLOCK_NS_PER_S;
}

static void current_set(struct exabgp_table_entry *entry)
{
    entry->status.current = entry->status.known == EXABGP_KNOWN_ANNOUNCED &&
                            route_attributes_equal(&entry->acknowledged, &entry->route.attributes);
}

static bool is_withdrawn(const struct exabgp_table_entry *entry)
{
    return entry->status.wish == ROUTE_WITHDRAW && entry->status.known == EXABGP_KNOWN_WITHDRAWN;
}

static size_t route_find(const struct exabgp_table *table, const struct prefix *prefix)
{
    size_t i = 0;

    while (i < table->count && prefix_compare(&table->entries[i].route.prefix, prefix) != 0) {
        i++;
    }
    return i;
}

static bool route_is_named(const struct route *routes, size_t routes_n, const struct prefix *prefix)
{
    for (size_t i = 0; i < routes_n; i++) {
        if (prefix_compare(&routes[i].prefix, prefix) == 0) {
            return true;
        }
    }
    return false;
}

int exabgp_table_routes(struct exabgp_table *table, const struct route *routes, size_t routes_n,
                        size_t *route, int64_t now_ns)
{
    struct exabgp_table_entry *entries =
        calloc(routes_n + table->count + 1, sizeof(*table->entries));
    const size_t followed = *route;
    size_t count = routes_n;

    if (!entries) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < routes_n; i++) {
        const size_t old = route_find(table, &routes[i].prefix);

        entries[i] = old < table->count ? table->entries[old]
                                        : (struct exabgp_table_entry){.route = routes[i],
                                                                      .retry_ns = now_ns,
                                                                      .status.known_ns = now_ns};
        *route = old == followed && old < table->count ? i : *route;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct exabgp_table_entry *old = &table->entries[i];

        /* one that a command is about is kept in any case: its reply will come */
        if (route_is_named(routes, routes_n, &old->route.prefix) ||
            (i != followed && (old->status.wish == ROUTE_HOLD || is_withdrawn(old)))) {
            continue;
        }
        *route = i == followed ? count : *route;
        entries[count] = *old;
        entries[count++].status.wish = old->status.wish == ROUTE_HOLD ? ROUTE_HOLD : ROUTE_WITHDRAW;
    }
    free(table->entries);
    table->entries = entries;
    table->named_n = routes_n;
    table->count = count;
    return 0;
}

int exabgp_table_init(struct exabgp_table *table, const struct route *routes, size_t routes_n,
                      int64_t now_ns)
{
    size_t none = 0;

    *table = (struct exabgp_table){0};
    return exabgp_table_routes(table, routes, routes_n, &none, now_ns);
}

void exabgp_table_want(struct exabgp_table *table, size_t route, enum route_wish wish,
                       const struct route_attributes *attributes)
{
    struct exabgp_table_entry *entry = &table->entries[route];

    if (entry->status.wish == wish &&
        (wish != ROUTE_ANNOUNCE || route_attributes_equal(&entry->route.attributes, attributes))) {
        return;
    }
    entry->status.wish = wish;
    if (wish == ROUTE_ANNOUNCE) {
        entry->route.attributes = *attributes;
    }
    current_set(entry);
    /* What failed before was another wish. */
    entry->status.failures_n = 0;
    entry->retry_ns = INT64_MIN;
}

enum route_wish exabgp_table_need(const struct exabgp_table_entry *entry)
{
    switch (entry->status.wish) {
    case ROUTE_HOLD:
        return ROUTE_HOLD;
    case ROUTE_ANNOUNCE:
        return entry->status.current ? ROUTE_HOLD : ROUTE_ANNOUNCE;
    case ROUTE_WITHDRAW:
        return entry->status.known == EXABGP_KNOWN_WITHDRAWN ? ROUTE_HOLD : ROUTE_WITHDRAW;
    }
    return ROUTE_HOLD;
}

size_t exabgp_table_next(const struct exabgp_table *table, enum route_wish need, int64_t now_ns)
{
    size_t i = 0;

    while (i < table->count &&
           (exabgp_table_need(&table->entries[i]) != need || now_ns < table->entries[i].retry_ns)) {
        i++;
    }
    return i;
}

size_t exabgp_table_next_blind(const struct exabgp_table *table, int64_t by_ns)
{
    size_t i = 0;

    while (i < table->count && (table->entries[i].blind || table->entries[i].retry_ns > by_ns ||
                                exabgp_table_need(&table->entries[i]) != ROUTE_WITHDRAW)) {
        i++;
    }
    return i;
}

void exabgp_table_set_known(struct exabgp_table *table, size_t route, enum exabgp_known known,
                            int64_t now_ns)
{
    struct exabgp_table_entry *entry = &table->entries[route];

    if (entry->status.known != known) {
        entry->status.known = known;
        entry->status.known_ns = now_ns;
    }
    current_set(entry);
}

void exabgp_table_set_announced(struct exabgp_table *table, size_t route,
                                const struct route_attributes *attributes, int64_t now_ns)
{
    table->entries[route].acknowledged = *attributes;
    exabgp_table_set_known(table, route, EXABGP_KNOWN_ANNOUNCED, now_ns);
}

void exabgp_table_set_blind(struct exabgp_table *table, size_t route, int64_t now_ns)
{
    struct exabgp_table_entry *entry = &table->entries[route];

    exabgp_table_set_known(table, route, EXABGP_KNOWN_NOTHING, now_ns);
    entry->blind = true;
    entry->blind_ns = entry->blind_ns ? entry->blind_ns : now_ns;
}

void exabgp_table_forget_blind(struct exabgp_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        table->entries[i].blind = false;
    }
}

bool exabgp_table_fail(struct exabgp_table *table, size_t route, int64_t now_ns)
{
    struct exabgp_table_entry *entry = &table->entries[route];

    entry->retry_ns = now_ns + exabgp_backoff_ns(entry->status.failures_n);
    return entry->status.failures_n++ == 0;
}

void exabgp_table_announce_anew(struct exabgp_table *table, int64_t now_ns)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].status.known == EXABGP_KNOWN_ANNOUNCED) {
            exabgp_table_set_known(table, i, EXABGP_KNOWN_FOUND, now_ns);
        }
    }
}

void exabgp_table_read_start(struct exabgp_table *table)
{
    table->foreign_n = 0;
    for (size_t i = 0; i < table->count; i++) {
        table->entries[i].reading_n = 0;
        table->entries[i].reading_differs = false;
    }
}

void exabgp_table_read_add(struct exabgp_table *table, const struct prefix *prefix,
                           const struct route_attributes *attributes)
{
    for (size_t i = 0; i < table->count; i++) {
        struct exabgp_table_entry *entry = &table->entries[i];

        if (prefix_compare(&entry->route.prefix, prefix) == 0) {
            entry->reading_n++;
            entry->reading_differs = entry->reading_differs || !attributes ||
                                     !route_attributes_equal(attributes, &entry->acknowledged);
            return;
        }
    }
    table->foreign_n++;
}

enum exabgp_finding exabgp_table_read_apply(struct exabgp_table *table, size_t route,
                                            int64_t now_ns)
{
    struct exabgp_table_entry *entry = &table->entries[route];
    const bool held = entry->reading_n > 0;
    enum exabgp_finding finding = EXABGP_FINDING_NONE;

    entry->status.holders_n = entry->reading_n;
    entry->status.read = true;
    switch (entry->status.known) {
    case EXABGP_KNOWN_ANNOUNCED:
    case EXABGP_KNOWN_WITHDRAWN:
        if (held != (entry->status.known == EXABGP_KNOWN_ANNOUNCED)) {
            exabgp_table_set_known(table, route, EXABGP_KNOWN_NOTHING, now_ns);
            finding = EXABGP_FINDING_MISMATCH;
        } else if (held && entry->reading_differs) {
            exabgp_table_set_known(table, route, EXABGP_KNOWN_FOUND, now_ns);
            finding = EXABGP_FINDING_DIFFERENT;
        } else {
            entry->status.failures_n = 0;
        }
        break;
    case EXABGP_KNOWN_NOTHING:
    case EXABGP_KNOWN_FOUND:
        exabgp_table_set_known(table, route, held ? EXABGP_KNOWN_FOUND : EXABGP_KNOWN_WITHDRAWN,
                               now_ns);
        if (!held && entry->blind_ns) {
            finding = EXABGP_FINDING_WITHDRAWN;
        }
        break;
    }
    if (route >= table->named_n && entry->status.known == EXABGP_KNOWN_WITHDRAWN) {
        entry->status.wish = ROUTE_HOLD; /* it is out, and no longer our business */
        exabgp_table_set_known(table, route, EXABGP_KNOWN_NOTHING, now_ns);
    }
    return finding;
}

void exabgp_table_see(struct exabgp_table *table, const struct prefix *prefix)
{
    const size_t i = route_find(table, prefix);

    if (i < table->count) {
        table->entries[i].seeing_n++;
    }
}

int64_t exabgp_table_deadline_ns(const struct exabgp_table *table, bool announcing)
{
    int64_t deadline_ns = INT64_MAX;

    for (size_t i = 0; i < table->count; i++) {
        const struct exabgp_table_entry *entry = &table->entries[i];

        const enum route_wish need = exabgp_table_need(entry);

        if ((need == ROUTE_WITHDRAW || (need == ROUTE_ANNOUNCE && announcing)) &&
            entry->retry_ns < deadline_ns) {
            deadline_ns = entry->retry_ns;
        }
    }
    return deadline_ns;
}

void exabgp_table_done(struct exabgp_table *table)
{
    free(table->entries);
    table->entries = NULL;
}
