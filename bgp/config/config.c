/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "bgp/config/config_parts.h"

#define PREFIX_LEN_MIN_IPV4 8 /* a slip of the pen must not announce half the internet */
#define PREFIX_LEN_MIN_IPV6 16
#define NAME_LEN_MAX 64
#define LEASE_DEFAULT_NS (2 * CLOCK_NS_PER_S)
#define LEASE_MIN_NS (500 * CLOCK_NS_PER_MS)
#define LEASE_MAX_NS (60 * CLOCK_NS_PER_S)

int config_check_keys(const struct yaml_node *node, const char *const *known,
                      const char *const *later, struct failure *failure)
{
    for (size_t i = 0; later[i]; i++) {
        const struct yaml_node *item = yaml_get(node, later[i]);

        if (item) {
            return yaml_fail(item, -ENOTSUP, failure, "%s is not supported yet", later[i]);
        }
    }
    return yaml_check_keys(node, known, failure);
}

int config_keep_text(struct arena *arena, const char *text, const char **ret_text,
                     struct failure *failure)
{
    *ret_text = arena_copy(arena, text, strlen(text));
    return *ret_text ? 0 : failure_set(failure, -ENOMEM, "out of memory");
}

int config_keep_path(struct arena *arena, const struct yaml_node *node, const char **ret_path,
                     struct failure *failure)
{
    char *path = NULL;
    int result = yaml_path(node, &path, failure);

    result = result ? result : config_keep_text(arena, path, ret_path, failure);
    free(path);
    return result;
}

int config_keep_socket(struct arena *arena, const struct yaml_node *owner,
                       const struct yaml_node *node, const char **ret_path, struct failure *failure)
{
    struct sockaddr_un address;
    int result;

    if (!node) {
        return yaml_fail(owner, -EINVAL, failure, "control, a server's control socket, is missing");
    }
    result = config_keep_path(arena, node, ret_path, failure);
    if (result == 0 && strlen(*ret_path) >= sizeof(address.sun_path)) {
        return yaml_fail(node, -ENAMETOOLONG, failure, "a socket path is at most %zu bytes",
                         sizeof(address.sun_path) - 1);
    }
    return result;
}

static int checks_read(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    const struct yaml_node *checks = yaml_get(root, "checks");
    int result = 0;

    if (!checks || yaml_kind(checks) != YAML_KIND_MAP || yaml_count(checks) == 0) {
        return yaml_fail(checks ? checks : root, -EINVAL, failure,
                         "checks must be a map of at least one check");
    }
    if (yaml_count(checks) > CONFIG_CHECKS_MAX) {
        return yaml_fail(checks, -ERANGE, failure, "more than %d checks", CONFIG_CHECKS_MAX);
    }
    for (size_t i = 0; result == 0 && i < yaml_count(checks); i++) {
        const struct yaml_node *item = yaml_item(checks, i);

        if (strlen(yaml_key(item)) > NAME_LEN_MAX) {
            return yaml_fail(item, -ERANGE, failure, "the name of a check is at most %d bytes",
                             NAME_LEN_MAX);
        }
        result = config_read_check(item, config->arena, &config->checks[i], failure);
        config->checks_n = i + 1;
    }
    return result;
}

static int prefix_read(const struct yaml_node *vip, const struct config *config,
                       struct prefix *ret_prefix, struct failure *failure)
{
    const struct yaml_node *node = yaml_get(vip, "prefix");
    const char *text;
    int result;

    if (!node) {
        return yaml_fail(vip, -EINVAL, failure, "a VIP needs a prefix");
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && prefix_parse(text, true, ret_prefix) < 0) {
        return yaml_fail(node, -EINVAL, failure, "not an address prefix, or with host bits set");
    }
    if (result == 0 &&
        ret_prefix->len < (ret_prefix->address.family == ADDRESS_IPV4 ? PREFIX_LEN_MIN_IPV4
                                                                      : PREFIX_LEN_MIN_IPV6)) {
        return yaml_fail(node, -ERANGE, failure, "refusing to announce so short a prefix");
    }
    for (size_t i = 0; result == 0 && i < config->vips_n; i++) {
        if (prefix_compare(&config->routes[i].prefix, ret_prefix) == 0) {
            return yaml_fail(node, -EEXIST, failure, "this VIP is listed twice");
        }
    }
    return result;
}

int config_find_check(const struct yaml_node *node, const struct config *config, size_t *ret_index,
                      struct failure *failure)
{
    const char *text;
    const int result = yaml_text(node, &text, failure);

    for (size_t i = 0; result == 0 && i < config->checks_n; i++) {
        if (strcmp(config->checks[i].name, text) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return result ? result : yaml_fail(node, -ENOENT, failure, "there is no check %s", text);
}

static int requires_read(const struct yaml_node *node, const struct config *config,
                         struct config_vip *vip, struct failure *failure)
{
    if (yaml_kind(node) != YAML_KIND_LIST || yaml_count(node) > CONFIG_CHECKS_MAX) {
        return yaml_fail(node, -EINVAL, failure, "requires must be a list of checks");
    }
    for (size_t i = 0; i < yaml_count(node); i++) {
        const int result = config_find_check(yaml_item(node, i), config, &vip->checks[i], failure);

        if (result < 0) {
            return result;
        }
        if (!check_class_governs(config->checks[vip->checks[i]].class)) {
            return yaml_fail(yaml_item(node, i), -EINVAL, failure, "a %s check governs no VIP",
                             check_class_name(config->checks[vip->checks[i]].class));
        }
        for (size_t k = 0; k < i; k++) {
            if (vip->checks[k] == vip->checks[i]) {
                return yaml_fail(yaml_item(node, i), -EEXIST, failure, "named twice");
            }
        }
        vip->checks_n++;
    }
    return 0;
}

/* Without `requires`: every check of its family, and those that have none, if they govern. */
static void governing_default(const struct config *config, const struct prefix *prefix,
                              struct config_vip *vip)
{
    for (size_t i = 0; i < config->checks_n; i++) {
        const struct config_check *check = &config->checks[i];

        if (check_class_governs(check->class) &&
            (check->family == ADDRESS_NONE || (uint8_t)check->family == prefix->address.family)) {
            vip->checks[vip->checks_n++] = i;
        }
    }
}

static int governing_read(const struct yaml_node *node, const struct config *config,
                          const struct prefix *prefix, struct config_vip *vip,
                          struct failure *failure)
{
    const struct yaml_node *requires = yaml_get(node, "requires");
    bool hard = false;
    int result = 0;

    if (requires) {
        result = requires_read(requires, config, vip, failure);
    } else {
        governing_default(config, prefix, vip);
    }
    for (size_t i = 0; i < vip->checks_n; i++) {
        hard = hard || config->checks[vip->checks[i]].class == CHECK_HARD;
    }
    if (result == 0 && !hard) {
        return yaml_fail(requires ? requires : node, -EINVAL, failure,
                         "no hard check governs this VIP: nothing would ever withdraw it");
    }
    return result;
}

static int vip_read(const struct yaml_node *node, const struct route_attributes *defaults,
                    struct config *config, struct failure *failure)
{
    static const char *const known[] = {"prefix", "announce", "requires",
                                        "drain",  "last_pop", NULL};
    static const char *const later[] = {"services", "min_announced", NULL};
    struct route *route = &config->routes[config->vips_n];
    int result;

    if (yaml_kind(node) != YAML_KIND_MAP) {
        return yaml_fail(node, -EINVAL, failure, "a VIP is a map with a prefix");
    }
    result = config_check_keys(node, known, later, failure);
    result = result ? result : prefix_read(node, config, &route->prefix, failure);
    route->attributes = *defaults;
    result = result ? result
                    : config_read_announce(yaml_get(node, "announce"), &route->attributes, failure);
    if (result == 0 && !route->attributes.next_hop_self &&
        route->attributes.next_hop.family != route->prefix.address.family) {
        return yaml_fail(node, -EINVAL, failure, "next_hop is not of the family of this prefix");
    }
    result = result ? result
                    : governing_read(node, config, &route->prefix, &config->vips[config->vips_n],
                                     failure);
    config->vips_n++;
    return result;
}

static int vips_read(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    const struct yaml_node *vips = yaml_get(root, "vips");
    struct route_attributes defaults = {.next_hop_self = true};
    int result = config_read_announce(yaml_get(root, "announce"), &defaults, failure);

    if (result < 0) {
        return result;
    }
    if (!vips || yaml_kind(vips) != YAML_KIND_LIST || yaml_count(vips) == 0) {
        return yaml_fail(vips ? vips : root, -EINVAL, failure,
                         "vips must be a list of at least one VIP");
    }
    if (yaml_count(vips) > CONFIG_VIPS_MAX) {
        return yaml_fail(vips, -ERANGE, failure, "more than %d VIPs", CONFIG_VIPS_MAX);
    }
    for (size_t i = 0; result == 0 && i < yaml_count(vips); i++) {
        result = vip_read(yaml_item(vips, i), &defaults, config, failure);
    }
    return result;
}

static bool neighbor_carries(const struct config *config, uint8_t family)
{
    for (size_t i = 0; i < config->neighbors_n; i++) {
        if (config->neighbors[i].address.family == family) {
            return true;
        }
    }
    return false;
}

static int neighbors_read(const struct yaml_node *root, struct config *config,
                          struct failure *failure)
{
    const struct yaml_node *neighbors = yaml_get(root, "neighbors");
    const struct yaml_node *vips = yaml_get(root, "vips");
    int result = 0;

    if (!neighbors) {
        return 0;
    }
    if (yaml_kind(neighbors) != YAML_KIND_LIST || yaml_count(neighbors) == 0 ||
        yaml_count(neighbors) > CONFIG_NEIGHBORS_MAX) {
        return yaml_fail(neighbors, -EINVAL, failure, "neighbors must be a list of 1 to %d",
                         CONFIG_NEIGHBORS_MAX);
    }
    for (size_t i = 0; result == 0 && i < yaml_count(neighbors); i++) {
        result = config_read_neighbor(yaml_item(neighbors, i), &config->neighbors[i], failure);
        config->neighbors_n = i + 1;
    }
    /* Each session carries its own family. ExaBGP says "done" to a route no session carries, and
     * sends nothing. */
    for (size_t i = 0; result == 0 && i < config->vips_n; i++) {
        if (!neighbor_carries(config, config->routes[i].prefix.address.family)) {
            return yaml_fail(yaml_item(vips, i), -EINVAL, failure,
                             "no neighbor of its family: it would be announced to nobody");
        }
    }
    return result;
}

/* A probe to a VIP that this host should have must not leave the host, or another PoP answers it.
 */
static void servers_mark(struct config *config)
{
    for (size_t i = 0; i < config->checks_n; i++) {
        for (size_t k = 0; k < config->vips_n; k++) {
            if (config->routes[k].attributes.next_hop_self &&
                prefix_contains(&config->routes[k].prefix, &config->checks[i].server.address)) {
                config->checks[i].server_is_vip = true;
            }
        }
    }
}

/* Longer than any turn of a healthy brain, shorter than what an operator would wait. */
static int lease_read(const struct yaml_node *node, struct config *config, struct failure *failure)
{
    config->lease_ns = LEASE_DEFAULT_NS;
    return node ? yaml_duration_ns(node, LEASE_MIN_NS, LEASE_MAX_NS, &config->lease_ns, failure)
                : 0;
}

static int root_read(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    static const char *const known[] = {
        "vips",     "announce",      "checks",  "neighbors",        "control",
        "drain",    "restart_grace", "startup", "soft_withdraw",    "last_pop",
        "damping",  "local_as",      "lease",   "graceful_restart", "closed_loop",
        "instance", "state_dir",     "journal", "metrics",          "services",
        NULL};
    static const char *const later[] = {"guard", "peers", NULL};
    int result = config_check_keys(root, known, later, failure);

    result = result ? result : checks_read(root, config, failure);
    result = result ? result : vips_read(root, config, failure);
    result = result ? result : neighbors_read(root, config, failure);
    result = result ? result : config_read_policy(root, config, failure);
    result = result ? result : config_read_operate(root, config, failure);
    result = result ? result : config_read_exabgp(root, config, failure);
    result = result ? result : lease_read(yaml_get(root, "lease"), config, failure);
    if (result == 0) {
        servers_mark(config);
    }
    return result;
}

static int document_read(const struct yaml_document *document, const char *path,
                         struct config **ret_config, struct failure *failure)
{
    struct config *config = calloc(1, sizeof(*config));
    int result;

    if (!config || !(config->arena = arena_new())) {
        free(config);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    result = config_keep_text(config->arena, path, &config->path, failure);
    result = result ? result : root_read(yaml_root(document), config, failure);
    if (result < 0) {
        config_free(config);
        return result;
    }
    *ret_config = config;
    return 0;
}

int config_load_file(const char *path, struct config **ret_config, struct failure *failure)
{
    struct yaml_document *document;
    int result = yaml_load_file(path, &document, failure);

    if (result == 0) {
        result = document_read(document, path, ret_config, failure);
        yaml_unload(document);
    }
    return result;
}

int config_load_bytes(const char *name, const uint8_t *bytes, size_t len,
                      struct config **ret_config, struct failure *failure)
{
    struct yaml_document *document;
    int result = yaml_load_bytes(name, bytes, len, &document, failure);

    if (result == 0) {
        result = document_read(document, name, ret_config, failure);
        yaml_unload(document);
    }
    return result;
}

void config_free(struct config *config)
{
    if (config) {
        arena_free(config->arena);
        free(config);
    }
}
