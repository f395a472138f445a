/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * From a ranking and PoP states to the PoPs whose addresses are answered. Pure: no time, no
 * randomness.
 *
 * Candidates are the record's PoPs, then the map's tail. Each falls into a tier: 0 takes this
 * block, 1 sheds it, 2 drains; a PoP that is down or has no address of the family is no candidate.
 * The best tier that has anybody answers, in ranking order. So nobody is left only if every PoP is
 * down or without address: a property of (service, family, states), never of the client.
 */
#ifndef MAPS_SELECT_CORE_H
#define MAPS_SELECT_CORE_H

#include <linux/types.h>

#include "image_abi.h"
#include "region_core.h"

/* One byte per PoP in the table of a (service, family): 0..100 shed percent (0 = up), or one of
 * these. */
#define MAP_STATE_SHED_MAX 100u
#define MAP_STATE_DRAIN 128u
#define MAP_STATE_ABSENT 254u /* no address of this family, or not a PoP of this service */
#define MAP_STATE_DOWN 255u

#define MAP_STATES 256u  /* bytes in a table, by PoP id */
#define MAP_PICKS_MAX 8u /* PoPs per answer at most */

enum map_tier {
    MAP_TIER_TAKES = 0,
    MAP_TIER_SHEDS = 1,
    MAP_TIER_DRAINS = 2,
    MAP_TIERS = 3,
};

struct map_picks {
    __u8 pop[MAP_PICKS_MAX]; /* best first, no PoP twice */
    __u8 count;              /* 0: nobody is left */
    __u8 tier;               /* enum map_tier the picks come from */
    __u8 reserved[6];
};

/* Candidate number `i`: the record's eight places, then the tail. MAP_POP_NONE where a place is
 * empty. */
MAP_INLINE __u8 map_candidate(__u64 pops, const __u8 *tail, __u32 i)
{
    if (i < MAP_RECORD_POPS) {
        return (__u8)(pops >> (8 * i));
    }
    return tail[(i - MAP_RECORD_POPS) & (MAP_TAIL_SIZE - 1)];
}

/* The selection below decides without branches, but for the skip of PoPs that are no candidates,
 * which changes nothing. A branch would make the verifier follow both ways with all that is known
 * about the counts on each, and 258 candidates in a row would be far beyond what it accepts; as
 * arithmetic on numbers it knows nothing about, the ways meet again. */

/* 1 when a < b, else 0; both below 2^63. The empty assembly keeps the compiler from turning it back
 * into a branch. */
MAP_INLINE __u64 map_less(__u64 a, __u64 b)
{
    __u64 less;

    __asm__("" : "+r"(a));
    less = (a - b) >> 63;
    __asm__("" : "+r"(less));
    return less;
}

/* enum map_tier of a PoP in this state for blocks of this shed class; MAP_TIERS: no candidate. */
MAP_INLINE __u64 map_tier_of(__u64 state, __u64 shed_class)
{
    __u64 is_share = map_less(state, MAP_STATE_SHED_MAX + 1);
    __u64 is_drain = map_less(state ^ MAP_STATE_DRAIN, 1);

    return MAP_TIERS - is_drain - is_share * (MAP_TIERS - map_less(shed_class, state));
}

/* What has been picked so far. */
struct map_tally {
    __u64 picks; /* a byte each from the least, unused ones MAP_POP_NONE */
    __u64 count;
    __u64 best; /* enum map_tier */
};

/* 1 when none of the picks is `pop`: no byte of the difference is zero. */
MAP_INLINE __u64 map_tally_lacks(const struct map_tally *tally, __u64 pop)
{
    __u64 difference = tally->picks ^ (pop * 0x0101010101010101ULL);
    __u64 zero_bytes = (difference - 0x0101010101010101ULL) & ~difference & 0x8080808080808080ULL;

    return map_less(zero_bytes >> 7, 1);
}

MAP_INLINE void map_tally_add(struct map_tally *tally, __u64 pop, __u64 tier, __u64 want)
{
    __u64 better = map_less(tier, tally->best);
    __u64 accepted;

    /* somebody better: what the lesser tier gave is dropped */
    tally->picks |= 0 - better;
    tally->count *= 1 - better;
    tally->best -= (tally->best - tier) * better;
    accepted = map_less(tier, tally->best + 1) & map_less(tier, MAP_TIERS) &
               map_less(tally->count, want) & map_tally_lacks(tally, pop);
    tally->picks ^= ((pop ^ MAP_POP_NONE) * accepted) << (8 * (tally->count & 7));
    tally->count += accepted;
}

/* `states` has MAP_STATES bytes, `tail` MAP_TAIL_SIZE, of which `tail_n` count. `want`
 * is 1..MAP_PICKS_MAX. The place MAP_POP_NONE of `states` must be ABSENT or DOWN. */
MAP_INLINE void map_select(const struct map_record *record, const __u8 *states, const __u8 *tail,
                           __u32 tail_n, __u32 want, struct map_picks *ret_picks)
{
    __u32 candidates = MAP_RECORD_POPS + tail_n;
    struct map_tally tally = {~0ULL, 0, MAP_TIERS};
    __u64 pops = record->pops;
    __u64 shed_class = record->shed_class;

    for (__u32 i = 0; i < MAP_RECORD_POPS + MAP_MAX_POPS; i++) {
        __u8 pop;
        __u8 state;

        if (i >= candidates) {
            break;
        }
        pop = map_candidate(pops, tail, i);
        state = states[pop];
        if (state >= MAP_STATE_ABSENT) {
            continue; /* most of the tail of a service that runs on a few PoPs */
        }
        map_tally_add(&tally, pop, map_tier_of(state, shed_class), want);
        if (map_less(tally.best, MAP_TIER_TAKES + 1) & map_less(want, tally.count + 1)) {
            break; /* nobody could be better */
        }
    }
    __builtin_memcpy(ret_picks->pop, &tally.picks, sizeof(ret_picks->pop));
    for (__u32 k = 0; k < 6; k++) {
        ret_picks->reserved[k] = 0;
    }
    ret_picks->count = (__u8)tally.count;
    ret_picks->tier = (__u8)tally.best;
}

#endif
