/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a made query's decisions come from: a seeded generator, or a fuzzer's bytes, which then are
 * decisions and not a packet. Bytes that ran out decide for 0.
 */
#ifndef TESTS_FUZZ_XDP_CHOICES_H
#define TESTS_FUZZ_XDP_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct choices {
    const uint8_t *bytes; /* NULL: the generator */
    size_t len;
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t choices_random(uint64_t *state)
{
    uint64_t word = *state += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static inline uint32_t choices_u32(struct choices *choices)
{
    uint32_t word = 0;
    size_t len = choices->len < sizeof(word) ? choices->len : sizeof(word);

    if (!choices->bytes) {
        return (uint32_t)(choices_random(&choices->state) >> 16);
    }
    memcpy(&word, choices->bytes, len);
    choices->bytes += len;
    choices->len -= len;
    return word;
}

/* 0..n-1 */
static inline uint32_t choices_below(struct choices *choices, uint32_t n)
{
    uint32_t byte = 0;

    if (!choices->bytes || n > 256) {
        return choices_u32(choices) % n;
    }
    if (choices->len) {
        byte = *choices->bytes++;
        choices->len--;
    }
    return byte % n;
}

static inline bool choices_percent(struct choices *choices, uint32_t percent)
{
    return choices_below(choices, 100) >= 100 - percent; /* 0 is the usual */
}

#endif
