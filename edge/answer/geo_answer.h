/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a client to the PoPs of a service: which address counts (RFC 7871), the ranking and scope
 * (maps/decide_core.h), the selection by state (maps/select_core.h). Pure; the same code answers
 * queries and explains them.
 */
#ifndef EDGE_GEO_ANSWER_H
#define EDGE_GEO_ANSWER_H

#include <stdint.h>

#include "base/address.h"
#include "edge/wire/edns.h"
#include "maps/decide_core.h"
#include "maps/select_core.h"

struct service;
struct snapshot;

struct geo_choice {
    struct map_client client;   /* in: geo_client() */
    struct map_verdict verdict; /* its scope is for the ECS option, whatever the picks are */
    struct map_picks picks;     /* count 0: nobody is left, the service's on_empty decides */
    uint32_t ttl;
};

/* The addresses a query speaks for: its ECS option, if usable (SOURCE not 0), and where it came
 * from. */
void geo_client(const struct edns *edns, const struct address *source,
                struct map_client *ret_client);

/* For the client of the choice. `service` belongs to the snapshot's services. */
void geo_choose(const struct snapshot *snapshot, const struct service *service,
                enum map_family family, struct geo_choice *choice);

#endif
