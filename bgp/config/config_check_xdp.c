/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of xdp checks.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_xdp.h"

#define PIN "/sys/fs/bpf/isochrone" /* edge's */
#define CLIENT4 "198.18.0.1"        /* for benchmarks (RFC 2544, RFC 5180): of nobody */
#define CLIENT6 "2001:2::1"

static int place_read(const struct yaml_node *node, struct arena *arena,
                      struct probe_xdp_settings *settings, struct failure *failure)
{
    const struct yaml_node *pin = yaml_get(node, "pin"), *name = yaml_get(node, "interface");
    const char *interface;
    int result;

    settings->pin = PIN;
    result = pin ? config_keep_path(arena, pin, &settings->pin, failure) : 0;
    if (result < 0 || !name) {
        return result;
    }
    result = yaml_text(name, &interface, failure);
    if (result == 0 && (!*interface || strlen(interface) >= IF_NAMESIZE)) {
        return yaml_fail(name, -EINVAL, failure, "no name of an interface");
    }
    return result ? result : config_keep_text(arena, interface, &settings->interface, failure);
}

static int client_read(const struct yaml_node *node, const struct config_check *check,
                       struct address *client, struct failure *failure)
{
    int result;

    if (!node) {
        return address_parse(check->family == ADDRESS_IPV4 ? CLIENT4 : CLIENT6, client);
    }
    result = yaml_address(node, client, failure);
    if (result == 0 && client->family != check->family) {
        return yaml_fail(node, -EINVAL, failure, "not of the server's family");
    }
    return result;
}

static int xdp_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                    struct failure *failure)
{
    struct probe_xdp_settings *settings = arena_alloc(arena, sizeof(*settings));
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    result = config_read_server(node, 53, check, failure);
    result = result ? result
                    : config_read_question(node, arena, check, &settings->check, "A",
                                           " in the kernel", failure);
    result = result ? result : place_read(node, arena, settings, failure);
    return result ? result
                  : client_read(yaml_get(node, "client"), check, &settings->client, failure);
}

static const char *const keys[] = {"server",    "name", "qtype",  "ecs", "expect",
                                   "interface", "pin",  "client", NULL};

const struct config_check_type config_check_xdp = {
    .probe = &probe_xdp, .class = CHECK_WATCH, .keys = keys, .read = xdp_read};
