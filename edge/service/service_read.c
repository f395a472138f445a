/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/service_read.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/yaml.h"
#include "edge/wire/name.h"

#define SERVICE_TTL_MAX 604800u
#define SERVICE_TTL_DEFAULT 30u
#define SERVICE_TTL_MIN_DEFAULT 5u

/* --- PoPs --- */

static bool service_map_has(const struct service *service, int pop)
{
    return memchr(service->map_entry->tail, pop, service->map_entry->tail_n) != NULL;
}

/* The addresses of one family out of a list of both. */
static int service_read_family(const struct service_reader *reader, const struct yaml_node *list,
                               enum map_family family, struct service_addresses *ret_addresses)
{
    size_t address_len = family == MAP_FAMILY_IPV4 ? 4 : 16;
    uint8_t *bytes = arena_alloc(reader->arena, yaml_count(list) * address_len + 1);
    uint32_t count = 0;

    if (!bytes) {
        return failure_set(reader->failure, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < yaml_count(list); i++) {
        const struct yaml_node *item = yaml_item(list, i);
        struct address address;
        int status = yaml_address(item, &address, reader->failure);

        if (status) {
            return status;
        }
        if ((address.family == ADDRESS_IPV4) != (family == MAP_FAMILY_IPV4)) {
            continue;
        }
        for (uint32_t k = 0; k < count; k++) {
            if (!memcmp(bytes + k * address_len, address.bytes, address_len)) {
                return yaml_fail(item, -EINVAL, reader->failure, "the address is listed twice");
            }
        }
        memcpy(bytes + count * address_len, address.bytes, address_len);
        count++;
    }
    *ret_addresses = (struct service_addresses){bytes, count};
    return 0;
}

static int service_read_addresses(const struct service_reader *reader, const struct yaml_node *node,
                                  const struct yaml_node *list, int pop, struct service *service)
{
    if (!list || yaml_kind(list) != YAML_KIND_LIST || yaml_count(list) == 0) {
        return yaml_fail(list ? list : node, -EINVAL, reader->failure,
                         "expected a list of addresses for PoP %s", yaml_key(node));
    }
    if (yaml_count(list) > SERVICE_ADDRESSES_MAX) {
        return yaml_fail(list, -EINVAL, reader->failure, "more than %u addresses for PoP %s",
                         SERVICE_ADDRESSES_MAX, yaml_key(node));
    }
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        struct service_addresses *addresses = &service->addresses[family][pop];
        int status = service_read_family(reader, list, (enum map_family)family, addresses);

        if (status) {
            return status;
        }
        service->has_family[family] |= addresses->count != 0;
    }
    return 0;
}

/* The name that a PoP gives instead of addresses. */
static int service_read_alias(const struct service_reader *reader, const struct yaml_node *node,
                              int pop, struct service *service)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    struct service_addresses *target = &service->addresses[SERVICE_ALIAS_FAMILY][pop];
    const char *text;
    int status = yaml_text(node, &text, reader->failure);

    if (status) {
        return status;
    }
    if (!*text || name_from_text(text, wire)) {
        return yaml_fail(node, -EINVAL, reader->failure, "%s is no domain name", text);
    }
    target->bytes = arena_copy(reader->arena, wire, sizeof(wire));
    if (!target->bytes) {
        return failure_set(reader->failure, -ENOMEM, "out of memory");
    }
    target->count = 1;
    return 0;
}

/* -1: not a PoP of the map. Without an image nothing is known about PoPs; all share one place. */
static int service_find_pop(const struct service_reader *reader, const struct yaml_node *node,
                            const struct service *service)
{
    int pop = reader->image ? image_find_pop(reader->image, yaml_key(node)) : 0;

    return pop >= 0 && reader->image && !service_map_has(service, pop) ? -1 : pop;
}

static int service_read_pop(const struct service_reader *reader, const struct yaml_node *node,
                            bool is_first, struct service *service)
{
    static const char *const known[] = {"addresses", "cname", NULL};
    const struct yaml_node *list = yaml_kind(node) == YAML_KIND_MAP ? NULL : node;
    const struct yaml_node *cname = yaml_get(node, "cname");
    int pop = service_find_pop(reader, node, service);

    if (pop < 0) {
        return yaml_fail(node, -EINVAL, reader->failure, "PoP %s is not in map %s", yaml_key(node),
                         service->map_entry->name);
    }
    if (!list) {
        int status = yaml_check_keys(node, known, reader->failure);

        if (status) {
            return status;
        }
        list = yaml_get(node, "addresses");
    }
    /* The set of types at a name is the same for all clients. */
    if ((cname && list) || (!is_first && (cname != NULL) != service->is_alias)) {
        return yaml_fail(cname ? cname : node, -EINVAL, reader->failure,
                         "the PoPs of a service give either addresses or a cname, not both");
    }
    service->is_alias = cname != NULL;
    return cname ? service_read_alias(reader, cname, pop, service)
                 : service_read_addresses(reader, node, list, pop, service);
}

static int service_read_pops(const struct service_reader *reader, const struct yaml_node *node,
                             const struct yaml_node *service_node, struct service *service)
{
    if (!node || yaml_kind(node) != YAML_KIND_MAP || yaml_count(node) == 0) {
        return yaml_fail(node ? node : service_node, -EINVAL, reader->failure,
                         "service %s needs pops: PoP names with their addresses", service->name);
    }
    for (size_t i = 0; i < yaml_count(node); i++) {
        int status = service_read_pop(reader, yaml_item(node, i), i == 0, service);

        if (status) {
            return status;
        }
    }
    return 0;
}

/* --- keys --- */

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

static int service_read_map(const struct service_reader *reader, const struct yaml_node *parent,
                            struct service *service)
{
    const struct yaml_node *node = yaml_get(parent, "map");
    const char *text;
    int map, status;

    if (!node) {
        return yaml_fail(parent, -EINVAL, reader->failure, "service %s names no map",
                         service->name);
    }
    if (!reader->image && !reader->form_only) {
        return yaml_fail(node, -EINVAL, reader->failure, "there are services but no map is loaded");
    }
    status = yaml_text(node, &text, reader->failure);
    if (status || !reader->image) {
        return status;
    }
    map = image_find_map(reader->image, text);
    if (map < 0) {
        return yaml_fail(node, -EINVAL, reader->failure, "no map %s in %s", text,
                         image_path(reader->image));
    }
    service->map = (uint32_t)map;
    service->map_entry = image_map(reader->image, (uint32_t)map);
    return 0;
}

int service_read(const struct service_reader *reader, const struct yaml_node *node,
                 struct service *service)
{
    static const char *const known[] = {"map",      "ttl",  "ttl_min", "pops_per_answer",
                                        "on_empty", "pops", NULL};
    struct failure *failure = reader->failure;
    int status = yaml_check_keys(node, known, failure);

    service->ttl = SERVICE_TTL_DEFAULT;
    service->pops_per_answer = 1;
    service->on_empty = SERVICE_ON_EMPTY_STATIC;
    if (status || (status = service_read_map(reader, node, service)) ||
        (status = service_read_number(node, "ttl", 1, SERVICE_TTL_MAX, &service->ttl, failure))) {
        return status;
    }
    service->ttl_min =
        service->ttl < SERVICE_TTL_MIN_DEFAULT ? service->ttl : SERVICE_TTL_MIN_DEFAULT;
    if ((status =
             service_read_number(node, "ttl_min", 1, service->ttl, &service->ttl_min, failure)) ||
        (status = service_read_number(node, "pops_per_answer", 1, MAP_PICKS_MAX,
                                      &service->pops_per_answer, failure)) ||
        (status = service_read_on_empty(node, &service->on_empty, failure))) {
        return status;
    }
    status = service_read_pops(reader, yaml_get(node, "pops"), node, service);
    if (status == 0 && service->is_alias && service->pops_per_answer > 1) {
        return yaml_fail(yaml_get(node, "pops_per_answer"), -EINVAL, failure,
                         "a name has one CNAME record (RFC 2181 section 10.1): "
                         "pops_per_answer must be 1");
    }
    return status;
}
