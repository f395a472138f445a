/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The state bytes that selection reads, one table of MAP_STATES bytes per (service, family), and
 * the TTL each service is served with now. Built by the control side whenever a state changes, then
 * immutable; answers only index it.
 */
#ifndef EDGE_STATE_SET_H
#define EDGE_STATE_SET_H

#include <stdint.h>

#include "maps/image_abi.h"
#include "maps/select_core.h"

struct state_table {
    uint8_t states[MAP_FAMILIES]
                  [MAP_STATES]; /* see maps/select_core.h; ABSENT where a service has no address */
    uint32_t ttl;               /* seconds, between ttl_min and ttl of the service */
    uint32_t reserved;
};

struct state_set {
    uint32_t references; /* atomic */
    uint32_t service_n;
    struct state_table tables[]; /* by service index */
};

/* Zeroed but for the count; every byte ABSENT. NULL when out of memory. One reference. */
struct state_set *state_set_new(uint32_t service_n);
struct state_set *state_set_ref(struct state_set *set);
void state_set_unref(struct state_set *set); /* NULL is allowed */

#endif
