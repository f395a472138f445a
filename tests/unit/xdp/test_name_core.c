/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "xdp/name_core.h"

static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return name_spread(*state);
}

Test(name_core, folds_letters_and_nothing_else)
{
    uint64_t random = 1;

    for (unsigned byte = 0; byte < 256; byte++) {
        for (unsigned place = 0; place < 8; place++) {
            uint64_t word = random_next(&random);
            uint8_t bytes[8];
            uint64_t folded;

            memcpy(bytes, &word, 8);
            bytes[place] = (uint8_t)byte;
            memcpy(&word, bytes, 8);
            folded = name_fold_word(word);
            for (unsigned i = 0; i < 8; i++) {
                bytes[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? (uint8_t)(bytes[i] + 32) : bytes[i];
            }
            cr_assert_eq(memcmp(bytes, &folded, 8), 0, "byte %u at %u", byte, place);
        }
    }
}

Test(name_core, masks_what_is_behind_a_name)
{
    for (uint32_t len = 1; len <= 255; len++) {
        uint64_t mask = name_tail_mask(len);
        uint8_t bytes[8];
        uint32_t last = (len - 1) % 8 + 1;

        memcpy(bytes, &mask, 8);
        for (uint32_t i = 0; i < 8; i++) {
            cr_assert_eq(bytes[i], i < last ? 0xff : 0, "length %u, byte %u", len, i);
        }
        cr_assert_eq(NAME_WORDS(len), (len + 7) / 8);
    }
}

/* One bit of a name, its length, its type or the seed changes half of the hash. */
Test(name_core, hash_depends_on_everything)
{
    __u64 words[NAME_WORDS_MAX];
    uint64_t random = 2;
    uint64_t flips = 0, tries = 0;

    for (unsigned i = 0; i < NAME_WORDS_MAX; i++) {
        words[i] = random_next(&random);
    }
    for (uint32_t len = 8; len <= 256; len += 8) {
        uint64_t hash = name_hash_words(7, words, len, 1);

        for (uint32_t bit = 0; bit < len * 8; bit++) {
            uint64_t other;

            words[bit / 64] ^= UINT64_C(1) << bit % 64;
            other = name_hash_words(7, words, len, 1);
            words[bit / 64] ^= UINT64_C(1) << bit % 64;
            cr_assert_neq(hash, other, "length %u, bit %u", len, bit);
            flips += (uint64_t)__builtin_popcountll(hash ^ other);
            tries++;
        }
        cr_assert_neq(hash, name_hash_words(7, words, len - 1, 1));
        cr_assert_neq(hash, name_hash_words(7, words, len, 28));
        cr_assert_neq(hash, name_hash_words(8, words, len, 1));
    }
    cr_assert(flips > tries * 31 && flips < tries * 33, "%lu of %lu", flips, tries * 64);
}

/* A difference in the uppermost bit of a word is one an ordinary product hash moves on unchanged,
 * whatever its seed: such names would meet for everybody. */
Test(name_core, differences_do_not_cancel_whatever_the_seed)
{
    unsigned met = 0;

    for (uint64_t seed = 0; seed < 2000; seed++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            const __u64 one[2] = {0x6162636465666768, 0x6162636465666768};
            const __u64 other[2] = {one[0] ^ UINT64_C(1) << 63,
                                    one[1] ^ (UINT64_C(1) << bit | UINT64_C(1) << bit / 2)};

            met += name_hash_words(seed, one, 16, 1) == name_hash_words(seed, other, 16, 1);
        }
    }
    cr_assert_eq(met, 0);
}

Test(name_core, tags_are_never_empty)
{
    cr_assert_eq(name_hash_tag(0), 1);
    cr_assert_eq(name_hash_tag(UINT64_C(0x0000ffffffffffff)), 1);
    cr_assert_eq(name_hash_tag(UINT64_C(0xabcd000000000000)), 0xabcd);
}
