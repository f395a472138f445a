/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_service.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD_MAX 8u /* PoPs of one answer, at most */
#define SERVICE_TTL_MAX 604800u
#define RECORD_POPS 8u /* PoPs of one pin, at most */

/* A gdnsd map as seen through one way of using it: what stands before, behind and for each
 * datacenter. */
struct gdnsd_map_use {
    char *signature;
    uint32_t map;
};

/* --- PoPs --- */

static void pop_locate(struct model *model, uint32_t pop, const struct gdnsd_map *map, size_t dc)
{
    struct model_pop *item = &model->pop[pop];

    if (!item->located && !isnan(map->latitude[dc])) {
        item->latitude = map->latitude[dc];
        item->longitude = map->longitude[dc];
        item->located = true;
    }
}

int gdnsd_services_init(struct gdnsd_services *services, struct model *model,
                        const struct gdnsd_resources *resources)
{
    const struct gdnsd_maps *maps = resources->maps;

    *services = (struct gdnsd_services){.model = model, .resources = *resources};
    for (size_t i = 0; i < maps->n; i++) {
        for (size_t dc = 0; dc < maps->map[i].dc_n; dc++) {
            uint32_t pop;
            int err = model_pop(model, maps->map[i].dc[dc], &pop);

            if (err == -ENOMEM) {
                return err;
            }
            if (!err) {
                pop_locate(model, pop, &maps->map[i], dc);
            }
        }
    }
    return 0;
}

void gdnsd_services_done(struct gdnsd_services *services)
{
    for (size_t i = 0; i < services->n; i++) {
        gdnsd_plan_done(&services->made[i].plan);
        free(services->made[i].pop);
    }
    for (size_t i = 0; i < services->use_n; i++) {
        free(services->use[i].signature);
    }
    free(services->made);
    free(services->use);
    *services = (struct gdnsd_services){0};
}

/* A PoP for each choice. One inside a datacenter stands where that does. */
static int pops_make(struct gdnsd_services *services, struct gdnsd_made *made)
{
    const struct gdnsd_plan *plan = &made->plan;

    made->pop = calloc(plan->n + 1, sizeof(*made->pop));
    if (!made->pop) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < plan->n; i++) {
        int err = model_pop(services->model, plan->choice[i].name, &made->pop[i]);

        if (err) {
            return err;
        }
        if (plan->choice[i].place >= 0) {
            pop_locate(services->model, made->pop[i], plan->map, (size_t)plan->choice[i].place);
        }
    }
    return 0;
}

/* --- maps --- */

static void place_append(const struct gdnsd_made *made, int place, uint8_t *pops, size_t *n)
{
    for (size_t i = 0; i < made->plan.n && *n < MAP_MAX_POPS; i++) {
        if (made->plan.choice[i].place == place) {
            pops[(*n)++] = (uint8_t)made->pop[i];
        }
    }
}

static bool place_used(const struct gdnsd_plan *plan, int place)
{
    for (size_t i = 0; i < plan->n; i++) {
        if (plan->choice[i].place == place) {
            return true;
        }
    }
    return false;
}

/* The PoPs that a list of datacenters means for this plan. A datacenter that the plan does not
 * define keeps its PoP, so that resources which differ in that only share a map. */
static int list_translate(struct model *model, const struct gdnsd_made *made,
                          const struct gdnsd_list *list, uint32_t *ret_list)
{
    const struct gdnsd_plan *plan = &made->plan;
    uint8_t pops[MAP_MAX_POPS];
    uint8_t defined[GDNSD_DCS_MAX];
    size_t defined_n = 0;
    size_t n = 0;

    place_append(made, GDNSD_BEFORE, pops, &n);
    for (uint32_t i = 0; i < list->n; i++) {
        if (!plan->skips_first || place_used(plan, list->dc[i])) {
            defined[defined_n++] = list->dc[i];
        }
    }
    for (size_t i = plan->skips_first && defined_n > 1 ? 1 : 0; i < defined_n; i++) {
        if (place_used(plan, defined[i])) {
            place_append(made, defined[i], pops, &n);
        } else {
            uint32_t pop;
            int err = model_pop(model, plan->map->dc[defined[i]], &pop);

            if (err) {
                return err;
            }
            if (n < MAP_MAX_POPS) {
                pops[n++] = (uint8_t)pop;
            }
        }
    }
    place_append(made, GDNSD_AFTER, pops, &n);
    return model_list(model, pops, n, ret_list);
}

/* All PoPs the map ranks: those of the default first, then every other. */
static int order_make(struct model *model, const struct gdnsd_made *made, uint32_t elsewhere,
                      uint32_t *ret_order)
{
    const struct gdnsd_map *map = made->plan.map;
    uint8_t all_dcs[GDNSD_DCS_MAX];
    uint8_t pops[2 * MAP_MAX_POPS];
    struct gdnsd_made whole = *made;
    struct gdnsd_list all = {.dc = all_dcs, .n = (uint32_t)map->dc_n};
    uint32_t rest;
    size_t n = model->list[elsewhere].n;
    int err;

    for (size_t i = 0; i < map->dc_n; i++) {
        all_dcs[i] = (uint8_t)i;
    }
    whole.plan.skips_first = false;
    err = list_translate(model, &whole, &all, &rest);
    if (err) {
        return err;
    }
    memcpy(pops, model->list[elsewhere].pop, n);
    memcpy(pops + n, model->list[rest].pop, model->list[rest].n);
    return model_list(model, pops, n + model->list[rest].n, ret_order);
}

static int list_note(struct gdnsd_services *services, const struct gdnsd_map *map,
                     const struct gdnsd_list *list, const struct model_list *made)
{
    struct notes *notes = &services->model->notes;
    const struct vscf *node = map->node;

    if (list->n == 0) {
        return notes_add(notes, NOTE_LEFT_OUT, node->file, node->line,
                         "map \"%.60s\" has networks with an empty list, which gdnsd answers with "
                         "nothing: they get the default, since a name must have the same types for "
                         "everybody",
                         map->name);
    }
    if (made->n > RECORD_POPS) {
        return notes_add(notes, NOTE_DIFFERS, node->file, node->line,
                         "map \"%.60s\" has lists of more than %u datacenters: from the next on "
                         "the order is that of the default",
                         map->name, RECORD_POPS);
    }
    return 0;
}

/* Every list of the gdnsd map as one of the model's; malloc'ed. */
static int lists_translate(struct gdnsd_services *services, const struct gdnsd_made *made,
                           uint32_t **ret_lists)
{
    const struct gdnsd_map *map = made->plan.map;
    uint32_t *lists = calloc(map->list_n + 1, sizeof(*lists));
    int err = lists ? 0 : -ENOMEM;

    for (size_t i = 0; i < map->list_n && !err; i++) {
        const struct gdnsd_list *list = map->list[i].n ? &map->list[i] : &map->list[0];

        err = list_translate(services->model, made, list, &lists[i]);
        err = err ? err : list_note(services, map, &map->list[i], &services->model->list[lists[i]]);
    }
    if (err) {
        free(lists);
        return err;
    }
    *ret_lists = lists;
    return 0;
}

static int ranking_copy(const struct steps *from, const uint32_t *lists, struct steps *to)
{
    int err = 0;

    for (size_t i = 0; i < from->n && !err; i++) {
        uint32_t list = lists[from->value[i] == STEPS_NONE ? 0 : from->value[i]];

        err = steps_append(to, steps_start(from, i), list);
    }
    return err;
}

static int map_make(struct gdnsd_services *services, const struct gdnsd_made *made,
                    uint32_t *ret_map)
{
    struct model *model = services->model;
    const struct gdnsd_map *map = made->plan.map;
    struct model_map *kept;
    uint32_t *lists = NULL;
    uint32_t order;
    int err = lists_translate(services, made, &lists);

    err = err ? err : order_make(model, made, lists[0], &order);
    err = err ? err : model_map_add(model, map->name, order, ret_map);
    if (!err) {
        kept = &model->map[*ret_map];
        kept->elsewhere = lists[0];
        for (int family = 0; family < MAP_FAMILIES && !err; family++) {
            err = ranking_copy(&map->ranking[family], lists, &kept->ranking[family]);
        }
    }
    free(lists);
    return err;
}

/* Two plans with the same signature can share a map. */
static int signature_make(const struct gdnsd_made *made, struct text *ret_text)
{
    const struct gdnsd_plan *plan = &made->plan;

    text_format(ret_text, "%p", (const void *)plan->map);
    if (plan->skips_first) {
        text_string(ret_text, " skip");
        for (size_t dc = 0; dc < plan->map->dc_n; dc++) {
            text_format(ret_text, " %d", place_used(plan, (int)dc));
        }
    }
    for (size_t i = 0; i < plan->n; i++) {
        int place = plan->choice[i].place;

        if (place < 0 || strcmp(plan->choice[i].name, plan->map->dc[place]) != 0) {
            text_format(ret_text, " %d:%u", place, made->pop[i]);
        }
    }
    return ret_text->failed ? -ENOMEM : 0;
}

static int map_use(struct gdnsd_services *services, const struct gdnsd_made *made,
                   uint32_t *ret_map)
{
    struct text signature = {0};
    struct gdnsd_map_use *grown;
    int err = signature_make(made, &signature);

    for (size_t i = 0; i < services->use_n && !err; i++) {
        if (strcmp(services->use[i].signature, signature.bytes) == 0) {
            *ret_map = services->use[i].map;
            text_done(&signature);
            return 0;
        }
    }
    err = err ? err : map_make(services, made, ret_map);
    grown = err ? NULL : realloc(services->use, (services->use_n + 1) * sizeof(*grown));
    if (!grown) {
        text_done(&signature);
        return err ? err : -ENOMEM;
    }
    services->use = grown;
    services->use[services->use_n++] =
        (struct gdnsd_map_use){.signature = signature.bytes, .map = *ret_map};
    return 0;
}

static int map_fixed(struct gdnsd_services *services, const struct gdnsd_made *made,
                     uint32_t *ret_map)
{
    uint8_t pops[MAP_MAX_POPS];
    size_t n = 0;

    place_append(made, GDNSD_BEFORE, pops, &n);
    place_append(made, GDNSD_AFTER, pops, &n);
    return model_map_fixed(services->model, pops, n, ret_map);
}

/* --- services --- */

static int sites_make(const struct gdnsd_made *made, struct model_site **ret_sites)
{
    struct model_site *sites = calloc(made->plan.n + 1, sizeof(*sites));

    if (!sites) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < made->plan.n; i++) {
        const struct gdnsd_choice *choice = &made->plan.choice[i];

        sites[i] = (struct model_site){.pop = made->pop[i],
                                       .address = choice->address,
                                       .address_n = choice->address_n,
                                       .target = choice->target};
    }
    *ret_sites = sites;
    return 0;
}

static const char *service_name(struct gdnsd_services *services, const char *reference)
{
    char name[256];
    size_t n = 0;
    const char *made;

    for (const char *byte = reference; *byte && n < sizeof(name) - 1; byte++) {
        bool kept = (*byte >= 'a' && *byte <= 'z') || (*byte >= 'A' && *byte <= 'Z') ||
                    (*byte >= '0' && *byte <= '9') || *byte == '-' || *byte == '_' || *byte == '.';

        name[n++] = kept ? *byte : '.';
    }
    name[n] = '\0';
    made = name;
    for (unsigned suffix = 2;; suffix++) {
        bool taken = false;

        for (size_t i = 0; i < services->model->service_n; i++) {
            taken = taken || strcmp(services->model->service[i].name, made) == 0;
        }
        if (!taken) {
            return model_text(services->model, "%s", made);
        }
        made = model_text(services->model, "%s-%u", name, suffix);
        if (!made) {
            return NULL;
        }
    }
}

static unsigned spread_of(const struct gdnsd_made *made)
{
    unsigned n[2] = {0, 0};

    for (size_t i = 0; i < made->plan.n; i++) {
        n[made->plan.choice[i].address[0].family == ADDRESS_IPV6]++;
    }
    return n[0] > n[1] ? n[0] : n[1];
}

/* More addresses than PoPs fit into one answer: they become one PoP. */
static int spread_join(struct gdnsd_services *services, struct gdnsd_made *made)
{
    struct gdnsd_plan *plan = &made->plan;
    struct address *all = arena_alloc(services->resources.arena, plan->n * sizeof(*all));

    if (!all) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < plan->n; i++) {
        all[i] = plan->choice[i].address[0];
    }
    plan->choice[0].address = all;
    plan->choice[0].address_n = plan->n;
    plan->choice[0].name = "addresses";
    plan->n = 1;
    plan->is_spread = false;
    return 0;
}

static bool has_target(const struct gdnsd_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        if (plan->choice[i].target) {
            return true;
        }
    }
    return false;
}

/* What a service may have. */
static uint32_t ttl_bound(uint32_t ttl_s)
{
    ttl_s = ttl_s > SERVICE_TTL_MAX ? SERVICE_TTL_MAX : ttl_s;
    return ttl_s ? ttl_s : 1;
}

/* A name answers addresses or CNAMEs, not one or the other: what has both keeps its addresses. */
static int targets_drop(struct gdnsd_services *services, struct gdnsd_made *made,
                        const struct gdnsd_record *record)
{
    struct gdnsd_plan *plan = &made->plan;
    size_t n = 0;

    for (size_t i = 0; i < plan->n; i++) {
        if (!plan->choice[i].target) {
            plan->choice[n++] = plan->choice[i];
        }
    }
    if (n == 0 || n == plan->n) {
        return 0;
    }
    plan->n = n;
    return notes_add(&services->model->notes, NOTE_LEFT_OUT, record->file, record->line,
                     "\"%.80s\" answers addresses or a CNAME, as it comes: only the places with "
                     "addresses are kept. Give the others addresses too",
                     made->reference);
}

static int service_make(struct gdnsd_services *services, struct gdnsd_made *made)
{
    struct model_service service = {.ttl_s = ttl_bound(made->ttl_s),
                                    .ttl_min_s = ttl_bound(made->ttl_min_s)};
    struct model_site *sites = NULL;
    int err = 0;

    if (made->plan.is_spread && spread_of(made) > SPREAD_MAX) {
        err = spread_join(services, made);
    }
    service.pops_per_answer = made->plan.is_spread ? spread_of(made) : 1;
    err = err ? err : pops_make(services, made);
    err = err              ? err
          : made->plan.map ? map_use(services, made, &service.map)
                           : map_fixed(services, made, &service.map);
    err = err ? err : sites_make(made, &sites);
    if (!err) {
        service.name = service_name(services, made->reference);
        service.site = sites;
        service.site_n = made->plan.n;
        err = service.name ? model_service_add(services->model, &service, &made->service) : -ENOMEM;
    }
    free(sites);
    return err;
}

/* Which service answers for the record; made if it is the first of its kind. */
static int made_find(struct gdnsd_services *services, const struct gdnsd_record *record,
                     struct gdnsd_made **ret_made)
{
    bool is_cname = strcmp(record->type, "DYNC") == 0;
    struct gdnsd_made *made;
    int err;

    for (size_t i = 0; i < services->n; i++) {
        made = &services->made[i];
        if (strcmp(made->reference, record->rdata) == 0 && made->ttl_s == record->ttl_s &&
            made->ttl_min_s == record->ttl_min_s && made->is_cname == is_cname) {
            *ret_made = made;
            return 0;
        }
    }
    if (services->n == services->capacity) {
        size_t capacity = services->capacity ? services->capacity * 2 : 16;
        struct gdnsd_made *grown = realloc(services->made, capacity * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        services->made = grown;
        services->capacity = capacity;
    }
    made = &services->made[services->n];
    *made = (struct gdnsd_made){
        .reference = arena_copy(services->resources.arena, record->rdata, strlen(record->rdata)),
        .line = record->line,
        .ttl_s = record->ttl_s,
        .ttl_min_s = record->ttl_min_s,
        .is_cname = is_cname,
        .service = MODEL_NONE};
    if (!made->reference) {
        return -ENOMEM;
    }
    services->n++;
    *ret_made = made;
    err =
        gdnsd_plan(&services->resources, made->reference, record->file, record->line, &made->plan);
    made->usable = !err;
    if (!err && is_cname) {
        err = targets_drop(services, made, record);
    }
    if (err || made->plan.is_constant ||
        (has_target(&made->plan) && (!is_cname || made->plan.n == 1))) {
        return err == -ENOMEM ? err : 0;
    }
    err = service_make(services, made);
    if (err == -ENOSPC) {
        return notes_add(&services->model->notes, NOTE_LEFT_OUT, record->file, record->line,
                         "\"%.80s\" needs more than %u PoPs or %u maps: its first addresses are "
                         "static records",
                         made->reference, MAP_MAX_POPS, MAP_MAX_MAPS);
    }
    return err;
}

/* --- records in the zone --- */

static void address_record(struct model_zone *zone, const struct gdnsd_record *record,
                           const struct address *address)
{
    char text[ADDRESS_TEXT_LEN];

    text_string(&zone->text, record->owner);
    text_format(&zone->text, "\t%u\tIN\t%s\t%s\n", record->ttl_s,
                address->family == ADDRESS_IPV4 ? "A" : "AAAA", address_format(address, text));
}

/* The addresses of one family of the first choice that has any; of all for a spread. */
static void family_records(struct model_zone *zone, const struct gdnsd_record *record,
                           const struct gdnsd_plan *plan, unsigned family)
{
    bool found = false;

    for (size_t i = 0; i < plan->n && (!found || plan->is_spread); i++) {
        for (size_t k = 0; k < plan->choice[i].address_n; k++) {
            if (plan->choice[i].address[k].family == family) {
                address_record(zone, record, &plan->choice[i].address[k]);
                found = true;
            }
        }
    }
}

static void target_record(struct model_zone *zone, const struct gdnsd_record *record,
                          const char *target)
{
    text_string(&zone->text, record->owner);
    text_format(&zone->text, "\t%u\tIN\tCNAME\t", record->ttl_s);
    text_string(&zone->text, target);
    text_string(&zone->text, "\n");
}

/* Names that a service of addresses cannot answer: the first choice stands in the zone. */
static int static_take(struct gdnsd_services *services, struct model_zone *zone,
                       const struct gdnsd_record *record, const struct gdnsd_made *made)
{
    const struct gdnsd_plan *plan = &made->plan;
    struct notes *notes = &services->model->notes;

    if (has_target(plan) && !made->is_cname) {
        return notes_add(notes, NOTE_LEFT_OUT, record->file, record->line,
                         "\"%.80s\" can answer with a CNAME, which DYNA must not: the record is "
                         "skipped",
                         record->rdata);
    }
    if (plan->choice[0].target) {
        target_record(zone, record, plan->choice[0].target);
        return zone->text.failed ? -ENOMEM : 0;
    }
    family_records(zone, record, plan, ADDRESS_IPV4);
    family_records(zone, record, plan, ADDRESS_IPV6);
    return zone->text.failed ? -ENOMEM : 0;
}

/* Does each choice have each family that any has? */
static bool families_differ(const struct gdnsd_plan *plan)
{
    unsigned all = 0;
    bool differ = false;

    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < plan->n; i++) {
            unsigned own = 0;

            for (size_t k = 0; k < plan->choice[i].address_n; k++) {
                own |= plan->choice[i].address[k].family == ADDRESS_IPV4 ? 1u : 2u;
            }
            all |= own;
            differ = differ || (pass && own != all);
        }
    }
    return differ && !plan->is_spread;
}

int gdnsd_service_take(struct gdnsd_services *services, struct model_zone *zone,
                       const struct gdnsd_record *record)
{
    struct gdnsd_made *made;
    int err = made_find(services, record, &made);

    if (err) {
        return err;
    }
    if (!made->usable) { /* the reason stands at the first record that names it */
        return made->line == record->line
                   ? 0
                   : notes_add(&services->model->notes, NOTE_LEFT_OUT, record->file, record->line,
                               "\"%.80s\" could not be converted: the name gets no dynamic answer",
                               record->rdata);
    }
    if (made->service == MODEL_NONE) {
        return static_take(services, zone, record, made);
    }
    if (families_differ(&made->plan)) {
        err = notes_add(&services->model->notes, NOTE_DIFFERS, record->file, record->line,
                        "\"%.80s\" has places without one of the address families: where gdnsd "
                        "answers nothing of it, isochrone answers from the next place",
                        record->rdata);
    }
    if (made->plan.choice[0].target) {
        target_record(zone, record, made->plan.choice[0].target);
    }
    family_records(zone, record, &made->plan, ADDRESS_IPV4);
    family_records(zone, record, &made->plan, ADDRESS_IPV6);
    err = err ? err : model_name_add(services->model, record->owner, made->service);
    return err || zone->text.failed ? -ENOMEM : 0;
}
