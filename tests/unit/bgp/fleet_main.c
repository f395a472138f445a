/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plays schedules of faults through a simulated fleet (fleet.h), as many as one likes.
 *
 * Usage: bgp-fleet [SCHEDULES [FIRST-SEED]]      10000 and 1 unless said; a single one is traced
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "fleet.h"

struct total {
    struct fleet_result sum;
    uint64_t schedules, strict, failures, pops;
};

static void total_add(struct total *total, const struct fleet_result *result)
{
    struct fleet_result *sum = &total->sum;

    total->schedules++;
    total->strict += result->strict;
    total->pops += result->pops_n;
    sum->virtual_ns += result->virtual_ns;
    sum->observations += result->observations;
    sum->decisions += result->decisions;
    sum->hard += result->hard;
    sum->soft += result->soft;
    sum->operators += result->operators;
    sum->returns += result->returns;
    sum->refusals += result->refusals;
    sum->damped += result->damped;
    sum->gated += result->gated;
    sum->excused += result->excused;
    sum->zeros += result->zeros;
    sum->zero_able_ns =
        result->zero_able_ns > sum->zero_able_ns ? result->zero_able_ns : sum->zero_able_ns;
    if (!result->good) {
        total->failures++;
        printf("FAILED %s\n", result->text);
    }
}

static void total_print(const struct total *total, double elapsed_s)
{
    const struct fleet_result *sum = &total->sum;

    printf("%" PRIu64 " schedules (%" PRIu64 " without anything HARD), %" PRIu64
           " PoPs, %.0f h of virtual time, %" PRIu64 " observations, %" PRIu64 " decisions\n",
           total->schedules, total->strict, total->pops, (double)sum->virtual_ns / 3.6e12,
           sum->observations, sum->decisions);
    printf("withdrawals: %" PRIu64 " HARD, %" PRIu64 " SOFT (%" PRIu64 " refused), %" PRIu64
           " by operators; %" PRIu64 " came back for others; deaths excused %" PRIu64
           ", announcements damped %" PRIu64 ", gated %" PRIu64 "\n",
           sum->hard, sum->soft, sum->refusals, sum->operators, sum->returns, sum->excused,
           sum->damped, sum->gated);
    printf("without any route %" PRIu64 " times, all by HARD losses; with somebody able to have "
           "one at most %.2f s\n",
           sum->zeros, (double)sum->zero_able_ns / (double)CLOCK_NS_PER_S);
    printf("%.1f s, %.1f schedules/s: %" PRIu64 " failed\n", elapsed_s,
           (double)total->schedules / elapsed_s, total->failures);
}

int main(int argc, char **argv)
{
    const int64_t start_ns = clock_monotonic_ns();
    struct total total = {0};
    uint64_t count = 10000, first = 1;

    if (argc > 3 ||
        (argc > 1 && number_parse_u64(argv[1], strlen(argv[1]), 1, UINT32_MAX, &count) < 0) ||
        (argc > 2 && number_parse_u64(argv[2], strlen(argv[2]), 0, INT64_MAX, &first) < 0)) {
        fputs("Usage: bgp-fleet [SCHEDULES [FIRST-SEED]]\n", stderr);
        return 2;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct fleet_result result;

        fleet_play(first + i, count == 1 ? stdout : NULL, &result);
        total_add(&total, &result);
    }
    total_print(&total, (double)(clock_monotonic_ns() - start_ns) / (double)CLOCK_NS_PER_S);
    return total.failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
