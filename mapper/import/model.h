/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an import makes, before it is written: PoPs, maps that rank them per network, services,
 * zones, states. Importers fill it in, writer.h turns it into files; neither knows the other.
 *
 * Strings are the arena's. Numbers of PoPs, lists, maps and services are positions in the arrays
 * here and stay what they are. One owner, one thread.
 */
#ifndef MAPPER_IMPORT_MODEL_H
#define MAPPER_IMPORT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/failure.h"
#include "mapper/import/notes.h"
#include "mapper/import/text.h"
#include "mapper/steps.h"
#include "maps/image_abi.h"

#define MODEL_NONE UINT32_MAX

struct model_pop {
    const char *source; /* its name in the imported configuration */
    char name[MAP_NAME_SIZE];
    double latitude; /* degrees */
    double longitude;
    bool located;
};

/* An order of preference; equal ones are stored once. */
struct model_list {
    const uint8_t *pop; /* numbers of PoPs, none twice */
    size_t n;
};

struct model_map {
    char name[MAP_NAME_SIZE];
    uint32_t order;                     /* the list of all its PoPs: the default */
    uint32_t elsewhere;                 /* the list for networks that `ranking` does not know */
    struct steps ranking[MAP_FAMILIES]; /* values are lists, STEPS_NONE is `elsewhere` */
};

/* One PoP of a service. */
struct model_site {
    uint32_t pop;
    const struct address *address;
    size_t address_n;
    const char *target; /* a CNAME instead of addresses; NULL none */
};

struct model_service {
    const char *name;
    uint32_t map;
    uint32_t ttl_s;
    uint32_t ttl_min_s;
    uint32_t pops_per_answer;
    const struct model_site *site;
    size_t site_n;
};

/* A name that a service answers for. */
struct model_name {
    const char *owner; /* absolute */
    uint32_t service;
};

struct model_zone {
    const char *origin; /* absolute */
    const char *file;   /* its name below the output folder */
    struct text text;
};

struct model_state {
    uint32_t pop;
    uint32_t service; /* MODEL_NONE: of all */
    const char *state;
    const char *reason;
};

/* edge.yaml: texts as they stand there, NULL where the key is left out. */
struct model_edge {
    const char *identity;
    const char *version;
    const char *tcp_idle;
    bool no_cookies;
    const char **listen;
    size_t listen_n;
};

struct model {
    struct arena *arena;
    struct notes notes;
    struct model_pop pop[MAP_MAX_POPS];
    size_t pop_n;
    struct model_list *list;
    size_t list_n;
    struct model_map map[MAP_MAX_MAPS];
    size_t map_n;
    struct model_service *service;
    size_t service_n;
    struct model_name *name;
    size_t name_n;
    struct model_zone *zone;
    size_t zone_n;
    struct model_state *state;
    size_t state_n;
    struct model_edge edge;
    struct text monitoring; /* what was watched, for whoever feeds health from now on */
};

int model_init(struct model *model);
void model_done(struct model *model);

/* A copy in the arena, formatted. NULL when out of memory. */
const char *model_text(struct model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The PoP known by `source`, made if need be; its name keeps letters, digits, '.', '-' and '_'.
 * -ENOSPC beyond MAP_MAX_POPS. */
int model_pop(struct model *model, const char *source, uint32_t *ret_pop);

/* Interned; PoPs that stand twice count where they stand first. -ENOMEM. */
int model_list(struct model *model, const uint8_t *pops, size_t n, uint32_t *ret_list);

/* A new map; `name` is made one that can be written and is not taken. -ENOSPC beyond MAP_MAX_MAPS.
 */
int model_map_add(struct model *model, const char *name, uint32_t order, uint32_t *ret_map);

/* A map that ranks `pops` in this order for everybody: one that already does, or one that the new
 * PoPs can be added to, or a new one. -ENOSPC, -ENOMEM. */
int model_map_fixed(struct model *model, const uint8_t *pops, size_t n, uint32_t *ret_map);

/* These copy what they are given, texts and arrays too. -ENOMEM. */
int model_service_add(struct model *model, const struct model_service *service,
                      uint32_t *ret_service);
int model_name_add(struct model *model, const char *owner, uint32_t service);
int model_state_add(struct model *model, uint32_t pop, uint32_t service, const char *state,
                    const char *reason);
int model_zone_add(struct model *model, const char *origin, const char *file,
                   struct model_zone **ret_zone);

#endif
