/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * Numbers at any address. The kernel's loads and stores need no alignment on the machines it runs
 * this program on; clang would take them apart into bytes if it were told that there is none.
 */
#ifndef XDP_BYTES_CORE_H
#define XDP_BYTES_CORE_H

#include <linux/types.h>

#define BYTES_INLINE static inline __attribute__((always_inline, unused))

#ifdef __bpf__
#define BYTES_LOAD(type, from) (*(const type *)(from))
#define BYTES_STORE(type, to, value) (*(type *)(to) = (value))
#else
#define BYTES_LOAD(type, from)                                                                     \
    (__extension__({                                                                               \
        type bytes_value;                                                                          \
        __builtin_memcpy(&bytes_value, (from), sizeof(bytes_value));                               \
        bytes_value;                                                                               \
    }))
#define BYTES_STORE(type, to, value)                                                               \
    do {                                                                                           \
        type bytes_value = (value);                                                                \
        __builtin_memcpy((to), &bytes_value, sizeof(bytes_value));                                 \
    } while (0)
#endif

/* As they lie in memory. */
BYTES_INLINE __u16 bytes_get_u16(const void *from)
{
    return BYTES_LOAD(__u16, from);
}

BYTES_INLINE __u32 bytes_get_u32(const void *from)
{
    return BYTES_LOAD(__u32, from);
}

BYTES_INLINE __u64 bytes_get_u64(const void *from)
{
    return BYTES_LOAD(__u64, from);
}

BYTES_INLINE void bytes_put_u16(void *to, __u16 value)
{
    BYTES_STORE(__u16, to, value);
}

BYTES_INLINE void bytes_put_u32(void *to, __u32 value)
{
    BYTES_STORE(__u32, to, value);
}

BYTES_INLINE void bytes_put_u64(void *to, __u64 value)
{
    BYTES_STORE(__u64, to, value);
}

/* Network order; image_abi.h has made sure that the machine's is the other one. */
BYTES_INLINE __u16 bytes_swap_u16(__u16 value)
{
    return __builtin_bswap16(value);
}

BYTES_INLINE __u32 bytes_swap_u32(__u32 value)
{
    return __builtin_bswap32(value);
}

BYTES_INLINE __u64 bytes_swap_u64(__u64 value)
{
    return __builtin_bswap64(value);
}

BYTES_INLINE __u16 bytes_get_be16(const void *from)
{
    return bytes_swap_u16(bytes_get_u16(from));
}

BYTES_INLINE void bytes_put_be16(void *to, __u16 value)
{
    bytes_put_u16(to, bytes_swap_u16(value));
}

/* --- one's complement sums (RFC 1071) ---
 *
 * Of 16-bit words as they lie in memory: the sum of the swapped words is the swapped sum, so
 * swapping is left to the end. A sum that starts at an odd byte is swapped too. */

BYTES_INLINE __u64 sum_u64(__u64 word)
{
    return (word & 0xffffffffULL) + (word >> 32);
}

BYTES_INLINE __u16 sum_fold(__u64 sum)
{
    sum = sum_u64(sum);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)((sum & 0xffff) + (sum >> 16));
}

/* What was summed begins at byte `at`: as 2^16 counts as 1, swapping bytes is multiplying by 2^8.
 * Sums of a whole message stay far below 2^56. */
BYTES_INLINE __u64 sum_at(__u64 sum, __u32 at)
{
    return sum << (8 * (at & 1));
}

#endif
