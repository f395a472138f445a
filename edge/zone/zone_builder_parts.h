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
#include "edge/zone/nsec3.h"

struct arena;
struct zone;
struct zone_report;

#define BUILDER_NONE UINT32_MAX

enum builder_place {
    BUILDER_AUTHORITATIVE,
    BUILDER_CUT,   /* delegated here */
    BUILDER_BELOW, /* a delegation: glue */
};

struct builder_node {
    const uint8_t *name;
    uint64_t hash;
    uint32_t parent;
    uint32_t first; /* record, after sorting */
    uint32_t record_n;
    uint8_t name_len;
    uint8_t label_n;
    bool has_dname; /* after sorting */
    uint8_t place;  /* enum builder_place; after sorting */
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
    bool attached; /* a signature that goes along with the RRset it covers */
};

/* An NSEC3 record or a signature over one; its owner is no name of the zone (RFC 5155 section
 * 7.2.8). */
struct builder_hashed {
    struct builder_record record; /* its node is not used */
    uint8_t hash[NSEC3_HASH_LEN];
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
    struct builder_hashed *hashed;
    uint32_t hashed_n, hashed_max;
    bool is_signed;   /* after sorting: see zone_builder_finish() */
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

/* Counts a fault that does not keep the zone from being served. */
void zone_builder_warn(struct zone_report *report, const struct builder_record *record,
                       const char *reason);

/* After sorting: the records of one RRset at the node, *ret_first the index of the first of them.
 */
uint32_t zone_builder_rrset(const struct zone_builder *builder, const struct builder_node *node,
                            uint16_t type, uint16_t covered, uint32_t *ret_first);

/* After sorting: the last record of this type at the node, or NULL, and how many there are. */
const struct builder_record *zone_builder_find(const struct zone_builder *builder,
                                               const struct builder_node *node, uint16_t type,
                                               uint32_t *ret_count);

/* Takes an NSEC3 record, or a signature over one, with the owner `key` (zone_hashed.c). */
int zone_builder_add_hashed(struct zone_builder *builder, const struct name_key *key,
                            const struct builder_record *record, struct failure *failure);

/* Sorts those records by hash and drops duplicates. */
void zone_builder_sort_hashed(struct zone_builder *builder);

/* Whether the sorted records are a zone. */
int zone_check(const struct zone_builder *builder, const char *file, struct failure *failure);

/* The zone of checked records; the caller owns one reference. */
int zone_freeze(const struct zone_builder *builder, const char *file, struct zone **ret_zone,
                struct zone_report *report, struct failure *failure);

/* Gives a signed zone, frozen but for this, its proofs of what does not exist, or says why they
 * would prove nothing (zone_denial_freeze.c). Nodes have the same place in builder and zone. */
int zone_denial_freeze(const struct zone_builder *builder, struct zone *zone, const char *file,
                       struct zone_report *report, struct failure *failure);

#endif
