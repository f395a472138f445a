/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/services_names.h"

#include <errno.h>

#include "base/yaml.h"
#include "edge/service/ns_targets.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"

/* What answers when nobody is left must be there for each type the service serves, or a full
 * failure would take a type away. */
static int services_check_static(const struct service *service, const struct zone_node *zone_node,
                                 const struct yaml_node *node, struct failure *failure)
{
    static const struct {
        uint16_t type;
        const char *name;
    } types[] = {{WIRE_TYPE_A, "A"}, {WIRE_TYPE_AAAA, "AAAA"}, {WIRE_TYPE_CNAME, "CNAME"}};

    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        bool served = types[i].type == WIRE_TYPE_CNAME
                          ? service->is_alias
                          : !service->is_alias && service->has_family[i];

        if (served && (!zone_node || !zone_node_rrset(zone_node, types[i].type))) {
            return yaml_fail(node, -EINVAL, failure,
                             "service %s has on_empty: static, but the zone has no %s record at %s",
                             service->name, types[i].name, yaml_key(node));
        }
    }
    return 0;
}

/* A CNAME record stands alone at its name (RFC 2181 section 10.1), so never at an apex, which has
 * SOA and NS, and neither does one that a service chooses. */
static int services_check_alone(const struct service *service, const struct zone_node *zone_node,
                                const struct yaml_node *node, struct failure *failure)
{
    if (zone_node->flags & ZONE_NODE_APEX) {
        return yaml_fail(node, -EINVAL, failure,
                         "service %s gives CNAME records, which cannot stand at the apex %s",
                         service->name, yaml_key(node));
    }
    if (zone_node->rrset_n > 0 && !(zone_node->flags & ZONE_NODE_CNAME)) {
        return yaml_fail(node, -EINVAL, failure,
                         "service %s gives CNAME records, which allow no other data, "
                         "but the zone has records at %s",
                         service->name, yaml_key(node));
    }
    return 0;
}

/* A CNAME that leads to itself answers nothing. */
static int services_check_targets(const struct service *service, const struct name_key *name,
                                  const struct yaml_node *node, struct failure *failure)
{
    for (unsigned pop = 0; pop < MAP_MAX_POPS && service->is_alias; pop++) {
        const struct service_addresses *target = &service->addresses[SERVICE_ALIAS_FAMILY][pop];

        if (target->count && name_len(target->bytes) == name->len &&
            name_equal(target->bytes, name->bytes)) {
            return yaml_fail(node, -EINVAL, failure, "service %s leads from %s back to itself",
                             service->name, yaml_key(node));
        }
    }
    return 0;
}

/* The name of a name server: no alias (RFC 2181 section 10.3), and with static addresses, which
 * are what referrals give as glue. */
static int services_check_server(const struct zone *zone, const struct ns_targets *ns_targets,
                                 const struct service *service, const struct name_key *name,
                                 const struct yaml_node *node, struct failure *failure)
{
    const uint8_t *owner = ns_targets_find(ns_targets, zone, name);
    bool exact;
    const struct zone_node *found = zone_find(zone, name, &exact);
    char text[NAME_TEXT_LEN];

    if (!owner) {
        return 0;
    }
    if (service->is_alias) {
        return yaml_fail(node, -EINVAL, failure,
                         "%s is a name server of %s, which cannot have a CNAME record",
                         yaml_key(node), name_to_text(owner, text));
    }
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        uint16_t type = family == MAP_FAMILY_IPV4 ? WIRE_TYPE_A : WIRE_TYPE_AAAA;

        if (service->has_family[family] &&
            (!exact || name_is_wildcard(name->bytes) || !zone_node_rrset(found, type))) {
            return yaml_fail(node, -EINVAL, failure,
                             "%s is a name server of %s: the zone must have %s records for it, too",
                             yaml_key(node), name_to_text(owner, text),
                             family == MAP_FAMILY_IPV4 ? "A" : "AAAA");
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
    if (exact && !service->is_alias && (found->flags & ZONE_NODE_CNAME)) {
        return yaml_fail(node, -EINVAL, failure, "the zone has a CNAME record at %s",
                         yaml_key(node));
    }
    if (exact && service->is_alias) {
        int status = services_check_alone(service, found, node, failure);

        if (status) {
            return status;
        }
    }
    if (service->on_empty == SERVICE_ON_EMPTY_STATIC) {
        return services_check_static(service, exact ? found : NULL, node, failure);
    }
    return 0;
}

int services_check_name(const struct zone_set *zones, const struct ns_targets *ns_targets,
                        const struct service *service, const struct name_key *name,
                        const struct yaml_node *node, struct failure *failure)
{
    bool known;
    const struct zone *zone = zone_set_find_key(zones, name, name->label_n, &known);
    int status = services_check_targets(service, name, node, failure);

    if (status) {
        return status;
    }
    if (!known) {
        return yaml_fail(node, -EINVAL, failure, "%s lies in no zone of ours", yaml_key(node));
    }
    if (!zone) { /* one that did not load answers SERVFAIL whatever we say here */
        return 0;
    }
    status = services_check_zone(zone, service, name, node, failure);
    return status ? status : services_check_server(zone, ns_targets, service, name, node, failure);
}
