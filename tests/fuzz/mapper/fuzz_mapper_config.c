/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as mapper.yaml: refused with a reason that has a place, or read, and then every promise
 * of config.h holds.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapper/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_map(const struct config *config, const struct config_map *map)
{
    bool seen[MAP_MAX_POPS] = {false};

    require(map->name[0] && strnlen(map->name, MAP_NAME_SIZE) < MAP_NAME_SIZE);
    require(map->pop_n >= 1 && map->pop_n <= config->pop_n && map->default_n <= map->pop_n);
    for (size_t i = 0; i < map->pop_n; i++) {
        require(map->pops[i] < config->pop_n && !seen[map->pops[i]]);
        seen[map->pops[i]] = true;
        require(i <= map->default_n || map->pops[i - 1] < map->pops[i]);
    }
    require(config_find_map(config, map->name, strlen(map->name)) >= 0);
}

static void check_config(const struct config *config)
{
    require(config->pop_n >= 1 && config->pop_n <= MAP_MAX_POPS);
    require(config->map_n >= 1 && config->map_n <= MAP_MAX_MAPS);
    require(config->record_pops >= 1 && config->record_pops <= 8);
    require(config->max_bad_percent >= 0 && config->max_bad_percent <= 100);
    for (size_t i = 0; i < config->pop_n; i++) {
        const struct config_pop *pop = &config->pops[i];

        require(pop->name[0] && strnlen(pop->name, MAP_NAME_SIZE) < MAP_NAME_SIZE);
        require(fabs(pop->latitude) <= 90 && fabs(pop->longitude) <= 180);
        require(config_find_pop(config, pop->name, strlen(pop->name)) == (int)i);
    }
    for (size_t i = 0; i < config->map_n; i++) {
        check_map(config, &config->maps[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config *config = NULL;
    struct failure failure = {{0}};
    char path[64];
    int fd = memfd_create("mapper.yaml", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (config_load(path, &config, &failure) == 0) {
        check_config(config);
    } else {
        require(strncmp(failure.text, path, strlen(path)) == 0);
    }
    config_free(config);
    close(fd);
    return 0;
}
