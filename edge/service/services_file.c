/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One file of services. A name's value must be a service of the same file: tenants cannot reach
 * into each other's. What a service needs from the image is resolved while it is read
 * (service_read.c); what a name needs from the zones is checked in services_names.c.
 */
#include "edge/service/services_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/yaml.h"
#include "edge/service/overlay.h"
#include "edge/service/service_read.h"
#include "edge/service/services_names.h"
#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"

#define SERVICES_MAX 65536u

/* "FILE:LINE:COL", for messages that come later. */
static const char *services_place(struct services *part, const struct yaml_node *node)
{
    size_t size = strlen(yaml_file(node)) + 24;
    char *place = arena_alloc(part->arena, size);

    if (place) {
        snprintf(place, size, "%s:%u:%u", yaml_file(node), yaml_line(node), yaml_column(node));
    }
    return place;
}

/* --- services --- */

static int services_check_service(const struct services_context *context,
                                  const struct services *part, const struct yaml_node *node)
{
    const char *key = yaml_key(node);
    const struct service *taken = services_find(context->taken, key);

    if (services_find(part, key)) {
        return yaml_fail(node, -EEXIST, context->failure, "service %s is defined twice", key);
    }
    if (taken) {
        return yaml_fail(node, -EEXIST, context->failure,
                         "service %s is defined twice, first at %s", key, taken->place);
    }
    if (context->tenant && part->count == context->tenant->services) {
        return yaml_fail(node, -ENOSPC, context->failure,
                         "more than the %u services this file may have", context->tenant->services);
    }
    if (context->taken->count + part->count >= SERVICES_MAX) {
        return yaml_fail(node, -ENOSPC, context->failure, "more than %u services", SERVICES_MAX);
    }
    return 0;
}

static uint32_t services_count_addresses(const struct service *service)
{
    uint32_t count = 0;

    for (unsigned pop = 0; pop < MAP_STATES; pop++) {
        count += service->addresses[MAP_FAMILY_IPV4][pop].count +
                 service->addresses[MAP_FAMILY_IPV6][pop].count;
    }
    return count;
}

/* A service that does not fit the image fails the file, last good content or not. */
static int services_read_service(const struct services_context *context, struct services *part,
                                 const struct yaml_node *node)
{
    struct service_reader reader = {part->arena, context->image, context->form_only,
                                    context->failure};
    const char *key = yaml_key(node);
    struct service *service;
    int status = services_check_service(context, part, node);

    if (status) {
        return context->lenient ? 0 : status;
    }
    service = arena_alloc(part->arena, sizeof(*service));
    if (!service || !(service->name = arena_copy(part->arena, key, strlen(key))) ||
        !(service->place = services_place(part, node))) {
        return failure_set(context->failure, -ENOMEM, "out of memory");
    }
    status = service_read(&reader, node, service);
    if (status) {
        return status;
    }
    if (context->tenant &&
        part->address_n + services_count_addresses(service) > context->tenant->addresses) {
        return context->lenient ? 0
                                : yaml_fail(node, -ENOSPC, context->failure,
                                            "more than the %u addresses this file may have",
                                            context->tenant->addresses);
    }
    part->address_n += services_count_addresses(service);
    return services_push(part, service) ? failure_set(context->failure, -ENOMEM, "out of memory")
                                        : 0;
}

/* --- names --- */

static bool services_may_claim(const struct services_tenant *tenant, const struct name_key *name)
{
    bool may = !tenant || tenant->suffix_n == 0;

    for (size_t i = 0; !may && i < tenant->suffix_n; i++) {
        may = name_is_under(name->bytes, tenant->suffixes[i]);
    }
    return may;
}

/* The rules that hold for everybody and at all times: who may have which name. */
static int services_check_claim(const struct services_context *context, const struct services *part,
                                const struct name_key *name, const struct yaml_node *node)
{
    const struct overlay_node *own = overlay_get(part->overlay, name, name->label_n);
    const struct overlay_node *taken = overlay_get(context->taken->overlay, name, name->label_n);

    if (!services_may_claim(context->tenant, name)) {
        return yaml_fail(node, -EPERM, context->failure,
                         "%s is below none of the suffixes this file may use", yaml_key(node));
    }
    taken = own && own->service ? own : taken;
    if (taken && taken->service) {
        return yaml_fail(node, -EEXIST, context->failure, "%s already belongs to service %s at %s",
                         yaml_key(node), taken->service->name, taken->place);
    }
    if (context->tenant && part->name_n == context->tenant->names) {
        return yaml_fail(node, -ENOSPC, context->failure,
                         "more than the %u names this file may have", context->tenant->names);
    }
    return 0;
}

static int services_claim(const struct services_context *context, struct services *part,
                          const struct service *service, const struct name_key *name,
                          const struct yaml_node *node)
{
    const char *place = services_place(part, node);

    if (!place || overlay_add(part->overlay, name, service, place)) {
        return failure_set(context->failure, -ENOMEM, "out of memory");
    }
    part->name_n++;
    return 0;
}

static int services_read_name(const struct services_context *context, struct services *part,
                              const struct yaml_node *node)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    const struct service *service;
    const struct zone *zone;
    struct name_key name;
    const char *text;
    bool known;
    int status = yaml_text(node, &text, context->failure);

    if (status) {
        return status;
    }
    service = services_find(part, text);
    if (!service) {
        return context->lenient
                   ? 0
                   : yaml_fail(node, -EINVAL, context->failure, "no service %s in this file", text);
    }
    if (name_from_text(yaml_key(node), wire) || !name_key_make(&name, wire)) {
        return yaml_fail(node, -EINVAL, context->failure, "%s is no domain name", yaml_key(node));
    }
    status = services_check_claim(context, part, &name, node);
    if (status) {
        return context->lenient ? 0 : status;
    }
    zone = zone_set_find_key(context->zones, &name, name.label_n, &known);
    if (context->lenient && zone && zone->denial) {
        return 0; /* what nobody signed is of no use there */
    }
    if (!context->lenient) { /* else the zone has changed since, and the service stays */
        status = services_check_name(context->zones, context->ns_targets, service, &name, node,
                                     context->failure);
    }
    return status ? status : services_claim(context, part, service, &name, node);
}

/* --- files --- */

static int services_read_document(const struct services_context *context, struct services *part,
                                  const struct yaml_node *root)
{
    static const char *const known[] = {"services", "names", NULL};
    const struct yaml_node *services = yaml_get(root, "services");
    const struct yaml_node *names = yaml_get(root, "names");
    int status = yaml_check_keys(root, known, context->failure);

    if (status == 0 && services && yaml_kind(services) != YAML_KIND_MAP) {
        status = yaml_fail(services, -EINVAL, context->failure, "services is not a map");
    }
    if (status == 0 && names && yaml_kind(names) != YAML_KIND_MAP) {
        status = yaml_fail(names, -EINVAL, context->failure, "names is not a map");
    }
    for (size_t i = 0; status == 0 && services && i < yaml_count(services); i++) {
        status = services_read_service(context, part, yaml_item(services, i));
    }
    for (size_t i = 0; status == 0 && names && i < yaml_count(names); i++) {
        status = services_read_name(context, part, yaml_item(names, i));
    }
    return status;
}

int services_file_read(const struct services_context *context, const char *path,
                       const uint8_t *bytes, size_t len, struct services **ret_part)
{
    struct services *part = services_new(context->image);
    struct yaml_document *document = NULL;
    int status = part ? yaml_load_bytes(path, bytes, len, &document, context->failure)
                      : failure_set(context->failure, -ENOMEM, "%s: out of memory", path);

    if (status == 0) {
        status = services_read_document(context, part, yaml_root(document));
    }
    yaml_unload(document);
    if (status) {
        services_unref(part);
        return status;
    }
    *ret_part = part;
    return 0;
}

/* --- names of files that never were good --- */

/* Holds a name unless somebody may answer for it; `node` is NULL for a suffix. */
static int services_hold_name(const struct services_context *context, struct services *part,
                              const struct service *held, const uint8_t *wire)
{
    const struct overlay_node *own, *taken;
    struct name_key name;
    bool known;

    if (!name_key_make(&name, wire) || !services_may_claim(context->tenant, &name)) {
        return 0;
    }
    (void)zone_set_find_key(context->zones, &name, name.label_n, &known);
    own = overlay_get(part->overlay, &name, name.label_n);
    taken = overlay_get(context->taken->overlay, &name, name.label_n);
    if (!known || (own && own->service) || (taken && taken->service) ||
        (context->tenant && part->name_n == context->tenant->names)) {
        return 0;
    }
    part->name_n++;
    return overlay_add(part->overlay, &name, held, held->place);
}

static int services_hold_names(const struct services_context *context, struct services *part,
                               const struct service *held, const struct yaml_node *names)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    int status = 0;

    for (size_t i = 0; i < yaml_count(names) && status == 0; i++) {
        if (name_from_text(yaml_key(yaml_item(names, i)), wire) == 0) {
            status = services_hold_name(context, part, held, wire);
        }
    }
    return status;
}

static int services_hold_suffixes(const struct services_context *context, struct services *part,
                                  const struct service *held)
{
    uint8_t wire[2 + NAME_LEN_MAX + NAME_SLACK + 1] = {1, '*'};
    int status = 0;

    for (size_t i = 0; context->tenant && i < context->tenant->suffix_n && status == 0; i++) {
        size_t len = name_len(context->tenant->suffixes[i]);

        if (len + 2 <= NAME_LEN_MAX) {
            memcpy(wire + 2, context->tenant->suffixes[i], len);
            status = services_hold_name(context, part, held, wire);
        }
    }
    return status;
}

int services_file_hold(const struct services_context *context, const char *path,
                       const uint8_t *bytes, size_t len, struct services **ret_part)
{
    struct services *part = services_new(context->image);
    struct service *held = part ? arena_alloc(part->arena, sizeof(*held)) : NULL;
    struct yaml_document *document = NULL;
    const struct yaml_node *names;
    int status = 0;

    if (!held || !(held->place = arena_copy(part->arena, path, strlen(path)))) {
        services_unref(part);
        return failure_set(context->failure, -ENOMEM, "%s: out of memory", path);
    }
    held->name = "";
    held->is_alias = true; /* which is for every type, too */
    held->is_held = true;
    if (bytes && yaml_load_bytes(path, bytes, len, &document, NULL) < 0) {
        document = NULL;
    }
    names = document ? yaml_get(yaml_root(document), "names") : NULL;
    if (names && yaml_kind(names) == YAML_KIND_MAP) {
        status = services_hold_names(context, part, held, names);
    } else if (!document) {
        status = services_hold_suffixes(context, part, held);
    }
    yaml_unload(document);
    if (status) {
        services_unref(part);
        return failure_set(context->failure, status, "%s: out of memory", path);
    }
    *ret_part = part;
    return 0;
}
