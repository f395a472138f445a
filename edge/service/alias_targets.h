/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hosts that MX, SRV or NS records name and that a service answers with CNAME records. They must
 * not be aliases (RFC 2181 section 10.3, RFC 2782), and some mail servers refuse to follow one. Not
 * a fault, because static zones with such records are served, too, and either side may be another
 * tenant's.
 */
#ifndef EDGE_ALIAS_TARGETS_H
#define EDGE_ALIAS_TARGETS_H

#include <stdint.h>

struct service;
struct services;
struct zone_set;

struct alias_target {
    uint32_t count; /* records that name an alias; if 0, what follows is not set */
    uint16_t type;  /* of the first of them */
    const uint8_t *owner;
    const struct service *service;
    uint8_t name[256]; /* the alias, in wire form */
};

/* Looks at every zone; at none if no service gives names. What is found points into zones and
 * services. */
void alias_targets_find(const struct zone_set *zones, const struct services *services,
                        struct alias_target *ret_target);

#endif
