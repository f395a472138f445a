/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lines of a tinydns data file (tinydns-data(8)), as the records that tinydns-data makes of
 * them, and the %-lines as locations. A line that is wrong is noted and skipped.
 */
#ifndef MAPPER_IMPORT_TINYDNS_LINE_H
#define MAPPER_IMPORT_TINYDNS_LINE_H

#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "mapper/import/domain.h"
#include "mapper/import/notes.h"

struct tinydns_record {
    struct domain owner;
    const char *type;
    const char *rdata;      /* as in a master file */
    struct address address; /* of A and AAAA, else without family */
    uint32_t ttl_s;
    uint32_t line;
    char location[3]; /* whose clients see it; "" all */
    bool is_extra;    /* PTR of a "=" line: nothing is wrong if no zone takes it */
};

/* "%lo:ipprefix" */
struct tinydns_location {
    char name[3];
    struct prefix prefix; /* /0, /8, /16, /24 or /32 */
    uint32_t line;
};

struct tinydns_sink {
    int (*record)(void *context, const struct tinydns_record *record);
    int (*location)(void *context, const struct tinydns_location *location);
    void *context;
};

struct tinydns_source {
    const char *name; /* of the file, for notes */
    uint32_t serial;  /* of SOA records that give none: when the file was changed */
    int64_t now_s;    /* decides which time stamps are over; unix seconds */
};

/* What the sink gets is valid during its call only. -ENOMEM, or what the sink returned. */
int tinydns_lines_read(const struct tinydns_source *source, const uint8_t *bytes, size_t len,
                       const struct tinydns_sink *sink, struct notes *notes);

#endif
