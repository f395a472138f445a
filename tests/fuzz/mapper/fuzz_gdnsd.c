/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A whole folder of gdnsd: `config`, a zone of example.com and admin_state, parted by lines of
 * "=====". What is imported refers only to what there is, each line of a zone is one record.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapper/import/gdnsd.h"

#define INPUT_MAX 65536u
#define PART_END "\n=====\n"

static char folder[] = "/dev/shm/fuzz-gdnsd-XXXXXX";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void part_path(const char *name, char ret_path[static 128])
{
    snprintf(ret_path, 128, "%s/%s", folder, name);
}

static void folder_remove(void)
{
    static const char *const names[] = {"config", "zones/example.com", "admin_state"};
    char path[128];

    for (size_t i = 0; i < 3; i++) {
        part_path(names[i], path);
        (void)unlink(path);
    }
    part_path("zones", path);
    (void)rmdir(path);
    (void)rmdir(folder);
}

static void folder_make(void)
{
    char path[128];

    require(mkdtemp(folder) != NULL);
    part_path("zones", path);
    require(mkdir(path, 0700) == 0);
    require(atexit(folder_remove) == 0);
}

/* Writes what is before the next mark; what is left is behind it. */
static void part_write(const char *name, const uint8_t **at, const uint8_t *end)
{
    const size_t left = (size_t)(end - *at);
    const uint8_t *mark = memmem(*at, left, PART_END, strlen(PART_END));
    const size_t len = mark ? (size_t)(mark - *at) : left;
    char path[128];
    int file;

    part_path(name, path);
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(file >= 0 && write(file, *at, len) == (ssize_t)len);
    close(file);
    *at = mark ? mark + strlen(PART_END) : end;
}

static void services_check(const struct model *model)
{
    for (size_t i = 0; i < model->service_n; i++) {
        const struct model_service *service = &model->service[i];
        const struct model_list *order = &model->list[model->map[service->map].order];

        require(service->site_n > 0 && service->ttl_min_s <= service->ttl_s);
        for (size_t k = 0; k < service->site_n; k++) {
            require(memchr(order->pop, (int)service->site[k].pop, order->n) != NULL);
        }
    }
    for (size_t i = 0; i < model->name_n; i++) {
        require(model->name[i].service < model->service_n);
    }
    for (size_t i = 0; i < model->state_n; i++) {
        require(model->state[i].pop < model->pop_n);
        require(model->state[i].service == MODEL_NONE ||
                model->state[i].service < model->service_n);
    }
}

static void maps_check(const struct model *model)
{
    for (size_t i = 0; i < model->map_n; i++) {
        require(model->map[i].order < model->list_n && model->map[i].elsewhere < model->list_n);
        for (int family = 0; family < MAP_FAMILIES; family++) {
            const struct steps *ranking = &model->map[i].ranking[family];

            for (size_t k = 1; k < ranking->n; k++) {
                require(key_compare(steps_start(ranking, k - 1), steps_start(ranking, k)) < 0);
            }
        }
    }
}

static void zones_check(const struct model *model)
{
    for (size_t i = 0; i < model->zone_n; i++) {
        const char *text = model->zone[i].text.bytes;

        for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
            require(strchr(line, '\n') && *line != '\t');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const uint8_t *at = bytes;
    struct failure failure = {{0}};
    struct model *model;
    char states[128];

    /* other files are no part of the input */
    if (len > INPUT_MAX || memmem(bytes, len, "nclude", 6) || memmem(bytes, len, "NCLUDE", 6) ||
        memmem(bytes, len, "/dev", 4) || memmem(bytes, len, "/proc", 5)) {
        return 0;
    }
    if (strstr(folder, "XXXXXX")) {
        folder_make();
    }
    part_write("config", &at, bytes + len);
    part_write("zones/example.com", &at, bytes + len);
    part_write("admin_state", &at, bytes + len);
    part_path("admin_state", states);
    model = malloc(sizeof(*model));
    if (model && model_init(model) == 0) {
        if (gdnsd_import(folder, states, model, &failure) == 0) {
            services_check(model);
            maps_check(model);
            zones_check(model);
        } else {
            require(failure.text[0] != '\0');
        }
        model_done(model);
    }
    free(model);
    return 0;
}
