/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_place.h"

#include <errno.h>
#include <math.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mapper/mmdb_walk.h"

#define PLACE_LEVELS_MAX 12u /* continent, country, nine subdivisions, city */
#define PLACE_NAME_MAX 256u
#define PLACE_PI 3.14159265358979323846

/* One hash of `map`: names of places lead to lists or to hashes of smaller places. */
struct place {
    const char *name;
    struct place *child; /* NULL: `list` decides */
    size_t child_n;
    uint32_t list; /* for whatever no child names; GDNSD_LIST_AUTO by distance */
};

/* A database while it is walked. */
struct walk {
    struct arena *arena;
    struct gdnsd_map *map;
    const struct place *root; /* NULL without `map` */
    struct steps *steps;
    uint64_t *cache; /* by hash of the entry's offset: offset + 1 high, list low; 0 free */
    size_t cache_n;  /* a power of two */
    size_t cached;
    bool is_city;
    bool no_region; /* city_no_region */
};

/* How far the names of one entry were asked for. */
struct probe {
    const struct walk *walk;
    MMDB_entry_s *entry;
    bool exhausted;
};

int gdnsd_place_path(const char *folder, const char *name, char *ret_path, size_t size)
{
    int len = name[0] == '/' ? snprintf(ret_path, size, "%s", name)
                             : snprintf(ret_path, size, "%s/%s", folder, name);

    return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* --- the tree of `map` --- */

static int place_read(struct arena *arena, struct gdnsd_map *map, const struct vscf *node,
                      uint32_t above, struct notes *notes, struct place *place);

static int child_read(struct arena *arena, struct gdnsd_map *map, const struct vscf *node,
                      uint32_t above, struct notes *notes, struct place *place)
{
    place->name = node->key;
    if (node->kind == VSCF_HASH) {
        return place_read(arena, map, node, above, notes, place);
    }
    return gdnsd_list_read(arena, map, node, map->is_auto, notes, &place->list);
}

/* A hash below the top: what it does not name gets its own default, else the one above it. */
static int place_read(struct arena *arena, struct gdnsd_map *map, const struct vscf *node,
                      uint32_t above, struct notes *notes, struct place *place)
{
    const struct vscf *fallback = vscf_get(node, "default");
    int err = 0;

    place->list = above;
    if (fallback) {
        err = gdnsd_list_read(arena, map, fallback, map->is_auto, notes, &place->list);
    }
    place->child = arena_alloc(arena, ((size_t)node->n + 1) * sizeof(*place->child));
    if (!place->child) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < node->n && (!err || err == -EINVAL); i++) {
        struct place *child = &place->child[place->child_n];

        if (node->child[i] == fallback) {
            continue;
        }
        err = child_read(arena, map, node->child[i], place->list, notes, child);
        place->child_n += !err; /* one that is wrong was noted */
    }
    return err == -EINVAL ? 0 : err;
}

/* The top's default replaces the order of `datacenters` as the list for everybody unknown. */
static int root_read(struct arena *arena, struct gdnsd_map *map, const struct vscf *node,
                     struct notes *notes, struct place *root)
{
    const struct vscf *fallback = vscf_get(node, "default");
    uint32_t list = map->is_auto ? GDNSD_LIST_AUTO : 0;
    uint32_t chosen = list;
    int err = fallback ? gdnsd_list_read(arena, map, fallback, map->is_auto, notes, &chosen) : 0;

    if (err == -ENOMEM) {
        return err;
    }
    if (!err && fallback && chosen != GDNSD_LIST_AUTO) {
        struct gdnsd_list first = map->list[0];

        map->list[0] = map->list[chosen]; /* number 0 is the default from here on */
        if (chosen) {
            map->list[chosen] = first;
        }
        list = 0;
    }
    return place_read(arena, map, node, list, notes, root);
}

/* --- names of an entry --- */

/* A text of the entry's data; false if it has none. */
static bool entry_text(MMDB_entry_s *entry, const char *const *path,
                       char ret_text[static PLACE_NAME_MAX])
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size >= PLACE_NAME_MAX) {
        return false;
    }
    memcpy(ret_text, data.utf8_string, data.data_size);
    ret_text[data.data_size] = '\0';
    return true;
}

/* What gdnsd compares on this level: continent, country, then the subdivisions and at last the
 * city. Empty text: nothing more is known. */
static void probe_name(struct probe *probe, unsigned level, char ret_text[static PLACE_NAME_MAX])
{
    static const char *const continent[] = {"continent", "code", NULL};
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const city[] = {"city", "names", "en", NULL};
    const char index[2] = {(char)('0' + (level >= 2 ? level - 2 : 0)), '\0'};
    const char *const subdivision[] = {"subdivisions", index, "iso_code", NULL};

    ret_text[0] = '\0';
    if (probe->exhausted) {
        return;
    }
    if (level == 0) {
        (void)entry_text(probe->entry, continent, ret_text);
    } else if (level == 1) {
        (void)entry_text(probe->entry, country, ret_text);
        probe->exhausted = !probe->walk->is_city;
    } else if (probe->walk->no_region) {
        (void)entry_text(probe->entry, city, ret_text);
        probe->exhausted = true;
    } else if (level >= PLACE_LEVELS_MAX) {
        probe->exhausted = true;
    } else if (!entry_text(probe->entry, subdivision, ret_text)) {
        (void)entry_text(probe->entry, city, ret_text);
        probe->exhausted = true;
    }
}

static const struct place *child_find(const struct place *place, const char *name)
{
    for (size_t i = 0; i < place->child_n; i++) {
        if (strcasecmp(place->child[i].name, name) == 0) {
            return &place->child[i];
        }
    }
    return NULL;
}

/* Below the country a level of the map may skip levels of the database: names are asked for until
 * one is found or the entry has no more. */
static uint32_t place_find(const struct place *root, struct probe *probe)
{
    const struct place *place = root;
    char name[PLACE_NAME_MAX];
    unsigned level = 0;

    while (place->child_n) {
        const struct place *found = NULL;

        do {
            probe_name(probe, level++, name);
            found = name[0] ? child_find(place, name) : NULL;
        } while (name[0] && !found && level > 2);
        if (!found) {
            return place->list;
        }
        place = found;
    }
    return place->list;
}

/* --- distance --- */

/* Comparable distances on the sphere (haversine), from degrees. */
static double place_distance(double latitude_a, double longitude_a, double latitude_b,
                             double longitude_b)
{
    const double radian = PLACE_PI / 180;
    double half_latitude = sin((latitude_b * radian - latitude_a * radian) * 0.5);
    double half_longitude = sin((longitude_b * radian - longitude_a * radian) * 0.5);
    double square = half_latitude * half_latitude + cos(latitude_a * radian) *
                                                        cos(latitude_b * radian) *
                                                        (half_longitude * half_longitude);

    return atan2(sqrt(square), sqrt(1 - square));
}

static bool entry_number(MMDB_entry_s *entry, const char *const *path, double *ret_value)
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_DOUBLE) {
        return false;
    }
    *ret_value = data.double_value;
    return true;
}

/* The nearest datacenters first, equals in the order of the default; those without coordinates
 * come last, and the limit cuts. */
static int64_t auto_list(const struct walk *walk, MMDB_entry_s *entry)
{
    static const char *const latitude_path[] = {"location", "latitude", NULL};
    static const char *const longitude_path[] = {"location", "longitude", NULL};
    const struct gdnsd_list *order = &walk->map->list[0];
    double distance[GDNSD_DCS_MAX];
    uint8_t sorted[GDNSD_DCS_MAX];
    double latitude, longitude;

    if (!entry_number(entry, latitude_path, &latitude) ||
        !entry_number(entry, longitude_path, &longitude)) {
        return 0;
    }
    for (size_t i = 0; i < order->n; i++) {
        uint8_t dc = order->dc[i];
        size_t at = i;

        distance[dc] = isnan(walk->map->latitude[dc])
                           ? INFINITY
                           : place_distance(latitude, longitude, walk->map->latitude[dc],
                                            walk->map->longitude[dc]);
        while (at > 0 && distance[dc] < distance[sorted[at - 1]]) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = dc;
    }
    return gdnsd_list_intern(walk->arena, walk->map, sorted,
                             order->n < walk->map->auto_limit ? order->n : walk->map->auto_limit);
}

/* --- the walk --- */

static int64_t entry_list(const struct walk *walk, MMDB_entry_s *entry)
{
    struct probe probe = {.walk = walk, .entry = entry};
    uint32_t list = GDNSD_LIST_AUTO;

    if (walk->root) {
        list = place_find(walk->root, &probe);
    }
    if (list != GDNSD_LIST_AUTO) {
        return list;
    }
    return walk->map->is_auto ? auto_list(walk, entry) : 0;
}

static uint64_t *cache_slot(uint64_t *cache, size_t cache_n, uint32_t offset)
{
    for (uint64_t hash = (uint64_t)offset * 0x9e3779b97f4a7c15u >> 20;; hash++) {
        uint64_t *slot = &cache[hash & (cache_n - 1)];

        if (*slot == 0 || *slot >> 32 == (uint64_t)offset + 1) {
            return slot;
        }
    }
}

static int cache_grow(struct walk *walk)
{
    size_t cache_n = walk->cache_n ? walk->cache_n * 2 : 4096;
    uint64_t *cache = calloc(cache_n, sizeof(*cache));

    if (!cache) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < walk->cache_n; i++) {
        if (walk->cache[i]) {
            *cache_slot(cache, cache_n, (uint32_t)(walk->cache[i] >> 32) - 1) = walk->cache[i];
        }
    }
    free(walk->cache);
    walk->cache = cache;
    walk->cache_n = cache_n;
    return 0;
}

/* Many networks share one entry. */
static int network_visit(void *context, struct map_key first, unsigned len, MMDB_entry_s *entry)
{
    struct walk *walk = context;
    int64_t list = 0;
    uint64_t *slot;

    (void)len;
    if (entry) {
        if (2 * walk->cached >= walk->cache_n && cache_grow(walk) != 0) {
            return -ENOMEM;
        }
        slot = cache_slot(walk->cache, walk->cache_n, entry->offset);
        if (*slot) {
            list = (int64_t)(*slot & UINT32_MAX);
        } else {
            list = entry_list(walk, entry);
            if (list < 0) {
                return -ENOMEM;
            }
            *slot = ((uint64_t)entry->offset + 1) << 32 | (uint64_t)list;
            walk->cached++;
        }
    }
    return steps_append(walk->steps, first, (uint32_t)list);
}

static int database_refuse(struct notes *notes, const struct vscf *node, const char *reason)
{
    return notes_add(notes, NOTE_LEFT_OUT, node->file, node->line,
                     "%.300s: the map keeps its nets and its default only", reason);
}

static int database_walk(struct walk *walk, MMDB_s *mmdb, const char *path, const struct vscf *node,
                         struct notes *notes, struct steps ret_steps[static MAP_FAMILIES])
{
    struct failure failure;
    int err = 0;

    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        walk->steps = &ret_steps[family];
        err = mmdb_walk(mmdb, path, (enum map_family)family, network_visit, walk, &failure);
    }
    if (err == -EINVAL) {
        for (int family = 0; family < MAP_FAMILIES; family++) {
            steps_done(&ret_steps[family]);
        }
        err = database_refuse(notes, node, failure.text);
    }
    return err;
}

static int database_compile(struct walk *walk, const struct vscf *node, const char *path,
                            struct notes *notes, struct steps ret_steps[static MAP_FAMILIES])
{
    char reason[512];
    MMDB_s mmdb;
    int status = MMDB_open(path, MMDB_MODE_MMAP, &mmdb);
    int err;

    if (status != MMDB_SUCCESS) {
        (void)snprintf(reason, sizeof(reason), "%.300s: %s", path, MMDB_strerror(status));
        return database_refuse(notes, node, reason);
    }
    walk->is_city = strstr(mmdb.metadata.database_type, "City") != NULL;
    if (walk->map->is_auto && !walk->is_city) {
        err = database_refuse(notes, node, "auto_dc_coords needs a City database");
    } else {
        err = database_walk(walk, &mmdb, path, node, notes, ret_steps);
    }
    MMDB_close(&mmdb);
    return err;
}

int gdnsd_places_compile(struct arena *arena, struct gdnsd_map *map, const char *folder,
                         struct notes *notes, struct steps ret_steps[static MAP_FAMILIES],
                         struct failure *failure)
{
    const struct vscf *database = vscf_get(map->node, "geoip2_db");
    const struct vscf *tree = vscf_get(map->node, "map");
    const char *name = vscf_text(database);
    struct walk walk = {.arena = arena, .map = map};
    struct place root = {0};
    char path[4096];
    int err = 0;

    (void)vscf_bool(vscf_get(map->node, "city_no_region"), &walk.no_region);
    if (tree && tree->kind == VSCF_HASH) {
        err = root_read(arena, map, tree, notes, &root);
        walk.root = &root;
    }
    if (!err && name && gdnsd_place_path(folder, name, path, sizeof(path)) == 0 &&
        (walk.root || map->is_auto)) {
        err = database_compile(&walk, database, path, notes, ret_steps);
    }
    free(walk.cache);
    return err ? failure_set(failure, err, "out of memory") : 0;
}
