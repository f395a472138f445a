/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/compile.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "mapper/bases.h"
#include "mapper/ranking.h"
#include "mapper/runs.h"
#include "mapper/shed.h"
#include "mapper/special.h"

/* A network nobody measured counts as one row: it must weigh something when load is shed, but
 * little. */
#define COMPILE_NOMINAL_DEMAND 1.0

struct provenance {
    struct image_provenance_range *range;
    size_t n;
    size_t capacity;
    uint32_t base; /* of the last range */
};

struct compiler {
    const struct compile_input *input;
    struct image_builder *builder;
    struct compile_report *report;
    struct failure *failure;
    struct bases bases;
    struct ranking_set rankings;
    struct steps special[MAP_FAMILIES];
    struct steps measured[MAP_FAMILIES]; /* values are block numbers */
    struct steps listed[MAP_FAMILIES];   /* values are resolver numbers */
    uint8_t *seen;                       /* by block: its demand was counted in this walk */
};

/* The layers of one table, and where the walk stands in each. */
struct walk {
    struct compiler *compiler;
    size_t map;
    enum map_space space;
    enum map_family family;
    struct steps pins;        /* of the space */
    struct steps client_pins; /* of the client space; empty when that is the space */
    struct steps_cursor at_pin;
    struct steps_cursor at_client_pin;
    struct steps_cursor at_special;
    struct steps_cursor at_measured;
    struct steps_cursor at_listed;
    struct steps_cursor at_place;
    struct steps_cursor at_network;
    bool answers_specials; /* as SPECIAL, that is, somewhere a special-purpose block has no pin */
    struct provenance provenance;
    struct runs *runs;
};

static int out_of_memory(struct failure *failure)
{
    return failure_set(failure, -ENOMEM, "out of memory");
}

/* The base of the walk's position from client data alone. Negative when out of memory. */
static int64_t client_base(struct walk *walk)
{
    struct compiler *compiler = walk->compiler;
    struct infer_site site = {.place = walk->at_place.value, .network = walk->at_network.value};

    if (walk->at_measured.value != STEPS_NONE) {
        return base_of_block(walk->at_measured.value);
    }
    if (site.place == STEPS_NONE && site.network == STEPS_NONE) {
        return BASE_UNKNOWN;
    }
    site.asn = site.network == STEPS_NONE ? 0 : compiler->input->asn->asn[site.network];
    return base_of_site(&compiler->bases, &site);
}

static bool is_special(const struct walk *walk)
{
    switch (walk->at_special.value) {
    case SPECIAL_FOLDED:
        return true;
    case SPECIAL_PURPOSE:
        return walk->at_pin.value == STEPS_NONE;
    case SPECIAL_DOCUMENTATION:
        return walk->at_pin.value == STEPS_NONE && walk->at_measured.value == STEPS_NONE;
    default:
        return false;
    }
}

/* The ranking at the walk's position and the base it rests on. Negative when out of memory. */
static int64_t ranking_at(struct walk *walk, struct map_key position, uint32_t base)
{
    struct compiler *compiler = walk->compiler;
    const struct config *config = compiler->input->config;
    uint64_t own = base_pops_at(&compiler->bases, base, walk->map, walk->family, position);
    const struct override *pin;

    if (walk->at_pin.value == STEPS_NONE) {
        return ranking_intern(&compiler->rankings,
                              ranking_join(RANKING_NOBODY, own, config->record_pops), 0);
    }
    pin = &compiler->input->overrides->item[walk->at_pin.value];
    return ranking_intern(&compiler->rankings, ranking_join(pin->pops, own, config->record_pops),
                          MAP_RECORD_OVERRIDE);
}

/* Does the client space already say what the resolver space would? */
static bool is_fallback(const struct walk *walk)
{
    if (walk->space != MAP_SPACE_RESOLVER) {
        return false;
    }
    if (walk->at_special.value == SPECIAL_FOLDED) {
        return true; /* these keys are never looked up here */
    }
    if (walk->at_pin.value != STEPS_NONE) {
        return walk->at_pin.value == walk->at_client_pin.value;
    }
    return walk->at_listed.value == STEPS_NONE;
}

static int provenance_add(struct walk *walk, struct map_key position, uint32_t base)
{
    struct provenance *provenance = &walk->provenance;
    struct bases *bases = &walk->compiler->bases;
    int64_t row;

    if (walk->map != 0) {
        return 0; /* it is common to all maps */
    }
    if (provenance->n && (base_is_like(bases, provenance->base, base) ||
                          provenance->range[provenance->n - 1].start_hi == position.hi)) {
        return 0;
    }
    if (provenance->n == provenance->capacity) {
        size_t capacity = provenance->capacity < 256 ? 256 : provenance->capacity * 2;
        struct image_provenance_range *range =
            realloc(provenance->range, capacity * sizeof(*range));

        if (!range) {
            return out_of_memory(walk->compiler->failure);
        }
        provenance->range = range;
        provenance->capacity = capacity;
    }
    row = base_row(bases, base, walk->compiler->builder);
    if (row < 0) {
        return failure_set(walk->compiler->failure, (int)row,
                           "the image has no room for provenance");
    }
    provenance->range[provenance->n++] =
        (struct image_provenance_range){.start_hi = position.hi, .row = (uint32_t)row};
    provenance->base = base;
    return 0;
}

static void demand_add(struct walk *walk, uint32_t base)
{
    struct compiler *compiler = walk->compiler;
    const struct base_order *order = base_order_get(&compiler->bases, base, walk->map);
    uint32_t block = walk->at_measured.value;
    uint32_t resolver = walk->at_listed.value;
    double demand = COMPILE_NOMINAL_DEMAND;
    double measured = 0;

    if (walk->space == MAP_SPACE_RESOLVER) {
        demand = resolver != STEPS_NONE ? base_resolver_demand(&compiler->bases, resolver) : demand;
        measured = resolver != STEPS_NONE ? demand : 0;
    } else if (block != STEPS_NONE) {
        demand = compiler->seen[block] ? 0 : (double)compiler->input->cells->block[block].demand;
        measured = demand;
        compiler->seen[block] = 1;
    }
    runs_weigh(walk->runs, demand, (double)order->cost_ms, measured);
}

/* One piece of address space in which no layer changes. */
static int piece_add(struct walk *walk, struct map_key position)
{
    struct compiler *compiler = walk->compiler;
    int64_t ranking = RANKING_SPECIAL;
    int64_t base = BASE_UNKNOWN;

    if (is_fallback(walk)) {
        ranking = RANKING_FALLBACK;
    } else if (is_special(walk)) {
        walk->answers_specials |= walk->at_special.value != SPECIAL_FOLDED;
    } else {
        base = walk->space == MAP_SPACE_RESOLVER && walk->at_listed.value != STEPS_NONE
                   ? base_of_resolver(&compiler->bases, walk->at_listed.value)
                   : client_base(walk);
        ranking = base < 0 ? base : ranking_at(walk, position, (uint32_t)base);
    }
    if (base < 0 || ranking < 0 || runs_append(walk->runs, position, (uint32_t)ranking) != 0) {
        return out_of_memory(compiler->failure);
    }
    if (ranking < RANKING_SPECIAL) {
        demand_add(walk, (uint32_t)base);
    }
    if (walk->map == 0 && walk->space == MAP_SPACE_CLIENT &&
        steps_append(&compiler->report->sources[walk->family], position,
                     base_source(&compiler->bases, (uint32_t)base)) != 0) {
        return out_of_memory(compiler->failure);
    }
    return provenance_add(walk, position, (uint32_t)base);
}

static void cursors_init(struct walk *walk)
{
    const struct compiler *compiler = walk->compiler;
    enum map_family family = walk->family;

    steps_cursor_init(&walk->at_pin, &walk->pins);
    steps_cursor_init(&walk->at_client_pin, &walk->client_pins);
    steps_cursor_init(&walk->at_special, &compiler->special[family]);
    steps_cursor_init(&walk->at_measured, &compiler->measured[family]);
    steps_cursor_init(&walk->at_listed, &compiler->listed[family]);
    steps_cursor_init(&walk->at_place, &compiler->input->geo->places[family]);
    steps_cursor_init(&walk->at_network, &compiler->input->asn->networks[family]);
}

/* Walks one address space; the layers that cannot matter are left out of the resolver space, most
 * of which falls back. */
static int space_walk(struct walk *walk)
{
    struct steps_cursor *const cursors[] = {
        &walk->at_pin,      &walk->at_client_pin, &walk->at_special, &walk->at_listed,
        &walk->at_measured, &walk->at_place,      &walk->at_network};
    size_t cursor_n = sizeof(cursors) / sizeof(cursors[0]);
    struct map_key position = {0, 0};
    bool more = true;
    int err = 0;

    cursors_init(walk);
    if (walk->space == MAP_SPACE_RESOLVER && walk->pins.n == 0) {
        cursor_n -= 3; /* listed resolvers have bases of their own */
    }
    while (more && !err) {
        for (size_t i = 0; i < cursor_n; i++) {
            steps_cursor_move(cursors[i], position);
        }
        err = piece_add(walk, position);
        more = false;
        for (size_t i = 0; i < cursor_n; i++) {
            more = steps_cursor_bound(cursors[i], more, &position);
        }
    }
    return err;
}

/* Runs of one family; on success also its provenance when this is the first map. `ret_foldable`:
 * what the runs say of folded IPv6 is their only special record, and it is never looked up. */
static int family_walk(struct compiler *compiler, size_t map, enum map_space space,
                       enum map_family family, struct runs *ret_runs, bool *ret_foldable)
{
    const struct compile_input *input = compiler->input;
    struct walk walk = {
        .compiler = compiler, .map = map, .space = space, .family = family, .runs = ret_runs};
    int err = overrides_steps(input->overrides, input->config, map, space, family,
                              input->generation, &walk.pins, compiler->failure);

    if (!err && space == MAP_SPACE_RESOLVER) {
        err = overrides_steps(input->overrides, input->config, map, MAP_SPACE_CLIENT, family,
                              input->generation, &walk.client_pins, compiler->failure);
    }
    err = err ? err : space_walk(&walk);
    if (!err && map == 0) {
        err = image_builder_add_provenance(compiler->builder, space, family, walk.provenance.range,
                                           walk.provenance.n, compiler->failure);
    }
    *ret_foldable = !walk.answers_specials;
    steps_done(&walk.pins);
    steps_done(&walk.client_pins);
    free(walk.provenance.range);
    return err;
}

static uint8_t run_confidence(const struct run *run)
{
    /* in quarters, so that runs of nearly equal standing share records */
    return run->demand > 0 ? (uint8_t)(25 * floorf(4 * run->measured / run->demand + 0.5f)) : 0;
}

static int table_add(struct compiler *compiler, size_t map, enum map_space space,
                     enum map_family family, const struct runs *runs, const uint8_t *classes,
                     bool whole)
{
    struct image_run *image_runs = calloc(runs->n, sizeof(*image_runs));
    int err = 0;

    if (!image_runs) {
        return out_of_memory(compiler->failure);
    }
    for (size_t i = 0; i < runs->n && !err; i++) {
        const struct run *run = &runs->item[i];
        int64_t record = run->ranking == RANKING_SPECIAL ? MAP_RECORD_SPECIAL : MAP_RECORD_FALLBACK;

        if (run->ranking < RANKING_SPECIAL) {
            const struct ranking *ranking = &compiler->rankings.item[run->ranking];
            const struct map_record stored = {.pops = ranking->pops,
                                              .shed_class = classes[i],
                                              .confidence = run_confidence(run),
                                              .flags = (uint16_t)ranking->flags};

            record = image_builder_intern(compiler->builder, &stored);
        }
        if (record < 0) {
            err = failure_set(compiler->failure, (int)record, "too many different rankings");
        }
        image_runs[i] = (struct image_run){.start = run->start, .record = (uint32_t)record};
    }
    err = err ? err
              : image_builder_add_table(compiler->builder, (uint32_t)map, space, family, image_runs,
                                        runs->n, whole, compiler->failure);
    free(image_runs);
    return err;
}

/* RFC 7871 section 7.2.1: only an answer that every client gets may have scope 0. */
static bool is_whole(const struct runs *runs)
{
    return runs[MAP_FAMILY_IPV4].n == 1 && runs[MAP_FAMILY_IPV6].n == 1 &&
           runs[MAP_FAMILY_IPV4].item[0].ranking == runs[MAP_FAMILY_IPV6].item[0].ranking;
}

/* Where IPv4 has one ranking and IPv6 no other, folded addresses, which are looked up as IPv4, get
 * that one too: then everybody does, and one run says so. */
static void runs_join(struct runs *runs)
{
    struct runs *ipv6 = &runs[MAP_FAMILY_IPV6];
    uint32_t ranking = runs[MAP_FAMILY_IPV4].item[0].ranking;

    if (runs[MAP_FAMILY_IPV4].n != 1 || ranking >= RANKING_SPECIAL) {
        return;
    }
    for (size_t i = 0; i < ipv6->n; i++) {
        if (ipv6->item[i].ranking != ranking && ipv6->item[i].ranking != RANKING_SPECIAL) {
            return;
        }
    }
    for (size_t i = 1; i < ipv6->n; i++) {
        ipv6->item[0].demand += ipv6->item[i].demand;
        ipv6->item[0].cost_demand += ipv6->item[i].cost_demand;
        ipv6->item[0].measured += ipv6->item[i].measured;
    }
    ipv6->item[0].ranking = ranking;
    ipv6->n = 1;
}

static int space_compile(struct compiler *compiler, size_t map, enum map_space space)
{
    struct runs runs[MAP_FAMILIES] = {{0}, {0}};
    uint8_t *classes[MAP_FAMILIES] = {NULL, NULL};
    bool foldable[MAP_FAMILIES] = {false, false};
    int err = 0;

    for (size_t i = 0; i < compiler->input->cells->block_n; i++) {
        compiler->seen[i] = 0;
    }
    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        err = family_walk(compiler, map, space, (enum map_family)family, &runs[family],
                          &foldable[family]);
    }
    if (!err && foldable[MAP_FAMILY_IPV4] && foldable[MAP_FAMILY_IPV6]) {
        runs_join(runs);
    }
    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        classes[family] = calloc(runs[family].n, 1);
        if (!classes[family]) {
            err = out_of_memory(compiler->failure);
        }
    }
    if (!err && shed_assign(runs, &compiler->rankings, classes) != 0) {
        err = out_of_memory(compiler->failure);
    }
    if (!err && is_whole(runs)) { /* one record for everybody: nothing can be shed in parts */
        classes[MAP_FAMILY_IPV6][0] = classes[MAP_FAMILY_IPV4][0];
    }
    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        err = table_add(compiler, map, space, (enum map_family)family, &runs[family],
                        classes[family], is_whole(runs));
    }
    for (int family = 0; family < MAP_FAMILIES; family++) {
        runs_done(&runs[family]);
        free(classes[family]);
    }
    return err;
}

/* Layers that are the same for every map. Special-purpose blocks split nothing where one answer
 * serves everybody. */
static int layers_build(struct compiler *compiler)
{
    const struct compile_input *input = compiler->input;
    size_t block_n = input->cells->block_n;
    size_t resolver_n = compiler->bases.resolver_n;
    size_t most = block_n > resolver_n ? block_n : resolver_n;
    bool empty = block_n == 0 && input->overrides->n == 0 &&
                 input->geo->places[MAP_FAMILY_IPV4].n == 0 &&
                 input->geo->places[MAP_FAMILY_IPV6].n == 0;
    struct steps_prefix *prefixes = calloc(most + 1, sizeof(*prefixes));
    int err = prefixes ? 0 : -ENOMEM;

    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        size_t n = 0;

        err = empty ? 0 : special_steps((enum map_family)family, &compiler->special[family]);
        for (size_t i = 0; i < block_n; i++) {
            const struct block *block = &input->cells->block[i].block;

            if (block->family == family) {
                prefixes[n++] = (struct steps_prefix){
                    .first = {block->hi, 0}, .len = block->len, .value = (uint32_t)i};
            }
        }
        err = err ? err : steps_from_prefixes(prefixes, n, &compiler->measured[family]);
        n = 0;
        for (size_t i = 0; i < resolver_n; i++) {
            const struct block *block = base_resolver_block(&compiler->bases, (uint32_t)i);

            if (block->family == family) {
                prefixes[n++] = (struct steps_prefix){
                    .first = {block->hi, 0}, .len = block->len, .value = (uint32_t)i};
            }
        }
        err = err ? err : steps_from_prefixes(prefixes, n, &compiler->listed[family]);
    }
    free(prefixes);
    return err ? out_of_memory(compiler->failure) : 0;
}

static int names_add(const struct compiler *compiler)
{
    const struct config *config = compiler->input->config;

    for (size_t i = 0; i < config->pop_n; i++) {
        const struct config_pop *pop = &config->pops[i];
        int id = image_builder_add_pop(compiler->builder, pop->name,
                                       (int32_t)lround(pop->latitude * 1e6),
                                       (int32_t)lround(pop->longitude * 1e6), compiler->failure);

        if (id < 0) {
            return id;
        }
    }
    for (size_t i = 0; i < config->map_n; i++) {
        const struct config_map *map = &config->maps[i];
        int id = image_builder_add_map(compiler->builder, map->name, map->pops, map->pop_n,
                                       map->default_n, compiler->failure);

        if (id < 0) {
            return id;
        }
    }
    return 0;
}

int compile_image(const struct compile_input *input, struct image_builder *builder,
                  struct compile_report *ret_report, struct failure *failure)
{
    struct compiler compiler = {
        .input = input, .builder = builder, .report = ret_report, .failure = failure};
    int err;

    *ret_report = (struct compile_report){0};
    compiler.seen = calloc(input->cells->block_n + 1, 1);
    err = compiler.seen ? bases_init(&compiler.bases, input->config, input->cells, input->infer,
                                     input->threads)
                        : -ENOMEM;
    err = err ? out_of_memory(failure) : names_add(&compiler);
    err = err ? err : layers_build(&compiler);
    for (size_t map = 0; map < input->config->map_n && !err; map++) {
        for (int space = 0; space < MAP_SPACES && !err; space++) {
            err = space_compile(&compiler, map, (enum map_space)space);
        }
    }
    ret_report->rankings = compiler.rankings.n;
    ret_report->resolvers = compiler.bases.resolver_n;
    for (int family = 0; family < MAP_FAMILIES; family++) {
        steps_done(&compiler.special[family]);
        steps_done(&compiler.measured[family]);
        steps_done(&compiler.listed[family]);
    }
    ranking_set_done(&compiler.rankings);
    bases_done(&compiler.bases);
    free(compiler.seen);
    return err;
}

void compile_report_done(struct compile_report *report)
{
    for (int family = 0; family < MAP_FAMILIES; family++) {
        steps_done(&report->sources[family]);
    }
}
