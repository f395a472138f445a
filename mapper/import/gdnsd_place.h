/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The geographical half of a gdnsd map: `geoip2_db` walked through `map` and city-auto-mode. See
 * gdnsd_geo.h.
 */
#ifndef MAPPER_IMPORT_GDNSD_PLACE_H
#define MAPPER_IMPORT_GDNSD_PLACE_H

#include <stddef.h>

#include "mapper/import/gdnsd_geo.h"

/* Reads `map`, which may change the map's default list, and the database if there is one. Values
 * are the map's lists. -ENOMEM only; anything else is noted. */
int gdnsd_places_compile(struct arena *arena, struct gdnsd_map *map, const char *folder,
                         struct notes *notes, struct steps ret_steps[static MAP_FAMILIES],
                         struct failure *failure);

/* `name` in `folder` unless absolute. -ENAMETOOLONG. */
int gdnsd_place_path(const char *folder, const char *name, char *ret_path, size_t size);

#endif
