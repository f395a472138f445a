/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/model.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int model_init(struct model *model)
{
    *model = (struct model){.arena = arena_new()};
    return model->arena ? 0 : -ENOMEM;
}

void model_done(struct model *model)
{
    for (size_t i = 0; i < model->map_n; i++) {
        for (int family = 0; family < MAP_FAMILIES; family++) {
            steps_done(&model->map[i].ranking[family]);
        }
    }
    for (size_t i = 0; i < model->zone_n; i++) {
        text_done(&model->zone[i].text);
    }
    text_done(&model->monitoring);
    notes_done(&model->notes);
    free(model->list);
    free(model->service);
    free(model->name);
    free(model->zone);
    free(model->state);
    arena_free(model->arena);
    *model = (struct model){0};
}

/* Room for one more of `size` bytes in an array whose capacity is the power of two at or above its
 * count. */
static int array_grow(void *array, size_t n, size_t size)
{
    void **place = array;
    void *grown;

    if (n & (n - 1) && n) {
        return 0;
    }
    grown = realloc(*place, (n ? n * 2 : 1) * size);
    if (!grown) {
        return -ENOMEM;
    }
    *place = grown;
    return 0;
}

const char *model_text(struct model *model, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof(line)) {
        return NULL;
    }
    return arena_copy(model->arena, line, (size_t)len);
}

/* --- names --- */

static bool pop_name_taken(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->pop_n; i++) {
        if (strcmp(model->pop[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool map_name_taken(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->map_n; i++) {
        if (strcmp(model->map[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void name_clean(const char *source, size_t len, char ret_name[static MAP_NAME_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < MAP_NAME_SIZE - 1; i++) {
        unsigned char byte = (unsigned char)source[i];

        ret_name[n++] = isalnum(byte) || strchr("._-", byte) ? (char)byte : '_';
    }
    if (n == 0) {
        ret_name[n++] = '_';
    }
    ret_name[n] = '\0';
}

/* `source` as a name that `taken` does not know yet. */
static void name_choose(const struct model *model, const char *source,
                        bool (*taken)(const struct model *, const char *),
                        char ret_name[static MAP_NAME_SIZE])
{
    char suffix[16] = "";
    size_t len = strlen(source);

    for (unsigned i = 2;; i++) {
        size_t room = MAP_NAME_SIZE - 1 - strlen(suffix);

        name_clean(source, len < room ? len : room, ret_name);
        (void)snprintf(ret_name + strlen(ret_name), sizeof(suffix), "%s", suffix);
        if (!taken(model, ret_name)) {
            return;
        }
        (void)snprintf(suffix, sizeof(suffix), "-%u", i);
    }
}

int model_pop(struct model *model, const char *source, uint32_t *ret_pop)
{
    struct model_pop *pop;

    for (size_t i = 0; i < model->pop_n; i++) {
        if (strcmp(model->pop[i].source, source) == 0) {
            *ret_pop = (uint32_t)i;
            return 0;
        }
    }
    if (model->pop_n == MAP_MAX_POPS) {
        return -ENOSPC;
    }
    pop = &model->pop[model->pop_n];
    *pop = (struct model_pop){.source = arena_copy(model->arena, source, strlen(source))};
    if (!pop->source) {
        return -ENOMEM;
    }
    name_choose(model, source, pop_name_taken, pop->name);
    *ret_pop = (uint32_t)model->pop_n++;
    return 0;
}

/* --- lists and maps --- */

int model_list(struct model *model, const uint8_t *pops, size_t n, uint32_t *ret_list)
{
    uint8_t kept[MAP_MAX_POPS];
    size_t kept_n = 0;
    struct model_list *list;

    for (size_t i = 0; i < n; i++) {
        if (!memchr(kept, pops[i], kept_n)) {
            kept[kept_n++] = pops[i];
        }
    }
    for (size_t i = 0; i < model->list_n; i++) {
        if (model->list[i].n == kept_n && memcmp(model->list[i].pop, kept, kept_n) == 0) {
            *ret_list = (uint32_t)i;
            return 0;
        }
    }
    if (array_grow(&model->list, model->list_n, sizeof(*model->list)) != 0) {
        return -ENOMEM;
    }
    list = &model->list[model->list_n];
    *list = (struct model_list){.pop = arena_copy(model->arena, kept, kept_n), .n = kept_n};
    if (!list->pop) {
        return -ENOMEM;
    }
    *ret_list = (uint32_t)model->list_n++;
    return 0;
}

int model_map_add(struct model *model, const char *name, uint32_t order, uint32_t *ret_map)
{
    struct model_map *map;

    if (model->map_n == MAP_MAX_MAPS) {
        return -ENOSPC;
    }
    map = &model->map[model->map_n];
    *map = (struct model_map){.order = order, .elsewhere = order};
    name_choose(model, name, map_name_taken, map->name);
    *ret_map = (uint32_t)model->map_n++;
    return 0;
}

/* The map's order with `pops` in it, if their order does not contradict: those it has stand in the
 * wanted order, those it lacks come last and go to its end. */
static bool order_extend(const struct model_list *order, const uint8_t *pops, size_t n,
                         uint8_t ret_pops[static MAP_MAX_POPS], size_t *ret_n)
{
    const uint8_t *last = NULL;

    memcpy(ret_pops, order->pop, order->n);
    *ret_n = order->n;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *found = memchr(order->pop, pops[i], order->n);

        if (!found) {
            ret_pops[(*ret_n)++] = pops[i];
        } else if (*ret_n > order->n || (last && found <= last)) {
            return false;
        } else {
            last = found;
        }
    }
    return true;
}

static bool map_is_fixed(const struct model_map *map)
{
    return map->ranking[MAP_FAMILY_IPV4].n == 0 && map->ranking[MAP_FAMILY_IPV6].n == 0 &&
           map->elsewhere == map->order;
}

int model_map_fixed(struct model *model, const uint8_t *pops, size_t n, uint32_t *ret_map)
{
    uint8_t extended[MAP_MAX_POPS];
    size_t extended_n;
    uint32_t order;
    int err;

    for (size_t i = 0; i < model->map_n; i++) {
        struct model_map *map = &model->map[i];

        if (strncmp(map->name, "fixed", 5) == 0 && map_is_fixed(map) &&
            order_extend(&model->list[map->order], pops, n, extended, &extended_n)) {
            err = model_list(model, extended, extended_n, &order);
            if (!err) {
                map->order = order;
                map->elsewhere = order;
                *ret_map = (uint32_t)i;
            }
            return err;
        }
    }
    err = model_list(model, pops, n, &order);
    return err ? err : model_map_add(model, "fixed", order, ret_map);
}

/* --- services, names, zones, states --- */

int model_service_add(struct model *model, const struct model_service *service,
                      uint32_t *ret_service)
{
    struct model_service *kept;
    struct model_site *sites;

    if (array_grow(&model->service, model->service_n, sizeof(*model->service)) != 0) {
        return -ENOMEM;
    }
    kept = &model->service[model->service_n];
    *kept = *service;
    kept->name = arena_copy(model->arena, service->name, strlen(service->name));
    sites = arena_alloc(model->arena, (service->site_n + 1) * sizeof(*sites));
    if (!kept->name || !sites) {
        return -ENOMEM;
    }
    memcpy(sites, service->site, service->site_n * sizeof(*sites));
    for (size_t i = 0; i < service->site_n; i++) {
        const struct model_site *site = &service->site[i];

        sites[i].address = /* bytes, which need no alignment */
            arena_copy(model->arena, site->address, site->address_n * sizeof(*site->address));
        sites[i].target =
            site->target ? arena_copy(model->arena, site->target, strlen(site->target)) : NULL;
        if (!sites[i].address || (site->target && !sites[i].target)) {
            return -ENOMEM;
        }
    }
    kept->site = sites;
    *ret_service = (uint32_t)model->service_n++;
    return 0;
}

int model_name_add(struct model *model, const char *owner, uint32_t service)
{
    const char *kept = arena_copy(model->arena, owner, strlen(owner));

    if (!kept || array_grow(&model->name, model->name_n, sizeof(*model->name)) != 0) {
        return -ENOMEM;
    }
    model->name[model->name_n++] = (struct model_name){.owner = kept, .service = service};
    return 0;
}

int model_state_add(struct model *model, uint32_t pop, uint32_t service, const char *state,
                    const char *reason)
{
    const char *kept_state = arena_copy(model->arena, state, strlen(state));
    const char *kept_reason = arena_copy(model->arena, reason, strlen(reason));

    if (!kept_state || !kept_reason ||
        array_grow(&model->state, model->state_n, sizeof(*model->state)) != 0) {
        return -ENOMEM;
    }
    model->state[model->state_n++] = (struct model_state){
        .pop = pop, .service = service, .state = kept_state, .reason = kept_reason};
    return 0;
}

int model_zone_add(struct model *model, const char *origin, const char *file,
                   struct model_zone **ret_zone)
{
    struct model_zone *zone;

    if (array_grow(&model->zone, model->zone_n, sizeof(*model->zone)) != 0) {
        return -ENOMEM;
    }
    zone = &model->zone[model->zone_n];
    *zone = (struct model_zone){.origin = arena_copy(model->arena, origin, strlen(origin)),
                                .file = arena_copy(model->arena, file, strlen(file))};
    if (!zone->origin || !zone->file) {
        return -ENOMEM;
    }
    model->zone_n++;
    *ret_zone = zone;
    return 0;
}
