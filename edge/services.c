/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading goes file by file, each file first its services, then its names, so that a name can only
 * point to a service of the same file. What a service needs from the image is resolved while it is
 * read; what a name needs from the zones is checked in services_names.c.
 */
#include "edge/services.h"

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
#include "edge/overlay.h"
#include "edge/services_names.h"
#include "edge/state_set.h"

#define SERVICES_FILE_MAX (64u << 20)
#define SERVICES_MAX 65536u
#define SERVICES_TTL_MAX 604800u
#define SERVICES_TTL_DEFAULT 30u
#define SERVICES_TTL_MIN_DEFAULT 5u

struct services {
    uint32_t references; /* atomic */
    uint32_t count, max;
    struct service **list;
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

const struct service *services_find(const struct services *services, const char *name)
{
    for (uint32_t i = 0; i < services->count; i++) {
        if (!strcmp(services->list[i]->name, name)) {
            return services->list[i];
        }
    }
    return NULL;
}

const char *services_digest(const struct services *services)
{
    return services->digest;
}

const struct overlay *services_overlay(const struct services *services)
{
    return services->overlay;
}

/* --- PoPs of a service --- */

static bool service_map_has(const struct service *service, int pop)
{
    return memchr(service->map_entry->tail, pop, service->map_entry->tail_n) != NULL;
}

/* The addresses of one family out of a list of both. */
static int service_read_family(struct services_loader *loader, const struct yaml_node *list,
                               enum map_family family, struct service_addresses *ret_addresses)
{
    size_t address_len = family == MAP_FAMILY_IPV4 ? 4 : 16;
    uint8_t *bytes = arena_alloc(loader->services->arena, yaml_count(list) * address_len + 1);
    uint32_t count = 0;

    if (!bytes) {
        return failure_set(loader->failure, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *item = yaml_item(list, i);
        struct address address;
        int status = yaml_address(item, &address, loader->failure);

        if (status) {
            return status;
        }
        if ((address.family == ADDRESS_IPV4) != (family == MAP_FAMILY_IPV4)) {
            continue;
        }
        for (uint32_t k = 0; k < count; k++) {
            if (!memcmp(bytes + k * address_len, address.bytes, address_len)) {
                return yaml_fail(item, -EINVAL, loader->failure, "the address is listed twice");
            }
        }
        memcpy(bytes + count * address_len, address.bytes, address_len);
        count++;
    }
    *ret_addresses = (struct service_addresses){bytes, count};
    return 0;
}

static int service_read_pop(struct services_loader *loader, const struct yaml_node *node,
                            struct service *service)
{
    static const char *const known[] = {"addresses", NULL};
    int pop = image_find_pop(loader->services->image, yaml_key(node));
    const struct yaml_node *list = node;

    if (pop < 0 || !service_map_has(service, pop)) {
        return yaml_fail(node, -EINVAL, loader->failure, "PoP %s is not in map %s", yaml_key(node),
                         service->map_entry->name);
    }
    if (yaml_kind(node) == YAML_KIND_MAP) {
        int status = yaml_check_keys(node, known, loader->failure);

        if (status) {
            return status;
        }
        list = yaml_get(node, "addresses");
    }
    if (!list || yaml_kind(list) != YAML_KIND_LIST || yaml_count(list) == 0) {
        return yaml_fail(list ? list : node, -EINVAL, loader->failure,
                         "expected a list of addresses for PoP %s", yaml_key(node));
    }
    if (yaml_count(list) > SERVICE_ADDRESSES_MAX) {
        return yaml_fail(list, -EINVAL, loader->failure, "more than %u addresses for PoP %s",
                         SERVICE_ADDRESSES_MAX, yaml_key(node));
    }
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        struct service_addresses *addresses = &service->addresses[family][pop];
        int status = service_read_family(loader, list, (enum map_family)family, addresses);

        if (status) {
            return status;
        }
        service->has_family[family] |= addresses->count != 0;
    }
    return 0;
}

static int service_read_pops(struct services_loader *loader, const struct yaml_node *node,
                             const struct yaml_node *service_node, struct service *service)
{
    if (!node || yaml_kind(node) != YAML_KIND_MAP || yaml_count(node) == 0) {
        return yaml_fail(node ? node : service_node, -EINVAL, loader->failure,
                         "service %s needs pops: PoP names with their addresses", service->name);
    }
    for (size_t i = 0; i < yaml_count(node); i++) {
        int status = service_read_pop(loader, yaml_item(node, i), service);

        if (status) {
            return status;
        }
    }
    return 0;
}

/* --- keys of a service --- */

static int service_read_number(const struct yaml_node *parent, const char *key, uint64_t min,
                               uint64_t max, uint32_t *value, struct failure *failure)
{
    const struct yaml_node *node = yaml_get(parent, key);
    uint64_t number;
    int status;

    if (!node) {
        return 0;
    }
    status = yaml_u64(node, min, max, &number, failure);
    if (status == 0) {
        *value = (uint32_t)number;
    }
    return status;
}

static int service_read_on_empty(const struct yaml_node *parent, enum service_on_empty *value,
                                 struct failure *failure)
{
    static const char *const names[] = {
        [SERVICE_ON_EMPTY_STATIC] = "static",
        [SERVICE_ON_EMPTY_SERVFAIL] = "servfail",
        [SERVICE_ON_EMPTY_NODATA] = "nodata",
    };
    const struct yaml_node *node = yaml_get(parent, "on_empty");
    const char *text;
    int status;

    if (!node) {
        return 0;
    }
    status = yaml_text(node, &text, failure);
    for (unsigned i = 0; status == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(text, names[i])) {
            *value = (enum service_on_empty)i;
            return 0;
        }
    }
    return status ? status
                  : yaml_fail(node, -EINVAL, failure,
                              "on_empty is \"%s\", expected static, servfail or nodata", text);
}

static int service_read_map(struct services_loader *loader, const struct yaml_node *parent,
                            struct service *service)
{
    const struct yaml_node *node = yaml_get(parent, "map");
    const char *text;
    int map, status;

    if (!node) {
        return yaml_fail(parent, -EINVAL, loader->failure, "service %s names no map",
                         service->name);
    }
    if (!loader->services->image) {
        return yaml_fail(node, -EINVAL, loader->failure, "there are services but no map is loaded");
    }
    status = yaml_text(node, &text, loader->failure);
    if (status) {
        return status;
    }
    map = image_find_map(loader->services->image, text);
    if (map < 0) {
        return yaml_fail(node, -EINVAL, loader->failure, "no map %s in %s", text,
                         image_path(loader->services->image));
    }
    service->map = (uint32_t)map;
    service->map_entry = image_map(loader->services->image, (uint32_t)map);
    return 0;
}

static int service_read_keys(struct services_loader *loader, const struct yaml_node *node,
                             struct service *service)
{
    static const char *const known[] = {"map",      "ttl",  "ttl_min", "pops_per_answer",
                                        "on_empty", "pops", NULL};
    struct failure *failure = loader->failure;
    int status = yaml_check_keys(node, known, failure);

    service->ttl = SERVICES_TTL_DEFAULT;
    service->pops_per_answer = 1;
    service->on_empty = SERVICE_ON_EMPTY_STATIC;
    if (status || (status = service_read_map(loader, node, service)) ||
        (status = service_read_number(node, "ttl", 1, SERVICES_TTL_MAX, &service->ttl, failure))) {
        return status;
    }
    service->ttl_min =
        service->ttl < SERVICES_TTL_MIN_DEFAULT ? service->ttl : SERVICES_TTL_MIN_DEFAULT;
    if ((status =
             service_read_number(node, "ttl_min", 1, service->ttl, &service->ttl_min, failure)) ||
        (status = service_read_number(node, "pops_per_answer", 1, MAP_PICKS_MAX,
                                      &service->pops_per_answer, failure)) ||
        (status = service_read_on_empty(node, &service->on_empty, failure))) {
        return status;
    }
    return service_read_pops(loader, yaml_get(node, "pops"), node, service);
}

static int services_push(struct services *services, struct service *service)
{
    if (services->count == services->max) {
        uint32_t max = services->max ? services->max * 2 : 8;
        struct service **list = realloc(services->list, max * sizeof(struct service *));

        if (!list) {
            return -ENOMEM;
        }
        services->list = list;
        services->max = max;
    }
    service->index = services->count;
    services->list[services->count++] = service;
    return 0;
}

static int services_read_service(struct services_loader *loader, const struct yaml_node *node)
{
    struct services *services = loader->services;
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
    status = service_read_keys(loader, node, service);
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
