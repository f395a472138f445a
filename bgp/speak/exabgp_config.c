/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The settings are those ExaBGP 4.2 was seen to behave with. `encoder` is mandatory. Without an
 * `api` section a neighbor answers every command with an error. Without a `family` section all
 * families are offered. graceful-restart is left out on purpose: with it a router keeps the route
 * of a dead PoP.
 */
#include "bgp/speak/exabgp_config.h"

#include <errno.h>
#include <string.h>

static bool path_is_plain(const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@~";

    return path[0] == '/' && strspn(path, plain) == strlen(path);
}

static void neighbor_write(FILE *file, const struct config_neighbor *neighbor)
{
    char text[ADDRESS_TEXT_LEN];

    fprintf(file, "\nneighbor %s {\n", address_format(&neighbor->address, text));
    fprintf(file, "    router-id %s;\n", address_format(&neighbor->router_id, text));
    fprintf(file, "    local-address %s;\n", address_format(&neighbor->local_address, text));
    fprintf(file, "    local-as %u;\n", neighbor->local_as);
    fprintf(file, "    peer-as %u;\n", neighbor->peer_as);
    fprintf(file, "    hold-time %u;\n", neighbor->hold_time_s);
    fprintf(file, "    family {\n        %s unicast;\n    }\n",
            neighbor->address.family == ADDRESS_IPV4 ? "ipv4" : "ipv6");
    fprintf(file,
            "    api {\n        processes [ isochrone ];\n        neighbor-changes;\n    }\n}\n");
}

int exabgp_config_write(FILE *file, const struct config *config, const char *program,
                        const char *config_path, struct failure *failure)
{
    if (config->neighbors_n == 0) {
        return failure_set(failure, -EINVAL, "%s: there is no neighbors section to write from",
                           config->path);
    }
    if (!path_is_plain(program) || !path_is_plain(config_path)) {
        return failure_set(failure, -EINVAL, "%s: exabgp.conf cannot hold this path",
                           path_is_plain(program) ? config_path : program);
    }
    fprintf(file,
            "# Written by isochrone-bgp --print-exabgp-config from %s\n"
            "# Needs exabgp.api.ack=true (Debian's /etc/exabgp/exabgp.env has it). Do not add\n"
            "# graceful-restart: routers would keep the route of a dead PoP.\n\n"
            "process isochrone {\n"
            "    run %s --config %s;\n"
            "    encoder json;\n"
            "    respawn true;\n"
            "}\n",
            config_path, program, config_path);
    for (size_t i = 0; i < config->neighbors_n; i++) {
        neighbor_write(file, &config->neighbors[i]);
    }
    return 0;
}
