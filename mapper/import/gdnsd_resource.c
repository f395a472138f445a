/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_resource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapper/import/domain.h"
#include "mapper/import/gdnsd_leaf.h"

#define PLAN_DEPTH_MAX 16u
#define PLAN_CHOICES_MAX 4096u

/* Where in the web of references the planner is. */
struct spot {
    const char *name; /* of the choice so far; "" at the top */
    int place;
    const struct vscf *inherited[4]; /* hashes whose settings hold below, innermost first */
    const char *key[GDNSD_KEYS_MAX]; /* outermost last */
    size_t key_n;
    unsigned depth;
};

struct planner {
    const struct gdnsd_resources *resources;
    struct gdnsd_plan *plan;
    const char *file; /* of the record, for what is wrong with the reference itself */
    uint32_t line;
};

static int resource_plan(struct planner *planner, const struct spot *spot, const char *plugin,
                         const char *resource);

static char *joined(const struct planner *planner, const char *a, const char *separator,
                    const char *b)
{
    size_t len = strlen(a) + strlen(separator) + strlen(b);
    char *text = arena_pack(planner->resources->arena, len + 1, 1);

    if (text) {
        (void)snprintf(text, len + 1, "%s%s%s", a, separator, b);
    }
    return text;
}

static int refuse(const struct planner *planner, const char *reason, const char *what)
{
    int err = notes_add(planner->resources->notes, NOTE_LEFT_OUT, planner->file, planner->line,
                        "%s \"%.100s\": the name gets no dynamic answer", reason, what);

    return err ? err : -EINVAL;
}

/* --- choices --- */

static int choice_add(struct planner *planner, const struct spot *spot, const char *name,
                      const struct gdnsd_leaf *leaf)
{
    struct gdnsd_plan *plan = planner->plan;
    struct gdnsd_choice *choice;

    if (plan->n == PLAN_CHOICES_MAX) {
        return refuse(planner, "too many choices in", name);
    }
    if (plan->n == plan->capacity) {
        size_t capacity = plan->capacity ? plan->capacity * 2 : 8;
        struct gdnsd_choice *grown = realloc(plan->choice, capacity * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        plan->choice = grown;
        plan->capacity = capacity;
    }
    choice = &plan->choice[plan->n++];
    *choice = (struct gdnsd_choice){.name = name,
                                    .place = spot->place,
                                    .address = leaf->address,
                                    .address_n = leaf->address_n,
                                    .target = leaf->target,
                                    .service_types = leaf->service_types,
                                    .up_thresh = leaf->up_thresh,
                                    .key_n = spot->key_n};
    memcpy(choice->key, spot->key, sizeof(choice->key));
    return 0;
}

/* The name of a choice: `part` alone at the top, else behind what led here. */
static const char *choice_name(const struct planner *planner, const struct spot *spot,
                               const char *part)
{
    return spot->name[0] ? joined(planner, spot->name, ".", part) : part;
}

/* --- sets of addresses --- */

static struct gdnsd_leaf_reader reader_of(const struct planner *planner, const struct spot *spot)
{
    struct gdnsd_leaf_reader reader = {.arena = planner->resources->arena,
                                       .notes = planner->resources->notes};

    memcpy(reader.inherited, spot->inherited, sizeof(reader.inherited));
    return reader;
}

/* multifo and weighted at the top: each address is a choice of its own, all are answered. */
static int spread_plan(struct planner *planner, const struct spot *spot,
                       const struct gdnsd_leaf *leaf)
{
    int err = 0;

    planner->plan->is_spread = true;
    for (size_t i = 0; i < leaf->address_n && !err; i++) {
        struct gdnsd_leaf one = *leaf;
        char number[32];
        const char *name;

        (void)snprintf(number, sizeof(number), "address%zu", i + 1);
        name = joined(planner, number, "", "");
        one.address = &leaf->address[i];
        one.address_n = 1;
        err = name ? choice_add(planner, spot, name, &one) : -ENOMEM;
    }
    return err;
}

static int leaf_plan(struct planner *planner, const struct spot *spot, const struct vscf *node,
                     bool weighted)
{
    const struct gdnsd_leaf_reader reader = reader_of(planner, spot);
    struct gdnsd_leaf leaf;
    int err = weighted ? gdnsd_leaf_weighted(&reader, node, &leaf)
                       : gdnsd_leaf_multifo(&reader, node, &leaf);

    if (err) {
        return err;
    }
    if (spot->name[0] == '\0' && !leaf.target && leaf.address_n > 1) {
        return spread_plan(planner, spot, &leaf);
    }
    return choice_add(planner, spot, spot->name[0] ? spot->name : "address1", &leaf);
}

static int simplefo_plan(struct planner *planner, const struct spot *spot, const struct vscf *node)
{
    static const char *const ranks[] = {"primary", "secondary"};
    const struct gdnsd_leaf_reader reader = reader_of(planner, spot);
    int err = 0;

    for (size_t i = 0; i < 2 && !err; i++) {
        struct gdnsd_leaf leaf;
        const char *name = choice_name(planner, spot, ranks[i]);

        err = name ? gdnsd_leaf_simplefo(&reader, node, ranks[i], &leaf) : -ENOMEM;
        err = err ? err : choice_add(planner, spot, name, &leaf);
    }
    return err;
}

static int constant_plan(struct planner *planner, const struct spot *spot, const struct vscf *node)
{
    const struct gdnsd_leaf_reader reader = reader_of(planner, spot);
    struct gdnsd_leaf leaf;
    int err = node ? gdnsd_leaf_static(&reader, node, &leaf) : gdnsd_leaf_null(&leaf);

    planner->plan->is_constant = spot->name[0] == '\0';
    return err ? err : choice_add(planner, spot, spot->name[0] ? spot->name : "constant", &leaf);
}

/* --- geoip and metafo --- */

/* What one datacenter of a meta resource stands for. */
static int datacenter_plan(struct planner *planner, const struct spot *spot,
                           const struct vscf *node, const char *default_plugin)
{
    const struct gdnsd_leaf_reader reader = reader_of(planner, spot);
    const char *text = vscf_text(node);
    struct gdnsd_leaf leaf;
    struct spot inner = *spot;
    const char *plugin = default_plugin;
    const char *mark;
    int err;

    if (text && (text[0] == '%' || text[0] == '!')) {
        mark = strchr(text, '!');
        if (text[0] == '%') {
            char *named = joined(planner, "", "", text + 1);

            if (!named) {
                return -ENOMEM;
            }
            *strchrnul(named, '!') = '\0';
            plugin = named;
        }
        memset(inner.inherited, 0, sizeof(inner.inherited)); /* settings go to made-up ones only */
        return resource_plan(planner, &inner, plugin, mark ? mark + 1 : "");
    }
    if (text && gdnsd_leaf_is_name(text)) {
        err = gdnsd_leaf_static(&reader, node, &leaf);
        leaf.service_types = err ? NULL : gdnsd_leaf_setting(&reader, NULL, "service_types");
        return err ? err : choice_add(planner, spot, spot->name, &leaf);
    }
    if (node->kind != VSCF_HASH) { /* one address or several: multifo, whatever the default is */
        inner.inherited[3] = vscf_get(planner->resources->plugins, "multifo");
        return leaf_plan(planner, &inner, node, false);
    }
    plugin = vscf_text(vscf_get(node, "plugin")) ? vscf_text(vscf_get(node, "plugin")) : plugin;
    inner.inherited[3] = vscf_get(planner->resources->plugins, plugin);
    if (strcmp(plugin, "multifo") == 0 || strcmp(plugin, "weighted") == 0) {
        return leaf_plan(planner, &inner, node, plugin[0] == 'w');
    }
    if (strcmp(plugin, "simplefo") == 0) {
        return simplefo_plan(planner, &inner, node);
    }
    return refuse(planner, "a datacenter is configured in place for plugin", plugin);
}

static int key_push(const struct planner *planner, struct spot *spot, const char *plugin,
                    const char *owner, const char *dc)
{
    const char *key = joined(planner, plugin, "/", owner);

    key = key ? joined(planner, key, "/", dc) : NULL;
    if (!key) {
        return -ENOMEM;
    }
    if (spot->key_n < GDNSD_KEYS_MAX) {
        spot->key[spot->key_n++] = key;
    }
    return 0;
}

/* One datacenter: its place in the plan, its names, its keys. */
static int entry_plan(struct planner *planner, const struct spot *spot, const char *plugin,
                      const struct vscf *resource, const struct gdnsd_map *map, const char *dc,
                      int place)
{
    const struct vscf *node = vscf_get(vscf_get(resource, "dcmap"), dc);
    const char *default_plugin = vscf_text(vscf_get(resource, "plugin"));
    struct spot inner = *spot;
    int err;

    if (!node) {
        return 0; /* undefined_datacenters_ok */
    }
    if (!default_plugin) {
        default_plugin = vscf_text(vscf_get(spot->inherited[0], "plugin"));
    }
    inner.place = place;
    inner.name = choice_name(planner, spot, dc);
    inner.key_n = 0; /* inner keys first */
    err = inner.name ? 0 : -ENOMEM;
    err = err || !map ? err : key_push(planner, &inner, plugin, map->name, dc);
    err = err ? err : key_push(planner, &inner, plugin, resource->key, dc);
    for (size_t i = 0; i < spot->key_n && inner.key_n < GDNSD_KEYS_MAX && !err; i++) {
        inner.key[inner.key_n++] = spot->key[i];
    }
    inner.inherited[2] = spot->inherited[0]; /* the plugin's hash */
    inner.inherited[1] = resource;
    inner.inherited[0] = NULL; /* the datacenter's own hash is the node itself */
    return err ? err
               : datacenter_plan(planner, &inner, node,
                                 default_plugin ? default_plugin : "multifo");
}

static int geoip_plan(struct planner *planner, const struct spot *spot, const struct vscf *plugin,
                      const struct vscf *resource, const char *only)
{
    const struct vscf *map_node = vscf_get(resource, "map");
    const char *map_name = vscf_text(map_node ? map_node : vscf_get(plugin, "map"));
    const struct gdnsd_map *map =
        map_name ? gdnsd_maps_find(planner->resources->maps, map_name) : NULL;
    struct spot inner = *spot;
    int err = 0;

    inner.inherited[0] = plugin;
    if (!map) {
        return refuse(planner, "no usable map in geoip resource", resource->key);
    }
    if (only) {
        return gdnsd_map_dc(map, only) >= 0
                   ? entry_plan(planner, &inner, "geoip", resource, map, only, spot->place)
                   : refuse(planner, "no such datacenter:", only);
    }
    if (planner->plan->map || spot->place >= 0) {
        return refuse(planner, "two maps decide about one name, by way of geoip resource",
                      resource->key);
    }
    planner->plan->map = map;
    (void)vscf_bool(vscf_get(resource, "skip_first"), &planner->plan->skips_first);
    for (size_t i = 0; i < map->dc_n && !err; i++) {
        err = entry_plan(planner, &inner, "geoip", resource, map, map->dc[i], (int)i);
    }
    return err;
}

static int metafo_plan(struct planner *planner, const struct spot *spot, const struct vscf *plugin,
                       const struct vscf *resource, const char *only)
{
    const struct vscf *order = vscf_get(resource, "datacenters");
    bool skips_first = false;
    struct spot inner = *spot;
    size_t n = vscf_list_n(order);
    int err = 0;

    inner.inherited[0] = plugin;
    (void)vscf_bool(vscf_get(resource, "skip_first"), &skips_first);
    for (size_t i = skips_first && n > 1 && !only ? 1 : 0; i < n && !err; i++) {
        const char *dc = vscf_text(vscf_list_item(order, i));
        int place = spot->place;

        if (!dc || (only && strcmp(dc, only) != 0)) {
            continue;
        }
        if (place < 0) { /* what comes after a map was met stands behind it */
            place = planner->plan->map ? GDNSD_AFTER : GDNSD_BEFORE;
        }
        err = entry_plan(planner, &inner, "metafo", resource, NULL, dc, place);
    }
    return err;
}

/* "RESOURCE" or "RESOURCE/DATACENTER" of a meta plugin. */
static int meta_plan(struct planner *planner, const struct spot *spot, const struct vscf *plugin,
                     const char *name)
{
    const struct vscf *resources = vscf_get(plugin, "resources");
    const char *slash = strchr(name, '/');
    const char *own = name;
    const struct vscf *resource;
    size_t before = planner->plan->n;
    int err;

    if (slash) {
        char *before_slash = joined(planner, name, "", "");

        if (!before_slash) {
            return -ENOMEM;
        }
        *strchrnul(before_slash, '/') = '\0';
        own = before_slash;
    }
    resource = vscf_get(resources, own);
    if (!resource || resource->kind != VSCF_HASH) {
        return refuse(planner, "no such resource:", name);
    }
    err = strcmp(plugin->key, "geoip") == 0
              ? geoip_plan(planner, spot, plugin, resource, slash ? slash + 1 : NULL)
              : metafo_plan(planner, spot, plugin, resource, slash ? slash + 1 : NULL);
    if (!err && planner->plan->n == before) {
        err = refuse(planner, "nothing is behind", name);
    }
    return err;
}

/* --- any plugin --- */

static int resource_plan(struct planner *planner, const struct spot *spot, const char *plugin,
                         const char *resource)
{
    const struct vscf *hash = vscf_get(planner->resources->plugins, plugin);
    const struct vscf *node = vscf_get(hash, resource);
    struct spot inner = *spot;

    if (spot->depth == PLAN_DEPTH_MAX) {
        return refuse(planner, "resources refer to each other in a circle, by way of", resource);
    }
    inner.depth++;
    if (strcmp(plugin, "null") == 0) {
        return constant_plan(planner, &inner, NULL);
    }
    if (strcmp(plugin, "reflect") == 0) {
        return refuse(planner, "isochrone does not reflect addresses:", plugin);
    }
    if (!hash) {
        return refuse(planner, "no such plugin is configured:", plugin);
    }
    if (strcmp(plugin, "geoip") == 0 || strcmp(plugin, "metafo") == 0) {
        return meta_plan(planner, &inner, hash, resource);
    }
    inner.inherited[2] = hash;
    if (!node) {
        return refuse(planner, "no such resource:", resource);
    }
    if (strcmp(plugin, "multifo") == 0 || strcmp(plugin, "weighted") == 0) {
        return leaf_plan(planner, &inner, node, plugin[0] == 'w');
    }
    if (strcmp(plugin, "simplefo") == 0) {
        return simplefo_plan(planner, &inner, node);
    }
    if (strcmp(plugin, "static") == 0) {
        return constant_plan(planner, &inner, node);
    }
    return refuse(planner, "a plugin that is not gdnsd's own:", plugin);
}

int gdnsd_plan(const struct gdnsd_resources *resources, const char *reference, const char *file,
               uint32_t line, struct gdnsd_plan *ret_plan)
{
    struct planner planner = {.resources = resources, .plan = ret_plan, .file = file, .line = line};
    const struct spot spot = {.name = "", .place = GDNSD_BEFORE};
    char *plugin;
    char *mark;
    int err;

    *ret_plan = (struct gdnsd_plan){0};
    plugin = arena_copy(resources->arena, reference, strlen(reference));
    if (!plugin) {
        return -ENOMEM;
    }
    mark = strchr(plugin, '!');
    if (mark) {
        *mark = '\0';
    }
    err = resource_plan(&planner, &spot, plugin, mark ? mark + 1 : "");
    if (err) {
        gdnsd_plan_done(ret_plan);
    }
    return err;
}

void gdnsd_plan_done(struct gdnsd_plan *plan)
{
    free(plan->choice);
    *plan = (struct gdnsd_plan){0};
}
