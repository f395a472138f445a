/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What makes records a zone that can be served.
 */
#include <errno.h>

#include "edge/wire/wire.h"
#include "edge/zone/zone_builder_parts.h"

static int check_apex(const struct zone_builder *builder, const char *file, struct failure *failure)
{
    const struct builder_node *apex = &builder->nodes[0];
    const struct builder_record *soa;
    uint32_t count;

    soa = zone_builder_find(builder, apex, WIRE_TYPE_SOA, &count);
    if (!soa) {
        return failure_set(failure, -EINVAL, "%s:1: no SOA record at the zone's origin", file);
    }
    if (count > 1) {
        return zone_builder_fail(soa, failure, "more than one SOA record");
    }
    if (!zone_builder_find(builder, apex, WIRE_TYPE_NS, &count)) {
        return failure_set(failure, -EINVAL, "%s:1: no NS record at the zone's origin", file);
    }
    return 0;
}

/* CNAME stands alone (RFC 1034 section 3.6.2) but for its proofs (RFC 4035 section 2.5) and the old
 * KEY (RFC 3007). */
static bool check_beside_cname(uint16_t type)
{
    return type == WIRE_TYPE_CNAME || type == WIRE_TYPE_RRSIG || type == WIRE_TYPE_NSEC ||
           type == 25;
}

static int check_node(const struct zone_builder *builder, const struct builder_node *node,
                      struct failure *failure)
{
    const struct builder_record *cname, *dname, *soa, *ns;
    bool apex = node == &builder->nodes[0];
    uint32_t count;

    soa = zone_builder_find(builder, node, WIRE_TYPE_SOA, &count);
    if (soa && !apex) {
        return zone_builder_fail(soa, failure, "SOA record below the zone's origin");
    }
    cname = zone_builder_find(builder, node, WIRE_TYPE_CNAME, &count);
    if (cname && count > 1) {
        return zone_builder_fail(cname, failure, "more than one CNAME record at a name");
    }
    for (uint32_t i = node->first; cname && i < node->first + node->record_n; i++) {
        if (!check_beside_cname(builder->records[i].type)) {
            return zone_builder_fail(&builder->records[i], failure,
                                     "other data beside a CNAME record");
        }
    }
    dname = zone_builder_find(builder, node, WIRE_TYPE_DNAME, &count);
    if (dname && count > 1) { /* RFC 6672 section 2.4 */
        return zone_builder_fail(dname, failure, "more than one DNAME record at a name");
    }
    ns = zone_builder_find(builder, node, WIRE_TYPE_NS, &count);
    if (dname && ns && !apex) {
        return zone_builder_fail(dname, failure,
                                 "DNAME record at a delegation (RFC 6672 section 2.3)");
    }
    if ((dname || ns) && name_is_wildcard(node->name)) {
        return zone_builder_fail(dname ? dname : ns, failure,
                                 "NS or DNAME record at a wildcard (RFC 4592 section 4)");
    }
    return 0;
}

/* RFC 6672 section 2.4: nothing exists below a DNAME. */
static int check_occluded(const struct zone_builder *builder, const struct builder_node *node,
                          struct failure *failure)
{
    for (uint32_t up = node->parent; node->record_n && up != BUILDER_NONE;
         up = builder->nodes[up].parent) {
        if (builder->nodes[up].has_dname) {
            return zone_builder_fail(&builder->records[node->first], failure,
                                     "data below a DNAME record (RFC 6672 section 2.4)");
        }
    }
    return 0;
}

int zone_check(const struct zone_builder *builder, const char *file, struct failure *failure)
{
    int status = check_apex(builder, file, failure);

    for (uint32_t i = 0; status == 0 && i < builder->node_n; i++) {
        status = check_node(builder, &builder->nodes[i], failure);
        if (status == 0) {
            status = check_occluded(builder, &builder->nodes[i], failure);
        }
    }
    return status;
}
