/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Seeded numbers for property tests: a failure repeats with the same seed.
 */
#ifndef TESTS_UNIT_MAPS_RANDOM_H
#define TESTS_UNIT_MAPS_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t word = *state += 0x9e3779b97f4a7c15ULL;

    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((random_next(state) >> 32) * bound >> 32);
}

#endif
