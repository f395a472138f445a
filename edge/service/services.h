/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * services.yaml: names whose address records are chosen per client. Loading checks the file against
 * the latency map and the zones, and resolves everything a query would otherwise have to look for:
 * each PoP's addresses are kept by PoP id, each service knows its map entry, each name its service.
 * Immutable after loading, shared by reference.
 */
#ifndef EDGE_SERVICES_H
#define EDGE_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "maps/image.h"
#include "maps/select_core.h"

struct overlay;
struct zone_set;
struct services;

enum service_on_empty {
    SERVICE_ON_EMPTY_STATIC,
    SERVICE_ON_EMPTY_SERVFAIL,
    SERVICE_ON_EMPTY_NODATA,
};

#define SERVICE_ADDRESSES_MAX 64u /* of one PoP, both families together */

/* The addresses of one PoP and family: `count` addresses of 4 or 16 bytes, network order, back to
 * back. */
struct service_addresses {
    const uint8_t *bytes;
    uint32_t count;
};

struct service {
    const char *name;
    uint32_t index; /* in the state set */
    uint32_t map;   /* index in the image */
    const struct map_entry
        *map_entry; /* borrowed from the image the services were loaded against */
    uint32_t ttl;
    uint32_t ttl_min;
    uint32_t pops_per_answer; /* 1..MAP_PICKS_MAX */
    enum service_on_empty on_empty;
    bool has_family[MAP_FAMILIES]; /* some PoP has an address: the type exists at the service's
                                      names */
    struct service_addresses addresses[MAP_FAMILIES][MAP_STATES]; /* by PoP id */
};

/* A file, or a folder of *.yaml read in name order. Fails as a whole with FILE:LINE:COL: reason.
 * `image` may be NULL only if the file defines no service. */
int services_load(const char *path, struct image *image, const struct zone_set *zones,
                  struct services **ret_services, struct failure *failure);

/* No service at all. NULL when out of memory. */
struct services *services_empty(void);

struct services *services_ref(struct services *services);
void services_unref(struct services *services);

uint32_t services_count(const struct services *services);
const struct service *services_get(const struct services *services, uint32_t index);
const struct service *services_find(const struct services *services,
                                    const char *name); /* NULL: none */

/* 16 hex digits over the text of the file or files; empty without services. */
const char *services_digest(const struct services *services);

/* The names of all services; never NULL. */
const struct overlay *services_overlay(const struct services *services);

#endif
