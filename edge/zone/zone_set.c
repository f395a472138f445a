/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/zone/zone_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "edge/wire/name.h"
#include "edge/zone/zone.h"

struct zone_place {
    struct zone *zone;
    uint64_t hash;
    uint8_t len;
    uint8_t label_n;
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK];
};

struct zone_set {
    uint32_t references; /* atomic */
    uint32_t place_n, place_max;
    uint32_t slot_mask;
    struct zone_place *places;
    uint32_t *slots; /* place + 1; twice as many as places */
    uint8_t depth_n;
    uint8_t depths[NAME_LABELS_MAX + 1]; /* label counts that some origin has, largest first: the
                                            only ones to probe */
};

struct zone_set *zone_set_new(void)
{
    struct zone_set *set = calloc(1, sizeof(*set));

    if (set) {
        set->references = 1;
    }
    return set;
}

static void zone_set_place(struct zone_set *set, uint32_t index)
{
    uint32_t i = (uint32_t)set->places[index].hash & set->slot_mask;

    while (set->slots[i]) {
        i = (i + 1) & set->slot_mask;
    }
    set->slots[i] = index + 1;
}

static int zone_set_grow(struct zone_set *set)
{
    uint32_t place_max = set->place_max ? set->place_max * 2 : 8;
    struct zone_place *places = realloc(set->places, place_max * sizeof(*places));
    uint32_t *slots;

    if (!places) {
        return -ENOMEM;
    }
    set->places = places;
    slots = calloc(2 * (size_t)place_max, sizeof(*slots));
    if (!slots) {
        return -ENOMEM;
    }
    free(set->slots);
    set->slots = slots;
    set->slot_mask = 2 * place_max - 1;
    set->place_max = place_max;
    for (uint32_t i = 0; i < set->place_n; i++) {
        zone_set_place(set, i);
    }
    return 0;
}

/* The place of exactly the suffix of `label_n` labels, or NULL. */
static const struct zone_place *zone_set_get_place(const struct zone_set *set,
                                                   const struct name_key *key, unsigned label_n)
{
    uint64_t hash = key->hashes[label_n];
    unsigned offset = name_suffix_offset(key, label_n);

    for (uint32_t i = (uint32_t)hash & set->slot_mask; set->slots[i];
         i = (i + 1) & set->slot_mask) {
        const struct zone_place *place = &set->places[set->slots[i] - 1];

        if (place->hash == hash && place->len == key->len - offset &&
            name_same(place->origin, key->bytes + offset, place->len)) {
            return place;
        }
    }
    return NULL;
}

int zone_set_add(struct zone_set *set, const uint8_t *origin, struct zone *zone)
{
    struct zone_place *place;
    struct name_key key;

    if (!name_key_make(&key, origin)) {
        return -EINVAL;
    }
    if (set->place_n == set->place_max && zone_set_grow(set)) {
        return -ENOMEM;
    }
    if (zone_set_get_place(set, &key, key.label_n)) {
        return -EEXIST;
    }
    place = &set->places[set->place_n];
    place->zone = zone ? zone_ref(zone) : NULL;
    place->hash = name_key_hash(&key);
    place->len = key.len;
    place->label_n = key.label_n;
    memcpy(place->origin, key.bytes, key.len);
    zone_set_place(set, set->place_n++);
    return 0;
}

int zone_set_finish(struct zone_set *set)
{
    bool has_depth[NAME_LABELS_MAX + 1] = {false};

    if (!set->slots && zone_set_grow(set)) { /* a set without zones is looked into, too */
        return -ENOMEM;
    }
    for (uint32_t n = 0; n < set->place_n; n++) {
        has_depth[set->places[n].label_n] = true;
    }
    set->depth_n = 0;
    for (int depth = NAME_LABELS_MAX; depth >= 0; depth--) {
        if (has_depth[depth]) {
            set->depths[set->depth_n++] = (uint8_t)depth;
        }
    }
    return 0;
}

struct zone_set *zone_set_ref(struct zone_set *set)
{
    __atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
    return set;
}

void zone_set_unref(struct zone_set *set)
{
    if (!set || __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    for (uint32_t i = 0; i < set->place_n; i++) {
        zone_unref(set->places[i].zone);
    }
    free(set->places);
    free(set->slots);
    free(set);
}

uint32_t zone_set_count(const struct zone_set *set)
{
    return set->place_n;
}

struct zone *zone_set_get(const struct zone_set *set, uint32_t index, const uint8_t **ret_origin)
{
    if (ret_origin) {
        *ret_origin = set->places[index].origin;
    }
    return set->places[index].zone;
}

const struct zone *zone_set_find_key(const struct zone_set *set, const struct name_key *key,
                                     unsigned label_n, bool *ret_known)
{
    for (unsigned d = 0; d < set->depth_n; d++) {
        const struct zone_place *place;

        if (set->depths[d] > label_n) {
            continue;
        }
        place = zone_set_get_place(set, key, set->depths[d]);
        if (place) {
            *ret_known = true;
            return place->zone;
        }
    }
    *ret_known = false;
    return NULL;
}

const struct zone *zone_set_find(const struct zone_set *set, const uint8_t *name, bool *ret_known)
{
    struct name_key key;

    *ret_known = false;
    if (!name_key_make(&key, name)) {
        return NULL;
    }
    return zone_set_find_key(set, &key, key.label_n, ret_known);
}
