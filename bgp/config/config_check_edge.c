/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of checks that ask isochrone-edge about itself: edge, traffic.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_edge.h"
#include "bgp/probe/probe_traffic.h"

#define AGE_MAX_NS (INT64_C(3650) * 86400 * CLOCK_NS_PER_S)
#define ZONES_MAX UINT32_MAX
#define AT_LEAST 100 /* more than the checks of this host cause themselves */
#define AT_LEAST_MAX UINT32_MAX

/* --- edge --- */

static int age_read(const struct yaml_node *node, const char *key, int64_t min_ns, int64_t *age_s,
                    struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, key);
    int64_t age_ns = 0;
    int result;

    if (!item) {
        return yaml_fail(node, -EINVAL, failure, "map_age needs stale and expired");
    }
    result = yaml_duration_ns(item, min_ns, AGE_MAX_NS, &age_ns, failure);
    *age_s = age_ns / CLOCK_NS_PER_S;
    return result;
}

static int map_age_read(const struct yaml_node *node, struct probe_edge_settings *settings,
                        struct failure *failure)
{
    static const char *const keys[] = {"stale", "expired", NULL};
    int result;

    if (!node || yaml_is_off(node)) {
        return 0;
    }
    result = yaml_check_keys(node, keys, failure);
    result = result ? result : age_read(node, "stale", CLOCK_NS_PER_S, &settings->stale_s, failure);
    return result ? result
                  : age_read(node, "expired", settings->stale_s * CLOCK_NS_PER_S,
                             &settings->expired_s, failure);
}

static int edge_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                     struct failure *failure)
{
    struct probe_edge_settings *settings = arena_alloc(arena, sizeof(*settings));
    const struct yaml_node *failed = yaml_get(node, "failed_zones");
    uint64_t failed_zones = 0;
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    result =
        config_keep_socket(arena, node, yaml_get(node, "control"), &settings->control, failure);
    result = result ? result : map_age_read(yaml_get(node, "map_age"), settings, failure);
    if (result == 0 && failed) {
        result = yaml_u64(failed, 0, ZONES_MAX, &failed_zones, failure);
    }
    settings->failed_zones = (int64_t)failed_zones;
    return result ? result
                  : config_set_subject(arena, check, failure, "health of %s", settings->control);
}

static const char *const edge_keys[] = {"control", "map_age", "failed_zones", NULL};

const struct config_check_type config_check_edge = {
    .probe = &probe_edge, .class = CHECK_SOFT, .keys = edge_keys, .read = edge_read};

/* --- traffic --- */

/* One of two words: 0 or 1. Untouched when there is no node. */
static int either_read(const struct yaml_node *node, const char *first, const char *second,
                       int *ret_which, struct failure *failure)
{
    const char *text;
    int result;

    if (!node) {
        return 0;
    }
    result = yaml_text(node, &text, failure);
    if (result < 0) {
        return result;
    }
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0) {
        return yaml_fail(node, -EINVAL, failure, "'%s' is neither %s nor %s", text, first, second);
    }
    *ret_which = strcmp(text, second) == 0;
    return 0;
}

static int traffic_read(const struct yaml_node *node, struct arena *arena,
                        struct config_check *check, struct failure *failure)
{
    struct probe_traffic_settings *settings = arena_alloc(arena, sizeof(*settings));
    const struct yaml_node *at_least = yaml_get(node, "at_least");
    int family = 2, transport = 2, result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    settings->at_least = AT_LEAST;
    result =
        config_keep_socket(arena, node, yaml_get(node, "control"), &settings->control, failure);
    result =
        result ? result : either_read(yaml_get(node, "family"), "ipv4", "ipv6", &family, failure);
    result = result ? result
                    : either_read(yaml_get(node, "transport"), "udp", "tcp", &transport, failure);
    if (result == 0 && at_least) {
        result = yaml_u64(at_least, 1, AT_LEAST_MAX, &settings->at_least, failure);
    }
    if (result < 0) {
        return result;
    }
    for (int i = 0; i < EDGE_TRANSPORTS; i++) { /* udp4, udp6, tcp4, tcp6 */
        settings->counts[i] = family != 1 - i % 2 && transport != 1 - i / 2;
    }
    check->family = family == 0 ? ADDRESS_IPV4 : family == 1 ? ADDRESS_IPV6 : ADDRESS_NONE;
    return config_set_subject(arena, check, failure, "answers of %s", settings->control);
}

static const char *const traffic_keys[] = {"control", "family", "transport", "at_least", NULL};

const struct config_check_type config_check_traffic = {
    .probe = &probe_traffic, .class = CHECK_WATCH, .keys = traffic_keys, .read = traffic_read};
