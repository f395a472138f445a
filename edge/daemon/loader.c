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
#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"

#define LOADER_IMAGE_COPY "last-good.isomap"
#define LOADER_SERVICES_COPY "last-good-services.yaml"
#define LOADER_SERVICES_MAX (64u << 20)

/* --- zones --- */

static int loader_compare_names(const uint8_t *a, const uint8_t *b)
{
    size_t a_len = name_len(a);
    size_t b_len = name_len(b);

    return a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
}

static int loader_compare_zones(const void *a, const void *b)
{
    const struct loaded_zone *const *first = a;
    const struct loaded_zone *const *second = b;

    return loader_compare_names((*first)->config->name, (*second)->config->name);
}

static int loader_compare_origin(const void *origin, const void *zone)
{
    const struct loaded_zone *const *other = zone;

    return loader_compare_names(origin, (*other)->config->name);
}

const struct loaded_zone *loaded_find_zone(const struct loaded *loaded, const uint8_t *origin)
{
    const struct loaded_zone **found = bsearch(origin, loaded->by_name, loaded->zone_n,
                                               sizeof(*loaded->by_name), loader_compare_origin);

    return found ? *found : NULL;
}

static void loader_load_zone(const struct config_zone *wanted, const struct loaded_zone *before,
                             struct loaded_zone *zone, struct report *report)
{
    struct zone_report zone_report = {0};
    struct failure failure = {{0}};
    struct file_stamp stamp = {0};
    int code;

    zone->config = wanted;
    if (before && before->zone && strcmp(before->config->file, wanted->file) == 0 &&
        file_stamp_holds(wanted->file, &before->stamp)) {
        zone->zone = zone_ref(before->zone);
        zone->stamp = before->stamp;
        zone->loaded_s = before->loaded_s;
        return;
    }
    code = file_stamp_take(wanted->file, &stamp, &failure);
    if (code < 0) {
        (void)failure_wrap(&failure, code, "%s", wanted->place);
    } else {
        code = zone_load_file(wanted->file, wanted->name, &zone->zone, &zone_report, &failure);
    }
    if (code == 0) {
        zone->stamp = stamp;
        zone->loaded_s = clock_wall_s();
        if (zone_report.warning_n) {
            report_warn(report, "%s (and %u more in zone %s)", zone_report.first_warning,
                        zone_report.warning_n - 1, wanted->origin);
        }
        return;
    }
    zone->fault = strdup(failure.text);
    if (before && before->zone) {
        zone->zone = zone_ref(before->zone);
        zone->stamp = before->stamp;
        zone->loaded_s = before->loaded_s;
        report_add_text(report, "%s (zone %s keeps serial %u)", failure.text, wanted->origin,
                        zone->zone->serial);
    } else {
        report_add_text(report, "%s (zone %s answers SERVFAIL)", failure.text, wanted->origin);
    }
}

static int loader_load_zones(struct loaded *loaded, const struct loaded *previous,
                             struct report *report)
{
    const struct config *config = loaded->config;

    loaded->zones = calloc(config->zone_n + 1, sizeof(*loaded->zones));
    loaded->by_name = calloc(config->zone_n + 1, sizeof(*loaded->by_name));
    loaded->zone_set = zone_set_new();
    if (!loaded->by_name || !loaded->zones || !loaded->zone_set) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->zone_n; i++) {
        struct loaded_zone *zone = &loaded->zones[i];
        int code;

        loader_load_zone(&config->zones[i],
                         previous ? loaded_find_zone(previous, config->zones[i].name) : NULL, zone,
                         report);
        loaded->by_name[i] = zone;
        loaded->zone_n = i + 1;
        loaded->zone_failed_n += zone->fault != NULL;
        loaded->zone_missing_n += zone->zone == NULL;
        code = zone_set_add(loaded->zone_set, config->zones[i].name, zone->zone);
        if (code < 0) {
            return code;
        }
    }
    qsort(loaded->by_name, loaded->zone_n, sizeof(*loaded->by_name), loader_compare_zones);
    return zone_set_finish(loaded->zone_set);
}

/* --- map and services --- */

/* One way to get a map and services that belong together. */
struct loader_pair {
    struct image *image;
    struct services *services;
};

static void loader_pair_done(struct loader_pair *pair)
{
    services_unref(pair->services);
    image_unref(pair->image);
    *pair = (struct loader_pair){0};
}

static void loader_fault(char **fault, const struct failure *failure)
{
    free(*fault);
    *fault = strdup(failure->text);
}

static int loader_open_services(const char *path, struct image *image, const struct zone_set *zones,
                                struct services **ret_services, struct failure *failure)
{
    if (!path) {
        *ret_services = services_empty();
        return *ret_services ? 0 : failure_set(failure, -ENOMEM, "out of memory");
    }
    return services_load(path, image, zones, ret_services, failure);
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
    if (previous && previous->image && previous->config->map && !previous->from_state_dir &&
        strcmp(previous->config->map, path) == 0 &&
        file_stamp_holds(path, &previous->image_stamp)) {
        *ret_image = image_ref(previous->image);
        loaded->image_stamp = previous->image_stamp;
        loaded->image_loaded_s = previous->image_loaded_s;
        return 0;
    }
    code = file_stamp_take(path, &stamp, failure);
    if (code == 0) {
        code = image_open(path, ret_image, failure);
    }
    if (code == 0) {
        loaded->image_stamp = stamp;
        loaded->image_loaded_s = clock_wall_s();
    }
    return code;
}

/* The configured files. A map that is broken leaves services the previous one to be checked
 * against. */
static int loader_pair_configured(struct loaded *loaded, const struct loaded *previous,
                                  struct loader_pair *pair, struct report *report)
{
    struct failure failure = {{0}};
    int code = loader_open_image(loaded, previous, &pair->image, &failure);

    if (code < 0) {
        report_add_text(report, "%s%s", failure.text,
                        previous && previous->image ? " (the last good map stays)" : "");
        loader_fault(&loaded->image_fault, &failure);
        if (!previous || !previous->image) {
            return code;
        }
        pair->image = image_ref(previous->image);
        loaded->image_stamp = previous->image_stamp;
        loaded->image_loaded_s = previous->image_loaded_s;
        loaded->from_state_dir = previous->from_state_dir;
    }
    code = loader_open_services(loaded->config->services, pair->image, loaded->zone_set,
                                &pair->services, &failure);
    if (code < 0) {
        report_add_text(report, "%s%s", failure.text,
                        previous ? " (services and map stay as they were)" : "");
        loader_fault(&loaded->services_fault, &failure);
        loader_pair_done(pair);
    }
    return code;
}

static void loader_pair_previous(struct loaded *loaded, const struct loaded *previous,
                                 struct loader_pair *pair)
{
    pair->image = previous->image ? image_ref(previous->image) : NULL;
    pair->services = services_ref(previous->services);
    loaded->image_stamp = previous->image_stamp;
    loaded->image_loaded_s = previous->image_loaded_s;
    loaded->from_state_dir = previous->from_state_dir;
}

static char *loader_copy_path(const struct config *config, const char *name)
{
    char *path = NULL;

    if (!config->state_dir || asprintf(&path, "%s/%s", config->state_dir, name) < 0) {
        return NULL;
    }
    return path;
}

/* At the start: the configured files where they are good, the copies where they are not, in the
 * order that keeps most of what is configured. */
static int loader_pair_copies(struct loaded *loaded, struct loader_pair *pair)
{
    char *image_copy = loader_copy_path(loaded->config, LOADER_IMAGE_COPY);
    char *services_copy = loader_copy_path(loaded->config, LOADER_SERVICES_COPY);
    const char *maps[] = {loaded->config->map, loaded->config->map, image_copy, image_copy};
    const char *files[] = {loaded->config->services, services_copy, loaded->config->services,
                           services_copy};
    int code = -ENOENT;

    for (int i = 0; i < 4 && code < 0; i++) {
        if (!maps[i] || !files[i]) {
            continue;
        }
        code = image_open(maps[i], &pair->image, NULL);
        if (code == 0) {
            code = services_load(files[i], pair->image, loaded->zone_set, &pair->services, NULL);
        }
        if (code < 0) {
            loader_pair_done(pair);
        }
    }
    if (code < 0 && image_copy && !loaded->config->services) {
        code = image_open(image_copy, &pair->image, NULL);
        pair->services = code == 0 ? services_empty() : NULL;
    }
    free(image_copy);
    free(services_copy);
    loaded->from_state_dir = code == 0;
    return code;
}

static int loader_load_pair(struct loaded *loaded, const struct loaded *previous,
                            enum loader_mode mode, struct report *report)
{
    struct loader_pair pair = {0};
    int code = loader_pair_configured(loaded, previous, &pair, report);

    if (code < 0 && previous) {
        loader_pair_previous(loaded, previous, &pair);
        code = 0;
    } else if (code < 0 && mode == LOADER_SERVE) {
        code = loader_pair_copies(loaded, &pair);
        if (code == 0) {
            report_add_text(report, "%s: starting with the last good copies of map and services",
                            loaded->config->state_dir);
        }
    }
    loaded->image = pair.image;
    loaded->services = pair.services;
    return code;
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
    code = loader_load_zones(loaded, previous, report);
    if (code < 0) {
        report_add_text(report, "%s: zones cannot be put together: %s", config->path,
                        strerror(-code));
    } else {
        code = loader_load_pair(loaded, previous, mode, report);
    }
    if (code == 0) {
        code = loader_load_cookies(loaded, previous, mode, report);
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

/* The file starts with this and is as long as that. The first block of a map holds the digest of
 * the whole. */
static bool loader_is_kept(const char *path, const void *start, size_t start_len, size_t len)
{
    struct stat status;
    uint8_t block[MAP_BLOCK_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool same = fd >= 0 && start_len <= sizeof(block) && fstat(fd, &status) == 0 &&
                (uint64_t)status.st_size == len &&
                read(fd, block, start_len) == (ssize_t)start_len &&
                memcmp(block, start, start_len) == 0;

    fd_close(&fd);
    return same;
}

static int loader_keep_image(const struct loaded *loaded, struct failure *failure)
{
    const struct map_region *region = image_region(loaded->image);
    size_t len = (size_t)region->block_n * MAP_BLOCK_SIZE;
    char *copy = loader_copy_path(loaded->config, LOADER_IMAGE_COPY);
    int code = 0;

    if (copy && !loader_is_kept(copy, region->bytes, MAP_BLOCK_SIZE, len)) {
        code = fd_replace_file(copy, region->bytes, len, 0600, failure);
    }
    free(copy);
    return code;
}

static int loader_keep_services(const struct loaded *loaded, struct failure *failure)
{
    const char *path = loaded->config->services;
    char *copy = loader_copy_path(loaded->config, LOADER_SERVICES_COPY);
    struct stat status;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code = 0;

    if (path && copy && stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        code = fd_read_file(path, LOADER_SERVICES_MAX, &bytes, &len, failure);
        if (code == 0) {
            code = fd_replace_file(copy, bytes, len, 0600, failure);
        }
        free(bytes);
    }
    free(copy);
    return code;
}

int loader_keep_copies(const struct loaded *loaded, struct failure *failure)
{
    int code = 0;

    if (loaded->image && !loaded->image_fault && !loaded->services_fault) {
        code = loader_keep_image(loaded, failure);
        if (code == 0) {
            code = loader_keep_services(loaded, failure);
        }
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
    explicit_bzero(&loaded->cookies, sizeof(loaded->cookies));
    free(loaded);
}
