/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a configuration to what is served: zones, latency map, services. Each is its own unit of
 * failure: one that cannot be loaded keeps what it had before, and every fault is reported. Nothing
 * here is published; the publisher does that.
 *
 *   zone            fails alone: its last good content, or, never loaded, a place that answers
 *                   SERVFAIL
 *   map             keeps the last good one; so it does if the services, which are good with that
 *                   one, cannot be served with the new one
 *   services file   fails alone: its last good content (service/services_load.c)
 *   cookies         keep the secrets they had; at the start there is none to keep, and no server
 *
 * "Last good" is what `previous` holds; without it (at the start) the copy in state_dir. One
 * thread.
 */
#ifndef EDGE_LOADER_H
#define EDGE_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/daemon/config.h"
#include "edge/daemon/file_stamp.h"
#include "edge/daemon/report.h"
#include "edge/service/services.h"
#include "edge/zone/zone_set.h"
#include "maps/cookie_core.h"
#include "maps/image.h"

struct zone;

struct loaded_zone {
    const struct config_zone *config; /* borrowed from the configuration, same place */
    struct zone *zone;                /* NULL: never loaded */
    struct file_stamp stamp;          /* of the content in `zone` */
    int64_t loaded_s;                 /* wall clock */
    char *fault;                      /* why the last attempt failed; NULL: it did not */
};

struct loaded {
    struct config *config; /* owned */
    struct loaded_zone *zones;
    const struct loaded_zone **by_name; /* sorted by origin */
    size_t zone_n;
    size_t zone_failed_n;  /* last attempt failed */
    size_t zone_missing_n; /* of these, never loaded */
    struct zone_set *zone_set;
    struct image *image; /* NULL: none configured */
    struct file_stamp image_stamp;
    int64_t image_loaded_s;
    char *image_fault; /* an older map is served, and why */
    bool image_copied; /* it is the copy in state_dir */
    struct services *services;
    char *services_fault;  /* of the first file that is not served as it is on disk */
    size_t services_bad_n; /* such files */
    struct cookie_secrets cookies;
    struct admission *admission; /* NULL: rate_limit is off */
    bool from_state_dir;         /* the map or some services file is the copy kept there */
};

enum loader_mode {
    LOADER_SERVE,
    LOADER_CHECK, /* no copies from state_dir: a check is about the files */
};

/* Takes the configuration over, also on failure. Faults of units go into the report; -errno only
 * when there is nothing to serve at all (the start, with a map or services that cannot be loaded
 * and no copy), which is then in the report too. `previous` may be NULL; it is only read. */
int loader_load(struct config *config, const struct loaded *previous, enum loader_mode mode,
                struct loaded **ret_loaded, struct report *report);

/* Keeps copies of a map and services that came from the configured files, for a start when these
 * are broken. */
int loader_keep_copies(const struct loaded *loaded, struct failure *failure);

/* The zone of this origin (wire form, lower case), or NULL. */
const struct loaded_zone *loaded_find_zone(const struct loaded *loaded, const uint8_t *origin);

void loaded_free(struct loaded *loaded); /* NULL is allowed */

#endif
