/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/zone/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/wire/wire.h"

struct zone *zone_ref(struct zone *zone)
{
    __atomic_add_fetch(&zone->references, 1, __ATOMIC_RELAXED);
    return zone;
}

void zone_unref(struct zone *zone)
{
    if (zone && __atomic_sub_fetch(&zone->references, 1, __ATOMIC_ACQ_REL) == 0) {
        arena_free(zone->arena);
        free(zone);
    }
}

static bool zone_node_is(const struct zone_node *node, const struct name_key *key, unsigned label_n)
{
    unsigned offset = name_suffix_offset(key, label_n);

    return node->name_len == key->len - offset &&
           name_same(node->name, key->bytes + offset, node->name_len);
}

const struct zone_node *zone_get(const struct zone *zone, const struct name_key *key,
                                 unsigned label_n)
{
    uint64_t hash = key->hashes[label_n];
    uint32_t tag = (uint32_t)(hash >> 32);

    for (uint32_t i = (uint32_t)hash & zone->slot_mask; zone->slots[i].node;
         i = (i + 1) & zone->slot_mask) {
        const struct zone_node *node = &zone->nodes[zone->slots[i].node - 1];

        if (zone->slots[i].tag == tag && zone_node_is(node, key, label_n)) {
            return node;
        }
    }
    return NULL;
}

/* Every ancestor of a name that exists exists too (empty non-terminals are nodes), so the closest
 * encloser lies between the apex and the name itself, and can be bisected: a name right below the
 * apex needs no further probe, 127 labels need 7. */
const struct zone_node *zone_find_asked(const struct zone *zone, const struct name_key *key,
                                        const struct zone_node *asked, bool *ret_exact)
{
    const struct zone_node *node = asked;
    unsigned exists = zone->apex->label_n;
    unsigned missing = key->label_n;

    if (asked && !zone_node_is(asked, key, key->label_n)) { /* of another name with this tag */
        node = zone_get(zone, key, key->label_n);
    }
    *ret_exact = node != NULL;
    if (node) {
        return node;
    }
    node = zone->apex;
    while (missing - exists > 1) {
        unsigned middle = exists + (missing - exists) / 2;
        const struct zone_node *found = zone_get(zone, key, middle);

        if (found) {
            node = found;
            exists = middle;
        } else {
            missing = middle;
        }
    }
    return node;
}

const struct zone_node *zone_find(const struct zone *zone, const struct name_key *key,
                                  bool *ret_exact)
{
    return zone_find_asked(zone, key, zone_get(zone, key, key->label_n), ret_exact);
}

void zone_name_expand(const uint8_t *owner, const uint8_t *at, uint8_t *ret_name)
{
    size_t len = 0;

    while (at[0] != 0 && at[0] <= NAME_LABEL_LEN_MAX) {
        memcpy(ret_name + len, at, (size_t)at[0] + 1);
        len += (size_t)at[0] + 1;
        at += (size_t)at[0] + 1;
    }
    if (at[0] != 0) {
        at = owner + (wire_get_u16(at) & 0x3fffu) - WIRE_HEADER_LEN;
    }
    memcpy(ret_name + len, at, name_len(at));
}
