/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From measurements to an estimate for every (block, PoP), also where nobody measured. The model is
 * additive:
 *
 *   rtt(block, PoP) = distance prior + sum of what each level knows about the PoP + access delay of
 * the block + own data
 *
 * Levels go from wide to narrow (all, country, metro, AS in country, AS in metro, network). Each
 * explains what the wider ones left over, shrunk towards zero where it knows little; so a block
 * with two samples follows its AS, one with two hundred itself, and a PoP nobody measured from
 * there gets what the levels above say instead of being left out. The access delay is common to all
 * PoPs of a block and taken out before levels learn, otherwise a slow last mile measured at one PoP
 * only would count against that PoP.
 *
 * The fit is one pass over sorted cells per level; the result depends on neither threads nor the
 * order of rows. Immutable after infer_fit(); any number of threads may ask.
 */
#ifndef MAPPER_INFER_H
#define MAPPER_INFER_H

#include <stddef.h>
#include <stdint.h>

#include "mapper/asn.h"
#include "mapper/cells.h"
#include "mapper/config.h"
#include "mapper/geo.h"
#include "maps/image_abi.h"

struct infer;

struct infer_estimate {
    float rtt_ms;
    uint32_t samples; /* 0 when imputed */
    uint8_t source;   /* enum map_source */
};

/* What is known about an address besides measurements. */
struct infer_site {
    uint32_t place;   /* index into geo->place, STEPS_NONE unknown */
    uint32_t network; /* index into asn->asn, STEPS_NONE unknown */
    uint32_t asn;     /* 0 unknown */
};

/* Everything is borrowed and must outlive the result. `geo` and `asn` may be empty. -ENOMEM. */
int infer_fit(const struct config *config, const struct geo *geo, const struct asn_table *asn,
              const struct cell_table *cells, struct infer **ret_infer);
void infer_free(struct infer *infer);

struct infer_site infer_site_at(const struct infer *infer, enum map_family family,
                                struct map_key key);

/* Forgets what makes no difference to the estimates, so that sites with equal estimates compare
 * equal. */
void infer_site_reduce(const struct infer *infer, struct infer_site *site);

/* Estimates for every configured PoP into ret_estimates[pop]. Returns the source of the ranking;
 * MAP_SOURCE_DEFAULT when nothing at all is known (the estimates are then worthless). */
enum map_source infer_from_site(const struct infer *infer, const struct infer_site *site,
                                struct infer_estimate *ret_estimates);
enum map_source infer_from_block(const struct infer *infer, size_t block,
                                 struct infer_estimate *ret_estimates);

/* The AS that was used for a measured block. */
uint32_t infer_block_asn(const struct infer *infer, size_t block);

/* The distance prior in use, for reports: rtt = base_ms + ms_per_km x distance. */
struct infer_prior {
    double base_ms;
    double ms_per_km;
    double unlocated_ms; /* where no distance is known */
    size_t cells;        /* that it was fitted to; 0: the default */
};

const struct infer_prior *infer_prior_get(const struct infer *infer);

#endif
