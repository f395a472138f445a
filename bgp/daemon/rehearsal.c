/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/rehearsal.h"

#include <string.h>

void rehearsal_init(struct rehearsal *rehearsal, const struct config *config)
{
    memset(rehearsal, 0, sizeof(*rehearsal));
    rehearsal->status.aligned = true;
    rehearsal->status.routes_n = config->vips_n;
}

void rehearsal_read(struct rehearsal *rehearsal, size_t vip, bool found, int64_t now_ns)
{
    struct exabgp_route_status *route = &rehearsal->status.routes[vip];

    route->read = true;
    route->current = false; /* with whatever attributes */
    route->holders_n = found;
    route->known = found ? EXABGP_KNOWN_FOUND : EXABGP_KNOWN_WITHDRAWN;
    route->known_ns = now_ns;
}

static void route_change(struct rehearsal *rehearsal, size_t vip, const struct route *route,
                         enum route_wish wish, rehearsal_tell *tell, void *context, int64_t now_ns)
{
    struct exabgp_route_status *status = &rehearsal->status.routes[vip];
    const bool announce = wish == ROUTE_ANNOUNCE;
    char command[ROUTE_COMMAND_LEN];

    if (announce) {
        route_announce_command(route, command);
        rehearsal->announced[vip] = route->attributes;
    } else {
        route_withdraw_command(route, command);
    }
    status->current = announce;
    status->holders_n = announce;
    status->known = announce ? EXABGP_KNOWN_ANNOUNCED : EXABGP_KNOWN_WITHDRAWN;
    status->known_ns = now_ns;
    rehearsal->status.counters.commands++;
    if (tell) {
        tell(context, command);
    }
}

void rehearsal_run(struct rehearsal *rehearsal, struct announcer *announcer, rehearsal_tell *tell,
                   void *context, int64_t now_ns)
{
    const struct config *config = announcer_config(announcer);

    for (size_t i = 0; i < config->vips_n; i++) {
        struct exabgp_route_status *status = &rehearsal->status.routes[i];
        const struct want *want = announcer_want(announcer, i);
        const struct route route = {config->routes[i].prefix, want->attributes};

        status->wish = want->wish;
        if (!status->read || want->wish == ROUTE_HOLD) {
            continue;
        }
        if (want->wish == ROUTE_ANNOUNCE
                ? !status->current ||
                      !route_attributes_equal(&rehearsal->announced[i], &want->attributes)
                : status->known != EXABGP_KNOWN_WITHDRAWN) {
            route_change(rehearsal, i, &route, want->wish, tell, context, now_ns);
        }
    }
    announcer_hear(announcer, &rehearsal->status, now_ns);
}
