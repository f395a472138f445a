/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The one way from (region, block index) to bytes. On the host a region is the image in memory; in
 * a BPF program it is an array map of 4096-byte values holding the same bytes. This is the only
 * place where the two differ; everything above is the same source.
 */
#ifndef MAPS_REGION_CORE_H
#define MAPS_REGION_CORE_H

#include <linux/types.h>

#ifndef MAP_INLINE
#define MAP_INLINE static inline __attribute__((always_inline, unused))
#endif

#ifdef __bpf__

struct map_region {
    void *array; /* BPF array map, value_size 4096 */
    __u32 first; /* where the image begins in it */
};

MAP_INLINE const void *map_region_block(const struct map_region *region, __u32 index)
{
    /* helper 1 is bpf_map_lookup_elem; named here so that this header needs no libbpf */
    void *(*const lookup_elem)(void *map, const void *key) = (void *)1;

    index += region->first;
    return lookup_elem(region->array, &index);
}

#else

struct map_region {
    const __u8 *bytes; /* aligned to 8 at least */
    __u32 block_n;
};

MAP_INLINE const void *map_region_block(const struct map_region *region, __u32 index)
{
    if (index >= region->block_n) {
        return 0;
    }
    return region->bytes + (__u64)index * 4096u;
}

#endif

#endif
