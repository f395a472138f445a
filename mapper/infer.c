/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/infer.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A cell's own data weighs n / (n + this) against what the levels say (research: a fair start, flat
 * around it). */
#define INFER_OWN_SAMPLES 8.0
/* A level's word weighs w / (w + this), w being the sum of its cells' weights. */
#define INFER_LEVEL_WEIGHT 0.5
#define INFER_ACCESS_WEIGHT 0.1

/* Until the data say better: 59,887 city pairs, R2 0.72. */
#define PRIOR_BASE_MS 26.3
#define PRIOR_MS_PER_KM 0.0171
#define PRIOR_FIT_CELLS 200u /* fewer cannot be trusted to say anything about distance */
/* Standard deviations beyond which a cell is left out of the second fit. */
#define PRIOR_FIT_TRIM 2.5
#define PRIOR_MIN_MS_PER_KM 0.010 /* light in fibre, both ways */
#define PRIOR_MAX_MS_PER_KM 0.040
#define PRIOR_UNLOCATED_KM 8000 /* between two places on Earth, roughly */
#define LIGHT_MS_PER_KM 0.010
#define SITE_ERROR_KM 300.0 /* a city, its surroundings and the quantisation of both */
#define INFER_MIN_MS 0.1

enum infer_level {
    LEVEL_ALL,
    LEVEL_COUNTRY,
    LEVEL_METRO,
    LEVEL_AS_COUNTRY,
    LEVEL_AS_METRO,
    LEVEL_NETWORK,
    LEVELS,
};

/* What a level learned about one PoP at one node. */
struct infer_effect {
    float ms;
    uint8_t pop;
};

struct infer_node {
    uint64_t key;
    uint32_t first_effect;
    uint32_t effect_n;
};

struct infer_nodes {
    struct infer_node *node; /* by key */
    size_t n;
    struct infer_effect *effect;
    size_t effect_n;
};

struct infer {
    const struct config *config;
    const struct geo *geo;
    const struct asn_table *asn;
    const struct cell_table *cells;
    struct geo_point pop_point[MAP_MAX_POPS];
    struct geo_point *place_point; /* by place */
    struct infer_prior prior;
    struct infer_nodes level[LEVELS];
    struct infer_site *site; /* of each measured block */
    float *access;           /* of each measured block, ms */
};

static bool site_is_located(const struct infer *infer, const struct infer_site *site)
{
    return site->place != STEPS_NONE && place_is_located(&infer->geo->place[site->place]);
}

static double site_distance_km(const struct infer *infer, const struct infer_site *site, size_t pop)
{
    return geo_distance_km(&infer->place_point[site->place], &infer->pop_point[pop]);
}

static double prior_ms(const struct infer *infer, double km)
{
    return km < 0 ? infer->prior.unlocated_ms : infer->prior.base_ms + infer->prior.ms_per_km * km;
}

/* The distances of a site to every PoP; negative where its place is not known. */
static void distances_fill(const struct infer *infer, const struct infer_site *site, double *ret_km)
{
    bool located = site_is_located(infer, site);

    for (size_t pop = 0; pop < infer->config->pop_n; pop++) {
        ret_km[pop] = located ? site_distance_km(infer, site, pop) : -1;
    }
}

/* Node keys. Located and unlocated sites learn apart, because what is left after their priors
 * differs in kind. Without a country a coarse grid cell takes its place. 0: the level does not
 * apply. */
static uint64_t country_key(const struct infer *infer, const struct infer_site *site)
{
    const struct place *place;

    if (site->place == STEPS_NONE) {
        return 0;
    }
    place = &infer->geo->place[site->place];
    if (place->country) {
        return (uint64_t)place->country << 1 | place_is_located(place);
    }
    return UINT64_C(1) << 32 | (uint64_t)((place->latitude_d + 900) / 100) << 16 |
           (uint64_t)((place->longitude_d + 1800) / 100);
}

static uint64_t metro_key(const struct infer *infer, const struct infer_site *site)
{
    const struct place *place;

    if (!site_is_located(infer, site)) {
        return 0;
    }
    place = &infer->geo->place[site->place];
    return 1 + ((uint64_t)((place->latitude_d + 900) / 10) * 361 +
                (uint64_t)((place->longitude_d + 1800) / 10));
}

static uint64_t level_key(const struct infer *infer, enum infer_level level,
                          const struct infer_site *site)
{
    uint64_t inner;

    switch (level) {
    case LEVEL_ALL:
        return 1 + site_is_located(infer, site);
    case LEVEL_COUNTRY:
        return country_key(infer, site);
    case LEVEL_METRO:
        return metro_key(infer, site);
    case LEVEL_AS_COUNTRY:
        /* an AS is worth a node even where nothing is known about the place */
        inner = country_key(infer, site);
        return site->asn ? (uint64_t)site->asn << 32 | (inner >> 32) << 31 | (inner & 0x7fffffffu)
                         : 0;
    case LEVEL_AS_METRO:
        inner = metro_key(infer, site);
        return site->asn && inner ? (uint64_t)site->asn << 32 | inner : 0;
    case LEVEL_NETWORK:
        return site->network == STEPS_NONE ? 0 : (uint64_t)site->network + 1;
    case LEVELS:
        break;
    }
    return 0;
}

static const struct infer_node *node_find(const struct infer_nodes *nodes, uint64_t key)
{
    size_t low = 0;
    size_t high = key ? nodes->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (nodes->node[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return key && low < nodes->n && nodes->node[low].key == key ? &nodes->node[low] : NULL;
}

static double cell_weight(const struct cell *cell)
{
    return cell->samples / (cell->samples + INFER_OWN_SAMPLES);
}

/* Weighted least squares of RTT on distance, over cells whose residual from the present line is
 * within `limit_ms`. */
static void prior_fit(struct infer *infer, double limit_ms, double *ret_deviation_ms)
{
    const struct cell_table *cells = infer->cells;
    double w = 0, x = 0, y = 0, xx = 0, xy = 0, rr = 0;
    size_t n = 0;
    double slope;

    for (size_t b = 0; b < cells->block_n; b++) {
        const struct cell_block *block = &cells->block[b];

        for (size_t c = 0; c < block->cell_n && site_is_located(infer, &infer->site[b]); c++) {
            const struct cell *cell = &cells->cell[block->first_cell + c];
            double km = site_distance_km(infer, &infer->site[b], cell->pop);
            double residual = cell->rtt_ms - (infer->prior.base_ms + infer->prior.ms_per_km * km);
            double weight = cell_weight(cell);

            if (fabs(residual) <= limit_ms) {
                w += weight;
                x += weight * km;
                y += weight * cell->rtt_ms;
                xx += weight * km * km;
                xy += weight * km * cell->rtt_ms;
                rr += weight * residual * residual;
                n++;
            }
        }
    }
    *ret_deviation_ms = w > 0 ? sqrt(rr / w) : 0;
    if (n < PRIOR_FIT_CELLS || xx * w - x * x <= 0) {
        return;
    }
    slope = (xy * w - x * y) / (xx * w - x * x);
    slope = slope < PRIOR_MIN_MS_PER_KM   ? PRIOR_MIN_MS_PER_KM
            : slope > PRIOR_MAX_MS_PER_KM ? PRIOR_MAX_MS_PER_KM
                                          : slope;
    infer->prior.ms_per_km = slope;
    infer->prior.base_ms = fmax(0, (y - slope * x) / w);
    infer->prior.cells = n;
}

static void prior_learn(struct infer *infer)
{
    double deviation;

    infer->prior = (struct infer_prior){.base_ms = PRIOR_BASE_MS, .ms_per_km = PRIOR_MS_PER_KM};
    prior_fit(infer, 1e9, &deviation);
    if (infer->prior.cells) {
        prior_fit(infer, 1e9, &deviation);
        prior_fit(infer, PRIOR_FIT_TRIM * deviation, &deviation);
    }
    /* A PoP that nobody measured from a place nobody knows must not look as near as those that were
     * measured, which are the near ones as a rule. */
    infer->prior.unlocated_ms = infer->prior.base_ms + infer->prior.ms_per_km * PRIOR_UNLOCATED_KM;
}

/* A block under its node's key, for grouping. */
struct infer_member {
    uint64_t key;
    uint32_t block;
};

static int member_order(const void *left, const void *right)
{
    const struct infer_member *a = left;
    const struct infer_member *b = right;

    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->block < b->block ? -1 : a->block > b->block;
}

/* The common part of what is left of a block's cells. */
static float access_fit(const struct infer *infer, size_t b, const float *rest)
{
    const struct cell_block *block = &infer->cells->block[b];
    double w = 0;
    double r = 0;

    for (size_t c = block->first_cell; c < block->first_cell + block->cell_n; c++) {
        double weight = cell_weight(&infer->cells->cell[c]);

        w += weight;
        r += weight * rest[c];
    }
    return (float)(r / (w + INFER_ACCESS_WEIGHT));
}

/* Fits the node of members[0..n), stores its effects and takes them out of `rest`. */
static void node_fit(struct infer *infer, struct infer_nodes *nodes,
                     const struct infer_member *members, size_t n, float *rest)
{
    double w[MAP_MAX_POPS] = {0};
    double r[MAP_MAX_POPS] = {0};
    float effect[MAP_MAX_POPS] = {0};
    struct infer_node *node = &nodes->node[nodes->n++];
    const struct cell_table *cells = infer->cells;

    *node = (struct infer_node){.key = members[0].key, .first_effect = (uint32_t)nodes->effect_n};
    for (size_t m = 0; m < n; m++) {
        const struct cell_block *block = &cells->block[members[m].block];

        for (size_t c = block->first_cell; c < block->first_cell + block->cell_n; c++) {
            double weight = cell_weight(&cells->cell[c]);

            w[cells->cell[c].pop] += weight;
            r[cells->cell[c].pop] += weight * (rest[c] - infer->access[members[m].block]);
        }
    }
    for (size_t pop = 0; pop < infer->config->pop_n; pop++) {
        if (w[pop] > 0) {
            effect[pop] = (float)(r[pop] / (w[pop] + INFER_LEVEL_WEIGHT));
            nodes->effect[nodes->effect_n++] =
                (struct infer_effect){.ms = effect[pop], .pop = (uint8_t)pop};
        }
    }
    node->effect_n = (uint32_t)(nodes->effect_n - node->first_effect);
    for (size_t m = 0; m < n; m++) {
        const struct cell_block *block = &cells->block[members[m].block];

        for (size_t c = block->first_cell; c < block->first_cell + block->cell_n; c++) {
            rest[c] -= effect[cells->cell[c].pop];
        }
        infer->access[members[m].block] = access_fit(infer, members[m].block, rest);
    }
}

static int level_fit(struct infer *infer, enum infer_level level, float *rest)
{
    const struct cell_table *cells = infer->cells;
    struct infer_nodes *nodes = &infer->level[level];
    struct infer_member *members = calloc(cells->block_n + 1, sizeof(*members));
    size_t member_n = 0;
    size_t end;

    nodes->node = calloc(cells->block_n + 1, sizeof(*nodes->node));
    nodes->effect = calloc(cells->cell_n + 1, sizeof(*nodes->effect));
    if (!members || !nodes->node || !nodes->effect) {
        free(members);
        return -ENOMEM;
    }
    for (size_t b = 0; b < cells->block_n; b++) {
        uint64_t key = level_key(infer, level, &infer->site[b]);

        if (key) {
            members[member_n++] = (struct infer_member){.key = key, .block = (uint32_t)b};
        }
    }
    if (member_n) {
        qsort(members, member_n, sizeof(*members), member_order);
    }
    for (size_t i = 0; i < member_n; i = end) {
        for (end = i + 1; end < member_n && members[end].key == members[i].key; end++) {
        }
        node_fit(infer, nodes, &members[i], end - i, rest);
    }
    free(members);
    return 0;
}

static int levels_fit(struct infer *infer)
{
    const struct cell_table *cells = infer->cells;
    float *rest = calloc(cells->cell_n + 1, sizeof(*rest));
    double km[MAP_MAX_POPS];
    int err = 0;

    if (!rest) {
        return -ENOMEM;
    }
    for (size_t b = 0; b < cells->block_n; b++) {
        const struct cell_block *block = &cells->block[b];

        distances_fill(infer, &infer->site[b], km);
        for (size_t c = block->first_cell; c < block->first_cell + block->cell_n; c++) {
            rest[c] = cells->cell[c].rtt_ms - (float)prior_ms(infer, km[cells->cell[c].pop]);
        }
        infer->access[b] = access_fit(infer, b, rest);
    }
    for (int level = 0; level < LEVELS && !err; level++) {
        err = level_fit(infer, (enum infer_level)level, rest);
    }
    free(rest);
    return err;
}

struct infer_site infer_site_at(const struct infer *infer, enum map_family family,
                                struct map_key key)
{
    struct infer_site site = {.place = steps_value(&infer->geo->places[family], key),
                              .network = steps_value(&infer->asn->networks[family], key)};

    site.asn = site.network == STEPS_NONE ? 0 : infer->asn->asn[site.network];
    return site;
}

/* Light contradicts the database: the block was reached sooner than it could be from there. It is
 * then taken to be where the PoP is that reached it soonest. */
static void site_correct(const struct infer *infer, size_t b, struct infer_site *site)
{
    const struct cell_block *block = &infer->cells->block[b];
    const struct cell *soonest = &infer->cells->cell[block->first_cell];
    bool contradicted = false;

    for (size_t c = block->first_cell;
         c < block->first_cell + block->cell_n && site_is_located(infer, site); c++) {
        const struct cell *cell = &infer->cells->cell[c];
        double km = site_distance_km(infer, site, cell->pop) - SITE_ERROR_KM;

        contradicted = contradicted || (double)cell->rtt_ms < LIGHT_MS_PER_KM * km;
        soonest = cell->rtt_ms < soonest->rtt_ms ? cell : soonest;
    }
    if (contradicted) {
        site->place = infer->geo->pop_place[soonest->pop];
    }
}

static int infer_start(struct infer *infer)
{
    const struct cell_table *cells = infer->cells;

    infer->place_point = calloc(infer->geo->place_n + 1, sizeof(*infer->place_point));
    infer->site = calloc(cells->block_n + 1, sizeof(*infer->site));
    infer->access = calloc(cells->block_n + 1, sizeof(*infer->access));
    if (!infer->place_point || !infer->site || !infer->access) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < infer->config->pop_n; i++) {
        infer->pop_point[i] =
            geo_point_at(infer->config->pops[i].latitude, infer->config->pops[i].longitude);
    }
    for (size_t i = 0; i < infer->geo->place_n; i++) {
        infer->place_point[i] = geo_point_at(infer->geo->place[i].latitude_d / 10.0,
                                             infer->geo->place[i].longitude_d / 10.0);
    }
    for (size_t b = 0; b < cells->block_n; b++) {
        const struct block *block = &cells->block[b].block;
        const struct map_key key = {block->hi, 0};

        infer->site[b] = infer_site_at(infer, (enum map_family)block->family, key);
        site_correct(infer, b, &infer->site[b]);
    }
    return 0;
}

int infer_fit(const struct config *config, const struct geo *geo, const struct asn_table *asn,
              const struct cell_table *cells, struct infer **ret_infer)
{
    struct infer *infer = calloc(1, sizeof(*infer));
    int err;

    if (!infer) {
        return -ENOMEM;
    }
    infer->config = config;
    infer->geo = geo;
    infer->asn = asn;
    infer->cells = cells;
    err = infer_start(infer);
    if (!err) {
        prior_learn(infer);
        err = levels_fit(infer);
    }
    if (err) {
        infer_free(infer);
        return err;
    }
    *ret_infer = infer;
    return 0;
}

void infer_free(struct infer *infer)
{
    if (!infer) {
        return;
    }
    for (int level = 0; level < LEVELS; level++) {
        free(infer->level[level].node);
        free(infer->level[level].effect);
    }
    free(infer->place_point);
    free(infer->site);
    free(infer->access);
    free(infer);
}

void infer_site_reduce(const struct infer *infer, struct infer_site *site)
{
    if (!node_find(&infer->level[LEVEL_NETWORK], level_key(infer, LEVEL_NETWORK, site))) {
        site->network = STEPS_NONE;
    }
    if (!node_find(&infer->level[LEVEL_AS_COUNTRY], level_key(infer, LEVEL_AS_COUNTRY, site)) &&
        !node_find(&infer->level[LEVEL_AS_METRO], level_key(infer, LEVEL_AS_METRO, site))) {
        site->asn = 0;
    }
}

/* Prior and levels for every PoP. */
static enum map_source levels_apply(const struct infer *infer, const struct infer_site *site,
                                    const double *km, struct infer_estimate *estimates)
{
    enum map_source source = site_is_located(infer, site) ? MAP_SOURCE_GEO : MAP_SOURCE_DEFAULT;

    for (size_t pop = 0; pop < infer->config->pop_n; pop++) {
        estimates[pop] = (struct infer_estimate){.rtt_ms = (float)prior_ms(infer, km[pop]),
                                                 .source = (uint8_t)source};
    }
    for (int level = 0; level < LEVELS; level++) {
        const struct infer_nodes *nodes = &infer->level[level];
        const struct infer_node *node =
            node_find(nodes, level_key(infer, (enum infer_level)level, site));

        for (uint32_t i = 0; node && i < node->effect_n; i++) {
            const struct infer_effect *effect = &nodes->effect[node->first_effect + i];

            estimates[effect->pop].rtt_ms += effect->ms;
            if (level != LEVEL_ALL) {
                estimates[effect->pop].source = MAP_SOURCE_INFERRED;
                source = MAP_SOURCE_INFERRED;
            }
        }
    }
    return source;
}

/* No guess may be faster than light; what was measured may (the place can be wrong). */
static void floors_apply(const struct infer *infer, const double *km,
                         struct infer_estimate *estimates)
{
    for (size_t pop = 0; pop < infer->config->pop_n; pop++) {
        bool guessed = estimates[pop].samples == 0 && km[pop] > 0;
        float floor_ms = (float)(INFER_MIN_MS + (guessed ? LIGHT_MS_PER_KM * km[pop] : 0));

        if (estimates[pop].rtt_ms < floor_ms) {
            estimates[pop].rtt_ms = floor_ms;
        }
    }
}

enum map_source infer_from_site(const struct infer *infer, const struct infer_site *site,
                                struct infer_estimate *ret_estimates)
{
    double km[MAP_MAX_POPS];
    enum map_source source;

    distances_fill(infer, site, km);
    source = levels_apply(infer, site, km, ret_estimates);
    floors_apply(infer, km, ret_estimates);
    return source;
}

enum map_source infer_from_block(const struct infer *infer, size_t block,
                                 struct infer_estimate *ret_estimates)
{
    const struct cell_block *own = &infer->cells->block[block];
    const struct infer_site *site = &infer->site[block];
    double km[MAP_MAX_POPS];

    distances_fill(infer, site, km);
    (void)levels_apply(infer, site, km, ret_estimates);
    for (size_t pop = 0; pop < infer->config->pop_n; pop++) {
        ret_estimates[pop].rtt_ms += infer->access[block];
    }
    for (size_t c = own->first_cell; c < own->first_cell + own->cell_n; c++) {
        const struct cell *cell = &infer->cells->cell[c];
        struct infer_estimate *estimate = &ret_estimates[cell->pop];

        estimate->rtt_ms +=
            (float)(cell_weight(cell) * ((double)cell->rtt_ms - (double)estimate->rtt_ms));
        estimate->samples = cell->samples;
        estimate->source = MAP_SOURCE_MEASURED;
    }
    floors_apply(infer, km, ret_estimates);
    return MAP_SOURCE_MEASURED;
}

uint32_t infer_block_asn(const struct infer *infer, size_t block)
{
    return infer->site[block].asn;
}

const struct infer_prior *infer_prior_get(const struct infer *infer)
{
    return &infer->prior;
}
