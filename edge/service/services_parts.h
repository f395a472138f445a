/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What services are made of, shared by the files that load them (services.c, services_file.c,
 * services_load.c) and nobody else. Each file is read into services of its own, a part, which then
 * either joins the whole or is dropped: so nothing of a wrong file is left behind.
 */
#ifndef EDGE_SERVICES_PARTS_H
#define EDGE_SERVICES_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "edge/service/services.h"

struct arena;
struct ns_targets;
struct overlay;
struct yaml_node;

struct services {
    uint32_t references; /* atomic */
    uint32_t count, max;
    struct service **list;
    uint32_t *slots; /* by name: index + 1; twice as many as the list has places */
    struct arena *arena;
    struct overlay *overlay;
    struct image *image; /* NULL without services */
    struct services **parts;
    uint32_t part_n;
    struct services_file *files; /* in name order, in the arena */
    uint32_t file_n;
    uint32_t lost_n;
    uint32_t name_n;    /* of a part */
    uint64_t address_n; /* of a part */
    char digest[17];
};

struct services *services_new(struct image *image);

/* -ENOMEM, else 0. */
int services_push(struct services *services, struct service *service);

/* Takes the part over, also on failure. Its services and names are not in `services` yet. */
int services_join(struct services *services, struct services *part);

/* What a file is read against. */
struct services_context {
    const struct services *taken; /* what earlier files said */
    const struct zone_set *zones;
    const struct ns_targets *ns_targets;
    const struct services_tenant *tenant; /* NULL: no limits */
    struct image *image;
    bool form_only; /* without an image */
    bool lenient;   /* last good content: what has become wrong around it is left out, or stays */
    struct failure *failure;
};

/* Reads one file into a part. */
int services_file_read(const struct services_context *context, const char *path,
                       const uint8_t *bytes, size_t len, struct services **ret_part);

/* A part in which every name that the file claims is held; where these cannot be read, everything
 * below the tenant's suffixes that is not there otherwise. `bytes` may be NULL. */
int services_file_hold(const struct services_context *context, const char *path,
                       const uint8_t *bytes, size_t len, struct services **ret_part);

#endif
