/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapper/import/gdnsd_option.h"
#include "mapper/import/gdnsd_service.h"
#include "mapper/import/gdnsd_state.h"

#define PATH_TEXT_MAX 4096
#define ZONE_FILE_NAME_MAX 200u

struct importer {
    const char *folder;
    struct model *model;
    struct failure *failure;
    const struct vscf *root; /* NULL: no configuration, all defaults */
    struct gdnsd_options options;
    struct gdnsd_maps maps;
    struct gdnsd_services services;
};

static int out_of_memory(const struct importer *importer)
{
    return failure_set(importer->failure, -ENOMEM, "out of memory");
}

static int path_join(const struct importer *importer, const char *name,
                     char ret_path[static PATH_TEXT_MAX])
{
    int len = snprintf(ret_path, PATH_TEXT_MAX, "%s/%s", importer->folder, name);

    return len < 0 || len >= PATH_TEXT_MAX
               ? failure_set(importer->failure, -ENAMETOOLONG, "%.200s: too long a path",
                             importer->folder)
               : 0;
}

/* --- zones --- */

struct zone_taker {
    struct importer *importer;
    size_t zone; /* its number: the array may move */
};

static int record_take(void *context, const struct gdnsd_record *record)
{
    const struct zone_taker *taker = context;
    struct importer *importer = taker->importer;
    struct model_zone *zone = &importer->model->zone[taker->zone];

    if (strncmp(record->type, "DYN", 3) == 0) {
        return gdnsd_service_take(&importer->services, zone, record);
    }
    text_string(&zone->text, record->owner);
    text_format(&zone->text, "\t%u\tIN\t%s\t", record->ttl_s, record->type);
    text_string(&zone->text, record->rdata);
    text_string(&zone->text, "\n");
    return zone->text.failed ? -ENOMEM : 0;
}

/* The zone a file is named after: "@" stands for "/", ROOT_ZONE for the root (gdnsd(8)). */
static bool origin_of(const char *name, struct domain *ret_origin)
{
    static const struct domain root = {.len = 1};
    char text[NAME_MAX + 1];
    size_t len = strlen(name);

    if (strcmp(name, "ROOT_ZONE") == 0) {
        *ret_origin = root;
        return true;
    }
    if (len > NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        text[i] = name[i] == '@' ? '/' : name[i];
    }
    return domain_parse(text, len, &root, ret_origin) == 0;
}

/* A name for the zone's file that needs no quoting anywhere. */
static const char *file_of(struct model *model, const char *origin)
{
    char name[ZONE_FILE_NAME_MAX + 1];
    size_t n = 0;

    for (const char *byte = origin; *byte && n < ZONE_FILE_NAME_MAX; byte++) {
        bool kept = isalnum((unsigned char)*byte) || strchr("._-*", *byte);

        name[n++] = kept ? (char)tolower((unsigned char)*byte) : '@';
    }
    name[n] = '\0';
    for (unsigned suffix = 1;; suffix++) {
        const char *file = suffix == 1 ? model_text(model, "zones/%szone", name)
                                       : model_text(model, "zones/%s%u.zone", name, suffix);
        bool taken = false;

        for (size_t i = 0; file && i < model->zone_n; i++) {
            taken = taken || strcmp(model->zone[i].file, file) == 0;
        }
        if (!taken) {
            return file;
        }
    }
}

static int zone_take(struct importer *importer, const char *name)
{
    struct model *model = importer->model;
    struct zone_taker taker = {.importer = importer, .zone = model->zone_n};
    struct model_zone *zone;
    struct domain origin;
    struct failure failure;
    struct stat status;
    char path[PATH_TEXT_MAX];
    char text[DOMAIN_TEXT_MAX];
    const char *file;
    size_t start;
    int err = path_join(importer, "zones/", path);

    start = err ? 0 : strlen(path);
    if (err || start + strlen(name) >= sizeof(path)) {
        return err;
    }
    memcpy(path + start, name, strlen(name) + 1);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return 0; /* what zones include may lie beside them */
    }
    if (!origin_of(name, &origin)) {
        return notes_add(&model->notes, NOTE_LEFT_OUT, path, 0, "its name is no name of a zone");
    }
    file = file_of(model, domain_format(&origin, text));
    if (!file || model_zone_add(model, text, file, &zone) != 0) {
        return out_of_memory(importer);
    }
    err = gdnsd_zone_read(path, &origin, &importer->options.zone, record_take, &taker,
                          &model->notes, &failure);
    if (err && err != -ENOMEM) {
        model->zone_n--;
        text_done(&model->zone[taker.zone].text);
        return notes_add(&model->notes, NOTE_LEFT_OUT, path, 0, "the zone is left out: %.200s",
                         failure.text);
    }
    return err ? out_of_memory(importer) : 0;
}

static int name_filter(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int zones_take(struct importer *importer)
{
    struct dirent **names = NULL;
    char path[PATH_TEXT_MAX];
    int err = path_join(importer, "zones", path);
    int n = err ? 0 : scandir(path, &names, name_filter, alphasort);

    if (n < 0) {
        return failure_set(importer->failure, -errno, "%s: %s", path, strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        err = err ? err : zone_take(importer, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return err;
}

/* --- the configuration --- */

static int config_load(struct importer *importer)
{
    char path[PATH_TEXT_MAX];
    int err = path_join(importer, "config", path);

    if (err || access(path, F_OK) != 0) { /* gdnsd runs without one */
        return err;
    }
    err = vscf_load_file(importer->model->arena, path, &importer->root, importer->failure);
    if (!err && importer->root->kind != VSCF_HASH) {
        return failure_set(importer->failure, -EINVAL, "%s:1: a list is no configuration", path);
    }
    for (uint32_t i = 0; !err && i < importer->root->n; i++) {
        const struct vscf *child = importer->root->child[i];

        if (strcmp(child->key, "options") != 0 && strcmp(child->key, "service_types") != 0 &&
            strcmp(child->key, "plugins") != 0) {
            err = failure_set(importer->failure, -EINVAL,
                              "%s:%u: \"%.60s\" is not options, service_types or plugins",
                              child->file, child->line, child->key);
        }
    }
    return err;
}

static int maps_load(struct importer *importer)
{
    const struct vscf *geoip = vscf_get(vscf_get(importer->root, "plugins"), "geoip");
    char folder[PATH_TEXT_MAX];
    int err = path_join(importer, "geoip", folder);

    return err ? err
               : gdnsd_maps_load(importer->model->arena, vscf_get(geoip, "maps"), folder,
                                 &importer->model->notes, &importer->maps, importer->failure);
}

static int services_open(struct importer *importer)
{
    const struct gdnsd_resources resources = {.arena = importer->model->arena,
                                              .plugins = vscf_get(importer->root, "plugins"),
                                              .maps = &importer->maps,
                                              .notes = &importer->model->notes};

    return gdnsd_services_init(&importer->services, importer->model, &resources) != 0
               ? out_of_memory(importer)
               : 0;
}

static int states_take(struct importer *importer, const char *state_file)
{
    char path[PATH_TEXT_MAX];
    int len = snprintf(path, sizeof(path), "%s/admin_state", importer->options.state_dir);

    if (!state_file && (len < 0 || (size_t)len >= sizeof(path))) {
        return 0;
    }
    return gdnsd_states_read(state_file ? state_file : path, &importer->services,
                             importer->failure);
}

int gdnsd_import(const char *folder, const char *state_file, struct model *model,
                 struct failure *failure)
{
    struct importer importer = {.folder = folder, .model = model, .failure = failure};
    int err = config_load(&importer);

    if (!err && gdnsd_options_read(vscf_get(importer.root, "options"), model, &importer.options)) {
        err = out_of_memory(&importer);
    }
    err = err ? err : maps_load(&importer);
    err = err ? err : services_open(&importer);
    err = err ? err : zones_take(&importer);
    err = err ? err : states_take(&importer, state_file);
    if (!err &&
        gdnsd_monitoring_list(vscf_get(importer.root, "service_types"), &importer.services) != 0) {
        err = out_of_memory(&importer);
    }
    gdnsd_services_done(&importer.services);
    gdnsd_maps_done(&importer.maps);
    return err;
}
