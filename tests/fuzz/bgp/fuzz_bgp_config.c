/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as bgp.yaml: refused with a reason, or a configuration that keeps its promises.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/config/config.h"
#include "bgp/probe/probe_dns.h"
#include "bgp/speak/exabgp_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void vip_look(const struct config *config, size_t vip)
{
    char line[ROUTE_COMMAND_LEN];
    bool hard = false;

    for (size_t i = 0; i < config->vips[vip].checks_n; i++) {
        must(config->vips[vip].checks[i] < config->checks_n);
        hard = hard || config->checks[config->vips[vip].checks[i]].class == CHECK_HARD;
    }
    must(hard);
    must(route_announce_command(&config->routes[vip], line) < sizeof(line));
}

static void check_look(const struct config_check *check)
{
    must(check->name && check->type && check->settings && check->subject);
    must(check->limits.rise > 0 && check->limits.fall > 0);
    must(check->interval_ns > 0 && check->timeout_ns > 0 && check->retry_ns <= check->interval_ns);
    if (check->type == &probe_dns) {
        const struct probe_dns_settings *settings = check->settings;
        uint8_t query[DNS_CHECK_QUERY_LEN];

        must(dns_check_query(&settings->check, 0, query) > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config *config = NULL;
    struct failure failure = {{0}};
    FILE *nowhere;

    if (config_load_bytes("fuzz.yaml", bytes, len, &config, &failure) < 0) {
        must(strncmp(failure.text, "fuzz.yaml:", 10) == 0);
        return 0;
    }
    must(config->vips_n > 0 && config->checks_n > 0);
    for (size_t i = 0; i < config->vips_n; i++) {
        vip_look(config, i);
    }
    for (size_t i = 0; i < config->checks_n; i++) {
        check_look(&config->checks[i]);
    }
    nowhere = fopen("/dev/null", "w");
    if (nowhere) {
        (void)exabgp_config_write(nowhere, config, "/usr/bin/isochrone-bgp", "/etc/bgp.yaml",
                                  &failure);
        fclose(nowhere);
    }
    config_free(config);
    return 0;
}
