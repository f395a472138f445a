/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast_capacity.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CAPACITY_MB ((uint64_t)1 << 20)
#define CAPACITY_BLOCKS_PER_MB 256u
#define CAPACITY_IMAGE_LEAST (4 * CAPACITY_MB)
#define CAPACITY_TEMPLATES_LEAST (16 * CAPACITY_MB)
#define CAPACITY_MOST (512 * CAPACITY_MB) /* of a table */
#define CAPACITY_SERVICES_LEAST 256u
#define CAPACITY_SERVICES_MOST (1u << 20)

/* Bytes of tables per byte of file: a service of two PoPs and one name takes about 200 bytes to
 * write down and 10 KB in the tables, an address record 30 bytes and 500. */
#define CAPACITY_PER_SERVICES_BYTE 64u
#define CAPACITY_PER_ZONES_BYTE 16u
#define CAPACITY_PER_HOT_NAME 1024u
#define CAPACITY_SERVICE_BYTES 64u /* the least anybody writes a service in */

static uint64_t fast_file_size(const char *path)
{
    struct stat stat_of;

    return path && stat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode) ? (uint64_t)stat_of.st_size
                                                                         : 0;
}

/* A file, or a folder's files. */
static uint64_t fast_services_size(const char *path)
{
    DIR *folder = path ? opendir(path) : NULL;
    uint64_t size = 0;
    const struct dirent *entry;

    if (!folder) {
        return fast_file_size(path);
    }
    while ((entry = readdir(folder))) {
        char file[4096];

        if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file)) {
            size += fast_file_size(file);
        }
    }
    (void)closedir(folder);
    return size;
}

void fast_sizes(const struct config *config, struct fast_sizes *ret_sizes)
{
    *ret_sizes = (struct fast_sizes){
        .image = fast_file_size(config->map),
        .services = fast_services_size(config->services),
    };
    for (size_t i = 0; i < config->zone_n && config->xdp.names == CONFIG_XDP_ALL; i++) {
        ret_sizes->zones += fast_file_size(config->zones[i].file);
    }
}

/* The least power of two that is not less than any of both. */
static uint64_t fast_round(uint64_t wanted, uint64_t least)
{
    while (least < wanted) {
        least *= 2;
    }
    return least;
}

static uint64_t fast_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void fast_capacity(const struct config_xdp *xdp, const struct fast_sizes *sizes,
                   struct xdp_settings *settings)
{
    uint64_t image = fast_round(fast_least(2 * sizes->image, CAPACITY_MOST), CAPACITY_IMAGE_LEAST);
    uint64_t templates =
        sizes->services * CAPACITY_PER_SERVICES_BYTE + sizes->zones * CAPACITY_PER_ZONES_BYTE;
    uint64_t services =
        fast_round(fast_least(sizes->services / CAPACITY_SERVICE_BYTES, CAPACITY_SERVICES_MOST),
                   CAPACITY_SERVICES_LEAST);

    if (xdp->names == CONFIG_XDP_HOT) {
        templates += (uint64_t)xdp->hot_names * CAPACITY_PER_HOT_NAME;
    }
    templates = fast_round(fast_least(templates, CAPACITY_MOST), CAPACITY_TEMPLATES_LEAST);
    settings->image_blocks = xdp->image_mb ? xdp->image_mb * CAPACITY_BLOCKS_PER_MB
                                           : (uint32_t)(image / FAST_BLOCK_SIZE);
    settings->template_blocks = xdp->templates_mb ? xdp->templates_mb * CAPACITY_BLOCKS_PER_MB
                                                  : (uint32_t)(templates / FAST_BLOCK_SIZE);
    settings->services = xdp->services ? xdp->services : (uint32_t)services;
}
