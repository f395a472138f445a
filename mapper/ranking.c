/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/ranking.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

uint64_t ranking_order(const struct config_map *map, const struct infer_estimate *estimates)
{
    uint8_t best[MAP_RECORD_POPS];
    unsigned n = 0;
    uint64_t order = RANKING_NOBODY;

    for (size_t i = 0; i < map->pop_n; i++) {
        uint8_t pop = map->pops[i];
        float rtt_ms = estimates[pop].rtt_ms;
        unsigned at = n;

        while (at && (rtt_ms < estimates[best[at - 1]].rtt_ms ||
                      (!(rtt_ms > estimates[best[at - 1]].rtt_ms) && pop < best[at - 1]))) {
            at--;
        }
        if (at == MAP_RECORD_POPS) {
            continue;
        }
        n += n < MAP_RECORD_POPS;
        memmove(&best[at + 1], &best[at], n - at - 1);
        best[at] = pop;
    }
    for (unsigned i = n; i-- > 0;) {
        order = order << 8 | best[i];
    }
    return order;
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
