/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * From a query's addresses to a ranking and an ECS scope: which address counts (RFC 7871), folding
 * of transition addresses, the two spaces and their order. The answer is a function of (image, map,
 * addresses) alone, never of PoP states, so no failover makes a scope that caches hold wrong.
 *
 *   usable ECS ──► client space ──► record, scope = depth of its block
 *                       └─ special-purpose block: scope = its depth, ranking for the resolver's own
 * address: no ECS, SOURCE 0 ──► resolver space ──► record └─ not listed: client space ──► record,
 * or special: the map's default
 */
#ifndef MAPS_DECIDE_CORE_H
#define MAPS_DECIDE_CORE_H

#include <linux/types.h>

#include "lookup_core.h"

/* An address with its family; `family` is enum map_family, or MAP_ADDRESS_NONE. */
#define MAP_ADDRESS_NONE 0xffu

struct map_address {
    struct map_key key;
    __u8 family;
    __u8 folded_bits; /* how many leading bits of the address as sent the fold removed: 0, 16 or 96
                       */
    __u8 reserved[6];
};

struct map_client {
    struct map_address ecs; /* MAP_ADDRESS_NONE without ECS or with SOURCE 0; host bits are zero */
    struct map_address source; /* who sent the query */
};

enum map_basis {
    MAP_BASIS_ECS = 0,      /* ranking of the ECS address in the client space */
    MAP_BASIS_RESOLVER = 1, /* ranking of the source address in the resolver space */
    MAP_BASIS_SOURCE = 2,   /* ranking of the source address in the client space */
    MAP_BASIS_DEFAULT = 3,  /* nobody knows the source address: the map's default */
};

struct map_verdict {
    struct map_record record; /* by value; no PoP in it for MAP_BASIS_DEFAULT: the tail decides */
    __u32 record_id;          /* MAP_RECORD_FALLBACK when there is none */
    __u8 scope;               /* for the ECS option of the answer; 0 without usable ECS */
    __u8 depth;               /* of the block whose ranking this is, in bits of `family` */
    __u8 family;              /* enum map_family of that block, after folding */
    __u8 basis;               /* enum map_basis */
    __u8 special;     /* 1: the ECS address was special-purpose, so the source address decided */
    __u8 reserved[7]; /* zero: verdicts compare byte by byte */
};

_Static_assert(sizeof(struct map_verdict) == 32, "a verdict has no padding");
_Static_assert(sizeof(struct map_client) == 48, "a client has no padding");

MAP_INLINE void map_address_ipv4(__u32 host_order, struct map_address *ret_address)
{
    ret_address->key.hi = (__u64)host_order << 32;
    ret_address->key.lo = 0;
    ret_address->family = MAP_FAMILY_IPV4;
    ret_address->folded_bits = 0;
    for (int i = 0; i < 6; i++) {
        ret_address->reserved[i] = 0;
    }
}

/* IPv4-mapped ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), NAT64 64:ff9b::/96 (RFC 6052) and 6to4
 * 2002::/16 (RFC 3056) stand for an IPv4 address and are looked up as one. */
MAP_INLINE void map_address_ipv6(__u64 hi, __u64 lo, struct map_address *ret_address)
{
    map_address_ipv4(0, ret_address);
    if ((hi == 0 && (lo >> 32) == 0xffffULL) || (hi == 0x0064ff9b00000000ULL && (lo >> 32) == 0)) {
        ret_address->key.hi = lo << 32;
        ret_address->folded_bits = 96;
    } else if ((hi >> 48) == 0x2002ULL) {
        ret_address->key.hi = (hi << 16) & 0xffffffff00000000ULL;
        ret_address->folded_bits = 16;
    } else {
        ret_address->key.hi = hi;
        ret_address->key.lo = lo;
        ret_address->family = MAP_FAMILY_IPV6;
    }
}

MAP_INLINE int map_space_lookup(const struct map_region *region, const struct map_entry *map,
                                __u32 space, const struct map_address *address,
                                struct map_leaf *ret_leaf)
{
    if (address->family == MAP_FAMILY_IPV4) {
        return map_lookup_ipv4(region, map->tables[space][MAP_FAMILY_IPV4].first_block,
                               &address->key, ret_leaf);
    }
    return map_lookup_ipv6(region, map->tables[space][MAP_FAMILY_IPV6].first_block, &address->key,
                           ret_leaf);
}

MAP_INLINE void map_verdict_default(struct map_verdict *ret_verdict)
{
    ret_verdict->record.pops = ~0ULL;
    ret_verdict->record.shed_class = 0;
    ret_verdict->record.confidence = 0;
    ret_verdict->record.flags = 0;
    ret_verdict->record.reserved = 0;
    ret_verdict->record_id = MAP_RECORD_FALLBACK;
    ret_verdict->scope = 0;
    ret_verdict->depth = 0;
    ret_verdict->family = MAP_FAMILY_IPV4;
    ret_verdict->basis = MAP_BASIS_DEFAULT;
    ret_verdict->special = 0;
    for (int i = 0; i < 7; i++) {
        ret_verdict->reserved[i] = 0;
    }
}

/* Takes the leaf's record into the verdict; 0, or -1 when it has none. */
MAP_INLINE int map_verdict_take(const struct map_region *region, __u32 records_block,
                                const struct map_leaf *leaf, __u8 family, __u8 basis,
                                struct map_verdict *verdict)
{
    const struct map_record *record;

    if (leaf->record > MAP_RECORD_MAX) {
        return -1;
    }
    record = map_record_get(region, records_block, leaf->record);
    if (!record) {
        return -1;
    }
    verdict->record = *record;
    verdict->record_id = leaf->record;
    verdict->depth = (__u8)leaf->depth;
    verdict->family = family;
    verdict->basis = basis;
    return 0;
}

/* `map` lies in the same image as `region`. Always yields a verdict. */
MAP_INLINE void map_decide(const struct map_region *region, const struct map_entry *map,
                           __u32 records_block, const struct map_client *client,
                           struct map_verdict *ret_verdict)
{
    struct map_leaf leaf = {0, 0};

    map_verdict_default(ret_verdict);
    if (client->ecs.family != MAP_ADDRESS_NONE &&
        map_space_lookup(region, map, MAP_SPACE_CLIENT, &client->ecs, &leaf) == 0) {
        /* RFC 7871 section 7.2.1: the scope covers exactly the clients that share this answer */
        ret_verdict->scope = (__u8)(leaf.depth + client->ecs.folded_bits);
        if (map_verdict_take(region, records_block, &leaf, client->ecs.family, MAP_BASIS_ECS,
                             ret_verdict) == 0) {
            return;
        }
        ret_verdict->special = 1;
    }
    if (client->source.family == MAP_ADDRESS_NONE) {
        return;
    }
    if (map_space_lookup(region, map, MAP_SPACE_RESOLVER, &client->source, &leaf) == 0 &&
        map_verdict_take(region, records_block, &leaf, client->source.family, MAP_BASIS_RESOLVER,
                         ret_verdict) == 0) {
        return;
    }
    if (map_space_lookup(region, map, MAP_SPACE_CLIENT, &client->source, &leaf) == 0) {
        (void)map_verdict_take(region, records_block, &leaf, client->source.family,
                               MAP_BASIS_SOURCE, ret_verdict);
    }
}

#endif
