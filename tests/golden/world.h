/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A small world for tests of the answering core: the zones and services of this folder and a map
 * that is made here. Aborts the test program when it cannot be built.
 *
 *   PoPs       fra 0, sin 1, nyc 2; map "web" has all three, default fra
 *   client     10.0.0.0/8 and fd00::/8 special; 198.51.100.0/25 fra; 198.51.100.128/25 sin;
 * 203.0.113.0/24 sin nyc fra; 2001:db8:1::/48 fra; 2001:db8:2::/48 sin; everything else nyc fra sin
 *   resolver   192.0.2.0/24 sin; 2001:db8:5::/48 sin; all others are not listed
 *   states     all up but services empty-*: down
 */
#ifndef GOLDEN_WORLD_H
#define GOLDEN_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "edge/answer/snapshot.h"

#define WORLD_GENERATION 1763790000u

struct world {
    struct image *image;
    struct zone_set *zones;
    struct services *services;
    struct state_set *states;
    struct snapshot *snapshot;
};

/* `folder`: this one. */
void world_open(struct world *world, const char *folder);
void world_close(struct world *world);

struct image *world_image(void);

/* The bytes of that image; free them. */
uint8_t *world_image_bytes(size_t *ret_len);

/* States as they are right after a start: everything with an address up, TTLs as configured. */
struct state_set *world_states(const struct services *services);

/* A zone set of the files "ORIGINzone" in the folder, and "broken.example." that never loaded. */
struct zone_set *world_zones(const char *folder);

#endif
