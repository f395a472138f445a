/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * Longest-prefix lookup: address -> (record, depth of its disjoint block). Compiled unchanged for
 * the mapper, the edge and the kernel.
 *
 *   IPv4  [18 bits: root word] [6: node] [6: node] [2+0000: node]
 *   IPv6  [16: root word] [8: flat node] [6: node] x 18
 *
 * A node holds a bitmap "the value changes at this slot" and one word per run of equal slots, so
 * the word of slot s is number popcount(bitmap & bits 0..s) - 1. Every index is masked into its
 * block: a hostile image cannot make us read outside (the reader refuses such an image anyway), and
 * the verifier sees the bound.
 */
#ifndef MAPS_LOOKUP_CORE_H
#define MAPS_LOOKUP_CORE_H

#include <linux/types.h>

#include "image_abi.h"
#include "region_core.h"

/* An address as a left-aligned 128-bit number: IPv4 in the top 32 bits of `hi`. */
struct map_key {
    __u64 hi;
    __u64 lo;
};

struct map_leaf {
    __u32 record; /* id, or MAP_RECORD_FALLBACK, MAP_RECORD_SPECIAL */
    __u32 depth;  /* 0..128, of the disjoint block within the table's own family */
};

/* Shift and add: BPF has no population count, and on the host the compiler recognises the idiom. */
MAP_INLINE __u32 map_popcount(__u64 word)
{
    word -= (word >> 1) & 0x5555555555555555ULL;
    word = (word & 0x3333333333333333ULL) + ((word >> 2) & 0x3333333333333333ULL);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (__u32)((word * 0x0101010101010101ULL) >> 56);
}

/* The word of a flat array of words that starts at block `first_block`. */
MAP_INLINE __u32 map_flat_word(const struct map_region *region, __u32 first_block, __u32 index)
{
    const __u32 *words = (const __u32 *)map_region_block(region, first_block + (index >> 10));

    return words ? words[index & 1023u] : 0;
}

/* One step down from child word `entry`; `slot` is 0..63. 0 when the image is inconsistent. */
MAP_INLINE __u32 map_node_word(const struct map_region *region, __u32 first_block, __u32 entry,
                               __u32 slot)
{
    const void *block = map_region_block(region, first_block + (entry >> 9));
    __u32 unit = entry & 511u;
    __u64 bitmap;
    __u32 run;

    if (!block) {
        return 0;
    }
    bitmap = ((const __u64 *)block)[unit];
    /* (2 << slot) - 1 keeps bits 0..slot and is right for slot 63 too, where 1 << 64 would not be
     */
    run = map_popcount(bitmap & ((2ULL << slot) - 1));
    return ((const __u32 *)block)[(unit * 2 + 1 + run) & 1023u];
}

/* Both return 0 and fill `ret_leaf`, or -1 when the image is inconsistent (never for one the reader
 * accepted). */
MAP_INLINE int map_lookup_ipv4(const struct map_region *region, __u32 first_block,
                               const struct map_key *key, struct map_leaf *ret_leaf)
{
    __u32 word = map_flat_word(region, first_block, (__u32)(key->hi >> (64 - MAP_ROOT4_BITS)));
    __u64 rest = key->hi << MAP_ROOT4_BITS;

    for (int level = 0; level < MAP_LEVELS4 && !(word & MAP_LEAF); level++) {
        word = map_node_word(region, first_block, word, (__u32)(rest >> 58));
        rest <<= 6;
    }
    if (!(word & MAP_LEAF)) {
        return -1;
    }
    ret_leaf->record = word & MAP_LEAF_RECORD_MASK;
    ret_leaf->depth = (word >> MAP_LEAF_DEPTH_SHIFT) & MAP_LEAF_DEPTH_MASK;
    return 0;
}

MAP_INLINE int map_lookup_ipv6(const struct map_region *region, __u32 first_block,
                               const struct map_key *key, struct map_leaf *ret_leaf)
{
    __u32 word = map_flat_word(region, first_block, (__u32)(key->hi >> (64 - MAP_ROOT6_BITS)));
    __u32 below_root = 0;

    if (!(word & MAP_LEAF)) {
        __u64 hi = (key->hi << 24) | (key->lo >> 40);
        __u64 lo = key->lo << 24;

        below_root = 1;
        word = map_flat_word(region, first_block, word * 2 + (__u32)((key->hi >> 40) & 255u));
        for (int level = 0; level < MAP_LEVELS6 && !(word & MAP_LEAF); level++) {
            word = map_node_word(region, first_block, word, (__u32)(hi >> 58));
            hi = (hi << 6) | (lo >> 58);
            lo <<= 6;
        }
    }
    if (!(word & MAP_LEAF)) {
        return -1;
    }
    ret_leaf->record = word & MAP_LEAF_RECORD_MASK;
    ret_leaf->depth = (word >> MAP_LEAF_DEPTH_SHIFT) & MAP_LEAF_DEPTH_MASK;
    if (below_root && !ret_leaf->depth) {
        ret_leaf->depth = 128;
    }
    return 0;
}

/* The record with this id, or NULL. `records_block` is the first block of the records section. */
MAP_INLINE const struct map_record *map_record_get(const struct map_region *region,
                                                   __u32 records_block, __u32 id)
{
    const struct map_record *records =
        (const struct map_record *)map_region_block(region, records_block + (id >> 8));

    return records ? &records[id & 255u] : 0;
}

#endif
