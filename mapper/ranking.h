/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rankings: estimates put in order, cut to what a record keeps, combined with pins, interned. An
 * order is packed as in a record: byte i of a 64-bit number is the i-th best PoP, MAP_POP_NONE
 * after the last.
 */
#ifndef MAPPER_RANKING_H
#define MAPPER_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "mapper/config.h"
#include "mapper/infer.h"

#define RANKING_NOBODY UINT64_MAX

/* The best eight PoPs of the map; equal estimates: the smaller id first. */
uint64_t ranking_order(const struct config_map *map, const struct infer_estimate *estimates);

/* What the map answers where nothing is known: the head of its tail. */
uint64_t ranking_default(const struct config_map *map);

/* `pinned`, then what is left of `own`, at most `keep` PoPs, but never fewer than are pinned. */
uint64_t ranking_join(uint64_t pinned, uint64_t own, unsigned keep);

static inline uint8_t ranking_pop(uint64_t order, unsigned place)
{
    return (uint8_t)(order >> (8 * place));
}

/* A ranking as the compiler numbers it. */
struct ranking {
    uint64_t pops;
    uint32_t flags; /* MAP_RECORD_* */
    uint32_t reserved;
};

/* Numbers with a meaning of their own, above every interned one. */
#define RANKING_SPECIAL 0xfffffffeu
#define RANKING_FALLBACK 0xffffffffu

struct ranking_set {
    struct ranking *item;
    size_t n;
    size_t capacity;
    uint32_t *index; /* 0 free, else number + 1 */
    size_t index_n;  /* a power of two */
};

/* The number of a ranking, from 0 in order of first use. -ENOMEM. */
int64_t ranking_intern(struct ranking_set *set, uint64_t pops, uint32_t flags);
void ranking_set_done(struct ranking_set *set);

#endif
