/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "edge/daemon/cookie_file.h"
#include "edge/daemon/loader_zones.h"
#include "edge/service/alias_targets.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"

#define LOADER_IMAGE_COPY "last-good.isomap"

/* --- map and services --- */

/* A map and services that belong together. */
struct loader_pair {
    struct image *image;
    struct services *services; /* NULL: none can be served with this map */
    struct failure failure;    /* why, then */
};

static void loader_pair_done(struct loader_pair *pair)
{
    services_unref(pair->services);
    image_unref(pair->image);
    *pair = (struct loader_pair){0};
}

static void loader_fault(char **fault, const char *text)
{
    free(*fault);
    *fault = strdup(text);
}

static void loader_pair_services(const struct loaded *loaded, const struct loaded *previous,
                                 enum loader_mode mode, struct loader_pair *pair)
{
    const struct config *config = loaded->config;
    struct services_request request = {
        .path = config->services,
        .place = config->services_place,
        .policy = &config->policy,
        .image = pair->image,
        .zones = loaded->zone_set,
        .previous = previous ? previous->services : NULL,
        .copies = mode == LOADER_SERVE ? config->state_dir : NULL,
    };

    if (!config->services) {
        pair->services = services_empty();
        if (!pair->services) {
            (void)failure_set(&pair->failure, -ENOMEM, "out of memory");
        }
    } else if (services_open(&request, &pair->services, &pair->failure) < 0) {
        pair->services = NULL;
    }
}

/* The configured map, or the very object that is served if the file did not change. */
static int loader_open_image(struct loaded *loaded, const struct loaded *previous,
                             struct image **ret_image, struct failure *failure)
{
    const char *path = loaded->config->map;
    struct file_stamp stamp = {0};
    int code;

    if (!path) {
        *ret_image = NULL;
        return 0;
    }
    if (previous && previous->image && previous->config->map && !previous->image_copied &&
        strcmp(previous->config->map, path) == 0 &&
        file_stamp_holds(path, &previous->image_stamp)) {
        *ret_image = image_ref(previous->image);
        loaded->image_stamp = previous->image_stamp;
        loaded->image_loaded_s = previous->image_loaded_s;
        return 0;
    }
    code = file_stamp_take(path, &stamp, failure);
    if (code < 0) {
        return failure_wrap(failure, code, "%s", loaded->config->map_place);
    }
    code = image_open(path, ret_image, failure);
    if (code == 0) {
        loaded->image_stamp = stamp;
        loaded->image_loaded_s = clock_wall_s();
    }
    return code;
}

static char *loader_copy_path(const struct config *config, const char *name)
{
    char *path = NULL;

    if (!config->state_dir || asprintf(&path, "%s/%s", config->state_dir, name) < 0) {
        return NULL;
    }
    return path;
}

/* The map to go back to: the one that is served or, at the start, the copy. */
static void loader_last_good_image(const struct loaded *loaded, const struct loaded *previous,
                                   enum loader_mode mode, struct loader_pair *pair)
{
    char *copy = NULL;

    if (previous) {
        pair->image = previous->image ? image_ref(previous->image) : NULL;
    } else if (mode == LOADER_SERVE && loaded->config->map) {
        copy = loader_copy_path(loaded->config, LOADER_IMAGE_COPY);
        if (!copy || image_open(copy, &pair->image, NULL) < 0) {
            pair->image = NULL;
        }
        free(copy);
    }
}

/* Whether services that are good with `last` are lost with `pair`. */
static bool loader_pair_loses(const struct loader_pair *pair, const struct loader_pair *last)
{
    return last->services && (!pair->services || services_lost_count(last->services) <
                                                     services_lost_count(pair->services));
}

/* Why services do not fit the new map. */
static const char *loader_pair_misfit(const struct loader_pair *pair)
{
    for (uint32_t i = 0; pair->services && i < services_file_count(pair->services); i++) {
        const struct services_file *file = services_file_get(pair->services, i);

        if (file->fault && file->state == SERVICES_FILE_HELD && file->bytes) {
            return file->fault;
        }
    }
    return pair->failure.text;
}

/* Takes what is served of the map back from `previous`, or the copy. */
static void loader_keep_last_image(struct loaded *loaded, const struct loaded *previous)
{
    loaded->image_copied = previous ? previous->image_copied : true;
    loaded->image_stamp = previous ? previous->image_stamp : (struct file_stamp){0};
    loaded->image_loaded_s = previous ? previous->image_loaded_s : clock_wall_s();
}

/* The configured map if it can be read and takes no service away, else the last good one. */
static void loader_choose_pair(struct loaded *loaded, const struct loaded *previous,
                               enum loader_mode mode, struct loader_pair *pair,
                               struct report *report)
{
    struct failure failure = {{0}};
    struct loader_pair last = {0};
    bool opened = loader_open_image(loaded, previous, &pair->image, &failure) == 0;

    if (opened) {
        loader_pair_services(loaded, previous, mode, pair);
        if (pair->services && services_lost_count(pair->services) == 0) {
            return;
        }
    }
    loader_last_good_image(loaded, previous, mode, &last);
    if (last.image && last.image != pair->image) {
        loader_pair_services(loaded, previous, mode, &last);
    }
    if (opened && !loader_pair_loses(pair, &last)) {
        loader_pair_done(&last);
        return;
    }
    if (opened) {
        (void)failure_set(&failure, -EINVAL, "%s", loader_pair_misfit(pair));
    }
    report_add_text(report, "%s%s", failure.text,
                    !last.image ? ""
                    : opened    ? " (with the new map; the last good map stays)"
                                : " (the last good map stays)");
    if (mode == LOADER_CHECK && !opened) { /* what can be said of services without a map */
        loader_pair_services(loaded, previous, mode, &last);
    }
    loader_fault(&loaded->image_fault, failure.text);
    loader_pair_done(pair);
    *pair = last;
    loader_keep_last_image(loaded, previous);
}

static void loader_report_services(struct loaded *loaded, struct report *report)
{
    static const char *const consequences[] = {
        [SERVICES_FILE_FRESH] = "served",
        [SERVICES_FILE_KEPT] = "its last good content stays",
        [SERVICES_FILE_HELD] = "its names answer SERVFAIL",
        [SERVICES_FILE_REFUSED] = "nothing of it is served",
    };

    for (uint32_t i = 0; i < services_file_count(loaded->services); i++) {
        const struct services_file *file = services_file_get(loaded->services, i);

        loaded->from_state_dir |= file->from_copy;
        if (!file->fault) {
            continue;
        }
        report_add_text(report, "%s (%s)", file->fault, consequences[file->state]);
        if (loaded->services_bad_n++ == 0) {
            loader_fault(&loaded->services_fault, file->fault);
        }
    }
}

static void loader_report_aliases(const struct loaded *loaded, struct report *report)
{
    struct alias_target found;
    char owner[NAME_TEXT_LEN];
    char name[NAME_TEXT_LEN];

    alias_targets_find(loaded->zone_set, loaded->services, &found);
    if (found.count) {
        report_warn(report,
                    "%s: the %s record of %s names %s, to which service %s gives CNAME records "
                    "(RFC 2181 section 10.3; and %u more)",
                    loaded->config->path,
                    found.type == WIRE_TYPE_MX    ? "MX"
                    : found.type == WIRE_TYPE_SRV ? "SRV"
                                                  : "NS",
                    name_to_text(found.owner, owner), name_to_text(found.name, name),
                    found.service->name, found.count - 1);
    }
}

static int loader_load_pair(struct loaded *loaded, const struct loaded *previous,
                            enum loader_mode mode, struct report *report)
{
    struct loader_pair pair = {0};

    loader_choose_pair(loaded, previous, mode, &pair, report);
    if (pair.services) {
        loaded->image = pair.image;
        loaded->services = pair.services;
        loaded->from_state_dir = loaded->image_copied;
        loader_report_services(loaded, report);
        if (loaded->from_state_dir && !previous) {
            report_add_text(report, "%s: starting with the last good copies of map and services",
                            loaded->config->state_dir);
        }
        return loaded->image || !loaded->config->map ? 0 : -EINVAL;
    }
    if (*pair.failure.text) {
        report_add_text(report, "%s%s", pair.failure.text,
                        previous ? " (services and map stay as they were)" : "");
        loader_fault(&loaded->services_fault, pair.failure.text);
    }
    loader_pair_done(&pair);
    if (!previous) {
        return -EINVAL;
    }
    loaded->image = previous->image ? image_ref(previous->image) : NULL;
    loaded->services = services_ref(previous->services);
    loaded->services_bad_n = 1;
    loaded->from_state_dir = previous->from_state_dir;
    loader_keep_last_image(loaded, previous);
    return 0;
}

static int loader_load_cookies(struct loaded *loaded, const struct loaded *previous,
                               enum loader_mode mode, struct report *report)
{
    const char *state_dir = mode == LOADER_SERVE ? loaded->config->state_dir : NULL;
    int code = cookie_files_load(&loaded->config->cookies, state_dir,
                                 previous ? &previous->cookies : NULL, &loaded->cookies, report);

    if (code < 0 && previous) {
        loaded->cookies = previous->cookies;
        code = 0;
    }
    return code;
}

/* The same limits keep their accounts; others start anew. */
static int loader_open_admission(struct loaded *loaded, const struct loaded *previous,
                                 struct report *report)
{
    const struct config *config = loaded->config;

    if (!config->rate_limit_on) {
        return 0;
    }
    if (previous && previous->admission &&
        admission_has_setup(previous->admission, &config->rate_limit)) {
        loaded->admission = admission_ref(previous->admission);
        return 0;
    }
    loaded->admission = admission_new(&config->rate_limit);
    if (!loaded->admission) {
        report_add_text(report, "rate_limit: out of memory");
        return -ENOMEM;
    }
    return 0;
}

int loader_load(struct config *config, const struct loaded *previous, enum loader_mode mode,
                struct loaded **ret_loaded, struct report *report)
{
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    int code;

    if (!loaded) {
        report_add_text(report, "out of memory");
        config_free(config);
        return -ENOMEM;
    }
    loaded->config = config;
    code = loader_zones_load(loaded, previous, report);
    if (code < 0) {
        report_add_text(report, "%s: zones cannot be put together: %s", config->path,
                        strerror(-code));
    } else {
        code = loader_load_pair(loaded, previous, mode, report);
    }
    if (code == 0) {
        loader_report_aliases(loaded, report);
        code = loader_load_cookies(loaded, previous, mode, report);
    }
    if (code == 0) {
        code = loader_open_admission(loaded, previous, report);
    }
    if (code == 0 && config->xdp.on && config->rate_limit_on) {
        report_warn(report,
                    "%s: 'xdp' answers nothing while 'rate_limit' is on: the kernel keeps no "
                    "accounts and must not go around them",
                    config->path);
    }
    if (code == 0 && *config->pop && loaded->image &&
        image_find_pop(loaded->image, config->pop) < 0) {
        report_warn(report, "%s: pop '%s' is not in the map", config->path, config->pop);
    }
    if (code < 0) {
        loaded_free(loaded);
        return code;
    }
    *ret_loaded = loaded;
    return 0;
}

/* The file starts as this map does and is as long: its first block holds the digest of the whole.
 */
static bool loader_is_image(const char *path, const struct image *image)
{
    const struct map_region *region = image_region(image);
    struct stat status;
    uint8_t block[MAP_BLOCK_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool same = fd >= 0 && fstat(fd, &status) == 0 &&
                (uint64_t)status.st_size == (uint64_t)region->block_n * MAP_BLOCK_SIZE &&
                read(fd, block, sizeof(block)) == (ssize_t)sizeof(block) &&
                memcmp(block, region->bytes, sizeof(block)) == 0;

    fd_close(&fd);
    return same;
}

static int loader_keep_image(const struct loaded *loaded, struct failure *failure)
{
    const struct map_region *region = image_region(loaded->image);
    size_t len = (size_t)region->block_n * MAP_BLOCK_SIZE;
    char *copy = loader_copy_path(loaded->config, LOADER_IMAGE_COPY);
    int code = 0;

    if (copy && !loader_is_image(copy, loaded->image)) {
        code = fd_replace_file(copy, region->bytes, len, 0600, failure);
    }
    free(copy);
    return code;
}

int loader_keep_copies(const struct loaded *loaded, struct failure *failure)
{
    int code = 0;

    if (loaded->image && !loaded->image_fault) {
        code = loader_keep_image(loaded, failure);
    }
    if (code == 0 && loaded->config->state_dir) {
        code = services_keep_copies(loaded->services, loaded->config->state_dir, failure);
    }
    return code;
}

void loaded_free(struct loaded *loaded)
{
    if (!loaded) {
        return;
    }
    for (size_t i = 0; i < loaded->zone_n; i++) {
        zone_unref(loaded->zones[i].zone);
        free(loaded->zones[i].fault);
    }
    free(loaded->zones);
    free(loaded->by_name);
    zone_set_unref(loaded->zone_set);
    services_unref(loaded->services);
    image_unref(loaded->image);
    free(loaded->image_fault);
    free(loaded->services_fault);
    config_free(loaded->config);
    admission_unref(loaded->admission);
    explicit_bzero(&loaded->cookies, sizeof(loaded->cookies));
    free(loaded);
}
