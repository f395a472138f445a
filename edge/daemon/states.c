/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/states.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A service whose states changed, remembered while its TTL is kept low for that. */
struct states_recent {
    char service[STATES_NAME_SIZE];
    int64_t until_s;
};

struct states {
    struct states_source *sources; /* the operator, then the fleet files in order */
    size_t source_n;
    struct states_recent *recents;
    size_t recent_n;
    int64_t next_s;
};

const char *states_layer_name(enum states_layer layer)
{
    switch (layer) {
    case STATES_OPERATOR:
        return "operator";
    case STATES_FLEET:
        return "fleet";
    }
    return "unknown";
}

void states_source_done(struct states_source *source)
{
    free(source->entries);
    *source = (struct states_source){0};
}

int states_source_add(struct states_source *source, const struct states_entry *entry)
{
    struct states_entry *entries;

    if (source->count >= STATES_ENTRIES_MAX) {
        return -ENOSPC;
    }
    entries = reallocarray(source->entries, source->count + 1, sizeof(*entries));
    if (!entries) {
        return -ENOMEM;
    }
    entries[source->count] = *entry;
    source->entries = entries;
    source->count++;
    return 0;
}

int states_source_copy(const struct states_source *from, struct states_source *ret_copy)
{
    struct states_source copy = {0};

    for (size_t i = 0; i < from->count; i++) {
        int code = states_source_add(&copy, &from->entries[i]);

        if (code < 0) {
            states_source_done(&copy);
            return code;
        }
    }
    *ret_copy = copy;
    return 0;
}

struct states *states_new(size_t fleet_n)
{
    struct states *states = calloc(1, sizeof(*states));

    if (!states) {
        return NULL;
    }
    states->source_n = fleet_n + 1;
    states->next_s = INT64_MAX;
    states->sources = calloc(states->source_n, sizeof(*states->sources));
    if (!states->sources) {
        free(states);
        return NULL;
    }
    return states;
}

void states_free(struct states *states)
{
    if (!states) {
        return;
    }
    for (size_t i = 0; i < states->source_n; i++) {
        states_source_done(&states->sources[i]);
    }
    free(states->sources);
    free(states->recents);
    free(states);
}

void states_replace(struct states *states, size_t place, struct states_source *source)
{
    states_source_done(&states->sources[place]);
    states->sources[place] = *source;
    *source = (struct states_source){0};
}

const struct states_source *states_source(const struct states *states, size_t place)
{
    return &states->sources[place];
}

size_t states_source_count(const struct states *states)
{
    return states->source_n;
}

int states_change_operator(const struct states_source *from, const struct states_entry *entry,
                           bool clear, struct states_source *ret_changed)
{
    struct states_source changed = {0};
    int code = 0;

    for (size_t i = 0; i < from->count && code == 0; i++) {
        const struct states_entry *old = &from->entries[i];
        bool replaced = strcmp(old->pop, entry->pop) == 0 &&
                        (!*entry->service || strcmp(old->service, entry->service) == 0);

        code = replaced ? 0 : states_source_add(&changed, old);
    }
    if (code == 0 && !clear) {
        code = states_source_add(&changed, entry);
    }
    if (code < 0) {
        states_source_done(&changed);
        return code;
    }
    *ret_changed = changed;
    return 0;
}

static bool states_is_over(const struct states_entry *entry, int64_t now_s)
{
    return entry->expires_s && entry->expires_s <= now_s;
}

bool states_expire(struct states *states, int64_t now_s)
{
    bool any = false;

    for (size_t i = 0; i < states->source_n; i++) {
        struct states_source *source = &states->sources[i];
        size_t kept = 0;

        for (size_t k = 0; k < source->count; k++) {
            if (!states_is_over(&source->entries[k], now_s)) {
                source->entries[kept++] = source->entries[k];
            }
        }
        any |= kept != source->count;
        source->count = kept;
    }
    return any;
}

/* Whether `a` decides over `b`, both being about the same PoP and service. */
static bool states_beats(const struct states_entry *a, const struct states_entry *b)
{
    if (a->layer != b->layer) {
        return a->layer < b->layer;
    }
    if (!*a->service != !*b->service) {
        return *a->service != '\0';
    }
    return pop_state_is_stronger(a->state, b->state);
}

size_t states_find(const struct states *states, const char *pop, const char *service, int64_t now_s,
                   const struct states_entry **ret_entries, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < states->source_n; i++) {
        for (size_t k = 0; k < states->sources[i].count; k++) {
            const struct states_entry *entry = &states->sources[i].entries[k];
            size_t at;

            if (strcmp(entry->pop, pop) != 0 || states_is_over(entry, now_s) ||
                (*entry->service && strcmp(entry->service, service) != 0)) {
                continue;
            }
            /* insertion sort into the few that are asked for; the weakest fall off the end */
            at = n < max ? n++ : max;
            while (at > 0 && states_beats(entry, ret_entries[at - 1])) {
                if (at < max) {
                    ret_entries[at] = ret_entries[at - 1];
                }
                at--;
            }
            if (at < max) {
                ret_entries[at] = entry;
            }
        }
    }
    return n;
}

static void states_fill_service(const struct states *states, const struct service *service,
                                const struct image *image, int64_t now_s,
                                uint8_t ret_states[static MAP_STATES])
{
    const struct states_entry *winners[MAP_STATES] = {NULL};

    memset(ret_states, POP_STATE_UP, MAP_STATES);
    for (size_t i = 0; i < states->source_n; i++) {
        for (size_t k = 0; k < states->sources[i].count; k++) {
            const struct states_entry *entry = &states->sources[i].entries[k];
            int pop;

            if (states_is_over(entry, now_s) ||
                (*entry->service && strcmp(entry->service, service->name) != 0)) {
                continue;
            }
            pop = image_find_pop(image, entry->pop);
            if (pop < 0 || (winners[pop] && !states_beats(entry, winners[pop]))) {
                continue; /* a PoP this image does not know: the entry waits for one that does */
            }
            winners[pop] = entry;
            ret_states[pop] = entry->state;
        }
    }
}

static void states_note_change(struct states *states, const char *service, int64_t until_s)
{
    struct states_recent *recents;
    size_t i = 0;

    while (i < states->recent_n && strcmp(states->recents[i].service, service) != 0) {
        i++;
    }
    if (i == states->recent_n) {
        recents = reallocarray(states->recents, states->recent_n + 1, sizeof(*recents));
        if (!recents) {
            return; /* costs only the lower TTL */
        }
        states->recents = recents;
        states->recent_n++;
        memset(&recents[i], 0, sizeof(recents[i]));
        memcpy(recents[i].service, service, strnlen(service, STATES_NAME_SIZE - 1));
    }
    states->recents[i].until_s = until_s;
}

static void states_forget_changes(struct states *states, int64_t now_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < states->recent_n; i++) {
        if (states->recents[i].until_s > now_s) {
            states->recents[kept++] = states->recents[i];
        }
    }
    states->recent_n = kept;
}

enum states_ttl_reason states_ttl_reason(const struct states *states, const struct service *service,
                                         int64_t now_s, int64_t *ret_until_s)
{
    enum states_ttl_reason reason = STATES_TTL_NORMAL;
    int64_t next_s = INT64_MAX; /* when TTL_NORMAL ends */

    for (size_t i = 0; i < states->recent_n; i++) {
        if (strcmp(states->recents[i].service, service->name) == 0 &&
            states->recents[i].until_s > now_s) {
            *ret_until_s = states->recents[i].until_s;
            return STATES_TTL_RECENT;
        }
    }
    for (size_t i = 0; i < states->source_n; i++) {
        for (size_t k = 0; k < states->sources[i].count; k++) {
            const struct states_entry *entry = &states->sources[i].entries[k];
            bool concerned = !*entry->service || strcmp(entry->service, service->name) == 0;

            if (!concerned || !entry->expires_s || entry->expires_s <= now_s) {
                continue;
            }
            if (entry->expires_s - now_s <= service->ttl) {
                reason = STATES_TTL_PENDING;
                next_s = entry->expires_s;
            } else if (reason == STATES_TTL_NORMAL && entry->expires_s - service->ttl < next_s) {
                next_s = entry->expires_s - service->ttl;
            }
        }
    }
    *ret_until_s = next_s;
    return reason;
}

/* The state bytes of one service in both families: ABSENT wherever it has no address to give. */
static void states_fill_table(const struct service *service,
                              const uint8_t by_pop[static MAP_STATES], struct state_table *table)
{
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        for (unsigned pop = 0; pop < MAP_MAX_POPS; pop++) {
            table->states[family][pop] =
                service->addresses[family][pop].count ? by_pop[pop] : MAP_STATE_ABSENT;
        }
    }
}

static void states_compare(struct states *states, const struct service *service,
                           const struct state_table *table, const struct state_set *previous,
                           const struct services *previous_services, int64_t now_s)
{
    const struct service *before =
        previous_services ? services_find(previous_services, service->name) : NULL;

    if (before && previous &&
        memcmp(previous->tables[before->index].states, table->states, sizeof(table->states)) != 0) {
        states_note_change(states, service->name, now_s + service->ttl);
    }
}

/* After a restart nothing is known about changes but the time each entry was made. */
static void states_recall(struct states *states, const struct service *service, int64_t now_s)
{
    for (size_t i = 0; i < states->source_n; i++) {
        for (size_t k = 0; k < states->sources[i].count; k++) {
            const struct states_entry *entry = &states->sources[i].entries[k];

            if (entry->layer == STATES_OPERATOR && entry->set_s + service->ttl > now_s &&
                (!*entry->service || strcmp(entry->service, service->name) == 0)) {
                states_note_change(states, service->name, entry->set_s + service->ttl);
            }
        }
    }
}

static void states_note_expiries(struct states *states, int64_t now_s)
{
    for (size_t i = 0; i < states->source_n; i++) {
        for (size_t k = 0; k < states->sources[i].count; k++) {
            int64_t expires_s = states->sources[i].entries[k].expires_s;

            if (expires_s > now_s && expires_s < states->next_s) {
                states->next_s = expires_s;
            }
        }
    }
}

int states_build(struct states *states, const struct services *services, const struct image *image,
                 const struct state_set *previous, const struct services *previous_services,
                 int64_t now_s, bool trial, struct state_set **ret_set)
{
    uint32_t count = services_count(services);
    struct state_set *set = state_set_new(count);

    if (!set) {
        return -ENOMEM;
    }
    if (!trial) {
        states_forget_changes(states, now_s);
        states->next_s = INT64_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct service *service = services_get(services, i);
        struct state_table *table = &set->tables[service->index];
        uint8_t by_pop[MAP_STATES];
        int64_t until_s;

        states_fill_service(states, service, image, now_s, by_pop);
        states_fill_table(service, by_pop, table);
        if (trial) {
            continue;
        }
        if (previous) {
            states_compare(states, service, table, previous, previous_services, now_s);
        } else {
            states_recall(states, service, now_s);
        }
        table->ttl = states_ttl_reason(states, service, now_s, &until_s) == STATES_TTL_NORMAL
                         ? service->ttl
                         : service->ttl_min;
        if (until_s < states->next_s) {
            states->next_s = until_s;
        }
    }
    if (!trial) {
        states_note_expiries(states, now_s);
    }
    *ret_set = set;
    return 0;
}

int64_t states_next_s(const struct states *states)
{
    return states->next_s;
}

/* Somebody is left: an address, and not down. */
static bool states_has_any(const uint8_t states[static MAP_STATES])
{
    for (unsigned pop = 0; pop < MAP_MAX_POPS; pop++) {
        if (states[pop] != MAP_STATE_ABSENT && states[pop] != MAP_STATE_DOWN) {
            return true;
        }
    }
    return false;
}

bool states_is_empty(const struct state_set *set, const struct service *service,
                     enum map_family family)
{
    return service_has_column(service, family) &&
           !states_has_any(set->tables[service->index].states[family]);
}

const struct service *states_emptied(const struct services *services,
                                     const struct state_set *before, const struct state_set *after,
                                     enum map_family *ret_family)
{
    for (uint32_t i = 0; i < services_count(services); i++) {
        const struct service *service = services_get(services, i);

        for (unsigned k = 0; k < MAP_FAMILIES; k++) {
            enum map_family family = (enum map_family)k;

            if (states_is_empty(after, service, family) &&
                (!before || !states_is_empty(before, service, family))) {
                *ret_family = family;
                return service;
            }
        }
    }
    return NULL;
}
