/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What must hold for a fleet, over a few hundred schedules; `bgp-fleet 10000` plays more.
 */
#include "fleet.h"

#include <criterion/criterion.h>

#define SCHEDULES 120

/* Each part on its own process, so that they share the CPUs. */
static void play(uint64_t first)
{
    struct fleet_result sum = {0};

    for (uint64_t seed = first; seed < first + SCHEDULES / 2; seed++) {
        struct fleet_result result;

        fleet_play(seed, NULL, &result);
        cr_expect(result.good, "%s", result.text);
        sum.hard += result.hard;
        sum.soft += result.soft;
        sum.operators += result.operators;
        sum.returns += result.returns;
        sum.refusals += result.refusals;
        sum.damped += result.damped;
        sum.gated += result.gated;
        sum.excused += result.excused;
    }
    /* a simulation in which nothing happens proves nothing */
    cr_expect(sum.hard > 100 && sum.soft > 10 && sum.operators > 10 && sum.returns > 5);
    cr_expect(sum.refusals > 100 && sum.damped > 0 && sum.gated > 10 && sum.excused > 10);
}

Test(fleet, holds_what_it_promises, .timeout = 600)
{
    play(1);
}

Test(fleet, holds_what_it_promises_again, .timeout = 600)
{
    play(1 + SCHEDULES / 2);
}
