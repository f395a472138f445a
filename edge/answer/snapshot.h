/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Everything an answer depends on, immutable: zones, services, latency map, PoP states, identity.
 * One pointer publishes it (server.c); whoever reads it through RCU sees parts that belong
 * together. A reload or a state change makes a new snapshot that shares the unchanged parts by
 * reference.
 */
#ifndef EDGE_SNAPSHOT_H
#define EDGE_SNAPSHOT_H

#include <stdint.h>

#include "maps/cookie_core.h"
#include "maps/image.h"

struct admission; /* edge/answer/admission.h */
struct zone_set;  /* edge/zone/zone_set.h */
struct services;  /* edge/service/services.h */
struct state_set; /* edge/service/state_set.h: the published state bytes of every service */

struct snapshot_info {
    char identity[64];             /* NSID (RFC 5001), id.server */
    char version[64];              /* version.bind; empty: REFUSED */
    char config_digest[17];        /* of the configuration and services files, hex */
    struct admission *admission;   /* may be NULL; the snapshot takes a reference */
    struct cookie_secrets cookies; /* wiped when the snapshot is freed; none: cookies are off */
    uint64_t sequence;             /* publications since the start */
    int64_t published_wall_s;
};

struct snapshot {
    struct zone_set *zones;      /* never NULL */
    struct services *services;   /* never NULL, may be empty */
    struct image *image;         /* NULL when no map is configured */
    struct state_set *states;    /* never NULL; belongs to these services */
    struct admission *admission; /* NULL: nothing is limited. No part of an answer, and the one
                                    thing in here that changes: it remembers whom we answered */
    struct snapshot_info info;
    uint32_t identity_len; /* of info.identity; snapshot_new() counts it once */
};

/* Takes its own references to the parts. NULL when out of memory. */
struct snapshot *snapshot_new(struct zone_set *zones, struct services *services,
                              struct image *image, struct state_set *states,
                              const struct snapshot_info *info);

/* Drops the references. NULL is allowed. */
void snapshot_free(struct snapshot *snapshot);

#endif
