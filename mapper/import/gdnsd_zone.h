/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gdnsd's zone files (gdnsd.zonefile(5)): master files of RFC 1035 with @Z and @F, DYNA and DYNC,
 * TTLs in units and as MAX/MIN, and texts of any length. Each record is handed on in the standard's
 * own form: an absolute owner, a TTL in seconds within the server's limits, rdata that any server
 * reads. A line that is wrong is reported and skipped.
 */
#ifndef MAPPER_IMPORT_GDNSD_ZONE_H
#define MAPPER_IMPORT_GDNSD_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/import/domain.h"
#include "mapper/import/notes.h"

struct gdnsd_zone_options {
    uint32_t default_ttl_s;   /* zones_default_ttl */
    uint32_t min_ttl_s;       /* min_ttl */
    uint32_t max_ttl_s;       /* max_ttl */
    uint32_t max_negative_s;  /* max_ncache_ttl */
    uint32_t challenge_ttl_s; /* acme_challenge_dns_ttl: of TXT at _acme-challenge names */
    bool no_text_split;       /* disable_text_autosplit */
};

struct gdnsd_record {
    const char *owner; /* absolute, escaped */
    const char *type;  /* in capitals; "DYNA" and "DYNC" are gdnsd's own */
    const char *rdata; /* of a standard record, in one line; "PLUGIN[!RESOURCE]" of a dynamic one,
                          unescaped */
    const char *file;
    uint32_t line;
    uint32_t ttl_s;
    uint32_t ttl_min_s; /* of a dynamic record */
};

/* Negative stops the reading. */
typedef int (*gdnsd_record_visit)(void *context, const struct gdnsd_record *record);

/* Reads the zone `origin` (complete). Everything handed to `visit` is valid during the call only.
 * "FILE:LINE: reason" when the main file cannot be read or `visit` or memory failed. */
int gdnsd_zone_read(const char *path, const struct domain *origin,
                    const struct gdnsd_zone_options *options, gdnsd_record_visit visit,
                    void *context, struct notes *notes, struct failure *failure);

/* The same from memory; $INCLUDE is reported as unreadable. */
int gdnsd_zone_read_bytes(const char *name, const uint8_t *bytes, size_t len,
                          const struct domain *origin, const struct gdnsd_zone_options *options,
                          gdnsd_record_visit visit, void *context, struct notes *notes,
                          struct failure *failure);

#endif
