/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * SipHash-2-4 (Aumasson, Bernstein 2012): a short keyed hash that whoever lacks the key can neither
 * foresee nor steer. Pure, byte order of the host does not matter; the same source for the host and
 * for BPF, where `len` has to be a constant.
 */
#ifndef BASE_SIPHASH_CORE_H
#define BASE_SIPHASH_CORE_H

#include <linux/types.h>

#define SIPHASH_INLINE static inline __attribute__((always_inline, unused))

#define SIPHASH_KEY_LEN 16

struct siphash_state {
    __u64 v0, v1, v2, v3;
};

/* The kernel loads and stores at any address, but clang, which is not told so, would take these
 * apart into bytes. */
#if defined(__bpf__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SIPHASH_WORDS 1
#else
#define SIPHASH_WORDS 0
#endif

/* `len` is at most 8. */
SIPHASH_INLINE __u64 siphash_get(const __u8 *bytes, __u32 len)
{
    __u64 word = 0;

    if (SIPHASH_WORDS && len == 8) {
        return *(const __u64 *)(const void *)bytes;
    }
    if (SIPHASH_WORDS && len == 4) {
        return *(const __u32 *)(const void *)bytes;
    }
    for (__u32 i = 0; i < len; i++) {
        word |= (__u64)bytes[i] << (8 * i);
    }
    return word;
}

/* The other way round, 8 bytes. */
SIPHASH_INLINE void siphash_put(__u8 *bytes, __u64 word)
{
    if (SIPHASH_WORDS) {
        *(__u64 *)(void *)bytes = word;
        return;
    }
    for (__u32 i = 0; i < 8; i++) {
        bytes[i] = (__u8)(word >> (8 * i));
    }
}

SIPHASH_INLINE __u64 siphash_rotate(__u64 word, __u32 bits)
{
    return word << bits | word >> (64 - bits);
}

SIPHASH_INLINE void siphash_round(struct siphash_state *state)
{
    state->v0 += state->v1;
    state->v1 = siphash_rotate(state->v1, 13) ^ state->v0;
    state->v0 = siphash_rotate(state->v0, 32);
    state->v2 += state->v3;
    state->v3 = siphash_rotate(state->v3, 16) ^ state->v2;
    state->v0 += state->v3;
    state->v3 = siphash_rotate(state->v3, 21) ^ state->v0;
    state->v2 += state->v1;
    state->v1 = siphash_rotate(state->v1, 17) ^ state->v2;
    state->v2 = siphash_rotate(state->v2, 32);
}

SIPHASH_INLINE void siphash_word(struct siphash_state *state, __u64 word)
{
    state->v3 ^= word;
    siphash_round(state);
    siphash_round(state);
    state->v0 ^= word;
}

SIPHASH_INLINE struct siphash_state siphash_begin(const __u8 key[SIPHASH_KEY_LEN])
{
    __u64 k0 = siphash_get(key, 8);
    __u64 k1 = siphash_get(key + 8, 8);

    return (struct siphash_state){
        k0 ^ 0x736f6d6570736575ULL,
        k1 ^ 0x646f72616e646f6dULL,
        k0 ^ 0x6c7967656e657261ULL,
        k1 ^ 0x7465646279746573ULL,
    };
}

/* `rest`: the last bytes, fewer than eight, of `len` in all. */
SIPHASH_INLINE __u64 siphash_end(struct siphash_state *state, __u64 rest, __u32 len)
{
    siphash_word(state, (__u64)len << 56 | rest);
    state->v2 ^= 0xff;
    for (__u32 i = 0; i < 4; i++) {
        siphash_round(state);
    }
    return state->v0 ^ state->v1 ^ state->v2 ^ state->v3;
}

/* The hash as a number; its bytes, lowest first, are the hash as the reference writes it. */
SIPHASH_INLINE __u64 siphash(const __u8 key[SIPHASH_KEY_LEN], const __u8 *bytes, __u32 len)
{
    struct siphash_state state = siphash_begin(key);
    __u32 whole = len & ~7u;

    for (__u32 i = 0; i < whole; i += 8) {
        siphash_word(&state, siphash_get(bytes + i, 8));
    }
    return siphash_end(&state, siphash_get(bytes + whole, len & 7u), len);
}

#endif
