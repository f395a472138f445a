/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An address as one 128-bit number, for the code that computes with ranges (building, checking,
 * walking). The cores stay with two 64-bit halves, which BPF understands.
 */
#ifndef MAPS_WIDE_KEY_H
#define MAPS_WIDE_KEY_H

#include "maps/lookup_core.h"

typedef unsigned __int128 wide_key;

#define WIDE_KEY_BITS 128u
#define WIDE_KEY_MAX (~(wide_key)0)

static inline wide_key wide_key_from(const struct map_key *key)
{
    return ((wide_key)key->hi << 64) | key->lo;
}

static inline struct map_key wide_key_to(wide_key wide)
{
    return (struct map_key){.hi = (__u64)(wide >> 64), .lo = (__u64)wide};
}

/* Host bits of a prefix of `depth` bits: a shift by all 128 would be undefined. */
static inline wide_key wide_key_host_mask(unsigned depth)
{
    return depth >= WIDE_KEY_BITS ? 0 : WIDE_KEY_MAX >> depth;
}

#endif
