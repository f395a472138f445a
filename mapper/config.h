/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mapper.yaml: the PoPs, the maps that rank them, and where measurements, geography and pins lie.
 * Read once, then immutable; one owner, freed whole.
 */
#ifndef MAPPER_CONFIG_H
#define MAPPER_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "maps/image_abi.h"

/* Slots of the name index, a power of two well above MAP_MAX_POPS. */
#define CONFIG_POP_HASH 1024u

struct config_pop {
    char name[MAP_NAME_SIZE];
    double latitude; /* degrees */
    double longitude;
};

struct config_map {
    char name[MAP_NAME_SIZE];
    uint8_t pops[MAP_MAX_POPS]; /* ids: the default in its order, then the others by id, as in the
                                   image's tail */
    size_t pop_n;
    size_t default_n;
};

struct config_paths {
    char **path; /* absolute or relative to the working folder; may be patterns for measurements */
    size_t n;
};

struct config {
    struct config_pop pops[MAP_MAX_POPS];
    size_t pop_n;
    struct config_map maps[MAP_MAX_MAPS];
    size_t map_n;
    struct config_paths overrides;
    struct config_paths measurements;
    struct config_paths geo;
    struct config_paths asn;
    char *previous; /* image to take the generation from when nothing newer says one; NULL none */
    double max_bad_percent;
    unsigned record_pops;               /* how many PoPs a ranking keeps before the tail, 1..8 */
    uint8_t pop_index[CONFIG_POP_HASH]; /* id by hash of the name, MAP_POP_NONE where free */
};

/* "FILE:LINE:COL: reason" on failure. */
int config_load(const char *path, struct config **ret_config, struct failure *failure);
void config_free(struct config *config); /* NULL is allowed */

/* The id of a PoP, or -ENOENT. `name` need not be terminated. */
int config_find_pop(const struct config *config, const char *name, size_t len);

int config_find_map(const struct config *config, const char *name, size_t len);

#endif
