/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A file or folder of services, each file its own unit of failure. Files are read in name order; a
 * name or service that an earlier file has is refused to a later one, so what is served is a
 * function of the files and not of the order in which they came. A wrong file is replaced by its
 * last good content: what was served before, or at the start the copy on disk. One that has none
 *
 *   was wrong already at the start   its names are held: SERVFAIL, as in a zone that never loaded,
 *                                    since other servers may know better and nothing is cached
 *   is new                           changes nothing
 */
#include "edge/service/services.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/fd.h"
#include "edge/service/ns_targets.h"
#include "edge/service/overlay.h"
#include "edge/service/services_parts.h"

#define SERVICES_FILE_MAX (64u << 20)
#define SERVICES_COPY "last-good-services"

/* What one load works with. */
struct services_loader {
    const struct services_request *request;
    struct services *whole;
    struct ns_targets *ns_targets;
    EVP_MD_CTX *digest;
    struct failure *failure;
};

static int services_no_memory(const struct services_loader *loader)
{
    return failure_set(loader->failure, -ENOMEM, "%s: out of memory", loader->request->path);
}

/* --- which files --- */

/* New strings, sorted. */
struct services_names {
    char **list;
    size_t count;
};

static void services_names_done(struct services_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->list[i]);
    }
    free(names->list);
}

static int services_names_add(struct services_names *names, const char *name)
{
    char **list = realloc(names->list, (names->count + 1) * sizeof(*list));

    if (!list) {
        return -ENOMEM;
    }
    names->list = list;
    names->list[names->count] = strdup(name);
    return names->list[names->count++] ? 0 : -ENOMEM;
}

static bool services_ends_in_yaml(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 5 && !strcmp(name + len - 5, ".yaml");
}

/* The files of a folder that end in .yaml and begin with `prefix`, without it. */
static int services_names_scan(const char *path, const char *prefix, struct services_names *names)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    int status = 0;

    if (count < 0) {
        return -errno;
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (status == 0 && services_ends_in_yaml(name) && !strncmp(name, prefix, strlen(prefix))) {
            status = services_names_add(names, name + strlen(prefix));
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

static char *services_copy_path(const char *folder, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/" SERVICES_COPY "%s%s", folder, *name ? "-" : ".yaml", name) < 0
               ? NULL
               : path;
}

/* What there would be: the path itself cannot be read. */
static int services_names_recall(const struct services_request *request,
                                 struct services_names *names)
{
    const struct services *previous = request->previous;
    char *single;
    int status = 0;

    for (uint32_t i = 0; previous && i < previous->file_n && status == 0; i++) {
        status = services_names_add(names, previous->files[i].name);
    }
    if (previous || !request->copies) {
        return status;
    }
    single = services_copy_path(request->copies, "");
    if (single && access(single, R_OK) == 0) {
        status = services_names_add(names, "");
    } else {
        (void)services_names_scan(request->copies, SERVICES_COPY "-", names);
    }
    free(single);
    return status;
}

/* A folder that cannot be read takes nothing away: `fault` is then what is wrong with every file.
 */
static int services_names_find(const struct services_loader *loader, struct services_names *names,
                               struct failure *fault)
{
    const struct services_request *request = loader->request;
    struct stat info;
    int status = stat(request->path, &info) < 0 ? -errno : 0;

    if (status == 0) {
        status = S_ISDIR(info.st_mode) ? services_names_scan(request->path, "", names)
                                       : services_names_add(names, "");
    }
    if (status == 0 || status == -ENOMEM) {
        return status ? services_no_memory(loader) : 0;
    }
    (void)failure_set(fault, status, "%s%s%s: %s", request->place ? request->place : "",
                      request->place ? ": " : "", request->path, strerror(-status));
    if (services_names_recall(request, names)) {
        return services_no_memory(loader);
    }
    return names->count ? 0 : failure_set(loader->failure, status, "%s", fault->text);
}

/* --- one file --- */

static const struct services_tenant *services_find_tenant(const struct services_policy *policy,
                                                          const char *name)
{
    const struct services_tenant *others = NULL;

    for (size_t i = 0; i < policy->tenant_n; i++) {
        if (!strcmp(policy->tenants[i].file, name)) {
            return &policy->tenants[i];
        }
        if (!strcmp(policy->tenants[i].file, "*")) {
            others = &policy->tenants[i];
        }
    }
    return others;
}

/* Reads `bytes` and, if they are good, makes them what is served of the file. */
static int services_try(struct services_loader *loader, struct services_context *context,
                        struct services_file *file, const uint8_t *bytes, size_t len)
{
    struct services *part;
    int status = services_file_read(context, file->path, bytes, len, &part);

    if (status) {
        return status;
    }
    file->service_n = part->count;
    file->name_n = part->name_n;
    file->bytes = arena_copy(loader->whole->arena, bytes, len);
    file->len = len;
    if (services_join(loader->whole, part) || !file->bytes ||
        EVP_DigestUpdate(loader->digest, bytes, len) != 1) {
        return services_no_memory(loader);
    }
    return 0;
}

static int services_try_disk(struct services_loader *loader, struct services_context *context,
                             struct services_file *file)
{
    const char *place = loader->request->place;
    uint8_t *bytes = NULL;
    size_t len;
    int status = fd_read_file(file->path, SERVICES_FILE_MAX, &bytes, &len, context->failure);

    if (status) {
        return place ? failure_wrap(context->failure, status, "%s", place) : status;
    }
    status = services_try(loader, context, file, bytes, len);
    free(bytes);
    return status;
}

static const struct services_file *services_find_file(const struct services *services,
                                                      const char *name)
{
    for (uint32_t i = 0; services && i < services->file_n; i++) {
        if (!strcmp(services->files[i].name, name)) {
            return &services->files[i];
        }
    }
    return NULL;
}

/* -ENOENT: there is none. */
static int services_try_last_good(struct services_loader *loader, struct services_context *context,
                                  struct services_file *file)
{
    const struct services_request *request = loader->request;
    const struct services_file *before = services_find_file(request->previous, file->name);
    uint8_t *bytes = NULL;
    char *copy;
    size_t len;
    int status = -ENOENT;

    context->lenient = true;
    if (before && before->bytes) {
        file->from_copy = before->from_copy;
        status = services_try(loader, context, file, before->bytes, before->len);
        if (status && status != -ENOMEM) { /* it may fit again later */
            file->bytes = arena_copy(loader->whole->arena, before->bytes, before->len);
            file->len = before->len;
        }
    } else if (!request->previous && request->copies) {
        copy = services_copy_path(request->copies, file->name);
        if (copy && fd_read_file(copy, SERVICES_FILE_MAX, &bytes, &len, NULL) == 0) {
            file->from_copy = true;
            status = services_try(loader, context, file, bytes, len);
            free(bytes);
        }
        free(copy);
    }
    context->lenient = false;
    return status;
}

/* `fault` is not empty if nothing can be read at all. */
static int services_load_file(struct services_loader *loader, struct services_file *file,
                              struct failure *fault)
{
    const struct services_request *request = loader->request;
    const struct services_file *before = services_find_file(request->previous, file->name);
    struct services_context context = {.taken = loader->whole,
                                       .zones = request->zones,
                                       .ns_targets = loader->ns_targets,
                                       .image = request->image,
                                       .form_only = request->image == NULL,
                                       .failure = fault};
    int status = -ENOENT;

    if (request->policy && request->policy->tenant_n && *file->name) {
        context.tenant = services_find_tenant(request->policy, file->name);
        if (!context.tenant) {
            (void)failure_set(fault, -EPERM, "%s: is the file of no tenant that %s names",
                              file->path, request->place ? request->place : "the configuration");
        }
    }
    if (!*fault->text) {
        status = services_try_disk(loader, &context, file);
    }
    if (status == 0 || status == -ENOMEM) {
        file->state = SERVICES_FILE_FRESH;
        return status ? failure_set(loader->failure, status, "%s", fault->text) : 0;
    }
    file->fault = arena_copy(loader->whole->arena, fault->text, strlen(fault->text));
    context.failure = NULL;
    status = services_try_last_good(loader, &context, file);
    if (status == -ENOMEM || !file->fault) {
        return services_no_memory(loader);
    }
    loader->whole->lost_n += status != 0 && status != -ENOENT;
    file->state =
        status == 0 ? SERVICES_FILE_KEPT
        : status == -ENOENT && request->previous && (!before || before->state != SERVICES_FILE_HELD)
            ? SERVICES_FILE_REFUSED
            : SERVICES_FILE_HELD;
    return *file->name || status == 0 ? 0
                                      : failure_set(loader->failure, -EINVAL, "%s", fault->text);
}

static int services_hold_file(struct services_loader *loader, struct services_file *file)
{
    const struct services_request *request = loader->request;
    struct services_context context = {
        .taken = loader->whole,
        .zones = request->zones,
        .tenant = request->policy ? services_find_tenant(request->policy, file->name) : NULL,
        .failure = loader->failure};
    struct services *part;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int status;

    if (request->policy && request->policy->tenant_n && !context.tenant) {
        return 0; /* a stranger's wishes */
    }
    (void)fd_read_file(file->path, SERVICES_FILE_MAX, &bytes, &len, NULL);
    status = services_file_hold(&context, file->path, bytes, len, &part);
    free(bytes);
    if (status) {
        return status;
    }
    file->name_n = part->name_n;
    return services_join(loader->whole, part) ? services_no_memory(loader) : 0;
}

/* --- all --- */

static int services_load_files(struct services_loader *loader, const struct services_names *names,
                               const struct failure *fault)
{
    struct services *whole = loader->whole;
    int status = 0;

    whole->files = arena_alloc(whole->arena, (names->count + 1) * sizeof(*whole->files));
    if (!whole->files) {
        return services_no_memory(loader);
    }
    for (size_t i = 0; i < names->count && status == 0; i++) {
        struct services_file *file = &whole->files[whole->file_n];
        const char *name = names->list[i];
        struct failure own = *fault;
        char *path = NULL;

        if (asprintf(&path, "%s%s%s", loader->request->path, *name ? "/" : "", name) < 0) {
            return services_no_memory(loader);
        }
        file->name = arena_copy(whole->arena, name, strlen(name));
        file->path = arena_copy(whole->arena, path, strlen(path));
        free(path);
        whole->file_n++;
        status = file->name && file->path ? services_load_file(loader, file, &own)
                                          : services_no_memory(loader);
    }
    /* who is good comes before who is not */
    for (uint32_t i = 0; i < whole->file_n && status == 0; i++) {
        if (whole->files[i].state == SERVICES_FILE_HELD) {
            status = services_hold_file(loader, &whole->files[i]);
        }
    }
    return status;
}

static void services_finish_digest(struct services_loader *loader)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(loader->digest, digest, NULL) != 1) {
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        snprintf(loader->whole->digest + (size_t)2 * i, 3, "%02x", digest[i]);
    }
}

int services_open(const struct services_request *request, struct services **ret_services,
                  struct failure *failure)
{
    struct failure ignored;
    struct services_loader loader = {request, services_new(request->image),
                                     ns_targets_new(request->zones), EVP_MD_CTX_new(),
                                     failure ? failure : &ignored};
    struct services_names names = {0};
    struct failure fault = {{0}};
    int status;

    if (!loader.whole || !loader.ns_targets || !loader.digest ||
        EVP_DigestInit_ex(loader.digest, EVP_sha256(), NULL) != 1) {
        status = services_no_memory(&loader);
    } else {
        status = services_names_find(&loader, &names, &fault);
    }
    if (status == 0) {
        status = services_load_files(&loader, &names, &fault);
    }
    if (status == 0) {
        overlay_finish(loader.whole->overlay);
        services_finish_digest(&loader);
        *ret_services = loader.whole;
        loader.whole = NULL;
    }
    services_names_done(&names);
    services_unref(loader.whole);
    ns_targets_free(loader.ns_targets);
    EVP_MD_CTX_free(loader.digest);
    return status;
}

int services_load(const char *path, struct image *image, const struct zone_set *zones,
                  struct services **ret_services, struct failure *failure)
{
    struct services_request request = {.path = path, .image = image, .zones = zones};
    struct services *services;
    int status = services_open(&request, &services, failure);

    if (status) {
        return status;
    }
    for (uint32_t i = 0; i < services->file_n && status == 0; i++) {
        if (services->files[i].fault) {
            status = failure_set(failure, -EINVAL, "%s", services->files[i].fault);
        }
    }
    if (status == 0 && services->count && !image) {
        status = failure_set(failure, -EINVAL, "%s: there are services but no map is loaded", path);
    }
    if (status) {
        services_unref(services);
        return status;
    }
    *ret_services = services;
    return 0;
}

/* --- copies --- */

static bool services_is_kept(const char *path, const struct services_file *file)
{
    uint8_t *bytes = NULL;
    size_t len;
    bool same = fd_read_file(path, SERVICES_FILE_MAX, &bytes, &len, NULL) == 0 &&
                len == file->len && memcmp(bytes, file->bytes, len) == 0;

    free(bytes);
    return same;
}

static void services_drop_copies(const struct services *services, const char *folder)
{
    struct services_names names = {0};

    (void)services_names_scan(folder, SERVICES_COPY "-", &names);
    for (size_t i = 0; i < names.count; i++) {
        char *path = services_find_file(services, names.list[i])
                         ? NULL
                         : services_copy_path(folder, names.list[i]);

        if (path) {
            (void)unlink(path);
        }
        free(path);
    }
    services_names_done(&names);
}

int services_keep_copies(const struct services *services, const char *folder,
                         struct failure *failure)
{
    int status = 0;

    for (uint32_t i = 0; i < services->file_n && status == 0; i++) {
        const struct services_file *file = &services->files[i];
        char *path = services_copy_path(folder, file->name);

        if (!path) {
            return failure_set(failure, -ENOMEM, "%s: out of memory", folder);
        }
        if (file->bytes && !services_is_kept(path, file)) {
            status = fd_replace_file(path, file->bytes, file->len, 0600, failure);
        }
        free(path);
    }
    if (status == 0) {
        services_drop_copies(services, folder);
    }
    return status;
}
