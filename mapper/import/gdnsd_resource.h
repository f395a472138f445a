/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The resources behind DYNA and DYNC records, whatever plugin answers for them, as one kind of
 * thing: choices in an order. A geoip resource's choices stand behind the datacenters of its map, a
 * metafo's before, behind or without one; references between plugins are followed and flattened.
 * See gdnsd-plugin-geoip(8), -metafo, -multifo, -simplefo, -weighted, -static, -null, -reflect.
 */
#ifndef MAPPER_IMPORT_GDNSD_RESOURCE_H
#define MAPPER_IMPORT_GDNSD_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/arena.h"
#include "mapper/import/gdnsd_geo.h"
#include "mapper/import/notes.h"
#include "mapper/import/vscf.h"

#define GDNSD_BEFORE (-1) /* ahead of whatever the map says */
#define GDNSD_AFTER (-2)  /* behind it */
#define GDNSD_KEYS_MAX 12u

/* What is answered as a whole, or not at all. */
struct gdnsd_choice {
    const char *name; /* a datacenter's, or made of the names that lead there */
    int place;        /* a datacenter of the map, GDNSD_BEFORE or GDNSD_AFTER */
    const struct address *address;
    size_t address_n;
    const char *target;               /* a CNAME instead, absolute */
    const struct vscf *service_types; /* NULL: "up", that is, nothing was watched */
    double up_thresh;                 /* share of the addresses that must be up */
    const char *key[GDNSD_KEYS_MAX];  /* of admin_state, outermost last */
    size_t key_n;
};

struct gdnsd_plan {
    const struct gdnsd_map *map; /* NULL: the same order for everybody */
    struct gdnsd_choice *choice; /* the caller frees the array */
    size_t n;
    size_t capacity;
    bool skips_first;
    bool is_constant; /* static and null: nothing chooses */
    bool is_spread;   /* multifo: all choices are answered together */
};

struct gdnsd_resources {
    struct arena *arena;
    const struct vscf *plugins; /* NULL: none */
    const struct gdnsd_maps *maps;
    struct notes *notes;
};

/* The plan of "PLUGIN[!RESOURCE]" as a zone file names it. -EINVAL after a note at FILE:LINE of
 * the record, or -ENOMEM. */
int gdnsd_plan(const struct gdnsd_resources *resources, const char *reference, const char *file,
               uint32_t line, struct gdnsd_plan *ret_plan);

void gdnsd_plan_done(struct gdnsd_plan *plan);

#endif
