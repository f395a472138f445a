/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bgp/probe/probe_dns.h"

/* The first hard dns check of a VIP is the one to go on with when there is no brain. */
static bool sentry_make(const struct config *config, size_t vip, struct link_sentry *sentry)
{
    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        const struct config_check *check = &config->checks[config->vips[vip].checks[i]];

        if (check->class == CHECK_HARD && check->type == &probe_dns) {
            const struct probe_dns_settings *settings = check->settings;

            *sentry = (struct link_sentry){
                .server = check->server,
                .server_is_vip = check->server_is_vip,
                .interval_ns = check->interval_ns,
                .retry_ns = check->retry_ns,
                .timeout_ns = check->timeout_ns,
                .fall = check->limits.fall,
                .tries = settings->tries ? settings->tries : 1,
                .tcp = settings->tcp,
                .check = settings->check,
            };
            return true;
        }
    }
    return false;
}

int plan_make(const struct config *config, struct link_plan *ret_plan, struct failure *failure)
{
    memset(ret_plan, 0, sizeof(*ret_plan));
    ret_plan->lease_ns = config->lease_ns;
    ret_plan->exabgp = config->exabgp;
    ret_plan->vips_n = config->vips_n;
    for (size_t i = 0; i < config->vips_n; i++) {
        ret_plan->vips[i].prefix = config->routes[i].prefix;
        ret_plan->vips[i].watched = sentry_make(config, i, &ret_plan->vips[i].sentry);
    }
    if (config->control && snprintf(ret_plan->lock, sizeof(ret_plan->lock), "%s.lock",
                                    config->control) >= (int)sizeof(ret_plan->lock)) {
        return failure_set(failure, -ENAMETOOLONG, "%s.lock: too long", config->control);
    }
    return 0;
}
