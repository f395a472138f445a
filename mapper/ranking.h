/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rankings: estimates put in order, cut to what a record keeps, combined with pins, interned. An
 * order is packed as in a record: byte i of a 64-bit number is the i-th best PoP, MAP_POP_NONE
 * after the last.
 *
 * PoPs whose estimates are equal as the image states them (tenths of a millisecond) are put in
 * order by a hash of their names and of the unit of address space a block lies in (/16 of IPv4, /32
 * of IPv6): so they share the demand instead of the first one having all of it, a unit stays where
 * it is when a third PoP joins, and no block is split for it.
 */
#ifndef MAPPER_RANKING_H
#define MAPPER_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "mapper/config.h"
#include "mapper/infer.h"
#include "mapper/key.h"

#define RANKING_NOBODY UINT64_MAX

/* What the names of two PoPs say of their order where estimates are equal. */
uint64_t ranking_name_hash(const char *name);

/* The unit of address space that `position` lies in; never 0. */
uint64_t ranking_unit(enum map_family family, struct map_key position);

/* The order of one PoP among equal ones, in a unit: the greater first. */
static inline uint64_t ranking_weight(uint64_t unit, uint64_t name_hash)
{
    uint64_t hash = (unit ^ name_hash) * 0xbf58476d1ce4e5b9u;

    hash = (hash ^ hash >> 29) * 0x94d049bb133111ebu;
    return hash ^ hash >> 32;
}

/* The best eight PoPs of the map; equal estimates: the smaller id first. Bit i of ret_ties: the
 * i-th is as good as the next one, in bit 7 as one that is left out. `ret_ties` may be NULL. */
uint64_t ranking_order(const struct config_map *map, const struct infer_estimate *estimates,
                       uint8_t *ret_ties);

/* As ranking_order(), but equal estimates are ordered for `unit`. name_hash: by PoP. */
uint64_t ranking_order_in(const struct config_map *map, const struct infer_estimate *estimates,
                          uint64_t unit, const uint64_t *name_hash);

/* What ranking_order_in() gives, from what ranking_order() gave; only if bit 7 of `ties` is not
 * set. */
uint64_t ranking_spread(uint64_t order, uint8_t ties, uint64_t unit, const uint64_t *name_hash);

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
