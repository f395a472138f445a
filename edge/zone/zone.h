/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A frozen zone: every name that exists (empty non-terminals included) in a hash table, every RRset
 * already in wire form. Built by zone_builder.h, never changed afterwards, shared between threads
 * by reference count.
 *
 * A pre-rendered RRset is laid out as if its owner were the question's name, that is at offset 12
 * of the message: owners are the pointer 0xc00c, names in RDATA are compressed against the owner
 * (only in the types that RFC 3597 section 4 allows). Where that does not hold (referrals, SOA in a
 * negative answer, wildcards, CNAME targets) the pointers named by `patches` are rewritten while
 * copying.
 *
 * The signatures of an RRset (RFC 4034 section 3) stand right after it, with their owners as the
 * pointer 0xc00c and the TTL of the set, and go with it wherever DNSSEC is wanted.
 */
#ifndef EDGE_ZONE_H
#define EDGE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/wire/name.h"

struct arena;
struct zone_denial; /* edge/zone/zone_denial.h */
struct zone_node;

/* A compression pointer: two bytes at `offset` that point to the suffix of the owner which is
 * `suffix_len` bytes long. */
#define ZONE_PATCH_OWNER 0 /* suffix_len: the whole owner, whatever it is (wildcards) */

struct zone_patch {
    uint16_t offset;
    uint8_t suffix_len;
};

/* A name in the RDATA of an RRset whose addresses this zone knows. */
struct zone_additional {
    const struct zone_node *node;
    uint16_t name_offset; /* of the name, in the RRset's wire */
    bool required; /* glue for a name server inside the delegated zone (RFC 9471 section 3.1) */
};

struct zone_rrset {
    uint16_t type;
    uint16_t covered; /* an RRSIG over a set that is not here: the type it covers; else 0 */
    uint16_t rr_n;
    uint16_t patch_n;
    uint16_t additional_n;
    uint8_t owner_len; /* 0: a wildcard; the name it stands for is another one each time */
    uint16_t sig_n;    /* its signatures */
    uint16_t sig_len;
    uint32_t ttl;
    uint32_t wire_len;                /* of the records alone */
    const uint8_t *wire;              /* wire_len bytes of records, sig_len bytes of signatures */
    const struct zone_patch *patches; /* in the records; of signatures every owner is one */
    const struct zone_additional *additional;
    const uint8_t *target; /* CNAME and DNAME: the name they point to, not compressed */
};

enum zone_node_flag {
    ZONE_NODE_CNAME = 1,
    ZONE_NODE_DNAME = 2,
    ZONE_NODE_APEX = 4,
    ZONE_NODE_WILDCARD = 8, /* its own first label is "*" */
};

struct zone_node {
    const uint8_t *name; /* lower case */
    const struct zone_rrset *rrsets;
    const struct zone_node *cut; /* the delegation at or above this name, NULL: authoritative */
    const struct zone_node *wildcard; /* the child "*" */
    uint64_t hash;
    uint16_t rrset_n; /* 0: an empty non-terminal */
    uint8_t name_len;
    uint8_t label_n;
    uint8_t flags; /* enum zone_node_flag */
};

struct zone_slot {
    uint32_t tag;  /* upper half of the name's hash */
    uint32_t node; /* index + 1, 0: free */
};

struct zone {
    uint32_t references; /* atomic */
    uint32_t node_n;
    uint32_t slot_mask;
    uint32_t record_n;
    uint32_t serial;
    uint32_t signed_until; /* first expiration of a signature, as it stands there (RFC 4034 section
                              3.1.5: seconds modulo 2^32); only of a signed zone */
    const struct zone_slot *slots;
    const struct zone_node *nodes;
    const struct zone_node *apex;
    const struct zone_rrset *soa;          /* as a query for it gets it */
    const struct zone_rrset *soa_negative; /* TTL = min(TTL, MINIMUM), RFC 2308 section 3 */
    const struct zone_denial *denial;      /* proofs of what does not exist; NULL: not signed */
    struct arena *arena;
};

/* The seconds since 1970 of a time in a signature, which is the nearest to `now_s` that it can mean
 * (RFC 4034 section 3.1.5). */
static inline int64_t zone_signature_time(uint32_t time, int64_t now_s)
{
    return now_s + (int32_t)(time - (uint32_t)now_s);
}

struct zone *zone_ref(struct zone *zone);
void zone_unref(struct zone *zone); /* NULL is allowed */

#define ZONE_RR_FIXED 12u /* bytes before the RDATA of a pre-rendered record */

/* The name at `at` in the RDATA of an RRset of `owner` (a node's name), its pointer into the owner
 * undone; ret_name has room for NAME_LEN_MAX bytes. */
void zone_name_expand(const uint8_t *owner, const uint8_t *at, uint8_t *ret_name);

/* The node of the suffix of `label_n` labels of the key, or NULL. */
const struct zone_node *zone_get(const struct zone *zone, const struct name_key *key,
                                 unsigned label_n);

/* A lookup goes from a slot to a node to what the node has, each of them mostly in no cache. Who
 * has many names to look up asks the caches for one step of some of them while others are looked
 * at. */
static inline void zone_ask_slot(const struct zone *zone, uint64_t hash)
{
    __builtin_prefetch(&zone->slots[(uint32_t)hash & zone->slot_mask]);
}

/* Returns the node that has the name with this hash, but for one chance in four billion to be
 * mistaken, or NULL when there is none. */
static inline const struct zone_node *zone_ask_node(const struct zone *zone, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & zone->slot_mask;
    const struct zone_node *node;

    while (zone->slots[i].tag != (uint32_t)(hash >> 32) || !zone->slots[i].node) {
        if (!zone->slots[i].node) {
            return NULL;
        }
        i = (i + 1) & zone->slot_mask;
    }
    node = &zone->nodes[zone->slots[i].node - 1];
    __builtin_prefetch(node);
    __builtin_prefetch((const uint8_t *)(node + 1) - 1);
    return node;
}

/* The node of the key's name, or else of its closest encloser (RFC 4592 section 3.3.1); *ret_exact
 * says which. The name must be the origin or below it. Never NULL. */
const struct zone_node *zone_find(const struct zone *zone, const struct name_key *key,
                                  bool *ret_exact);

/* The same when zone_ask_node() has said `asked` of the key's hash. */
const struct zone_node *zone_find_asked(const struct zone *zone, const struct name_key *key,
                                        const struct zone_node *asked, bool *ret_exact);

/* What a processor cannot remember being asked for it forgets: only the lines that matter most. */
static inline void zone_ask_data(const struct zone_node *node)
{
    __builtin_prefetch(node->rrsets);
    __builtin_prefetch(node->rrsets + 1);
    __builtin_prefetch(node->name);
    __builtin_prefetch(node->name - 64); /* where zone_freeze() has put the records */
}

/* The RRset of a type, or NULL. Of RRSIG it knows only those over sets that are not here. */
static inline const struct zone_rrset *zone_node_rrset(const struct zone_node *node, uint16_t type)
{
    for (unsigned i = 0; i < node->rrset_n; i++) {
        if (node->rrsets[i].type == type) {
            return &node->rrsets[i];
        }
    }
    return NULL;
}

#endif
