/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The inside of a zone builder, shared by the files that make a zone: zone_builder.c takes records
 * in, zone_check.c says whether they are a zone, zone_freeze.c makes it of them.
 */
#ifndef EDGE_ZONE_BUILDER_PARTS_H
#define EDGE_ZONE_BUILDER_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/wire/name.h"

struct arena;
struct zone;

#define BUILDER_NONE UINT32_MAX

struct builder_node {
    const uint8_t *name;
    uint64_t hash;
    uint32_t parent;
    uint32_t first; /* record, after sorting */
    uint32_t record_n;
    uint8_t name_len;
    uint8_t label_n;
    bool has_dname; /* after sorting */
};

struct builder_record {
    const uint8_t *rdata;
    const char *file;
    uint32_t line;
    uint32_t node;
    uint32_t ttl;
    uint32_t rdata_len;
    uint16_t type;
    uint16_t covered;
};

struct zone_builder {
    struct arena *arena;
    struct name_key origin;
    struct builder_node *nodes;
    uint32_t node_n, node_max;
    uint32_t *slots; /* node index + 1 */
    uint32_t slot_n;
    struct builder_record *records;
    uint32_t record_n, record_max;
    const char *file; /* the last one copied */
};

static inline bool builder_same_rrset(const struct builder_record *a,
                                      const struct builder_record *b)
{
    return a->node == b->node && a->type == b->type && a->covered == b->covered;
}

/* "FILE:LINE: reason" of the record; returns -EINVAL. */
int zone_builder_fail(const struct builder_record *record, struct failure *failure,
                      const char *reason);

/* After sorting: the last record of this type at the node, or NULL, and how many there are. */
const struct builder_record *zone_builder_find(const struct zone_builder *builder,
                                               const struct builder_node *node, uint16_t type,
                                               uint32_t *ret_count);

/* Whether the sorted records are a zone. */
int zone_check(const struct zone_builder *builder, const char *file, struct failure *failure);

/* The zone of checked records; the caller owns one reference. */
int zone_freeze(const struct zone_builder *builder, const char *file, struct zone **ret_zone,
                struct failure *failure);

#endif
