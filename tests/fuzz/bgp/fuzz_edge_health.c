/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as what an edge says of itself: values or a reason, and either means something to the
 * checks that ask for it. The first two bytes choose what the checks want.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bgp/probe/probe_edge.h"
#include "bgp/probe/probe_traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct probe_edge_settings edge = {0};
    struct probe_traffic_settings traffic = {.counts = {true, true, true, true}, .at_least = 1};
    struct probe_traffic_look look = {.valid = true, .total = 1000};
    struct edge_health health;
    struct probe_outcome outcome = {0};

    if (len < 2) {
        return 0;
    }
    edge.stale_s = bytes[0];
    edge.expired_s = 2 * edge.stale_s;
    edge.failed_zones = bytes[1];
    if (edge_health_parse((const char *)bytes + 2, len - 2, &health, &outcome)) {
        must(outcome.observation == HEALTH_UNKNOWN && outcome.evidence[0]);
        return 0;
    }
    probe_edge_judge(&edge, &health, 1700000000, &outcome);
    must(outcome.observation != HEALTH_UNKNOWN && outcome.evidence[0]);
    must((outcome.cause == PROBE_CAUSE_NONE) == (outcome.observation == HEALTH_PASS));
    probe_traffic_judge(&traffic, &health, 0, &look, &outcome);
    must(outcome.observation != HEALTH_FAIL && outcome.evidence[0]);
    return 0;
}
