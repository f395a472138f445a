/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_geo.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"
#include "mapper/import/gdnsd_place.h"
#include "mapper/key.h"

#define AUTO_LIMIT 3u /* unless auto_dc_limit says otherwise */
#define V4COMPAT_LEN 96u

struct loader {
    struct arena *arena;
    const char *folder;
    struct notes *notes;
    struct failure *failure;
};

static int out_of_memory(const struct loader *loader)
{
    return failure_set(loader->failure, -ENOMEM, "out of memory");
}

/* --- lists --- */

static uint32_t *list_slot(const struct gdnsd_map *map, uint32_t *index, size_t index_n,
                           const uint8_t *dcs, size_t n)
{
    uint64_t hash = n;

    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ dcs[i]) * 0x100000001b3u;
    }
    for (hash ^= hash >> 29;; hash++) {
        uint32_t *slot = &index[hash & (index_n - 1)];
        const struct gdnsd_list *list = *slot ? &map->list[*slot - 1] : NULL;

        if (!list || (list->n == n && (n == 0 || memcmp(list->dc, dcs, n) == 0))) {
            return slot;
        }
    }
}

static int lists_grow(struct gdnsd_map *map)
{
    size_t capacity = map->list_capacity ? map->list_capacity * 2 : 64;
    struct gdnsd_list *list = realloc(map->list, capacity * sizeof(*list));
    uint32_t *index;

    if (!list) {
        return -ENOMEM;
    }
    map->list = list;
    index = calloc(capacity * 2, sizeof(*index));
    if (!index) {
        return -ENOMEM;
    }
    for (size_t i = map->list_n; i > 0; i--) { /* of equal lists the first is found */
        *list_slot(map, index, capacity * 2, list[i - 1].dc, list[i - 1].n) = (uint32_t)i;
    }
    free(map->list_index);
    map->list_index = index;
    map->list_index_n = capacity * 2;
    map->list_capacity = capacity;
    return 0;
}

int64_t gdnsd_list_intern(struct arena *arena, struct gdnsd_map *map, const uint8_t *dcs, size_t n)
{
    uint32_t *slot;

    if (map->list_n == map->list_capacity && lists_grow(map) != 0) {
        return -ENOMEM;
    }
    slot = list_slot(map, map->list_index, map->list_index_n, dcs, n);
    if (*slot == 0) {
        const uint8_t *kept = arena_copy(arena, dcs, n);

        if (!kept) {
            return -ENOMEM;
        }
        map->list[map->list_n++] = (struct gdnsd_list){.dc = kept, .n = (uint32_t)n};
        *slot = (uint32_t)map->list_n;
    }
    return (int64_t)*slot - 1;
}

int gdnsd_map_dc(const struct gdnsd_map *map, const char *name)
{
    for (size_t i = 0; i < map->dc_n; i++) {
        if (strcmp(map->dc[i], name) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

/* The datacenters of a list value, each once. */
static int dcs_read(const struct gdnsd_map *map, const struct vscf *node, struct notes *notes,
                    uint8_t ret_dcs[static GDNSD_DCS_MAX], size_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < vscf_list_n(node); i++) {
        const char *name = vscf_text(vscf_list_item(node, i));
        int dc = name ? gdnsd_map_dc(map, name) : -ENOENT;

        if (dc < 0) {
            (void)notes_add(notes, NOTE_LEFT_OUT, node->file, node->line,
                            "map \"%.60s\" has no datacenter \"%.60s\"", map->name,
                            name ? name : "");
            return -EINVAL;
        }
        if (!memchr(ret_dcs, dc, *ret_n)) {
            ret_dcs[(*ret_n)++] = (uint8_t)dc;
        }
    }
    return 0;
}

int gdnsd_list_read(struct arena *arena, struct gdnsd_map *map, const struct vscf *node,
                    bool allow_auto, struct notes *notes, uint32_t *ret_list)
{
    uint8_t dcs[GDNSD_DCS_MAX];
    const char *only = vscf_list_n(node) == 1 ? vscf_text(vscf_list_item(node, 0)) : NULL;
    size_t n;
    int64_t list;
    int err;

    if (only && allow_auto && strcmp(only, "auto") == 0) {
        *ret_list = GDNSD_LIST_AUTO;
        return 0;
    }
    err = dcs_read(map, node, notes, dcs, &n);
    if (err) {
        return err;
    }
    list = gdnsd_list_intern(arena, map, dcs, n);
    if (list < 0) {
        return -ENOMEM;
    }
    *ret_list = (uint32_t)list;
    return 0;
}

/* --- datacenters --- */

static int datacenters_read(const struct loader *loader, struct gdnsd_map *map)
{
    const struct vscf *node = vscf_get(map->node, "datacenters");
    uint8_t order[GDNSD_DCS_MAX];
    size_t n = vscf_list_n(node);

    if (n == 0 || n > GDNSD_DCS_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = vscf_text(vscf_list_item(node, i));

        if (!name || gdnsd_map_dc(map, name) >= 0) {
            return -EINVAL;
        }
        map->dc[i] = name;
        map->latitude[i] = NAN;
        map->longitude[i] = NAN;
        map->dc_n++;
        order[i] = (uint8_t)i;
    }
    return gdnsd_list_intern(loader->arena, map, order, n) < 0 ? -ENOMEM : 0;
}

static int coordinates_read(struct gdnsd_map *map, const struct vscf *node)
{
    for (uint32_t i = 0; node->kind == VSCF_HASH && i < node->n; i++) {
        const struct vscf *pair = node->child[i];
        int dc = gdnsd_map_dc(map, pair->key);
        const char *latitude = vscf_list_n(pair) == 2 ? vscf_text(vscf_list_item(pair, 0)) : NULL;
        const char *longitude = vscf_list_n(pair) == 2 ? vscf_text(vscf_list_item(pair, 1)) : NULL;

        if (dc < 0 || !latitude || !longitude ||
            number_parse_double(latitude, strlen(latitude), -90, 90, &map->latitude[dc]) != 0 ||
            number_parse_double(longitude, strlen(longitude), -180, 180, &map->longitude[dc]) !=
                0) {
            return -EINVAL;
        }
    }
    return node->kind == VSCF_HASH ? 0 : -EINVAL;
}

/* City-auto-mode: how many datacenters a list made by distance has. */
static int auto_read(struct gdnsd_map *map)
{
    const struct vscf *coordinates = vscf_get(map->node, "auto_dc_coords");
    const char *limit = vscf_text(vscf_get(map->node, "auto_dc_limit"));
    uint64_t value = AUTO_LIMIT;

    if (!coordinates) {
        return 0;
    }
    map->is_auto = true;
    if (coordinates_read(map, coordinates) != 0 ||
        (limit && number_parse_u64(limit, strlen(limit), 0, UINT32_MAX, &value) != 0)) {
        return -EINVAL;
    }
    map->auto_limit = value == 0 || value > coordinates->n ? coordinates->n : (size_t)value;
    return 0;
}

/* --- nets --- */

/* gdnsd keeps IPv4 in ::/96 of one tree: a prefix there is an IPv4 one, and one above it holds for
 * all of IPv4 as well. */
static bool is_v4_side(const struct prefix *prefix)
{
    static const uint8_t zero[12] = {0};

    return prefix->address.family == ADDRESS_IPV4 ||
           (prefix->len >= V4COMPAT_LEN && memcmp(prefix->address.bytes, zero, 12) == 0);
}

static void net_add(const struct prefix *prefix, uint32_t list,
                    struct steps_prefix *prefixes[static MAP_FAMILIES],
                    size_t n[static MAP_FAMILIES])
{
    struct steps_prefix item = {
        .first = key_from_address(&prefix->address), .len = prefix->len, .value = list};

    if (prefix->address.family == ADDRESS_IPV4) {
        prefixes[MAP_FAMILY_IPV4][n[MAP_FAMILY_IPV4]++] = item;
    } else if (is_v4_side(prefix)) {
        item.first = (struct map_key){item.first.lo << 32, 0};
        item.len -= V4COMPAT_LEN;
        prefixes[MAP_FAMILY_IPV4][n[MAP_FAMILY_IPV4]++] = item;
    } else {
        prefixes[MAP_FAMILY_IPV6][n[MAP_FAMILY_IPV6]++] = item;
    }
}

/* The longest prefix above ::/96 says what all of IPv4 gets, unless 0.0.0.0/0 is there itself. */
static void net_spread(struct steps_prefix *prefixes[static MAP_FAMILIES],
                       size_t n[static MAP_FAMILIES])
{
    const struct steps_prefix *best = NULL;

    for (size_t i = 0; i < n[MAP_FAMILY_IPV6]; i++) {
        const struct steps_prefix *item = &prefixes[MAP_FAMILY_IPV6][i];

        if (item->len < V4COMPAT_LEN && item->first.hi == 0 && item->first.lo == 0 &&
            (!best || item->len > best->len)) {
            best = item;
        }
    }
    for (size_t i = 0; best && i < n[MAP_FAMILY_IPV4]; i++) {
        best = prefixes[MAP_FAMILY_IPV4][i].len == 0 ? NULL : best;
    }
    if (best) {
        prefixes[MAP_FAMILY_IPV4][n[MAP_FAMILY_IPV4]++] =
            (struct steps_prefix){.len = 0, .value = best->value};
    }
}

static int net_read(const struct loader *loader, struct gdnsd_map *map, const struct vscf *node,
                    struct prefix *ret_prefix, uint32_t *ret_list)
{
    if (!strchr(node->key, '/') || prefix_parse(node->key, false, ret_prefix) != 0) {
        int err = notes_add(loader->notes, NOTE_LEFT_OUT, node->file, node->line,
                            "\"%.60s\" is no ADDRESS/LENGTH: the network is skipped", node->key);

        return err ? err : -EINVAL;
    }
    return gdnsd_list_read(loader->arena, map, node, false, loader->notes, ret_list);
}

/* The nets of the hash, as step functions. */
static int nets_compile(const struct loader *loader, struct gdnsd_map *map, const struct vscf *nets,
                        struct steps ret_steps[static MAP_FAMILIES])
{
    struct steps_prefix *prefixes[MAP_FAMILIES] = {NULL, NULL};
    size_t n[MAP_FAMILIES] = {0, 0};
    int err = 0;

    for (int family = 0; family < MAP_FAMILIES; family++) {
        prefixes[family] = calloc((size_t)nets->n + 1, sizeof(**prefixes));
        err = prefixes[family] ? err : -ENOMEM;
    }
    for (uint32_t i = 0; i < nets->n && !err; i++) {
        struct prefix prefix;
        uint32_t list;

        err = net_read(loader, map, nets->child[i], &prefix, &list);
        if (!err) {
            net_add(&prefix, list, prefixes, n);
        }
        err = err == -EINVAL ? 0 : err;
    }
    if (!err) {
        net_spread(prefixes, n);
    }
    for (int family = 0; family < MAP_FAMILIES; family++) {
        err = err ? err : steps_from_prefixes(prefixes[family], n[family], &ret_steps[family]);
        free(prefixes[family]);
    }
    return err ? out_of_memory(loader) : 0;
}

/* `nets` is a hash, or the name of a file that is one. NULL when there is nothing to lay over. */
static int nets_find(const struct loader *loader, const struct gdnsd_map *map,
                     const struct vscf **ret_nets)
{
    const struct vscf *node = vscf_get(map->node, "nets");
    const char *file = vscf_text(node);
    struct failure failure;
    char path[4096];
    int err;

    *ret_nets = node && node->kind == VSCF_HASH ? node : NULL;
    if (!node || !file || gdnsd_place_path(loader->folder, file, path, sizeof(path)) != 0) {
        return 0;
    }
    err = vscf_load_file(loader->arena, path, ret_nets, &failure);
    if (err == -ENOMEM) {
        return out_of_memory(loader);
    }
    if (!err && (*ret_nets)->kind == VSCF_HASH) {
        return 0;
    }
    *ret_nets = NULL;
    return notes_add(loader->notes, NOTE_LEFT_OUT, node->file, node->line,
                     "the nets of map \"%.60s\" cannot be read: %.200s", map->name,
                     err ? failure.text : "the file is a list") != 0
               ? out_of_memory(loader)
               : 0;
}

/* --- maps --- */

static int map_compile(const struct loader *loader, struct gdnsd_map *map)
{
    struct steps places[MAP_FAMILIES] = {{0}, {0}};
    struct steps laid[MAP_FAMILIES] = {{0}, {0}};
    const struct vscf *nets = NULL;
    int err = gdnsd_places_compile(loader->arena, map, loader->folder, loader->notes, places,
                                   loader->failure);

    err = err ? err : nets_find(loader, map, &nets);
    if (!err && nets) {
        err = nets_compile(loader, map, nets, laid);
    }
    for (int family = 0; family < MAP_FAMILIES; family++) {
        if (!err && steps_overlay(&laid[family], &places[family], &map->ranking[family]) != 0) {
            err = out_of_memory(loader);
        }
        steps_done(&places[family]);
        steps_done(&laid[family]);
    }
    return err;
}

static int keys_check(const struct loader *loader, const struct gdnsd_map *map)
{
    static const char *const known[] = {"geoip2_db",  "datacenters",    "map",
                                        "nets",       "auto_dc_coords", "auto_dc_limit",
                                        "ignore_ecs", "city_no_region", NULL};
    int err = 0;

    for (uint32_t i = 0; i < map->node->n && !err; i++) {
        const struct vscf *child = map->node->child[i];
        bool found = false;

        for (size_t k = 0; known[k]; k++) {
            found = found || strcmp(known[k], child->key) == 0;
        }
        if (!found) {
            err = notes_add(loader->notes, NOTE_LEFT_OUT, child->file, child->line,
                            "\"%.60s\" is no key of a map of gdnsd 3", child->key);
        }
    }
    return err ? out_of_memory(loader) : 0;
}

static int map_load(const struct loader *loader, const struct vscf *node, struct gdnsd_map *map)
{
    int err;

    *map = (struct gdnsd_map){.node = node, .name = node->key};
    err = node->kind == VSCF_HASH ? datacenters_read(loader, map) : -EINVAL;
    err = err ? err : auto_read(map);
    if (err == -EINVAL) {
        err = notes_add(loader->notes, NOTE_LEFT_OUT, node->file, node->line,
                        "map \"%.60s\" has no usable datacenters or coordinates: the map and all "
                        "resources on it are left out",
                        node->key);
        map->dc_n = 0;
        return err ? out_of_memory(loader) : 0;
    }
    if (err) {
        return out_of_memory(loader);
    }
    (void)vscf_bool(vscf_get(node, "ignore_ecs"), &map->ignores_ecs);
    if (map->ignores_ecs &&
        notes_add(loader->notes, NOTE_LEFT_OUT, node->file, node->line,
                  "map \"%.60s\" ignores client subnets; isochrone uses them on every map. If that "
                  "must not be, give the networks of the resolvers as pins of the resolver space",
                  node->key) != 0) {
        return out_of_memory(loader);
    }
    err = keys_check(loader, map);
    return err ? err : map_compile(loader, map);
}

int gdnsd_maps_load(struct arena *arena, const struct vscf *maps, const char *folder,
                    struct notes *notes, struct gdnsd_maps *ret_maps, struct failure *failure)
{
    const struct loader loader = {
        .arena = arena, .folder = folder, .notes = notes, .failure = failure};
    size_t n = maps && maps->kind == VSCF_HASH ? maps->n : 0;
    int err = 0;

    *ret_maps = (struct gdnsd_maps){.map = calloc(n + 1, sizeof(struct gdnsd_map))};
    if (!ret_maps->map) {
        return out_of_memory(&loader);
    }
    for (size_t i = 0; i < n && !err; i++) {
        ret_maps->n++;
        err = map_load(&loader, maps->child[i], &ret_maps->map[i]);
    }
    if (err) {
        gdnsd_maps_done(ret_maps);
    }
    return err;
}

const struct gdnsd_map *gdnsd_maps_find(const struct gdnsd_maps *maps, const char *name)
{
    for (size_t i = 0; i < maps->n; i++) {
        if (strcmp(maps->map[i].name, name) == 0 && maps->map[i].dc_n) {
            return &maps->map[i];
        }
    }
    return NULL;
}

void gdnsd_maps_done(struct gdnsd_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++) {
        for (int family = 0; family < MAP_FAMILIES; family++) {
            steps_done(&maps->map[i].ranking[family]);
        }
        free(maps->map[i].list);
        free(maps->map[i].list_index);
    }
    free(maps->map);
    *maps = (struct gdnsd_maps){0};
}
