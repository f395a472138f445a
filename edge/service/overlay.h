/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The names that services add to zones: a tree of its own beside the zones' trees, so that zones
 * and services reload independently. A query looks into both and the deeper encloser wins, as if
 * the names stood in the zone. Empty non-terminals are part of it. Frozen by overlay_finish().
 */
#ifndef EDGE_OVERLAY_H
#define EDGE_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/wire/name.h"

struct arena;
struct overlay;
struct service;

struct overlay_node {
    const uint8_t *name; /* lower case */
    uint64_t hash;
    const struct service *service;       /* NULL: an empty non-terminal */
    const char *place;                   /* who said so; NULL: an empty non-terminal */
    const struct overlay_node *wildcard; /* the child "*" */
    uint32_t parent;                     /* index + 1 */
    uint8_t name_len;
    uint8_t label_n;
};

struct overlay *overlay_new(void);
void overlay_free(struct overlay *overlay); /* NULL is allowed */

/* `place` is kept, not copied. -EEXIST: the name is taken. */
int overlay_add(struct overlay *overlay, const struct name_key *name, const struct service *service,
                const char *place);

/* Call once, after the last add. */
void overlay_finish(struct overlay *overlay);

uint32_t overlay_count(const struct overlay *overlay); /* nodes */
const struct overlay_node *overlay_item(const struct overlay *overlay, uint32_t index);

/* No service has a name. */
bool overlay_is_empty(const struct overlay *overlay);

/* The node of exactly this suffix of the key, or NULL. */
const struct overlay_node *overlay_get(const struct overlay *overlay, const struct name_key *key,
                                       unsigned label_n);

/* The node of the name with this hash, or NULL; the name has NAME_SLACK readable bytes after it. */
const struct overlay_node *overlay_get_name(const struct overlay *overlay, const uint8_t *name,
                                            size_t name_len, uint64_t hash);

/* The node of the key's name or of its closest encloser with at least `min_label_n` labels; NULL:
 * there is none. */
const struct overlay_node *overlay_find(const struct overlay *overlay, const struct name_key *key,
                                        unsigned min_label_n);

#endif
