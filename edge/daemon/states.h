/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who says what about each PoP, and what follows: the layers of state sources, strongest first,
 * each entry with owner, reason and expiry, and the table of state bytes built from them. Within a
 * layer an entry for one service beats one for the whole PoP; of two fleet files that say different
 * things the stronger state counts (down, drain, shed). Reading and writing files is
 * states_file.h's job. One thread.
 */
#ifndef EDGE_STATES_H
#define EDGE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "maps/image.h"
#include "maps/pop_state.h"

#define STATES_ENTRIES_MAX 65536u /* per source */
#define STATES_NAME_SIZE 64
#define STATES_REASON_SIZE 256

enum states_layer {
    STATES_OPERATOR, /* isochronectl pop */
    STATES_FLEET,    /* files of `states:` */
};

const char *states_layer_name(enum states_layer layer);

struct states_entry {
    char pop[STATES_NAME_SIZE];
    char service[STATES_NAME_SIZE]; /* empty: every service of the PoP */
    char reason[STATES_REASON_SIZE];
    char owner[STATES_NAME_SIZE];
    int64_t set_s;     /* wall clock */
    int64_t expires_s; /* wall clock; 0: never */
    uint8_t state;     /* state byte */
    uint8_t layer;     /* enum states_layer */
};

/* The entries of one source: the operator, or one file. */
struct states_source {
    struct states_entry *entries;
    size_t count;
};

void states_source_done(struct states_source *source);

/* Appends a copy. -ENOMEM, -ENOSPC. */
int states_source_add(struct states_source *source, const struct states_entry *entry);

/* Like the source it replaces, as its own copy. */
int states_source_copy(const struct states_source *from, struct states_source *ret_copy);

struct states;

struct states *states_new(size_t fleet_n); /* NULL when out of memory */
void states_free(struct states *states);

/* Place 0 is the operator, place 1 + i fleet file i. The replaced content is freed; `source` is
 * emptied. */
void states_replace(struct states *states, size_t place, struct states_source *source);
const struct states_source *states_source(const struct states *states, size_t place);
size_t states_source_count(const struct states *states);

/* Sets (or with `clear` removes) the operator's word in a copy of his entries. Saying something
 * about a whole PoP also removes what he said about its services before: the last word counts. */
int states_change_operator(const struct states_source *from, const struct states_entry *entry,
                           bool clear, struct states_source *ret_changed);

/* Drops entries whose time is over. True when there were any. */
bool states_expire(struct states *states, int64_t now_s);

/* What decides about (PoP, service): the winner first, then what it overrides. Borrowed until the
 * next change. */
size_t states_find(const struct states *states, const char *pop, const char *service, int64_t now_s,
                   const struct states_entry **ret_entries, size_t max);

/* The table for these services and this image, as the sources stand now. `previous` (with the
 * services it belongs to) tells what changed, for the TTL; both may be NULL. A trial only looks: it
 * changes nothing that is remembered. -ENOMEM. */
int states_build(struct states *states, const struct services *services, const struct image *image,
                 const struct state_set *previous, const struct services *previous_services,
                 int64_t now_s, bool trial, struct state_set **ret_set);

/* When the table must be built again without anybody saying anything: an expiry, or a TTL that may
 * rise. INT64_MAX: never. Valid for the services of the last states_build(). */
int64_t states_next_s(const struct states *states);

enum states_ttl_reason {
    STATES_TTL_NORMAL,
    STATES_TTL_RECENT,  /* a state of the service changed less than its ttl ago */
    STATES_TTL_PENDING, /* an entry expires within the ttl */
};

/* Why the service has the TTL it has; *ret_until_s is when that ends. */
enum states_ttl_reason states_ttl_reason(const struct states *states, const struct service *service,
                                         int64_t now_s, int64_t *ret_until_s);

/* Nobody is left of this service in this family, though the family is served. */
bool states_is_empty(const struct state_set *set, const struct service *service,
                     enum map_family family);

/* The first service that has somebody left in a family under `before` and nobody under `after`;
 * NULL if none. Both belong to `services`; `before` NULL counts as everybody up. */
const struct service *states_emptied(const struct services *services,
                                     const struct state_set *before, const struct state_set *after,
                                     enum map_family *ret_family);

#endif
