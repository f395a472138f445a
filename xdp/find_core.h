/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * From (name, type) to a template: one cache line of tags, then the whole name is compared. Pure;
 * the tables are reached through maps/region_core.h, every index is masked into its block.
 */
#ifndef XDP_FIND_CORE_H
#define XDP_FIND_CORE_H

#include <linux/types.h>

#include "maps/region_core.h"
#include "xdp/fast_abi.h"
#include "xdp/work_core.h"

/* Where what an answer is made of stands. */
struct fast_tables {
    const struct fast_policy *policy;
    struct map_region templates;
    struct map_region image; /* no bytes: there is none */
};

/* A bit for each of four 16-bit words that equals the tag. */
BYTES_INLINE __u32 find_tags(__u64 tags, __u64 tag)
{
    __u64 difference = tags ^ tag * 0x0001000100010001ULL;
    __u64 most = 0x7fff7fff7fff7fffULL;
    __u64 zero = ~(((difference & most) + most) | difference | most) >> 15;

    return (__u32)((zero * 0x0001000200040008ULL) >> 48) & 15;
}

/* Number of the lowest bit set, of eight. */
BYTES_INLINE __u32 find_lowest(__u32 bits)
{
    bits = (bits & (0u - bits)) - 1;
    bits = bits - (bits >> 1 & 0x55);
    bits = (bits & 0x33) + (bits >> 2 & 0x33);
    return (bits + (bits >> 4)) & 7;
}

/* A template: at `offset` of a block. */
struct find {
    const __u8 *block; /* NULL: none */
    __u32 offset;
};

BYTES_INLINE const struct fast_template *find_template(const struct find *find)
{
    return (const struct fast_template *)(const void *)(find->block + find->offset);
}

/* The candidate's name, whose length is the query's. */
BYTES_INLINE int find_same_name(const struct work *work, const struct find *find)
{
    __u32 name_len = work->name_len;
    __u64 difference = 0;

    for (__u32 i = 0; i < NAME_WORDS_MAX; i++) {
        __u32 at = find->offset + (__u32)sizeof(struct fast_template) + i * 8;

        if (i * 8 >= name_len) {
            break;
        }
        difference |= work->name[i] ^ bytes_get_u64(find->block + (at & (FAST_BLOCK_SIZE - 8)));
    }
    return difference == 0;
}

BYTES_INLINE int find_at(const struct work *work, const struct map_region *templates, __u32 place,
                         struct find *ret_find)
{
    const struct fast_template *candidate;

    ret_find->block = map_region_block(templates, FAST_PLACE_BLOCK(place));
    ret_find->offset = FAST_PLACE_OFFSET(place) & (FAST_BLOCK_SIZE - 64);
    if (!ret_find->block) {
        return 0;
    }
    candidate = find_template(ret_find);
    return candidate->name_len == work->name_len && candidate->qtype == work->qtype &&
           find_same_name(work, ret_find);
}

/* 1: found; 0: not in this bucket; -1: nor in the next. */
BYTES_INLINE int find_in_bucket(const struct work *work, const struct fast_tables *tables,
                                __u32 index, struct find *ret_find)
{
    const __u8 *block = map_region_block(&tables->templates, tables->policy->bucket_block +
                                                                 index / FAST_BUCKETS_PER_BLOCK);
    const struct fast_bucket *bucket;
    __u64 tag = name_hash_tag(work->hash);
    __u32 found;

    if (!block) {
        return -1;
    }
    bucket =
        (const struct fast_bucket *)(const void *)block + (index & (FAST_BUCKETS_PER_BLOCK - 1));
    found = find_tags(((const __u64 *)(const void *)bucket->tags)[0], tag) |
            find_tags(((const __u64 *)(const void *)bucket->tags)[1], tag) << 4;
    for (__u32 i = 0; i < FAST_TAG_SAME; i++) {
        if (!found) {
            break;
        }
        if (find_at(work, &tables->templates,
                    bucket->places[find_lowest(found) & (FAST_BUCKET_ENTRIES - 1)], ret_find)) {
            return 1;
        }
        found &= found - 1;
    }
    return bucket->spilled ? 0 : -1;
}

/* The template of the query's name and type; 0, or -1 when there is none. */
BYTES_INLINE int find_read(const struct work *work, const struct fast_tables *tables,
                           struct find *ret_find)
{
    __u32 mask = tables->policy->bucket_mask;
    __u32 index = (__u32)work->hash & mask;

    for (__u32 i = 0; i < 2; i++) {
        int found = find_in_bucket(work, tables, (index + i) & mask, ret_find);

        if (found) {
            return found < 0 ? -1 : 0;
        }
    }
    return -1;
}

#endif
