/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a message of the link. What is taken says the same when it is put in again, and
 * probes can be made of a plan.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/link/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint8_t again[LINK_MESSAGE_MAX];

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void plan_look(const uint8_t *bytes, size_t len)
{
    static struct link_plan plan;
    uint8_t query[DNS_CHECK_QUERY_LEN];

    if (link_decode_plan(bytes, len, &plan) < 0) {
        return;
    }
    must(link_encode_plan(&plan, again) == len && memcmp(bytes, again, len) == 0);
    must(plan.vips_n <= SPEAKER_ROUTES_MAX && strlen(plan.lock) < LINK_PATH_MAX);
    for (size_t i = 0; i < plan.vips_n; i++) {
        if (plan.vips[i].watched) {
            (void)dns_check_query(&plan.vips[i].sentry.check, 1, query);
        }
    }
}

static void wants_look(const uint8_t *bytes, size_t len)
{
    static struct link_wants wants;
    struct route route = {0};
    char line[ROUTE_COMMAND_LEN];

    if (link_decode_wants(bytes, len, &wants) < 0) {
        return;
    }
    must(link_encode_wants(&wants, again) == len && memcmp(bytes, again, len) == 0);
    for (size_t i = 0; i < wants.wants_n; i++) {
        if (wants.wants[i].wish == ROUTE_ANNOUNCE) {
            must(prefix_parse("192.0.2.53/32", true, &route.prefix) == 0);
            route.attributes = wants.wants[i].attributes;
            must(route_announce_command(&route, line) < sizeof(line));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct speaker_status status;
    char text[LINK_TEXT_MAX];
    enum link_kind kind;

    if (len > LINK_MESSAGE_MAX || link_kind(bytes, len, &kind) < 0) {
        return 0;
    }
    switch (kind) {
    case LINK_PLAN:
        plan_look(bytes, len);
        return 0;
    case LINK_WANTS:
        wants_look(bytes, len);
        return 0;
    case LINK_STATUS:
        if (link_decode_status(bytes, len, &status) == 0) {
            must(link_encode_status(&status, again) == len && memcmp(bytes, again, len) == 0);
        }
        return 0;
    case LINK_FAILED:
        if (link_decode_failed(bytes, len, text) == 0) {
            must(strlen(text) < sizeof(text));
        }
        return 0;
    case LINK_RELOAD:
        return 0;
    }
    return 0;
}
