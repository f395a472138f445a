/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Master files (RFC 1035 section 5) into zones, with libzscanner: every RR type it knows, $TTL,
 * $ORIGIN, and $INCLUDE relative to the including file.
 */
#ifndef EDGE_ZONE_LOADER_H
#define EDGE_ZONE_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/zone/zone_builder.h"

#define ZONE_LOADER_INCLUDE_DEPTH 8
#define ZONE_LOADER_INCLUDES_MAX 1000 /* of one zone */
#define ZONE_LOADER_DEFAULT_TTL 3600  /* until $TTL or an explicit TTL */
#define ZONE_LOADER_FILE_MAX (SIZE_MAX / 4)

/* A master file that was read. */
struct zone_text {
    const char *path; /* stands in messages; what is included is looked for from there */
    const char *bytes;
    size_t len;
    bool includes; /* $INCLUDE is followed; else it is a fault */
};

/* Reads one zone after another. It keeps what costs more to make than a small zone to read (200
 * KiB); nothing of one zone reaches the next, whether it was read well or not. One thread. */
struct zone_loader;

struct zone_loader *zone_loader_new(void);         /* NULL when out of memory */
void zone_loader_free(struct zone_loader *loader); /* NULL is allowed */

/* `origin` in wire form. -EINVAL with "FILE:LINE: reason". Afterwards the bytes may go. */
int zone_loader_read(struct zone_loader *loader, const struct zone_text *text,
                     const uint8_t *origin, struct failure *failure);

/* The zone of what was read without a failure, once; its path must still be there. -EINVAL as
 * before when it is no zone; the caller owns one reference. `ret_report` may be NULL. */
int zone_loader_finish(struct zone_loader *loader, struct zone **ret_zone,
                       struct zone_report *ret_report, struct failure *failure);

/* Both for one zone alone: from a file, or from text in memory, where $INCLUDE is refused and
 * `name` stands for the file in messages. */
int zone_load_file(const char *path, const uint8_t *origin, struct zone **ret_zone,
                   struct zone_report *ret_report, struct failure *failure);
int zone_load_bytes(const char *name, const char *bytes, size_t len, const uint8_t *origin,
                    struct zone **ret_zone, struct zone_report *ret_report,
                    struct failure *failure);

#endif
