/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading goes file by file, each file first its services, then its names, so that a name can only
 * point to a service of the same file. What a service needs from the image is resolved while it is
 * read; what a name needs from the zones is checked in services_names.c.
 */
#include "edge/service/services.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/yaml.h"
#include "edge/service/overlay.h"
#include "edge/service/service_read.h"
#include "edge/service/services_names.h"

#define SERVICES_FILE_MAX (64u << 20)
#define SERVICES_MAX 65536u

struct services {
    uint32_t references; /* atomic */
    uint32_t count, max;
    struct service **list;
    uint32_t *slots; /* by name: index + 1; twice as many as the list has places */
    struct arena *arena;
    struct overlay *overlay;
    struct image *image; /* NULL without services */
    char digest[17];
};

/* What one load works with. */
struct services_loader {
    struct services *services;
    const struct zone_set *zones;
    EVP_MD_CTX *digest;
    struct failure *failure;
};

/* --- life --- */

static struct services *services_new(void)
{
    struct services *services = calloc(1, sizeof(*services));

    if (!services) {
        return NULL;
    }
    services->references = 1;
    services->arena = arena_new();
    services->overlay = overlay_new();
    if (!services->arena || !services->overlay) {
        services_unref(services);
        return NULL;
    }
    return services;
}

struct services *services_empty(void)
{
    return services_new();
}

struct services *services_ref(struct services *services)
{
    __atomic_add_fetch(&services->references, 1, __ATOMIC_RELAXED);
    return services;
}

void services_unref(struct services *services)
{
    if (!services || __atomic_sub_fetch(&services->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    overlay_free(services->overlay);
    arena_free(services->arena);
    image_unref(services->image);
    free(services->list);
    free(services->slots);
    free(services);
}

uint32_t services_count(const struct services *services)
{
    return services->count;
}

const struct service *services_get(const struct services *services, uint32_t index)
{
    return services->list[index];
}

/* Where the name is, or the free place where it would be. The table has both. */
static uint32_t services_slot(const struct services *services, const char *name)
{
    uint32_t mask = 2 * services->max - 1;
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *at = name; *at; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    }
    while (services->slots[hash & mask] &&
           strcmp(services->list[services->slots[hash & mask] - 1]->name, name) != 0) {
        hash++;
    }
    return hash & mask;
}

const struct service *services_find(const struct services *services, const char *name)
{
    uint32_t found = services->count ? services->slots[services_slot(services, name)] : 0;

    return found ? services->list[found - 1] : NULL;
}

const char *services_digest(const struct services *services)
{
    return services->digest;
}

const struct overlay *services_overlay(const struct services *services)
{
    return services->overlay;
}

/* --- reading --- */

static int services_grow(struct services *services)
{
    uint32_t max = services->max ? services->max * 2 : 8;
    struct service **list = realloc(services->list, max * sizeof(struct service *));
    uint32_t *slots;

    if (!list) {
        return -ENOMEM;
    }
    services->list = list;
    slots = calloc(2 * (size_t)max, sizeof(*slots));
    if (!slots) {
        return -ENOMEM;
    }
    free(services->slots);
    services->slots = slots;
    services->max = max;
    for (uint32_t i = 0; i < services->count; i++) {
        slots[services_slot(services, services->list[i]->name)] = i + 1;
    }
    return 0;
}

static int services_push(struct services *services, struct service *service)
{
    if (services->count == services->max && services_grow(services)) {
        return -ENOMEM;
    }
    service->index = services->count;
    services->list[services->count] = service;
    services->slots[services_slot(services, service->name)] = ++services->count;
    return 0;
}

static int services_read_service(struct services_loader *loader, const struct yaml_node *node)
{
    struct services *services = loader->services;
    struct service_reader reader = {services->arena, services->image, loader->failure};
    const char *key = yaml_key(node);
    struct service *service;
    int status;

    if (services_find(services, key)) {
        return yaml_fail(node, -EEXIST, loader->failure, "service %s is defined twice", key);
    }
    if (services->count == SERVICES_MAX) {
        return yaml_fail(node, -ENOSPC, loader->failure, "more than %u services", SERVICES_MAX);
    }
    service = arena_alloc(services->arena, sizeof(*service));
    if (!service || !(service->name = arena_copy(services->arena, key, strlen(key)))) {
        return failure_set(loader->failure, -ENOMEM, "out of memory");
    }
    status = service_read(&reader, node, service);
    if (status) {
        return status;
    }
    return services_push(services, service) ? failure_set(loader->failure, -ENOMEM, "out of memory")
                                            : 0;
}

/* --- files --- */

static int services_read_name(struct services_loader *loader, const struct yaml_node *node,
                              uint32_t first_service)
{
    const struct service *service;
    const char *text;
    int status = yaml_text(node, &text, loader->failure);

    if (status) {
        return status;
    }
    service = services_find(loader->services, text);
    if (!service || service->index < first_service) {
        return yaml_fail(node, -EINVAL, loader->failure, "no service %s in this file", text);
    }
    return services_add_name(loader->services->overlay, loader->zones, service, node,
                             loader->failure);
}

static int services_read_document(struct services_loader *loader, const struct yaml_node *root)
{
    static const char *const known[] = {"services", "names", NULL};
    const struct yaml_node *services = yaml_get(root, "services");
    const struct yaml_node *names = yaml_get(root, "names");
    uint32_t first_service = loader->services->count;
    int status = yaml_check_keys(root, known, loader->failure);

    if (status == 0 && services && yaml_kind(services) != YAML_KIND_MAP) {
        status = yaml_fail(services, -EINVAL, loader->failure, "services is not a map");
    }
    if (status == 0 && names && yaml_kind(names) != YAML_KIND_MAP) {
        status = yaml_fail(names, -EINVAL, loader->failure, "names is not a map");
    }
    for (size_t i = 0; status == 0 && services && i < yaml_count(services); i++) {
        status = services_read_service(loader, yaml_item(services, i));
    }
    for (size_t i = 0; status == 0 && names && i < yaml_count(names); i++) {
        status = services_read_name(loader, yaml_item(names, i), first_service);
    }
    return status;
}

static int services_read_file(struct services_loader *loader, const char *path)
{
    struct yaml_document *document = NULL;
    uint8_t *bytes = NULL;
    size_t len;
    int status = fd_read_file(path, SERVICES_FILE_MAX, &bytes, &len, loader->failure);

    if (status == 0) {
        status = yaml_load_bytes(path, bytes, len, &document, loader->failure);
    }
    if (status == 0) {
        status = services_read_document(loader, yaml_root(document));
    }
    if (status == 0 && EVP_DigestUpdate(loader->digest, bytes, len) != 1) {
        status = failure_set(loader->failure, -ENOMEM, "%s: no digest", path);
    }
    yaml_unload(document);
    free(bytes);
    return status;
}

static int services_is_yaml(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".yaml");
}

static int services_read_folder(struct services_loader *loader, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, services_is_yaml, alphasort);
    int status = 0;

    if (count < 0) {
        return failure_set(loader->failure, -errno, "%s: %s", path, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        char *file = NULL;

        if (status == 0) {
            status = asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0
                         ? failure_set(loader->failure, -ENOMEM, "%s: out of memory", path)
                         : services_read_file(loader, file);
        }
        free(file);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static void services_finish_digest(struct services_loader *loader)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(loader->digest, digest, NULL) != 1) {
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        snprintf(loader->services->digest + (size_t)2 * i, 3, "%02x", digest[i]);
    }
}

int services_load(const char *path, struct image *image, const struct zone_set *zones,
                  struct services **ret_services, struct failure *failure)
{
    struct services_loader loader = {services_new(), zones, EVP_MD_CTX_new(), failure};
    struct stat info;
    int status;

    if (!loader.services || !loader.digest ||
        EVP_DigestInit_ex(loader.digest, EVP_sha256(), NULL) != 1) {
        status = failure_set(failure, -ENOMEM, "%s: out of memory", path);
    } else if (stat(path, &info) < 0) {
        status = failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    } else {
        loader.services->image = image ? image_ref(image) : NULL;
        status = S_ISDIR(info.st_mode) ? services_read_folder(&loader, path)
                                       : services_read_file(&loader, path);
    }
    if (status == 0) {
        overlay_finish(loader.services->overlay);
        services_finish_digest(&loader);
        *ret_services = loader.services;
        loader.services = NULL;
    }
    services_unref(loader.services);
    EVP_MD_CTX_free(loader.digest);
    return status;
}
