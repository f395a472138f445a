/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Records in any order -> a frozen zone. The builder checks what makes a zone servable and
 * describes faults with the place of the record (FILE:LINE). One thread; the records it was given
 * may be freed after each call.
 */
#ifndef EDGE_ZONE_BUILDER_H
#define EDGE_ZONE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

struct zone;
struct zone_builder;

struct zone_record {
    const uint8_t *owner; /* wire form */
    const uint8_t *rdata; /* names in it are not compressed */
    uint32_t rdata_len;
    uint32_t ttl;
    uint16_t type;
    uint16_t class;
    const char *file; /* copied */
    uint32_t line;
};

/* What was put right silently for clients, to be told to the operator. */
struct zone_report {
    uint32_t warning_n;
    char first_warning[512]; /* "FILE:LINE: reason" */
    uint32_t include_n;      /* files that were included */
};

/* `origin` in wire form, any case. NULL when out of memory. */
struct zone_builder *zone_builder_new(const uint8_t *origin);
void zone_builder_free(struct zone_builder *builder); /* NULL is allowed */

/* -EINVAL for a record that cannot be in this zone, -ENOMEM. */
int zone_builder_add(struct zone_builder *builder, const struct zone_record *record,
                     struct failure *failure);

/* A zone is signed when its apex has a DNSKEY RRset and a signature over its SOA; then a chain of
 * NSEC or NSEC3 records must prove what does not exist, or the whole is no zone. Signatures are
 * not verified, and their time is noted, no more.
 *
 * -EINVAL with the reason when the whole is no zone. The caller owns one reference. `file` names
 * the zone in messages that belong to no record; `ret_report` may be NULL. */
int zone_builder_finish(struct zone_builder *builder, const char *file, struct zone **ret_zone,
                        struct zone_report *ret_report, struct failure *failure);

#endif
