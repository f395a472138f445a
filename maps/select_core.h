/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * From a ranking and PoP states to the PoPs whose addresses are answered. Pure: no time, no randomness.
 *
 * Candidates are the record's PoPs, then the map's tail. Each falls into a tier: 0 takes this block, 1 sheds it,
 * 2 drains; a PoP that is down or has no address of the family is no candidate. The best tier that has anybody
 * answers, in ranking order. So nobody is left only if every PoP is down or without address: a property of (service,
 * family, states), never of the client.
 */
#ifndef MAPS_SELECT_CORE_H
#define MAPS_SELECT_CORE_H

#include <linux/types.h>

#include "image_abi.h"
#include "region_core.h"

/* One byte per PoP in the table of a (service, family): 0..100 shed percent (0 = up), or one of these. */
#define MAP_STATE_SHED_MAX 100u
#define MAP_STATE_DRAIN 128u
#define MAP_STATE_ABSENT 254u /* no address of this family, or not a PoP of this service */
#define MAP_STATE_DOWN 255u

#define MAP_STATES 256u    /* bytes in a table, by PoP id */
#define MAP_PICKS_MAX 8u   /* PoPs per answer at most */

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

MAP_INLINE __u32 map_tier_of(__u8 state, __u8 shed_class)
{
    if (state <= MAP_STATE_SHED_MAX) {
        return shed_class >= state ? MAP_TIER_TAKES : MAP_TIER_SHEDS;
    }
    return state == MAP_STATE_DRAIN ? MAP_TIER_DRAINS : MAP_TIERS;
}

/* Candidate number `i`: the record's eight places, then the tail. MAP_POP_NONE where a place is empty. */
MAP_INLINE __u8 map_candidate(__u64 pops, const __u8 *tail, __u32 i)
{
    if (i < MAP_RECORD_POPS) {
        return (__u8)(pops >> (8 * i));
    }
    return tail[(i - MAP_RECORD_POPS) & (MAP_TAIL_SIZE - 1)];
}

/* `states` has MAP_STATES bytes, `tail` MAP_TAIL_SIZE, of which `tail_n` count. `want` is 1..MAP_PICKS_MAX. The place
 * MAP_POP_NONE of `states` must be ABSENT or DOWN. */
MAP_INLINE void map_select(const struct map_record *record, const __u8 *states, const __u8 *tail,
                           __u32 tail_n, __u32 want, struct map_picks *ret_picks)
{
    __u32 candidates = MAP_RECORD_POPS + (tail_n < MAP_MAX_POPS ? tail_n : MAP_MAX_POPS);
    __u64 pops = record->pops;
    __u32 best = MAP_TIERS;
    __u32 count = 0;

    for (int i = 0; i < 8; i++) {
        ret_picks->pop[i] = MAP_POP_NONE;
    }
    for (int i = 0; i < 6; i++) {
        ret_picks->reserved[i] = 0;
    }
    for (__u32 i = 0; i < MAP_RECORD_POPS + MAP_MAX_POPS; i++) {
        __u8 pop;
        __u32 tier;
        __u32 seen = 0;

        if (i >= candidates) {
            break;
        }
        pop = map_candidate(pops, tail, i);
        tier = map_tier_of(states[pop], record->shed_class);
        if (tier >= MAP_TIERS || tier > best) {
            continue;
        }
        if (tier < best) { /* somebody better: what the lesser tier gave is dropped */
            best = tier;
            count = 0;
        }
        for (__u32 k = 0; k < MAP_PICKS_MAX; k++) {
            seen |= (k < count) & (ret_picks->pop[k] == pop);
        }
        if (seen || count >= want) {
            continue;
        }
        ret_picks->pop[count & (MAP_PICKS_MAX - 1)] = pop;
        count++;
        if (best == MAP_TIER_TAKES && count == want) {
            break;
        }
    }
    for (__u32 k = 0; k < MAP_PICKS_MAX; k++) {
        if (k >= count) {
            ret_picks->pop[k] = MAP_POP_NONE;
        }
    }
    ret_picks->count = (__u8)count;
    ret_picks->tier = (__u8)best;
}

#endif
