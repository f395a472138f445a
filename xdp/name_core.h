/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * Names eight bytes at a time: lower case, and the hash by which a template is found. The builder
 * of the tables and the program use this same source, and compare whole names behind it.
 *
 * A name is its wire form (RFC 1035 section 3.1), root included, cut into words of eight bytes as
 * they lie in memory, the last one filled up with zeroes. The hash is
 *
 *   state = 0; for each word: state = mix(state ^ word)
 *   hash  = finish(mix(state ^ (length << 16 | type)))
 *
 * where mix() multiplies both halves by numbers made of the secret seed, so that nobody without it
 * can make names that meet: a difference in any bit of a word becomes a secret one.
 */
#ifndef XDP_NAME_CORE_H
#define XDP_NAME_CORE_H

#include <linux/types.h>

#define NAME_INLINE static inline __attribute__((always_inline, unused))

#define NAME_WORDS_MAX 32u /* of a name of 255 bytes */

/* How many words a name of `len` bytes has. */
#define NAME_WORDS(len) (((len) + 7u) / 8u)

/* A..Z to a..z in all eight bytes, everything else untouched. Bytes of length may be among them:
 * they are below 'A'. */
NAME_INLINE __u64 name_fold_word(__u64 word)
{
    const __u64 ones = 0x0101010101010101ULL;
    __u64 heptets = word & 0x7f * ones;
    __u64 from_a = heptets + (0x80 - 'A') * ones; /* the upper bit of a byte: it is 'A' or more */
    __u64 past_z = heptets + (0x7f - 'Z') * ones;
    __u64 upper = (from_a ^ past_z) & ~word & 0x80 * ones;

    return word | upper >> 2;
}

/* What of the last word of a name of `len` bytes (not 0) belongs to it. */
NAME_INLINE __u64 name_tail_mask(__u32 len)
{
    const __u8 lacking = (__u8)((0u - len) & 7u);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return ~0ULL >> (8u * lacking);
#else
    return ~0ULL << (8u * lacking);
#endif
}

/* What both halves of a word are multiplied by; odd. */
struct name_factors {
    __u64 low;
    __u64 high;
};

struct name_hash {
    __u64 state;
    struct name_factors factors;
};

NAME_INLINE __u64 name_spread(__u64 word)
{
    word = (word ^ word >> 32) * 0xd6e8feb86659fd93ULL;
    word = (word ^ word >> 32) * 0xd6e8feb86659fd93ULL;
    return word ^ word >> 32;
}

NAME_INLINE void name_factors_make(__u64 seed, struct name_factors *ret_factors)
{
    ret_factors->low = name_spread(seed + 0x9e3779b97f4a7c15ULL) | 1;
    ret_factors->high = name_spread(seed + 0x3c6ef372fe94f82aULL) | 1;
}

NAME_INLINE void name_hash_begin(struct name_hash *hash, const struct name_factors *factors)
{
    hash->state = 0;
    hash->factors = *factors;
}

/* `word` in lower case, the last one masked. */
NAME_INLINE void name_hash_add(struct name_hash *hash, __u64 word)
{
    word ^= hash->state;
    word = (word & 0xffffffffULL) * hash->factors.low + (word >> 32) * hash->factors.high;
    hash->state = word ^ word >> 32;
}

NAME_INLINE __u64 name_hash_end(struct name_hash *hash, __u32 len, __u16 qtype)
{
    name_hash_add(hash, (__u64)len << 16 | qtype);
    return name_spread(hash->state);
}

/* All of it, for words that are in lower case and filled up already. Not for the program, whose
 * loop also folds, sums and compares. */
NAME_INLINE __u64 name_hash_words(__u64 seed, const __u64 *words, __u32 len, __u16 qtype)
{
    struct name_factors factors;
    struct name_hash hash;

    name_factors_make(seed, &factors);
    name_hash_begin(&hash, &factors);
    for (__u32 i = 0; i < NAME_WORDS_MAX && i < NAME_WORDS(len); i++) {
        name_hash_add(&hash, words[i]);
    }
    return name_hash_end(&hash, len, qtype);
}

/* The tag of a hash in its bucket (xdp/fast_abi.h), never 0, which is an empty place. */
NAME_INLINE __u16 name_hash_tag(__u64 hash)
{
    __u16 tag = (__u16)(hash >> 48);

    return tag ? tag : 1;
}

#endif
