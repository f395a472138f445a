/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as edge.yaml and as a file of the fleet feed: refused with a reason that has a place,
 * or read, and then every promise of config.h holds.
 */
#include <stdlib.h>
#include <string.h>

#include "edge/daemon/config.h"
#include "edge/daemon/states_file.h"
#include "edge/wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_config(const struct config *config)
{
    require(config->listen_n >= 1 && config->listen_n <= CONFIG_LISTEN_MAX);
    require(config->workers <= CONFIG_WORKERS_MAX);
    require(strnlen(config->identity, CONFIG_NAME_SIZE) < CONFIG_NAME_SIZE);
    require(strnlen(config->pop, CONFIG_NAME_SIZE) < CONFIG_NAME_SIZE);
    for (size_t i = 0; i < config->listen_n; i++) {
        require(config->listen[i].port != 0);
    }
    for (size_t i = 0; i < config->zone_n; i++) {
        require(name_check(config->zones[i].name, NAME_LEN_MAX) > 0);
        require(config->zones[i].file && config->zones[i].place);
    }
    require(config->tcp.connections > 0 && config->tcp.idle_ns > 0);
    require(!config_needs_restart(config, config));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct states_source source = {0};
    struct config *config = NULL;
    struct failure failure = {{0}};
    bool force;

    if (config_load_bytes("/f/edge.yaml", bytes, len, &config, &failure) == 0) {
        check_config(config);
    } else {
        require(!config && strncmp(failure.text, "/f/edge.yaml", 12) == 0);
    }
    config_free(config);
    if (states_fleet_parse("states.yaml", bytes, len, 1, &source, &force, &failure) == 0) {
        for (size_t i = 0; i < source.count; i++) {
            require(source.entries[i].pop[0] != '\0');
        }
    }
    states_source_done(&source);
    return 0;
}
