/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The `maps` of gdnsd's geoip plugin (gdnsd-plugin-geoip(8)), compiled to what they answer: the
 * ordered datacenters of every network. A database is walked whole, each of its places is led
 * through the map's continents, countries, subdivisions and cities or, in city-auto-mode, ranked by
 * distance; `nets` lie over that. Nothing is approximated.
 */
#ifndef MAPPER_IMPORT_GDNSD_GEO_H
#define MAPPER_IMPORT_GDNSD_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"
#include "mapper/import/notes.h"
#include "mapper/import/vscf.h"
#include "mapper/steps.h"
#include "maps/image_abi.h"

#define GDNSD_DCS_MAX 254u

struct gdnsd_list {
    const uint8_t *dc; /* numbers in the map's datacenters */
    uint32_t n;        /* 0: gdnsd answers with nothing there */
};

struct gdnsd_map {
    const struct vscf *node;
    const char *name;
    const char *dc[GDNSD_DCS_MAX];
    double latitude[GDNSD_DCS_MAX]; /* degrees, NAN where not given */
    double longitude[GDNSD_DCS_MAX];
    size_t dc_n;
    struct gdnsd_list *list; /* [0] is the default */
    size_t list_n;
    size_t list_capacity;
    uint32_t *list_index; /* by hash: number + 1, 0 free */
    size_t list_index_n;
    struct steps ranking[MAP_FAMILIES]; /* values are lists; STEPS_NONE is the default */
    size_t auto_limit;
    bool is_auto;
    bool ignores_ecs;
};

struct gdnsd_maps {
    struct gdnsd_map *map;
    size_t n;
};

/* `maps` is the plugin's hash of maps (NULL: none), `folder` where its files lie. What cannot be
 * used is noted; only a lack of memory fails. */
int gdnsd_maps_load(struct arena *arena, const struct vscf *maps, const char *folder,
                    struct notes *notes, struct gdnsd_maps *ret_maps, struct failure *failure);

/* NULL if there is none. */
const struct gdnsd_map *gdnsd_maps_find(const struct gdnsd_maps *maps, const char *name);

/* The number of a datacenter, or -ENOENT. */
int gdnsd_map_dc(const struct gdnsd_map *map, const char *name);

void gdnsd_maps_done(struct gdnsd_maps *maps);

/* --- shared by the parts of this module only --- */

#define GDNSD_LIST_AUTO UINT32_MAX

/* The number of the list with these datacenters, or -ENOMEM. */
int64_t gdnsd_list_intern(struct arena *arena, struct gdnsd_map *map, const uint8_t *dcs, size_t n);

/* A list of datacenter names, or "auto" where the map allows it. -EINVAL after a note. */
int gdnsd_list_read(struct arena *arena, struct gdnsd_map *map, const struct vscf *node,
                    bool allow_auto, struct notes *notes, uint32_t *ret_list);

#endif
