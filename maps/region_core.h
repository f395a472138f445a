/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The one way from (region, block index) to bytes. On the host a region is the image in memory; in
 * a BPF program it is one value of an array map, which holds the same bytes.
 */
#ifndef MAPS_REGION_CORE_H
#define MAPS_REGION_CORE_H

#include <linux/types.h>

#ifndef MAP_INLINE
#define MAP_INLINE static inline __attribute__((always_inline, unused))
#endif

/* The verifier follows a comparison of 64 bits whose operand the compiler knows nothing about. */
#ifdef __bpf__
#define MAP_FORGET(value) __asm__ __volatile__("" : "+r"(value))
#else
#define MAP_FORGET(value) ((void)(value))
#endif

/* In BPF, `block_n` is a constant the verifier knows, at most MAP_REGION_BLOCKS_MAX. */
struct map_region {
    const __u8 *bytes; /* aligned to 8 at least */
    __u32 block_n;
};

/* BPF adds no more than 2^29 to a pointer. */
#define MAP_REGION_BLOCKS_MAX (1u << 17)

MAP_INLINE const void *map_region_block(const struct map_region *region, __u32 index)
{
    __u64 at = index;

    MAP_FORGET(at);
    if (at >= region->block_n) {
        return 0;
    }
    return region->bytes + at * 4096u;
}

#endif
