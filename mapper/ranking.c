/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/ranking.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

uint64_t ranking_name_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *name; name++) {
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    }
    return hash;
}

uint64_t ranking_unit(enum map_family family, struct map_key position)
{
    uint64_t unit = family == MAP_FAMILY_IPV4 ? UINT64_C(1) << 32 | position.hi >> 48
                                              : UINT64_C(2) << 32 | position.hi >> 32;

    return unit * 0x9e3779b97f4a7c15u;
}

/* Tenths of a millisecond, as an explanation shows them. */
static float estimate_ticks(const struct infer_estimate *estimate)
{
    return floorf(estimate->rtt_ms * 10 + 0.5f);
}

/* name_hash NULL: the smaller id first. */
static uint64_t order_make(const struct config_map *map, const struct infer_estimate *estimates,
                           uint64_t unit, const uint64_t *name_hash, uint8_t *ret_ties)
{
    uint8_t best[MAP_RECORD_POPS];
    float left_out = INFINITY;
    unsigned n = 0;
    unsigned ties = 0;
    uint64_t order = RANKING_NOBODY;

    for (size_t i = 0; i < map->pop_n; i++) {
        uint8_t pop = map->pops[i];
        float ticks = estimate_ticks(&estimates[pop]);
        uint64_t weight = name_hash ? ranking_weight(unit, name_hash[pop]) : 0;
        unsigned at = n;

        for (; at; at--) {
            uint8_t other = best[at - 1];
            float other_ticks = estimate_ticks(&estimates[other]);
            uint64_t other_weight = name_hash ? ranking_weight(unit, name_hash[other]) : 0;

            if (other_ticks < ticks ||
                (!(other_ticks > ticks) &&
                 (other_weight > weight || (other_weight == weight && other < pop)))) {
                break;
            }
        }
        if (n == MAP_RECORD_POPS) {
            float last = at == n ? ticks : estimate_ticks(&estimates[best[n - 1]]);

            left_out = last < left_out ? last : left_out;
        }
        if (at == MAP_RECORD_POPS) {
            continue;
        }
        n += n < MAP_RECORD_POPS;
        memmove(&best[at + 1], &best[at], n - at - 1);
        best[at] = pop;
    }
    for (unsigned i = n; i-- > 0;) {
        float next = i + 1 < n ? estimate_ticks(&estimates[best[i + 1]]) : left_out;

        order = order << 8 | best[i];
        ties |= !(estimate_ticks(&estimates[best[i]]) < next) ? 1u << i : 0;
    }
    if (ret_ties) {
        *ret_ties = (uint8_t)ties;
    }
    return order;
}

uint64_t ranking_order(const struct config_map *map, const struct infer_estimate *estimates,
                       uint8_t *ret_ties)
{
    return order_make(map, estimates, 0, NULL, ret_ties);
}

uint64_t ranking_order_in(const struct config_map *map, const struct infer_estimate *estimates,
                          uint64_t unit, const uint64_t *name_hash)
{
    return order_make(map, estimates, unit, name_hash, NULL);
}

uint64_t ranking_spread(uint64_t order, uint8_t ties, uint64_t unit, const uint64_t *name_hash)
{
    uint8_t pops[MAP_RECORD_POPS];
    uint64_t spread = 0;

    for (unsigned i = 0; i < MAP_RECORD_POPS; i++) {
        uint8_t pop = ranking_pop(order, i);
        unsigned at = i;

        for (; at && ties & 1u << (at - 1); at--) {
            uint64_t weight = ranking_weight(unit, name_hash[pop]);
            uint64_t other = ranking_weight(unit, name_hash[pops[at - 1]]);

            if (other > weight || (other == weight && pops[at - 1] < pop)) {
                break;
            }
            pops[at] = pops[at - 1];
        }
        pops[at] = pop;
    }
    for (unsigned i = MAP_RECORD_POPS; i-- > 0;) {
        spread = spread << 8 | pops[i];
    }
    return spread;
}

uint64_t ranking_default(const struct config_map *map)
{
    uint64_t order = RANKING_NOBODY;
    size_t n = map->pop_n < MAP_RECORD_POPS ? map->pop_n : MAP_RECORD_POPS;

    for (size_t i = n; i-- > 0;) {
        order = order << 8 | map->pops[i];
    }
    return order;
}

static bool order_has(uint64_t order, uint8_t pop)
{
    for (unsigned i = 0; i < MAP_RECORD_POPS; i++) {
        if (ranking_pop(order, i) == pop) {
            return true;
        }
    }
    return false;
}

uint64_t ranking_join(uint64_t pinned, uint64_t own, unsigned keep)
{
    uint64_t order = pinned;
    unsigned n = 0;

    while (n < MAP_RECORD_POPS && ranking_pop(pinned, n) != MAP_POP_NONE) {
        n++;
    }
    for (unsigned i = 0; i < MAP_RECORD_POPS && n < keep; i++) {
        uint8_t pop = ranking_pop(own, i);

        if (pop != MAP_POP_NONE && !order_has(pinned, pop)) {
            order &= ~(UINT64_C(0xff) << (8 * n));
            order |= (uint64_t)pop << (8 * n);
            n++;
        }
    }
    return order;
}

static uint32_t *index_find(const struct ranking_set *set, uint32_t *index, size_t index_n,
                            uint64_t pops, uint32_t flags)
{
    uint64_t hash = (pops ^ (uint64_t)flags << 56) * 0x9e3779b97f4a7c15u;

    for (hash ^= hash >> 31;; hash++) {
        uint32_t *slot = &index[hash & (index_n - 1)];

        if (*slot == 0 ||
            (set->item[*slot - 1].pops == pops && set->item[*slot - 1].flags == flags)) {
            return slot;
        }
    }
}

static int set_grow(struct ranking_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 512;
    struct ranking *item = realloc(set->item, capacity * sizeof(*item));
    uint32_t *index;

    if (!item) {
        return -ENOMEM;
    }
    set->item = item;
    index = calloc(capacity * 2, sizeof(*index));
    if (!index) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < set->n; i++) {
        *index_find(set, index, capacity * 2, item[i].pops, item[i].flags) = (uint32_t)i + 1;
    }
    free(set->index);
    set->index = index;
    set->index_n = capacity * 2;
    set->capacity = capacity;
    return 0;
}

int64_t ranking_intern(struct ranking_set *set, uint64_t pops, uint32_t flags)
{
    uint32_t *slot;

    if (set->n == set->capacity && set_grow(set) != 0) {
        return -ENOMEM;
    }
    slot = index_find(set, set->index, set->index_n, pops, flags);
    if (*slot == 0) {
        set->item[set->n++] = (struct ranking){.pops = pops, .flags = flags};
        *slot = (uint32_t)set->n;
    }
    return (int64_t)*slot - 1;
}

void ranking_set_done(struct ranking_set *set)
{
    free(set->item);
    free(set->index);
    *set = (struct ranking_set){0};
}
