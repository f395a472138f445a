/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/services.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/service/overlay.h"
#include "edge/service/services_parts.h"

struct services *services_new(struct image *image)
{
    struct services *services = calloc(1, sizeof(*services));

    if (!services) {
        return NULL;
    }
    services->references = 1;
    services->arena = arena_new();
    services->overlay = overlay_new();
    services->image = image ? image_ref(image) : NULL;
    if (!services->arena || !services->overlay) {
        services_unref(services);
        return NULL;
    }
    return services;
}

struct services *services_empty(void)
{
    return services_new(NULL);
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
    for (uint32_t i = 0; i < services->part_n; i++) {
        services_unref(services->parts[i]);
    }
    free(services->parts);
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

uint32_t services_file_count(const struct services *services)
{
    return services->file_n;
}

const struct services_file *services_file_get(const struct services *services, uint32_t index)
{
    return &services->files[index];
}

const char *services_file_state_name(enum services_file_state state)
{
    switch (state) {
    case SERVICES_FILE_FRESH:
        return "served";
    case SERVICES_FILE_KEPT:
        return "last good content";
    case SERVICES_FILE_HELD:
        return "held";
    case SERVICES_FILE_REFUSED:
        return "refused";
    }
    return "unknown";
}

uint32_t services_lost_count(const struct services *services)
{
    return services->lost_n;
}

const char *services_digest(const struct services *services)
{
    return services->digest;
}

const struct overlay *services_overlay(const struct services *services)
{
    return services->overlay;
}

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

int services_push(struct services *services, struct service *service)
{
    if (services->count == services->max && services_grow(services)) {
        return -ENOMEM;
    }
    service->index = services->count;
    services->list[services->count] = service;
    services->slots[services_slot(services, service->name)] = ++services->count;
    return 0;
}

int services_join(struct services *services, struct services *part)
{
    struct services **parts =
        realloc(services->parts, (services->part_n + 1u) * sizeof(struct services *));
    int status = 0;

    if (!parts) {
        services_unref(part);
        return -ENOMEM;
    }
    services->parts = parts;
    parts[services->part_n++] = part;
    for (uint32_t i = 0; i < part->count && status == 0; i++) {
        status = services_push(services, part->list[i]);
    }
    for (uint32_t i = 0; i < overlay_count(part->overlay) && status == 0; i++) {
        const struct overlay_node *node = overlay_item(part->overlay, i);
        struct name_key key;

        if (node->service && name_key_make(&key, node->name)) {
            status = overlay_add(services->overlay, &key, node->service, node->place);
        }
    }
    return status;
}
