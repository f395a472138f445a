/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arithmetic on positions in an address space. A position is the cores' struct map_key: an address
 * as a left-aligned 128-bit number, so that IPv4 and IPv6 are walked by the same code. Ranges are
 * closed (first and last position), because one past the end of a space has no number.
 */
#ifndef MAPPER_KEY_H
#define MAPPER_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "maps/decide_core.h"

static inline int key_compare(struct map_key a, struct map_key b)
{
    if (a.hi != b.hi) {
        return a.hi < b.hi ? -1 : 1;
    }
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* The last position of the block of `len` bits that `key` lies in. */
static inline struct map_key key_last(struct map_key key, unsigned len)
{
    if (len < 64) {
        key.hi |= UINT64_MAX >> len;
        key.lo = UINT64_MAX;
    } else if (len < 128) {
        key.lo |= UINT64_MAX >> (len - 64);
    }
    return key;
}

/* The first position of the block of `len` bits that `key` lies in. */
static inline struct map_key key_first(struct map_key key, unsigned len)
{
    if (len < 64) {
        key.hi &= ~(UINT64_MAX >> len);
        key.lo = 0;
    } else if (len < 128) {
        key.lo &= ~(UINT64_MAX >> (len - 64));
    }
    return key;
}

/* Steps to the next position; false when there is none. */
static inline bool key_advance(struct map_key *key)
{
    key->lo++;
    if (key->lo == 0) {
        key->hi++;
        return key->hi != 0;
    }
    return true;
}

static inline struct map_key key_from_address(const struct address *address)
{
    struct map_key key = {0, 0};

    for (unsigned i = 0; i < 8; i++) {
        key.hi = key.hi << 8 | address->bytes[i];
        key.lo = key.lo << 8 | address->bytes[8 + i];
    }
    return key;
}

static inline struct address key_to_address(struct map_key key, enum map_family family)
{
    struct address address = {.family = family == MAP_FAMILY_IPV4 ? ADDRESS_IPV4 : ADDRESS_IPV6};

    for (unsigned i = 0; i < 8; i++) {
        address.bytes[i] = (uint8_t)(key.hi >> (56 - 8 * i));
        address.bytes[8 + i] = (uint8_t)(key.lo >> (56 - 8 * i));
    }
    if (family == MAP_FAMILY_IPV4) {
        for (unsigned i = 4; i < 16; i++) {
            address.bytes[i] = 0;
        }
    }
    return address;
}

/* A prefix as the lookup cores see it: v4-mapped, NAT64 and 6to4 prefixes become the IPv4 prefix
 * they stand for. */
struct key_prefix {
    struct map_key first;
    enum map_family family;
    unsigned len;
};

static inline struct key_prefix key_from_prefix(const struct prefix *prefix)
{
    struct key_prefix out = {.first = key_from_address(&prefix->address), .len = prefix->len};
    struct map_address folded;

    if (prefix->address.family == ADDRESS_IPV4) {
        out.family = MAP_FAMILY_IPV4;
        return out;
    }
    out.family = MAP_FAMILY_IPV6;
    map_address_ipv6(out.first.hi, out.first.lo, &folded);
    if (folded.family == MAP_FAMILY_IPV4 && prefix->len >= folded.folded_bits) {
        out.family = MAP_FAMILY_IPV4;
        out.len = prefix->len - folded.folded_bits;
        out.len = out.len > 32 ? 32 : out.len;
        out.first = key_first(folded.key, out.len);
    }
    return out;
}

#endif
