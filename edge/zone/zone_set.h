/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The zones a server is authoritative for, found by the longest matching origin. A place may hold a
 * zone that never loaded: it answers SERVFAIL, never REFUSED. Immutable after zone_set_finish(),
 * shared by reference.
 */
#ifndef EDGE_ZONE_SET_H
#define EDGE_ZONE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"

struct name_key;
struct zone;
struct zone_set;

struct zone_set *zone_set_new(void);

/* `origin` in wire form, any case; `zone` may be NULL (not loaded). Takes its own reference.
 * -EEXIST: origin taken. */
int zone_set_add(struct zone_set *set, const uint8_t *origin, struct zone *zone);

/* Freezes. */
int zone_set_finish(struct zone_set *set);

struct zone_set *zone_set_ref(struct zone_set *set);
void zone_set_unref(struct zone_set *set);

uint32_t zone_set_count(const struct zone_set *set);

/* Place number `index`, in the order of zone_set_add(): its zone (NULL: never loaded) and, if
 * `ret_origin` is not NULL, its origin in lower case. */
struct zone *zone_set_get(const struct zone_set *set, uint32_t index, const uint8_t **ret_origin);

/* The longest origin that is `name` or above it; `name` is lower-case wire form. *ret_known says
 * whether there is a place at all; the zone is NULL if that place never loaded. */
const struct zone *zone_set_find(const struct zone_set *set, const uint8_t *name, bool *ret_known);

/* The same for the suffix of `label_n` labels of a key. */
const struct zone *zone_set_find_key(const struct zone_set *set, const struct name_key *key,
                                     unsigned label_n, bool *ret_known);

#endif
