/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A fleet of simulated PoPs that play one random schedule of faults through the real health and
 * policy code, in virtual time, and what must hold whatever happens:
 *
 *   - a HARD failure is withdrawn within the time that follows from the configuration, however the
 *     PoP is damped, gated, vouched for or ordered about; and nothing else is ever taken for one
 *   - SOFT withdrawals never exceed the quota, whoever gives it, and there are none without
 *   - there are never zero routes unless HARD failures took them: without such in the schedule, not
 *     for a moment; with them, only as long as it takes the others to notice and come back
 *   - nothing is announced unproven, gated, or damped while others stay
 *
 * What a schedule may hold: death, hanging, wrong answers, restarts, hosts that go, SOFT failures,
 * overload, peers out of reach, probers without descriptors, upgrades, a lost lease service,
 * operators, announcements whose acknowledgements get lost; each of one PoP, of some or of all, at
 * the same moment or nearly.
 */
#ifndef TEST_FLEET_H
#define TEST_FLEET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fleet_result {
    bool good;
    char text[512]; /* what did not hold, and where */
    uint32_t pops_n;
    bool strict; /* nothing in the schedule may take a route by itself: zero routes never */
    int64_t virtual_ns;
    uint64_t observations, decisions;
    uint64_t hard, soft, operators;  /* withdrawals by who decided them */
    uint64_t returns;                /* of what had left, because too few others stayed */
    uint64_t refusals;               /* of SOFT withdrawals */
    uint64_t damped, gated, excused; /* announcements held back; deaths that were restarts */
    uint64_t zeros;                  /* times without any route */
    int64_t zero_able_ns;            /* the longest of them with a PoP that could have announced */
};

/* Plays the schedule of this seed. `trace` gets a line per event and transition; NULL: nobody. */
void fleet_play(uint64_t seed, FILE *trace, struct fleet_result *ret_result);

#endif
