/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/alias_targets.h"

#include <stdbool.h>
#include <string.h>

#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"

_Static_assert(sizeof(((struct alias_target *)0)->name) >= NAME_LEN_MAX, "no room for a name");

/* The service that answers for the name, itself or by a wildcard (RFC 4592 section 3.3.1); NULL:
 * none does. */
static const struct service *alias_service(const struct zone_set *zones,
                                           const struct overlay *overlay,
                                           const struct name_key *name)
{
    const struct overlay_node *node;
    const struct zone_node *found;
    const struct zone *zone;
    bool known;
    bool exact;

    zone = zone_set_find_key(zones, name, name->label_n, &known);
    node = zone ? overlay_find(overlay, name, zone->apex->label_n) : NULL;
    if (!node || node->label_n == name->label_n) {
        return node ? node->service : NULL;
    }
    found = zone_find(zone, name, &exact);
    return !exact && node->label_n >= found->label_n && node->wildcard ? node->wildcard->service
                                                                       : NULL;
}

static void alias_check_rrset(const struct zone_set *zones, const struct overlay *overlay,
                              const struct zone_node *node, const struct zone_rrset *rrset,
                              size_t name_offset, struct alias_target *target)
{
    const uint8_t *rr = rrset->wire;

    for (unsigned i = 0; i < rrset->rr_n; i++) {
        uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
        const struct service *service;
        struct name_key key;

        zone_name_expand(node->name, rr + ZONE_RR_FIXED + name_offset, name);
        rr += ZONE_RR_FIXED + wire_get_u16(rr + 10);
        service = name_key_make(&key, name) ? alias_service(zones, overlay, &key) : NULL;
        if (!service || !service->is_alias) {
            continue;
        }
        if (target->count++ == 0) {
            target->type = rrset->type;
            target->owner = node->name;
            target->service = service;
            memcpy(target->name, key.bytes, key.len);
        }
    }
}

static void alias_check_zone(const struct zone_set *zones, const struct overlay *overlay,
                             const struct zone *zone, struct alias_target *target)
{
    static const struct {
        uint16_t type;
        uint8_t name_offset; /* in the RDATA */
    } types[] = {{WIRE_TYPE_NS, 0}, {WIRE_TYPE_MX, 2}, {WIRE_TYPE_SRV, 6}};

    for (uint32_t i = 0; i < zone->node_n; i++) {
        const struct zone_node *node = &zone->nodes[i];

        for (unsigned k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
            const struct zone_rrset *rrset = zone_node_rrset(node, types[k].type);

            if (rrset) {
                alias_check_rrset(zones, overlay, node, rrset, types[k].name_offset, target);
            }
        }
    }
}

void alias_targets_find(const struct zone_set *zones, const struct services *services,
                        struct alias_target *ret_target)
{
    bool any = false;

    ret_target->count = 0;
    for (uint32_t i = 0; i < services_count(services); i++) {
        any |= services_get(services, i)->is_alias;
    }
    for (uint32_t i = 0; any && i < zone_set_count(zones); i++) {
        const struct zone *zone = zone_set_get(zones, i, NULL);

        if (zone) {
            alias_check_zone(zones, services_overlay(services), zone, ret_target);
        }
    }
}
