/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct overlay {
    struct arena *arena;
    struct overlay_node *nodes;
    uint32_t node_n, node_max;
    uint32_t *slots; /* node + 1 */
    uint32_t slot_n;
    uint32_t service_name_n;
};

struct overlay *overlay_new(void)
{
    struct overlay *overlay = calloc(1, sizeof(*overlay));

    if (!overlay) {
        return NULL;
    }
    overlay->arena = arena_new();
    overlay->slot_n = 16;
    overlay->slots = calloc(overlay->slot_n, sizeof(*overlay->slots));
    if (!overlay->arena || !overlay->slots) {
        overlay_free(overlay);
        return NULL;
    }
    return overlay;
}

void overlay_free(struct overlay *overlay)
{
    if (overlay) {
        arena_free(overlay->arena);
        free(overlay->nodes);
        free(overlay->slots);
        free(overlay);
    }
}

/* Index + 1, 0: none. */
static uint32_t overlay_lookup(const struct overlay *overlay, const uint8_t *name, size_t name_len,
                               uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash & (overlay->slot_n - 1); overlay->slots[i];
         i = (i + 1) & (overlay->slot_n - 1)) {
        const struct overlay_node *node = &overlay->nodes[overlay->slots[i] - 1];

        if (node->hash == hash && node->name_len == name_len &&
            name_same(node->name, name, name_len)) {
            return overlay->slots[i];
        }
    }
    return 0;
}

static void overlay_place(struct overlay *overlay, uint32_t index)
{
    uint32_t i = (uint32_t)overlay->nodes[index].hash & (overlay->slot_n - 1);

    while (overlay->slots[i]) {
        i = (i + 1) & (overlay->slot_n - 1);
    }
    overlay->slots[i] = index + 1;
}

static int overlay_grow(struct overlay *overlay)
{
    uint32_t node_max = overlay->node_max ? overlay->node_max * 2 : 16;
    struct overlay_node *nodes = realloc(overlay->nodes, node_max * sizeof(*nodes));
    uint32_t *slots;

    if (!nodes) {
        return -ENOMEM;
    }
    overlay->nodes = nodes;
    slots = calloc(2 * (size_t)node_max, sizeof(*slots));
    if (!slots) {
        return -ENOMEM;
    }
    overlay->node_max = node_max;
    free(overlay->slots);
    overlay->slots = slots;
    overlay->slot_n = 2 * node_max;
    for (uint32_t i = 0; i < overlay->node_n; i++) {
        overlay_place(overlay, i);
    }
    return 0;
}

int overlay_add(struct overlay *overlay, const struct name_key *name, const struct service *service,
                const char *place)
{
    uint32_t parent = 0;

    for (unsigned labels = 0; labels <= name->label_n; labels++) {
        const uint8_t *suffix = name->bytes + name_suffix_offset(name, labels);
        uint8_t len = name_suffix_len(name, labels);
        uint32_t found = overlay_lookup(overlay, suffix, len, name->hashes[labels]);

        if (!found) {
            struct overlay_node node = {.hash = name->hashes[labels],
                                        .parent = parent,
                                        .name_len = len,
                                        .label_n = (uint8_t)labels};

            node.name = name_store(overlay->arena, suffix, len);
            if (!node.name || (overlay->node_n == overlay->node_max && overlay_grow(overlay))) {
                return -ENOMEM;
            }
            overlay->nodes[overlay->node_n] = node;
            overlay_place(overlay, overlay->node_n);
            found = ++overlay->node_n;
        }
        parent = found;
    }
    if (overlay->nodes[parent - 1].service) {
        return -EEXIST;
    }
    overlay->nodes[parent - 1].service = service;
    overlay->nodes[parent - 1].place = place;
    overlay->service_name_n++;
    return 0;
}

void overlay_finish(struct overlay *overlay)
{
    for (uint32_t i = 0; i < overlay->node_n; i++) {
        const struct overlay_node *node = &overlay->nodes[i];

        if (node->parent && name_is_wildcard(node->name)) {
            overlay->nodes[node->parent - 1].wildcard = node;
        }
    }
}

uint32_t overlay_count(const struct overlay *overlay)
{
    return overlay->node_n;
}

const struct overlay_node *overlay_item(const struct overlay *overlay, uint32_t index)
{
    return &overlay->nodes[index];
}

bool overlay_is_empty(const struct overlay *overlay)
{
    return overlay->service_name_n == 0;
}

const struct overlay_node *overlay_get_name(const struct overlay *overlay, const uint8_t *name,
                                            size_t name_len, uint64_t hash)
{
    uint32_t found = overlay_lookup(overlay, name, name_len, hash);

    return found ? &overlay->nodes[found - 1] : NULL;
}

const struct overlay_node *overlay_get(const struct overlay *overlay, const struct name_key *key,
                                       unsigned label_n)
{
    return overlay_get_name(overlay, key->bytes + name_suffix_offset(key, label_n),
                            name_suffix_len(key, label_n), key->hashes[label_n]);
}

/* Bisects as zone_find() does. */
const struct overlay_node *overlay_find(const struct overlay *overlay, const struct name_key *key,
                                        unsigned min_label_n)
{
    const struct overlay_node *node = overlay_get(overlay, key, key->label_n);
    unsigned missing = key->label_n;
    unsigned exists = min_label_n; /* or nothing does */

    if (node) {
        return node;
    }
    while (missing > exists) {
        unsigned middle = exists + (missing - exists) / 2;
        const struct overlay_node *found = overlay_get(overlay, key, middle);

        if (found) {
            node = found;
            exists = middle + 1;
        } else {
            missing = middle;
        }
    }
    return node;
}
