/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rankings that data alone give, before pins: one base per measured block, per listed resolver
 * and per kind of site (addresses with equal estimates share one). Each holds an order for every
 * map, so that a compiler can walk millions of networks and look estimates up instead of making
 * them again. One thread owns
 * it; making the first entries is shared out.
 */
#ifndef MAPPER_BASES_H
#define MAPPER_BASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapper/infer.h"
#include "mapper/ranking.h"
#include "maps/image_writer.h"

/* What a base says to one map. */
struct base_order {
    uint64_t pops; /* the best eight, as ranking_order() gives them */
    float best_ms;
    float cost_ms; /* of going to the second instead */
    uint8_t ties;  /* as ranking_order() gives them, of the places that a record keeps */
};

struct bases {
    const struct config *config;
    const struct cell_table *cells;
    const struct infer *infer;
    uint64_t *name_hash; /* of each PoP, as in ranking.h */
    struct base_entry *entry;
    struct base_order *order; /* map_n per entry */
    size_t n;
    size_t capacity;
    uint32_t *index; /* of sites: 0 free, else number + 1 */
    size_t index_n;  /* a power of two */
    size_t index_used;
    uint32_t *resolver_pair; /* first pair of each listed resolver, and one past the last */
    size_t resolver_n;
};

/* Number 0 is the base that knows nothing; then come the measured blocks, in order. -ENOMEM. */
int bases_init(struct bases *bases, const struct config *config, const struct cell_table *cells,
               const struct infer *infer, unsigned threads);
void bases_done(struct bases *bases);

#define BASE_UNKNOWN 0u

static inline uint32_t base_of_block(uint32_t block)
{
    return block + 1;
}

/* The base of listed resolver number i. */
uint32_t base_of_resolver(const struct bases *bases, uint32_t resolver);

/* The address block of listed resolver number i. */
const struct block *base_resolver_block(const struct bases *bases, uint32_t resolver);

/* Rows whose clients came through it. */
double base_resolver_demand(const struct bases *bases, uint32_t resolver);

/* The base of addresses at this site, made if need be. -ENOMEM. */
int64_t base_of_site(struct bases *bases, const struct infer_site *site);

enum map_source base_source(const struct bases *bases, uint32_t base);

static inline const struct base_order *base_order_get(const struct bases *bases, uint32_t base,
                                                      size_t map)
{
    return &bases->order[base * bases->config->map_n + map];
}

/* The order of the best eight PoPs for a block at `position`: PoPs that are equal to the base share
 * out the address space. */
uint64_t base_pops_at(const struct bases *bases, uint32_t base, size_t map, enum map_family family,
                      struct map_key position);

/* True if neither was measured and both are so alike (same source, AS and orders, estimates within
 * a few ms) that explaining them with one row misleads nobody. */
bool base_is_like(const struct bases *bases, uint32_t a, uint32_t b);

/* The provenance row of a base, stored in the image on first use. Negative on failure. */
int64_t base_row(struct bases *bases, uint32_t base, struct image_builder *builder);

#endif
