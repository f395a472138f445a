/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a signed zone proves what does not exist: its NSEC records in canonical order, or its NSEC3
 * records by hash and, for every name that exists, which of them is about it, so that only names
 * that do not exist are hashed for a query. Part of a frozen zone; checked when it was loaded
 * (zone_denial_freeze.c): every name has its record, the chain is closed.
 */
#ifndef EDGE_ZONE_DENIAL_H
#define EDGE_ZONE_DENIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/zone/nsec3.h"
#include "edge/zone/zone.h"

/* More iterations than this and the zone is not loaded (RFC 9276 section 3.4): validators treat
 * such zones as not signed or fail, and each would be paid for with every NXDOMAIN. */
#define ZONE_NSEC3_ITERATIONS_MAX 150u

struct zone_nsec {
    uint64_t prefix; /* of its sort key, so that a search seldom touches a name */
    const struct zone_node *node;
};

struct zone_nsec3 {
    uint8_t hash[NSEC3_HASH_LEN];
    struct zone_rrset rrset;
};

struct zone_denial {
    uint32_t count;                /* of nsecs or nsec3s */
    const struct zone_nsec *nsecs; /* NULL: the zone has NSEC3 */
    const struct zone_nsec3 *nsec3s;
    const uint32_t *nsec3_of; /* per node: index * 2, + 1 if it matches */
    struct nsec3_params params;
};

/* The order of names in RFC 4034 section 6.1; both in lower case, in wire form. */
int zone_denial_compare(const uint8_t *a, const uint8_t *b);

/* The first eight bytes of a key that sorts names below an origin of `origin_label_n` labels so. */
uint64_t zone_denial_prefix(const uint8_t *name, unsigned origin_label_n);

/* The last name that has an NSEC record and is not after `name`, a name of this zone. */
const struct zone_node *zone_denial_nsec(const struct zone *zone, const uint8_t *name);

/* Index of the last NSEC3 record not after the hash (of all, before the first). */
uint32_t zone_denial_search(const struct zone_denial *denial,
                            const uint8_t hash[static NSEC3_HASH_LEN], bool *ret_match);

/* The NSEC3 record that covers a name, or matches it. */
const struct zone_nsec3 *zone_denial_nsec3(const struct zone *zone, const uint8_t *name, size_t len,
                                           bool *ret_match);

/* The NSEC3 record that matches a name which exists, or else covers it: an insecure delegation in
 * an Opt-Out span, or an empty non-terminal above such. */
static inline const struct zone_nsec3 *
zone_denial_nsec3_of(const struct zone *zone, const struct zone_node *node, bool *ret_match)
{
    uint32_t of = zone->denial->nsec3_of[node - zone->nodes];

    *ret_match = of & 1;
    return &zone->denial->nsec3s[of / 2];
}

#endif
