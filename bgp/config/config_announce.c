/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a VIP is announced and to whom.
 */
#include "bgp/config/config_parts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"

#define LOOP_WAIT_NS (5 * CLOCK_NS_PER_S)
#define LOOP_INTERVAL_NS (10 * CLOCK_NS_PER_S)
#define LOOP_INTERVAL_MIN_NS (100 * CLOCK_NS_PER_MS)
#define LOOP_MAX_NS (3600 * CLOCK_NS_PER_S)

/* Numbers joined by ':', exactly `count` of them, each at most `max`. */
static bool numbers_parse(const char *text, size_t count, uint64_t max, uint64_t ret_numbers[])
{
    for (size_t i = 0; i < count; i++) {
        const char *end = i + 1 < count ? strchr(text, ':') : text + strlen(text);

        if (!end || number_parse_u64(text, (size_t)(end - text), 0, max, &ret_numbers[i]) < 0) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

static int list_check(const struct yaml_node *node, size_t max, const char *what,
                      struct failure *failure)
{
    if (yaml_kind(node) != YAML_KIND_LIST) {
        return yaml_fail(node, -EINVAL, failure, "%s must be a list", what);
    }
    if (yaml_count(node) > max) {
        return yaml_fail(node, -ERANGE, failure, "more than %zu %s", max, what);
    }
    return 0;
}

static int communities_read(const struct yaml_node *node, struct route_attributes *attributes,
                            struct failure *failure)
{
    int result = list_check(node, ROUTE_COMMUNITIES_MAX, "communities", failure);

    attributes->communities_n = 0;
    for (size_t i = 0; result == 0 && i < yaml_count(node); i++) {
        const char *text;
        uint64_t numbers[2];

        result = yaml_text(yaml_item(node, i), &text, failure);
        if (result == 0 && !numbers_parse(text, 2, UINT16_MAX, numbers)) {
            return yaml_fail(yaml_item(node, i), -EINVAL, failure,
                             "a community is HIGH:LOW, each 0 to 65535 (RFC 1997)");
        }
        if (result == 0) {
            attributes->communities[attributes->communities_n++] =
                (struct route_community){(uint16_t)numbers[0], (uint16_t)numbers[1]};
        }
    }
    return result;
}

static int large_community_read(const struct yaml_node *node, struct route_large_community *large,
                                struct failure *failure)
{
    const char *text;
    uint64_t numbers[3];
    const int result = yaml_text(node, &text, failure);

    if (result < 0) {
        return result;
    }
    if (!numbers_parse(text, 3, UINT32_MAX, numbers)) {
        return yaml_fail(node, -EINVAL, failure,
                         "a large community is GLOBAL:LOCAL:LOCAL (RFC 8092)");
    }
    *large = (struct route_large_community){(uint32_t)numbers[0], (uint32_t)numbers[1],
                                            (uint32_t)numbers[2]};
    return 0;
}

static int large_communities_read(const struct yaml_node *node, struct route_attributes *attributes,
                                  struct failure *failure)
{
    int result = list_check(node, ROUTE_COMMUNITIES_MAX, "large_communities", failure);

    attributes->large_communities_n = 0;
    for (size_t i = 0; result == 0 && i < yaml_count(node); i++) {
        result =
            large_community_read(yaml_item(node, i), &attributes->large_communities[i], failure);
        attributes->large_communities_n = i + 1;
    }
    return result;
}

static int as_path_read(const struct yaml_node *node, struct route_attributes *attributes,
                        struct failure *failure)
{
    int result = list_check(node, ROUTE_AS_PATH_MAX, "AS numbers in as_path", failure);

    attributes->as_path_n = 0;
    for (size_t i = 0; result == 0 && i < yaml_count(node); i++) {
        uint64_t number;

        result = yaml_u64(yaml_item(node, i), 1, UINT32_MAX, &number, failure);
        if (result == 0) {
            attributes->as_path[attributes->as_path_n++] = (uint32_t)number;
        }
    }
    return result;
}

static int next_hop_read(const struct yaml_node *node, struct route_attributes *attributes,
                         struct failure *failure)
{
    const char *text;
    const int result = yaml_text(node, &text, failure);

    if (result < 0) {
        return result;
    }
    attributes->next_hop_self = strcmp(text, "self") == 0;
    return attributes->next_hop_self ? 0 : yaml_address(node, &attributes->next_hop, failure);
}

int config_read_announce(const struct yaml_node *node, struct route_attributes *attributes,
                         struct failure *failure)
{
    static const char *const known[] = {"next_hop",          "med",     "communities",
                                        "large_communities", "as_path", NULL};
    static const char *const later[] = {"prepend", NULL};
    const struct yaml_node *item;
    uint64_t med;
    int result;

    if (!node) {
        return 0;
    }
    result = config_check_keys(node, known, later, failure);
    if (result == 0 && (item = yaml_get(node, "next_hop"))) {
        result = next_hop_read(item, attributes, failure);
    }
    if (result == 0 && (item = yaml_get(node, "med"))) {
        result = yaml_u64(item, 0, UINT32_MAX, &med, failure);
        if (result == 0) {
            attributes->has_med = true;
            attributes->med = (uint32_t)med;
        }
    }
    if (result == 0 && (item = yaml_get(node, "communities"))) {
        result = communities_read(item, attributes, failure);
    }
    if (result == 0 && (item = yaml_get(node, "large_communities"))) {
        result = large_communities_read(item, attributes, failure);
    }
    if (result == 0 && (item = yaml_get(node, "as_path"))) {
        result = as_path_read(item, attributes, failure);
    }
    return result;
}

static int required_u32(const struct yaml_node *node, const char *key, uint64_t min,
                        uint32_t *ret_value, struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, key);
    uint64_t value;
    int result;

    if (!item) {
        return yaml_fail(node, -EINVAL, failure, "a neighbor needs %s", key);
    }
    result = yaml_u64(item, min, UINT32_MAX, &value, failure);
    if (result == 0) {
        *ret_value = (uint32_t)value;
    }
    return result;
}

static int required_address(const struct yaml_node *node, const char *key,
                            struct address *ret_address, struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, key);

    return item ? yaml_address(item, ret_address, failure)
                : yaml_fail(node, -EINVAL, failure, "a neighbor needs %s", key);
}

/* BGP identifiers are 32 bits (RFC 6286): an IPv6 session has to name one. */
static int router_id_read(const struct yaml_node *node, struct config_neighbor *neighbor,
                          struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, "router_id");
    int result = 0;

    neighbor->router_id = neighbor->local_address;
    if (item) {
        result = yaml_address(item, &neighbor->router_id, failure);
    }
    if (result == 0 && neighbor->router_id.family != ADDRESS_IPV4) {
        return yaml_fail(item ? item : node, -EINVAL, failure,
                         "router_id must be given in the form of an IPv4 address");
    }
    return result;
}

static int hold_time_read(const struct yaml_node *node, struct config_neighbor *neighbor,
                          struct failure *failure)
{
    uint64_t seconds = 9;
    int result = 0;

    if (node) {
        result = yaml_u64(node, 0, UINT16_MAX, &seconds, failure);
    }
    if (result == 0 && (seconds == 1 || seconds == 2)) { /* RFC 4271 section 4.2 */
        return yaml_fail(node, -ERANGE, failure, "hold_time is 0 or at least 3 seconds");
    }
    neighbor->hold_time_s = (uint32_t)seconds;
    return result;
}

int config_read_neighbor(const struct yaml_node *node, struct config_neighbor *ret_neighbor,
                         struct failure *failure)
{
    static const char *const known[] = {"address",   "local_address", "local_as", "peer_as",
                                        "router_id", "hold_time",     NULL};
    static const char *const later[] = {"md5", "password", "families", "bfd", NULL};
    int result = config_check_keys(node, known, later, failure);

    *ret_neighbor = (struct config_neighbor){0};
    result = result ? result : required_address(node, "address", &ret_neighbor->address, failure);
    result = result
                 ? result
                 : required_address(node, "local_address", &ret_neighbor->local_address, failure);
    result = result ? result : required_u32(node, "local_as", 1, &ret_neighbor->local_as, failure);
    result = result ? result : required_u32(node, "peer_as", 1, &ret_neighbor->peer_as, failure);
    if (result == 0 && ret_neighbor->address.family != ret_neighbor->local_address.family) {
        result = yaml_fail(yaml_get(node, "local_address"), -EINVAL, failure,
                           "local_address must be of the family of address");
    }
    result = result ? result : router_id_read(node, ret_neighbor, failure);
    return result ? result : hold_time_read(yaml_get(node, "hold_time"), ret_neighbor, failure);
}

static int graceful_restart_read(const struct yaml_node *node, struct exabgp_options *options,
                                 struct failure *failure)
{
    const char *text;
    int result;

    if (!node) {
        return 0;
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && strcmp(text, "allow") != 0 && strcmp(text, "refuse") != 0) {
        return yaml_fail(node, -EINVAL, failure, "graceful_restart is refuse or allow");
    }
    options->graceful_restart = result == 0 && strcmp(text, "allow") == 0;
    return result;
}

static int closed_loop_read(const struct yaml_node *node, struct exabgp_options *options,
                            struct failure *failure)
{
    static const char *const known[] = {"peers", "wait", "interval", NULL};
    static const char *const later[] = {"birdc", NULL};
    const struct yaml_node *peers = yaml_get(node, "peers"), *item;
    int result;

    options->loop_wait_ns = LOOP_WAIT_NS;
    options->loop_interval_ns = LOOP_INTERVAL_NS;
    if (!node || yaml_is_off(node)) {
        return 0;
    }
    result = config_check_keys(node, known, later, failure);
    if (result == 0 && !peers) {
        result = yaml_fail(node, -EINVAL, failure,
                           "a closed loop needs peers: the neighbors that send our routes back");
    }
    result = result ? result : list_check(peers, EXABGP_LOOP_PEERS_MAX, "peers", failure);
    for (size_t i = 0; result == 0 && i < yaml_count(peers); i++) {
        result = yaml_address(yaml_item(peers, i), &options->loop_peers[i], failure);
        options->loop_peers_n = i + 1;
    }
    if (result == 0 && (item = yaml_get(node, "wait"))) {
        result =
            yaml_duration_ns(item, CLOCK_NS_PER_MS, LOOP_MAX_NS, &options->loop_wait_ns, failure);
    }
    if (result == 0 && (item = yaml_get(node, "interval"))) {
        result = yaml_duration_ns(item, LOOP_INTERVAL_MIN_NS, LOOP_MAX_NS,
                                  &options->loop_interval_ns, failure);
    }
    return result;
}

static int instance_read(const struct yaml_node *node, struct config *config,
                         struct failure *failure)
{
    int result;

    if (!node) {
        return 0;
    }
    result = large_community_read(node, &config->exabgp.instance, failure);
    config->exabgp.has_instance = result == 0;
    for (size_t i = 0; result == 0 && i < config->vips_n; i++) {
        struct route_attributes *attributes = &config->routes[i].attributes;

        if (attributes->large_communities_n == ROUTE_COMMUNITIES_MAX) {
            return yaml_fail(node, -ERANGE, failure, "a VIP has %d large communities already",
                             ROUTE_COMMUNITIES_MAX);
        }
        attributes->large_communities[attributes->large_communities_n++] = config->exabgp.instance;
    }
    return result;
}

int config_read_exabgp(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    int result =
        graceful_restart_read(yaml_get(root, "graceful_restart"), &config->exabgp, failure);

    result =
        result ? result : closed_loop_read(yaml_get(root, "closed_loop"), &config->exabgp, failure);
    return result ? result : instance_read(yaml_get(root, "instance"), config, failure);
}
