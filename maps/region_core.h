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

/* `value` below `limit`, which it is already, said where the compiler cannot put a copy between
 * comparison and use: older verifiers know nothing of copies made before. What is in range goes
 * straight on, so that it is followed first and the rest is found to be no news. */
#ifdef __bpf__
#define MAP_BELOW(value, limit)                                                                    \
    __asm__ __volatile__("if %0 >= %1 goto +1; goto +1; %0 = 0" : "+r"(value) : "r"(limit))
#else
#define MAP_BELOW(value, limit) ((void)(value), (void)(limit))
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
    __u64 block_n = region->block_n;
    __u64 at = index;

    if (at >= block_n) {
        return 0;
    }
    MAP_BELOW(at, block_n);
    return region->bytes + at * 4096u;
}

#endif
