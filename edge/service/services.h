/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * services.yaml: names whose addresses or whose CNAME are chosen per client. Loading checks the
 * file against the latency map and the zones, and resolves everything a query would otherwise have
 * to look for: each PoP's addresses are kept by PoP id, each service knows its map entry, each name
 * its service. Immutable after loading, shared by reference.
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

/* A service of names has one column of variants, whatever family is asked for. */
#define SERVICE_ALIAS_FAMILY MAP_FAMILY_IPV4

/* The addresses of one PoP and family: `count` addresses of 4 or 16 bytes, network order, back to
 * back. Of a service of names: one name in wire form, `count` 1, in column SERVICE_ALIAS_FAMILY. */
struct service_addresses {
    const uint8_t *bytes;
    uint32_t count;
};

struct service {
    const char *name;
    const char *place; /* "FILE:LINE:COL" of its definition */
    uint32_t index;    /* in the state set */
    uint32_t map;      /* index in the image */
    const struct map_entry
        *map_entry; /* borrowed from the image the services were loaded against */
    uint32_t ttl;
    uint32_t ttl_min;
    uint32_t pops_per_answer; /* 1..MAP_PICKS_MAX */
    enum service_on_empty on_empty;
    bool is_alias;                 /* its PoPs give a name, answered as CNAME record */
    bool is_held;                  /* of a file that never was good; not in the list of services */
    bool has_family[MAP_FAMILIES]; /* some PoP has an address: the type exists at the service's
                                      names */
    struct service_addresses addresses[MAP_FAMILIES][MAP_STATES]; /* by PoP id */
};

/* What one file of a folder may say. */
struct services_tenant {
    const char *file;               /* "acme.yaml"; "*": every file that is not listed */
    const uint8_t *const *suffixes; /* in wire form, any case: names are one of them or below */
    size_t suffix_n;                /* 0: names may lie anywhere */
    uint32_t services;              /* at most; so for the next ones */
    uint32_t names;
    uint32_t addresses; /* of all services together; a cname counts as one */
};

struct services_policy {
    const struct services_tenant *tenants;
    size_t tenant_n; /* 0: any file may say anything */
};

enum services_file_state {
    SERVICES_FILE_FRESH,   /* as it is on disk */
    SERVICES_FILE_KEPT,    /* wrong; its last good content is served */
    SERVICES_FILE_HELD,    /* wrong since the start: its names answer SERVFAIL */
    SERVICES_FILE_REFUSED, /* new and wrong: nothing of it is served */
};

/* Some PoP has something in this column of variants. */
static inline bool service_has_column(const struct service *service, enum map_family family)
{
    return service->has_family[family] || (service->is_alias && family == SERVICE_ALIAS_FAMILY);
}

/* A file is one unit of failure. */
struct services_file {
    const char *name; /* in its folder; empty: the only one */
    const char *path;
    const char *fault;    /* FILE:LINE:COL: reason; NULL: none */
    const uint8_t *bytes; /* the last good content; NULL: none */
    size_t len;
    uint32_t service_n;
    uint32_t name_n;
    enum services_file_state state;
    bool from_copy; /* the content is the copy from `copies` */
};

struct services_request {
    const char *path;                     /* a file, or a folder of *.yaml read in name order */
    const char *place;                    /* who names it, for messages; may be NULL */
    const struct services_policy *policy; /* of a folder; NULL: everything is allowed */
    struct image *image;                  /* NULL: only the form can be checked */
    const struct zone_set *zones;
    const struct services *previous; /* has last good contents; NULL: the start */
    const char *copies; /* folder with copies of last good contents, used without `previous`; NULL:
                           none */
};

/* Loads what it can. A file of a folder that is wrong is only marked; -errno with a reason if there
 * is nothing to serve instead of what is wrong. */
int services_open(const struct services_request *request, struct services **ret_services,
                  struct failure *failure);

/* The same for all or nothing: any fault fails. `image` may be NULL only if no service is defined.
 */
int services_load(const char *path, struct image *image, const struct zone_set *zones,
                  struct services **ret_services, struct failure *failure);

uint32_t services_file_count(const struct services *services);
const struct services_file *services_file_get(const struct services *services, uint32_t index);

/* "served", "last good content", "held", "refused" */
const char *services_file_state_name(enum services_file_state state);

/* Files whose last good content cannot be served with this image. */
uint32_t services_lost_count(const struct services *services);

/* Writes copies of the last good contents into the folder and removes those of files that are gone.
 */
int services_keep_copies(const struct services *services, const char *folder,
                         struct failure *failure);

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
