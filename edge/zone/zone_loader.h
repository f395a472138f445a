/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Master files (RFC 1035 section 5) into zones, with libzscanner: every RR type it knows, $TTL,
 * $ORIGIN, and $INCLUDE relative to the including file.
 */
#ifndef EDGE_ZONE_LOADER_H
#define EDGE_ZONE_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/zone/zone_builder.h"

#define ZONE_LOADER_INCLUDE_DEPTH 8
#define ZONE_LOADER_INCLUDES_MAX 1000 /* of one zone */
#define ZONE_LOADER_DEFAULT_TTL 3600  /* until $TTL or an explicit TTL */

/* `origin` in wire form. -EINVAL with "FILE:LINE: reason"; the caller owns one reference.
 * `ret_report` may be NULL. */
int zone_load_file(const char *path, const uint8_t *origin, struct zone **ret_zone,
                   struct zone_report *ret_report, struct failure *failure);

/* The same for text in memory; $INCLUDE is refused. `name` stands for the file in messages. */
int zone_load_bytes(const char *name, const char *bytes, size_t len, const uint8_t *origin,
                    struct zone **ret_zone, struct zone_report *ret_report,
                    struct failure *failure);

#endif
