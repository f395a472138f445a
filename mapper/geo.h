/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Geography from MMDB files: the whole database as a step function from addresses to places,
 * quantised to a tenth of a degree and to blocks of /24 and /56 (finer ones give their block the
 * place that covers most of it). Both layouts in use are read: MaxMind's nested doubles
 * (location.latitude, country.iso_code) and flat floats (latitude, country_code). Built once, then
 * immutable.
 */
#ifndef MAPPER_GEO_H
#define MAPPER_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/config.h"
#include "mapper/steps.h"

#define PLACE_UNLOCATED INT16_MIN

struct place {
    int16_t latitude_d; /* tenths of a degree; PLACE_UNLOCATED when only the country is known */
    int16_t longitude_d;
    uint16_t country; /* two ASCII letters, the first one high; 0 unknown */
    uint16_t reserved;
};

struct geo {
    struct steps places[MAP_FAMILIES]; /* values are indexes into place[], STEPS_NONE where nothing
                                          is known */
    struct place *place;
    size_t place_n;
    size_t place_capacity;
    uint32_t
        pop_place[MAP_MAX_POPS]; /* the places of the PoPs themselves, interned by geo_load() */
    uint32_t *index;             /* of place[], by hash; 0 free, else number + 1 */
    size_t index_n;              /* a power of two */
};

/* Reads all files of config->geo; where two know the same address, the one named first wins. "FILE:
 * reason" on failure, also for files whose search tree or data are corrupt. */
int geo_load(const struct config *config, unsigned threads, struct geo *ret_geo,
             struct failure *failure);

/* One file into an empty geo. */
int geo_load_file(const char *path, struct geo *ret_geo, struct failure *failure);

void geo_done(struct geo *geo);

/* The number of a place, interned. -ENOMEM. */
int64_t geo_intern(struct geo *geo, const struct place *place);

/* Quantises degrees; NaN gives an unlocated place. */
struct place place_at(double latitude, double longitude, const char *country, size_t country_len);

static inline bool place_is_located(const struct place *place)
{
    return place->latitude_d != PLACE_UNLOCATED;
}

/* A point on the unit sphere, for distances. */
struct geo_point {
    double x;
    double y;
    double z;
};

struct geo_point geo_point_at(double latitude, double longitude);
double geo_distance_km(const struct geo_point *a, const struct geo_point *b);

#endif
