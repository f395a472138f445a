/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

#define CONFIG_MAX_BAD_PERCENT 5.0
#define CONFIG_RECORD_POPS 3u
#define CONFIG_PATHS_MAX 4096u

static const char *const config_keys[] = {"pops",     "maps",         "overrides",   "sources",
                                          "previous", "max_bad_rows", "record_pops", NULL};
static const char *const pop_keys[] = {"location", "capacity", NULL};
static const char *const capacity_keys[] = {"rps", "gbps", NULL};
static const char *const map_keys[] = {"pops", "default", NULL};
static const char *const source_keys[] = {"measurements", "geo", "asn", NULL};

/* FNV-1a: short names, a table of our own configuration, no adversary */
static uint32_t name_hash(const char *name, size_t len)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static bool name_equal(const char *stored, const char *name, size_t len)
{
    return strlen(stored) == len && memcmp(stored, name, len) == 0;
}

int config_find_pop(const struct config *config, const char *name, size_t len)
{
    uint32_t slot = name_hash(name, len);

    for (;; slot++) {
        uint8_t pop = config->pop_index[slot & (CONFIG_POP_HASH - 1)];

        if (pop == MAP_POP_NONE) {
            return -ENOENT;
        }
        if (name_equal(config->pops[pop].name, name, len)) {
            return pop;
        }
    }
}

int config_find_map(const struct config *config, const char *name, size_t len)
{
    for (size_t i = 0; i < config->map_n; i++) {
        if (name_equal(config->maps[i].name, name, len)) {
            return (int)i;
        }
    }
    return -ENOENT;
}

static int name_take(const struct yaml_node *node, char ret_name[static MAP_NAME_SIZE],
                     struct failure *failure)
{
    const char *key = yaml_key(node);
    size_t len = strlen(key);

    if (len == 0 || len >= MAP_NAME_SIZE) {
        return yaml_fail(node, -EINVAL, failure, "a name has 1 to %u characters",
                         MAP_NAME_SIZE - 1);
    }
    memcpy(ret_name, key, len + 1);
    return 0;
}

static int capacity_check(const struct yaml_node *node, struct failure *failure)
{
    double ignored;
    int err = yaml_check_keys(node, capacity_keys, failure);

    for (size_t i = 0; !err && i < yaml_count(node); i++) {
        err = yaml_double(yaml_item(node, i), 0, 1e15, &ignored, failure);
    }
    return err;
}

static int pop_load(const struct yaml_node *node, struct config_pop *pop, struct failure *failure)
{
    const struct yaml_node *location;
    const struct yaml_node *capacity;
    int err = name_take(node, pop->name, failure);

    if (err || (err = yaml_check_keys(node, pop_keys, failure)) != 0) {
        return err;
    }
    location = yaml_get(node, "location");
    if (!location || yaml_kind(location) != YAML_KIND_LIST || yaml_count(location) != 2) {
        return yaml_fail(location ? location : node, -EINVAL, failure,
                         "PoP \"%s\" needs location: [latitude, longitude]", pop->name);
    }
    err = yaml_double(yaml_item(location, 0), -90, 90, &pop->latitude, failure);
    err = err ? err : yaml_double(yaml_item(location, 1), -180, 180, &pop->longitude, failure);
    capacity = yaml_get(node, "capacity");
    return err || !capacity ? err : capacity_check(capacity, failure);
}

static int pops_load(const struct yaml_node *node, struct config *config, struct failure *failure)
{
    memset(config->pop_index, MAP_POP_NONE, sizeof(config->pop_index));
    if (yaml_kind(node) != YAML_KIND_MAP || yaml_count(node) == 0) {
        return yaml_fail(node, -EINVAL, failure, "pops must name at least one PoP");
    }
    if (yaml_count(node) > MAP_MAX_POPS) {
        return yaml_fail(node, -EINVAL, failure, "%zu PoPs, at most %u fit into an image",
                         yaml_count(node), MAP_MAX_POPS);
    }
    for (size_t i = 0; i < yaml_count(node); i++) {
        struct config_pop *pop = &config->pops[i];
        int err = pop_load(yaml_item(node, i), pop, failure);
        uint32_t slot;

        if (err) {
            return err;
        }
        slot = name_hash(pop->name, strlen(pop->name));
        while (config->pop_index[slot & (CONFIG_POP_HASH - 1)] != MAP_POP_NONE) {
            slot++;
        }
        config->pop_index[slot & (CONFIG_POP_HASH - 1)] = (uint8_t)i;
        config->pop_n++;
    }
    return 0;
}

/* A list of PoP names; each must exist and stand there once. */
static int pop_list_load(const struct yaml_node *node, const struct config *config, uint8_t *pops,
                         size_t *ret_n, struct failure *failure)
{
    bool seen[MAP_MAX_POPS] = {false};

    if (yaml_kind(node) != YAML_KIND_LIST || yaml_count(node) == 0 ||
        yaml_count(node) > MAP_MAX_POPS) {
        return yaml_fail(node, -EINVAL, failure, "expected a list of PoP names");
    }
    for (size_t i = 0; i < yaml_count(node); i++) {
        const struct yaml_node *item = yaml_item(node, i);
        const char *name;
        int pop = yaml_text(item, &name, failure);

        if (pop) {
            return pop;
        }
        pop = config_find_pop(config, name, strlen(name));
        if (pop < 0) {
            return yaml_fail(item, -EINVAL, failure, "no PoP \"%s\"", name);
        }
        if (seen[pop]) {
            return yaml_fail(item, -EINVAL, failure, "PoP \"%s\" twice", name);
        }
        seen[pop] = true;
        pops[i] = (uint8_t)pop;
    }
    *ret_n = yaml_count(node);
    return 0;
}

static int map_load(const struct yaml_node *node, const struct config *config,
                    struct config_map *map, struct failure *failure)
{
    const struct yaml_node *members;
    const struct yaml_node *fallback;
    uint8_t listed[MAP_MAX_POPS] = {0};
    bool member[MAP_MAX_POPS];
    size_t listed_n = 0;
    int err = name_take(node, map->name, failure);

    if (err || (err = yaml_check_keys(node, map_keys, failure)) != 0) {
        return err;
    }
    members = yaml_get(node, "pops");
    memset(member, !members, sizeof(member));
    if (members) {
        err = pop_list_load(members, config, listed, &listed_n, failure);
    }
    for (size_t i = 0; !err && i < listed_n; i++) {
        member[listed[i]] = true;
    }
    fallback = yaml_get(node, "default");
    if (!err && fallback) {
        err = pop_list_load(fallback, config, map->pops, &map->default_n, failure);
    }
    if (err) {
        return err;
    }
    map->pop_n = map->default_n;
    for (size_t i = 0; i < map->default_n; i++) {
        if (!member[map->pops[i]]) {
            return yaml_fail(yaml_item(fallback, i), -EINVAL, failure,
                             "PoP \"%s\" is not one of the map's", config->pops[map->pops[i]].name);
        }
        member[map->pops[i]] = false;
    }
    for (size_t pop = 0; pop < config->pop_n; pop++) {
        if (member[pop]) {
            map->pops[map->pop_n++] = (uint8_t)pop;
        }
    }
    return 0;
}

static int maps_load(const struct yaml_node *node, struct config *config, struct failure *failure)
{
    int err = 0;

    if (yaml_kind(node) != YAML_KIND_MAP || yaml_count(node) == 0) {
        return yaml_fail(node, -EINVAL, failure, "maps must name at least one map");
    }
    if (yaml_count(node) > MAP_MAX_MAPS) {
        return yaml_fail(node, -EINVAL, failure, "%zu maps, at most %u fit into an image",
                         yaml_count(node), MAP_MAX_MAPS);
    }
    for (size_t i = 0; !err && i < yaml_count(node); i++) {
        err = map_load(yaml_item(node, i), config, &config->maps[i], failure);
        config->map_n++;
    }
    return err;
}

/* One path or a list of them. */
static int paths_load(const struct yaml_node *node, struct config_paths *paths,
                      struct failure *failure)
{
    bool list = node && yaml_kind(node) == YAML_KIND_LIST;
    size_t n = !node ? 0 : list ? yaml_count(node) : 1;

    if (n == 0) {
        return 0;
    }
    if (n > CONFIG_PATHS_MAX) {
        return yaml_fail(node, -EINVAL, failure, "more than %u paths", CONFIG_PATHS_MAX);
    }
    paths->path = calloc(n, sizeof(*paths->path));
    if (!paths->path) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        int err = yaml_path(list ? yaml_item(node, i) : node, &paths->path[i], failure);

        if (err) {
            return err;
        }
        paths->n++;
    }
    return 0;
}

static int sources_load(const struct yaml_node *node, struct config *config,
                        struct failure *failure)
{
    int err;

    if (!node) {
        return 0;
    }
    err = yaml_check_keys(node, source_keys, failure);
    err = err ? err : paths_load(yaml_get(node, "measurements"), &config->measurements, failure);
    err = err ? err : paths_load(yaml_get(node, "geo"), &config->geo, failure);
    return err ? err : paths_load(yaml_get(node, "asn"), &config->asn, failure);
}

static int limits_load(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    const struct yaml_node *bad = yaml_get(root, "max_bad_rows");
    const struct yaml_node *pops = yaml_get(root, "record_pops");
    uint64_t value = CONFIG_RECORD_POPS;
    int err = 0;

    config->max_bad_percent = CONFIG_MAX_BAD_PERCENT;
    if (bad) {
        err = yaml_double(bad, 0, 100, &config->max_bad_percent, failure);
    }
    if (!err && pops) {
        err = yaml_u64(pops, 1, MAP_RECORD_POPS, &value, failure);
    }
    config->record_pops = (unsigned)value;
    return err;
}

static int root_load(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    const struct yaml_node *pops = yaml_get(root, "pops");
    const struct yaml_node *maps = yaml_get(root, "maps");
    const struct yaml_node *previous = yaml_get(root, "previous");
    int err = yaml_check_keys(root, config_keys, failure);

    if (err) {
        return err;
    }
    if (!pops || !maps) {
        return yaml_fail(root, -EINVAL, failure, "%s is missing", pops ? "maps" : "pops");
    }
    err = pops_load(pops, config, failure);
    err = err ? err : maps_load(maps, config, failure);
    err = err ? err : sources_load(yaml_get(root, "sources"), config, failure);
    err = err ? err : paths_load(yaml_get(root, "overrides"), &config->overrides, failure);
    err = err ? err : limits_load(root, config, failure);
    if (!err && previous) {
        err = yaml_path(previous, &config->previous, failure);
    }
    return err;
}

int config_load(const char *path, struct config **ret_config, struct failure *failure)
{
    struct yaml_document *document = NULL;
    struct config *config = calloc(1, sizeof(*config));
    int err;

    if (!config) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    err = yaml_load_file(path, &document, failure);
    if (!err) {
        err = root_load(yaml_root(document), config, failure);
        yaml_unload(document);
    }
    if (err) {
        config_free(config);
        return err;
    }
    *ret_config = config;
    return 0;
}

static void paths_done(struct config_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++) {
        free(paths->path[i]);
    }
    free(paths->path);
}

void config_free(struct config *config)
{
    if (!config) {
        return;
    }
    paths_done(&config->overrides);
    paths_done(&config->measurements);
    paths_done(&config->geo);
    paths_done(&config->asn);
    free(config->previous);
    free(config);
}
