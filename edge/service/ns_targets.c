/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The names stand in an overlay, whose places are the owners of the records.
 */
#include "edge/service/ns_targets.h"

#include <errno.h>
#include <stdlib.h>

#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"

struct ns_targets {
    struct overlay *names;
};

/* Stands for "an NS record points here"; nothing but its address is used. */
static const struct service ns_mark;

void ns_targets_free(struct ns_targets *targets)
{
    if (targets) {
        overlay_free(targets->names);
        free(targets);
    }
}

static int ns_add_rrset(struct ns_targets *targets, const struct zone_set *zones,
                        const struct zone_node *node, const struct zone_rrset *rrset)
{
    const uint8_t *rr = rrset->wire;

    for (unsigned i = 0; i < rrset->rr_n; i++) {
        uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
        struct name_key key;
        bool known;
        int status;

        zone_name_expand(node->name, rr + ZONE_RR_FIXED, name);
        rr += ZONE_RR_FIXED + wire_get_u16(rr + 10);
        if (!name_key_make(&key, name)) {
            continue;
        }
        (void)zone_set_find_key(zones, &key, key.label_n, &known);
        status = known ? overlay_add(targets->names, &key, &ns_mark, (const char *)node->name) : 0;
        if (status && status != -EEXIST) {
            return status;
        }
    }
    return 0;
}

static int ns_add_zone(struct ns_targets *targets, const struct zone_set *zones,
                       const struct zone *zone)
{
    for (uint32_t i = 0; i < zone->node_n; i++) {
        const struct zone_node *node = &zone->nodes[i];
        bool has_ns = (node->flags & ZONE_NODE_APEX) || node->cut == node;
        const struct zone_rrset *rrset = has_ns ? zone_node_rrset(node, WIRE_TYPE_NS) : NULL;
        int status = rrset ? ns_add_rrset(targets, zones, node, rrset) : 0;

        if (status) {
            return status;
        }
    }
    return 0;
}

struct ns_targets *ns_targets_new(const struct zone_set *zones)
{
    struct ns_targets *targets = calloc(1, sizeof(*targets));
    int status = targets ? 0 : -ENOMEM;

    if (targets) {
        targets->names = overlay_new();
        status = targets->names ? 0 : -ENOMEM;
    }
    for (uint32_t i = 0; status == 0 && i < zone_set_count(zones); i++) {
        const struct zone *zone = zone_set_get(zones, i, NULL);

        status = zone ? ns_add_zone(targets, zones, zone) : 0;
    }
    if (status) {
        ns_targets_free(targets);
        return NULL;
    }
    return targets;
}

/* The wildcard of `label_n` labels is the source of synthesis for the name (RFC 4592 section
 * 3.3.1). */
static bool ns_is_synthesised(const struct zone *zone, const struct overlay_node *node,
                              unsigned label_n)
{
    struct name_key key;
    bool exact;
    const struct zone_node *found;

    if (!name_is_under(node->name, zone->apex->name) || !name_key_make(&key, node->name)) {
        return false;
    }
    found = zone_find(zone, &key, &exact);
    return !exact && found->label_n + 1u <= label_n;
}

const unsigned char *ns_targets_find(const struct ns_targets *targets, const struct zone *zone,
                                     const struct name_key *name)
{
    const struct overlay_node *node = overlay_get(targets->names, name, name->label_n);

    if (node && node->service) {
        return (const unsigned char *)node->place;
    }
    for (uint32_t i = 0; name_is_wildcard(name->bytes) && i < overlay_count(targets->names); i++) {
        node = overlay_item(targets->names, i);
        if (node->service && name_is_under(node->name, name->bytes + 2) &&
            node->name_len > name->len - 2 && ns_is_synthesised(zone, node, name->label_n)) {
            return (const unsigned char *)node->place;
        }
    }
    return NULL;
}
