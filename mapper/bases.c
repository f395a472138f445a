/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/bases.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BASE_LIKE_MS 5.0f
#define BASE_ROW_BEST 3u /* estimates kept per map beside the measured ones */
#define BASE_THREADS_MAX 64u
#define BASE_CHUNK ((size_t)1024)
#define BASE_NO_ROW UINT32_MAX

enum base_kind {
    BASE_NOTHING,
    BASE_BLOCK,
    BASE_SITE,
    BASE_RESOLVER,
};

struct base_entry {
    struct infer_site site; /* of a site; block or resolver number in `place` for the others */
    uint32_t row;           /* in the image, BASE_NO_ROW until asked for */
    uint8_t kind;
    uint8_t source;
};

void bases_done(struct bases *bases)
{
    free(bases->name_hash);
    free(bases->entry);
    free(bases->order);
    free(bases->index);
    free(bases->resolver_pair);
    *bases = (struct bases){0};
}

/* The traffic-weighted mean over the clients behind the resolver: the least of it is the best one
 * answer for all of them. */
static enum map_source resolver_estimate(const struct bases *bases, uint32_t resolver,
                                         struct infer_estimate *ret_estimates)
{
    size_t pop_n = bases->config->pop_n;
    double rtt_ms[MAP_MAX_POPS] = {0};
    double samples[MAP_MAX_POPS] = {0};
    double total = 0;

    for (size_t i = bases->resolver_pair[resolver]; i < bases->resolver_pair[resolver + 1]; i++) {
        const struct cell_pair *pair = &bases->cells->pair[i];
        double weight = pair->weight;
        double share = weight / (double)bases->cells->block[pair->block].demand;

        (void)infer_from_block(bases->infer, pair->block, ret_estimates);
        for (size_t pop = 0; pop < pop_n; pop++) {
            rtt_ms[pop] += weight * (double)ret_estimates[pop].rtt_ms;
            samples[pop] += share * ret_estimates[pop].samples;
        }
        total += weight;
    }
    for (size_t pop = 0; pop < pop_n; pop++) {
        double rounded = floor(samples[pop] + 0.5);

        ret_estimates[pop].rtt_ms = (float)(rtt_ms[pop] / total);
        ret_estimates[pop].samples = rounded < UINT32_MAX ? (uint32_t)rounded : UINT32_MAX;
        ret_estimates[pop].source = rounded > 0 ? MAP_SOURCE_MEASURED : MAP_SOURCE_INFERRED;
    }
    return MAP_SOURCE_MEASURED;
}

static enum map_source entry_estimate(const struct bases *bases, const struct base_entry *entry,
                                      struct infer_estimate *ret_estimates)
{
    switch ((enum base_kind)entry->kind) {
    case BASE_BLOCK:
        return infer_from_block(bases->infer, entry->site.place, ret_estimates);
    case BASE_SITE:
        return infer_from_site(bases->infer, &entry->site, ret_estimates);
    case BASE_RESOLVER:
        return resolver_estimate(bases, entry->site.place, ret_estimates);
    case BASE_NOTHING:
        break;
    }
    return MAP_SOURCE_DEFAULT;
}

static int bases_grow(struct bases *bases, size_t capacity)
{
    size_t map_n = bases->config->map_n;
    struct base_entry *entry = realloc(bases->entry, capacity * sizeof(*entry));
    struct base_order *order;

    if (!entry) {
        return -ENOMEM;
    }
    bases->entry = entry;
    order = realloc(bases->order, capacity * map_n * sizeof(*order));
    if (!order) {
        return -ENOMEM;
    }
    bases->order = order;
    bases->capacity = capacity;
    return 0;
}

/* Ties behind the places that a record keeps make no difference; one of the last place kept with
 * the next does. */
static uint8_t ties_kept(const struct config *config, uint8_t ties)
{
    unsigned kept = (1u << config->record_pops) - 1;
    unsigned group = ties;

    while (group & (kept + 1) >> 1 && group & (kept + 1)) {
        kept = kept << 1 | 1; /* a group that reaches over the end is ordered as a whole */
    }
    return (uint8_t)(ties & kept);
}

/* Estimates and orders of an entry whose kind and site are set. Entries do not depend on each
 * other. */
static void base_fill(struct bases *bases, size_t number)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    const struct config *config = bases->config;
    struct base_entry *entry = &bases->entry[number];

    entry->row = BASE_NO_ROW;
    entry->source = (uint8_t)entry_estimate(bases, entry, estimates);
    for (size_t i = 0; i < config->map_n; i++) {
        const struct config_map *map = &config->maps[i];
        struct base_order *order = &bases->order[number * config->map_n + i];

        *order = (struct base_order){.pops = ranking_default(map)};
        if (entry->source != MAP_SOURCE_DEFAULT) {
            order->pops = ranking_order(map, estimates, &order->ties);
            order->ties = ties_kept(config, order->ties);
            order->best_ms = estimates[ranking_pop(order->pops, 0)].rtt_ms;
            order->cost_ms =
                map->pop_n > 1 ? estimates[ranking_pop(order->pops, 1)].rtt_ms - order->best_ms : 0;
        }
    }
}

static int site_add(struct bases *bases, const struct infer_site *site)
{
    if (bases->n == bases->capacity &&
        bases_grow(bases, bases->capacity + bases->capacity / 2 + 64) != 0) {
        return -ENOMEM;
    }
    bases->entry[bases->n] = (struct base_entry){.site = *site, .kind = BASE_SITE};
    base_fill(bases, bases->n);
    bases->n++;
    return 0;
}

static int resolvers_find(struct bases *bases)
{
    const struct cell_table *cells = bases->cells;

    bases->resolver_pair = calloc(cells->pair_n + 1, sizeof(*bases->resolver_pair));
    if (!bases->resolver_pair) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < cells->pair_n; i++) {
        if (i == 0 || block_compare(&cells->pair[i].resolver, &cells->pair[i - 1].resolver) != 0) {
            bases->resolver_pair[bases->resolver_n++] = (uint32_t)i;
        }
    }
    bases->resolver_pair[bases->resolver_n] = (uint32_t)cells->pair_n;
    return 0;
}

struct base_filler {
    struct bases *bases;
    _Atomic size_t *next;
    pthread_t thread;
    bool running;
};

static void *filler_run(void *context)
{
    struct base_filler *filler = context;
    size_t n = filler->bases->n;
    size_t first;

    while ((first = atomic_fetch_add(filler->next, BASE_CHUNK)) < n) {
        size_t end = first + BASE_CHUNK < n ? first + BASE_CHUNK : n;

        for (size_t i = first; i < end; i++) {
            base_fill(filler->bases, i);
        }
    }
    return NULL;
}

/* Fills all entries that are known from the start, side by side. */
static void bases_fill(struct bases *bases, unsigned threads)
{
    struct base_filler fillers[BASE_THREADS_MAX];
    unsigned n = threads < BASE_THREADS_MAX ? threads : BASE_THREADS_MAX;
    _Atomic size_t next = 0;

    for (unsigned i = 0; i < n; i++) {
        fillers[i] = (struct base_filler){.bases = bases, .next = &next};
        fillers[i].running =
            i && pthread_create(&fillers[i].thread, NULL, filler_run, &fillers[i]) == 0;
    }
    (void)filler_run(&fillers[0]);
    for (unsigned i = 1; i < n; i++) {
        if (fillers[i].running) {
            (void)pthread_join(fillers[i].thread, NULL);
        }
    }
}

int bases_init(struct bases *bases, const struct config *config, const struct cell_table *cells,
               const struct infer *infer, unsigned threads)
{
    int err;

    *bases = (struct bases){.config = config, .cells = cells, .infer = infer};
    bases->index_n = (size_t)1 << 16;
    bases->index = calloc(bases->index_n, sizeof(*bases->index));
    bases->name_hash = calloc(config->pop_n + 1, sizeof(*bases->name_hash));
    err = bases->index && bases->name_hash ? resolvers_find(bases) : -ENOMEM;
    err = err ? err : bases_grow(bases, cells->block_n + bases->resolver_n + 1024);
    if (err) {
        bases_done(bases);
        return err;
    }
    for (size_t i = 0; i < config->pop_n; i++) {
        bases->name_hash[i] = ranking_name_hash(config->pops[i].name);
    }
    bases->entry[bases->n++] = (struct base_entry){.kind = BASE_NOTHING};
    for (uint32_t i = 0; i < cells->block_n; i++) {
        bases->entry[bases->n++] = (struct base_entry){.site.place = i, .kind = BASE_BLOCK};
    }
    for (uint32_t i = 0; i < bases->resolver_n; i++) {
        bases->entry[bases->n++] = (struct base_entry){.site.place = i, .kind = BASE_RESOLVER};
    }
    bases_fill(bases, threads ? threads : 1);
    return 0;
}

uint32_t base_of_resolver(const struct bases *bases, uint32_t resolver)
{
    return (uint32_t)bases->cells->block_n + 1 + resolver;
}

const struct block *base_resolver_block(const struct bases *bases, uint32_t resolver)
{
    return &bases->cells->pair[bases->resolver_pair[resolver]].resolver;
}

double base_resolver_demand(const struct bases *bases, uint32_t resolver)
{
    double demand = 0;

    for (size_t i = bases->resolver_pair[resolver]; i < bases->resolver_pair[resolver + 1]; i++) {
        demand += bases->cells->pair[i].weight;
    }
    return demand;
}

static uint32_t *site_slot(const struct bases *bases, uint32_t *index, size_t index_n,
                           const struct infer_site *site)
{
    uint64_t hash = ((uint64_t)site->place << 32 | site->network) * 0x9e3779b97f4a7c15u;

    hash = (hash ^ hash >> 29 ^ site->asn) * 0xbf58476d1ce4e5b9u;
    for (hash ^= hash >> 32;; hash++) {
        uint32_t *slot = &index[hash & (index_n - 1)];
        const struct infer_site *there = *slot ? &bases->entry[*slot - 1].site : NULL;

        if (!there || (there->place == site->place && there->network == site->network &&
                       there->asn == site->asn)) {
            return slot;
        }
    }
}

static int index_grow(struct bases *bases)
{
    size_t n = bases->index_n * 2;
    uint32_t *index = calloc(n, sizeof(*index));

    if (!index) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < bases->n; i++) {
        if (bases->entry[i].kind == BASE_SITE) {
            *site_slot(bases, index, n, &bases->entry[i].site) = (uint32_t)i + 1;
        }
    }
    free(bases->index);
    bases->index = index;
    bases->index_n = n;
    return 0;
}

int64_t base_of_site(struct bases *bases, const struct infer_site *site)
{
    struct infer_site reduced = *site;
    uint32_t *slot;

    infer_site_reduce(bases->infer, &reduced);
    slot = site_slot(bases, bases->index, bases->index_n, &reduced);
    if (*slot) {
        return (int64_t)*slot - 1;
    }
    if (bases->index_used * 2 >= bases->index_n) {
        if (index_grow(bases) != 0) {
            return -ENOMEM;
        }
        slot = site_slot(bases, bases->index, bases->index_n, &reduced);
    }
    if (site_add(bases, &reduced) != 0) {
        return -ENOMEM;
    }
    bases->index_used++;
    *slot = (uint32_t)bases->n;
    return (int64_t)bases->n - 1;
}

enum map_source base_source(const struct bases *bases, uint32_t base)
{
    return (enum map_source)bases->entry[base].source;
}

uint64_t base_pops_at(const struct bases *bases, uint32_t base, size_t map, enum map_family family,
                      struct map_key position)
{
    const struct base_order *order = base_order_get(bases, base, map);
    struct infer_estimate estimates[MAP_MAX_POPS];
    uint64_t unit;

    if (!order->ties) {
        return order->pops;
    }
    unit = ranking_unit(family, position);
    if (!(order->ties >> (MAP_RECORD_POPS - 1))) {
        return ranking_spread(order->pops, order->ties, unit, bases->name_hash);
    }
    (void)entry_estimate(bases, &bases->entry[base], estimates);
    return ranking_order_in(&bases->config->maps[map], estimates, unit, bases->name_hash);
}

static uint32_t entry_asn(const struct bases *bases, const struct base_entry *entry)
{
    switch ((enum base_kind)entry->kind) {
    case BASE_BLOCK:
        return infer_block_asn(bases->infer, entry->site.place);
    case BASE_SITE:
        return entry->site.asn;
    case BASE_RESOLVER:
    case BASE_NOTHING:
        break;
    }
    return 0;
}

bool base_is_like(const struct bases *bases, uint32_t a, uint32_t b)
{
    size_t map_n = bases->config->map_n;
    enum map_source source = base_source(bases, a);

    if (a == b) {
        return true;
    }
    if ((source != MAP_SOURCE_GEO && source != MAP_SOURCE_INFERRED) ||
        source != base_source(bases, b) ||
        entry_asn(bases, &bases->entry[a]) != entry_asn(bases, &bases->entry[b])) {
        return false;
    }
    for (size_t i = 0; i < map_n; i++) {
        const struct base_order *x = base_order_get(bases, a, i);
        const struct base_order *y = base_order_get(bases, b, i);

        if (x->pops != y->pops || fabsf(x->best_ms - y->best_ms) > BASE_LIKE_MS ||
            fabsf(x->cost_ms - y->cost_ms) > BASE_LIKE_MS) {
            return false;
        }
    }
    return true;
}

/* The PoPs worth a line in an explanation: every measured one and the best of each map. */
static size_t row_pops(const struct bases *bases, uint32_t base,
                       const struct infer_estimate *estimates, uint8_t *ret_pops)
{
    bool wanted[MAP_MAX_POPS] = {false};
    size_t n = 0;

    for (size_t pop = 0; pop < bases->config->pop_n; pop++) {
        wanted[pop] = estimates[pop].samples > 0;
    }
    for (size_t i = 0; i < bases->config->map_n; i++) {
        const struct base_order *best = base_order_get(bases, base, i);
        uint64_t order = best->pops;

        for (unsigned k = 0; k < MAP_RECORD_POPS && ranking_pop(order, k) != MAP_POP_NONE &&
                             (k < BASE_ROW_BEST || best->ties >> (k - 1) & 1);
             k++) {
            wanted[ranking_pop(order, k)] = true;
        }
    }
    for (size_t pop = 0; pop < bases->config->pop_n; pop++) {
        size_t at = n;

        if (!wanted[pop]) {
            continue;
        }
        while (at && estimates[pop].rtt_ms < estimates[ret_pops[at - 1]].rtt_ms) {
            at--;
        }
        memmove(&ret_pops[at + 1], &ret_pops[at], n - at);
        ret_pops[at] = (uint8_t)pop;
        n++;
    }
    return n;
}

int64_t base_row(struct bases *bases, uint32_t base, struct image_builder *builder)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    struct map_estimate stored[MAP_MAX_POPS];
    uint8_t pops[MAP_MAX_POPS + 1];
    struct base_entry *entry = &bases->entry[base];
    struct map_row row = {.source = entry->source, .asn = entry_asn(bases, entry)};
    int64_t offset;
    size_t n = 0;

    if (entry->row != BASE_NO_ROW) {
        return entry->row;
    }
    if (entry_estimate(bases, entry, estimates) != MAP_SOURCE_DEFAULT) {
        n = row_pops(bases, base, estimates, pops);
    }
    for (size_t i = 0; i < n; i++) {
        const struct infer_estimate *estimate = &estimates[pops[i]];
        double ticks = floor((double)estimate->rtt_ms * 10 + 0.5);

        stored[i] =
            (struct map_estimate){.pop = pops[i],
                                  .source = estimate->source,
                                  .rtt_ticks = ticks < UINT16_MAX ? (uint16_t)ticks : UINT16_MAX,
                                  .samples = estimate->samples};
    }
    row.estimate_n = (uint8_t)n;
    offset = image_builder_add_row(builder, &row, stored);
    if (offset >= 0) {
        entry->row = (uint32_t)offset;
    }
    return offset;
}
