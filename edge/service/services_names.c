/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/services_names.h"

#include <errno.h>

#include "base/yaml.h"
#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"

/* What answers when nobody is left must be there for each family, or a full failure would take a
 * type away. */
static int services_check_static(const struct service *service, const struct zone_node *zone_node,
                                 const struct yaml_node *node, struct failure *failure)
{
    static const struct {
        uint16_t type;
        const char *name;
    } types[MAP_FAMILIES] = {{WIRE_TYPE_A, "A"}, {WIRE_TYPE_AAAA, "AAAA"}};

    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        if (service->has_family[family] &&
            (!zone_node || !zone_node_rrset(zone_node, types[family].type))) {
            return yaml_fail(node, -EINVAL, failure,
                             "service %s has on_empty: static, but the zone has no %s record at %s",
                             service->name, types[family].name, yaml_key(node));
        }
    }
    return 0;
}

static int services_check_zone(const struct zone *zone, const struct service *service,
                               const struct name_key *name, const struct yaml_node *node,
                               struct failure *failure)
{
    bool exact;
    const struct zone_node *found = zone_find(zone, name, &exact);
    char text[NAME_TEXT_LEN];

    if (zone->denial) { /* addresses per client that nobody signed would be bogus */
        return yaml_fail(node, -EINVAL, failure,
                         "%s lies in the zone %s, which is signed: a service cannot answer there",
                         yaml_key(node), name_to_text(zone->apex->name, text));
    }
    if (found->cut) {
        return yaml_fail(node, -EINVAL, failure, "%s lies in the delegation of %s", yaml_key(node),
                         name_to_text(found->cut->name, text));
    }
    if (!exact && (found->flags & ZONE_NODE_DNAME)) {
        return yaml_fail(node, -EINVAL, failure, "%s lies below the DNAME record of %s",
                         yaml_key(node), name_to_text(found->name, text));
    }
    if (exact && (found->flags & ZONE_NODE_CNAME)) {
        return yaml_fail(node, -EINVAL, failure, "the zone has a CNAME record at %s",
                         yaml_key(node));
    }
    if (service->on_empty == SERVICE_ON_EMPTY_STATIC) {
        return services_check_static(service, exact ? found : NULL, node, failure);
    }
    return 0;
}

int services_add_name(struct overlay *overlay, const struct zone_set *zones,
                      const struct service *service, const struct yaml_node *node,
                      struct failure *failure)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    const struct service *taken_by = NULL;
    const struct zone *zone;
    struct name_key name;
    bool known;
    int status;

    if (name_from_text(yaml_key(node), wire) || !name_key_make(&name, wire)) {
        return yaml_fail(node, -EINVAL, failure, "%s is no domain name", yaml_key(node));
    }
    zone = zone_set_find_key(zones, &name, name.label_n, &known);
    if (!known) {
        return yaml_fail(node, -EINVAL, failure, "%s lies in no zone of ours", yaml_key(node));
    }
    if (zone) { /* one that did not load answers SERVFAIL whatever we say here */
        status = services_check_zone(zone, service, &name, node, failure);
        if (status) {
            return status;
        }
    }
    status = overlay_add(overlay, &name, service, &taken_by);
    if (status == -EEXIST) {
        return yaml_fail(node, status, failure, "%s already belongs to service %s", yaml_key(node),
                         taken_by->name);
    }
    return status ? failure_set(failure, status, "out of memory") : 0;
}
