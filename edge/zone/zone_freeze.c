/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sorted records into a zone: one array of nodes, one of RRsets, one hash table, all in an arena
 * that belongs to it. The arena packs downwards, so that the records of a name stand right before
 * its name: zone_ask_data() counts on that.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_builder_parts.h"
#include "edge/zone/zone_render.h"

/* The signatures over the set that starts with this record; *ret_first the first of them. */
static uint32_t freeze_signatures(const struct zone_builder *builder,
                                  const struct builder_record *record, uint32_t *ret_first)
{
    const struct builder_node *node = &builder->nodes[record->node];
    uint32_t sig_n =
        record->type == WIRE_TYPE_RRSIG
            ? 0
            : zone_builder_rrset(builder, node, WIRE_TYPE_RRSIG, record->type, ret_first);

    return sig_n && builder->records[*ret_first].attached ? sig_n : 0;
}

static int freeze_rrset(const struct zone_builder *builder, struct arena *arena,
                        const struct builder_node *node, uint32_t first, uint32_t count,
                        struct zone_rrset *ret_rrset, struct failure *failure)
{
    uint32_t sig_first = 0;
    uint32_t sig_n = freeze_signatures(builder, &builder->records[first], &sig_first);
    struct render_rr *rrs = calloc(count + sig_n, sizeof(*rrs));
    int status;

    if (!rrs) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count + sig_n; i++) {
        const struct builder_record *record =
            &builder->records[i < count ? first + i : sig_first + i - count];

        rrs[i] = (struct render_rr){
            .rdata = record->rdata, .rdata_len = record->rdata_len, .ttl = record->ttl};
    }
    status =
        zone_render(arena, node->name, builder->records[first].type, rrs, count, sig_n, ret_rrset);
    ret_rrset->covered = builder->records[first].covered;
    free(rrs);
    if (status == -E2BIG) {
        return zone_builder_fail(&builder->records[first], failure,
                                 "RRset is too large for any DNS message");
    }
    return status ? failure_set(failure, status, "out of memory") : 0;
}

/* `*rrsets` is where the zone's array goes on. */
static int freeze_rrsets(const struct zone_builder *builder, struct arena *arena,
                         const struct builder_node *from, struct zone_node *to,
                         struct zone_rrset **rrsets, struct failure *failure)
{
    const struct builder_record *records = builder->records;
    uint32_t end = from->first + from->record_n;

    to->rrsets = *rrsets;
    for (uint32_t i = from->first, next; i < end; i = next) {
        struct zone_rrset *rrset;
        int status;

        for (next = i + 1; next < end && builder_same_rrset(&records[i], &records[next]);) {
            next++;
        }
        if (records[i].attached) {
            continue;
        }
        rrset = (*rrsets)++;
        if (to->rrset_n == UINT16_MAX) {
            return zone_builder_fail(&records[i], failure, "too many RRsets at a name");
        }
        status = freeze_rrset(builder, arena, from, i, next - i, rrset, failure);
        if (status) {
            return status;
        }
        to->rrset_n++;
        if (rrset->type == WIRE_TYPE_CNAME) {
            to->flags |= ZONE_NODE_CNAME;
        } else if (rrset->type == WIRE_TYPE_DNAME) {
            to->flags |= ZONE_NODE_DNAME;
        }
    }
    return 0;
}

static uint32_t freeze_count_rrsets(const struct zone_builder *builder)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < builder->record_n; i++) {
        count += !builder->records[i].attached &&
                 (i == 0 || !builder_same_rrset(&builder->records[i - 1], &builder->records[i]));
    }
    return count;
}

/* Parents come before their children in the array, so one pass hands cuts down. */
static void freeze_links(const struct zone_builder *builder, struct zone_node *nodes)
{
    for (uint32_t i = 0; i < builder->node_n; i++) {
        const struct builder_node *from = &builder->nodes[i];
        struct zone_node *node = &nodes[i];

        if (from->parent == BUILDER_NONE) {
            node->flags |= ZONE_NODE_APEX;
            continue;
        }
        node->cut = nodes[from->parent].cut;
        if (!node->cut && zone_node_rrset(node, WIRE_TYPE_NS)) {
            node->cut = node;
        }
        if (name_is_wildcard(node->name)) {
            node->flags |= ZONE_NODE_WILDCARD;
            nodes[from->parent].wildcard = node;
        }
    }
}

static int freeze_nodes(const struct zone_builder *builder, struct zone *zone,
                        struct zone_rrset **ret_rrsets, struct failure *failure)
{
    struct zone_node *nodes = arena_alloc(zone->arena, builder->node_n * sizeof(*nodes));
    struct zone_rrset *rrsets =
        arena_alloc(zone->arena, freeze_count_rrsets(builder) * sizeof(*rrsets));

    *ret_rrsets = rrsets;
    if (!nodes || !rrsets) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < builder->node_n; i++) {
        const struct builder_node *from = &builder->nodes[i];
        int status;

        nodes[i].name = name_store(zone->arena, from->name, from->name_len);
        nodes[i].hash = from->hash;
        nodes[i].name_len = from->name_len;
        nodes[i].label_n = from->label_n;
        if (!nodes[i].name) {
            return failure_set(failure, -ENOMEM, "out of memory");
        }
        status = freeze_rrsets(builder, zone->arena, from, &nodes[i], &rrsets, failure);
        if (status) {
            return status;
        }
    }
    freeze_links(builder, nodes);
    zone->nodes = nodes;
    zone->node_n = builder->node_n;
    zone->apex = nodes;
    return 0;
}

static uint32_t freeze_slot_n(uint32_t node_n)
{
    uint32_t slot_n = 4;

    while (slot_n < 2 * node_n) {
        slot_n *= 2;
    }
    return slot_n;
}

static int freeze_slots(struct zone *zone)
{
    uint32_t slot_n = freeze_slot_n(zone->node_n);
    struct zone_slot *slots = arena_alloc(zone->arena, slot_n * sizeof(*slots));

    if (!slots) {
        return -ENOMEM;
    }
    for (uint32_t n = 0; n < zone->node_n; n++) {
        uint32_t i = (uint32_t)zone->nodes[n].hash & (slot_n - 1);

        while (slots[i].node) {
            i = (i + 1) & (slot_n - 1);
        }
        slots[i] = (struct zone_slot){(uint32_t)(zone->nodes[n].hash >> 32), n + 1};
    }
    zone->slots = slots;
    zone->slot_mask = slot_n - 1;
    return 0;
}

/* RFC 2308 section 3: negative answers live min(SOA TTL, SOA MINIMUM). */
static int freeze_soa(const struct zone_builder *builder, struct zone *zone)
{
    uint32_t count, sig_first = 0;
    const struct builder_record *soa =
        zone_builder_find(builder, &builder->nodes[0], WIRE_TYPE_SOA, &count);
    uint32_t minimum = wire_get_u32(soa->rdata + soa->rdata_len - 4);
    uint32_t sig_n = freeze_signatures(builder, soa, &sig_first);
    struct render_rr *rrs = calloc(1 + sig_n, sizeof(*rrs));
    struct zone_rrset *negative = arena_alloc(zone->arena, sizeof(*negative));
    int status;

    if (!rrs || !negative) {
        free(rrs);
        return -ENOMEM;
    }
    rrs[0] = (struct render_rr){.rdata = soa->rdata,
                                .rdata_len = soa->rdata_len,
                                .ttl = minimum < soa->ttl ? minimum : soa->ttl};
    for (uint32_t i = 0; i < sig_n; i++) {
        const struct builder_record *sig = &builder->records[sig_first + i];

        rrs[1 + i] = (struct render_rr){.rdata = sig->rdata, .rdata_len = sig->rdata_len};
    }
    zone->serial = wire_get_u32(soa->rdata + soa->rdata_len - 20);
    zone->soa = zone_node_rrset(zone->apex, WIRE_TYPE_SOA);
    zone->soa_negative = negative;
    status = zone_render(zone->arena, zone->apex->name, WIRE_TYPE_SOA, rrs, 1, sig_n, negative);
    free(rrs);
    return status;
}

static void freeze_sooner(const struct builder_record *sig, bool *known, uint32_t *until)
{
    uint32_t expiration = wire_get_u32(sig->rdata + 8); /* RFC 4034 section 3.1 */

    if (!*known || (int32_t)(expiration - *until) < 0) { /* serial arithmetic, section 3.1.5 */
        *until = expiration;
        *known = true;
    }
}

/* When the first of the signatures that are given out ends. */
static uint32_t freeze_signed_until(const struct zone_builder *builder)
{
    bool known = false;
    uint32_t until = 0;

    for (uint32_t i = 0; i < builder->record_n; i++) {
        if (builder->records[i].type == WIRE_TYPE_RRSIG && builder->records[i].attached) {
            freeze_sooner(&builder->records[i], &known, &until);
        }
    }
    for (uint32_t i = 0; i < builder->hashed_n; i++) {
        if (builder->hashed[i].record.type == WIRE_TYPE_RRSIG) {
            freeze_sooner(&builder->hashed[i].record, &known, &until);
        }
    }
    return until;
}

/* Memory for what is looked into per query; proofs and addresses that go along come on top. */
static struct arena *freeze_arena(const struct zone_builder *builder)
{
    size_t size = builder->node_n * sizeof(struct zone_node) +
                  freeze_count_rrsets(builder) * sizeof(struct zone_rrset) +
                  freeze_slot_n(builder->node_n) * sizeof(struct zone_slot) +
                  2 * sizeof(struct zone_rrset);

    for (uint32_t i = 0; i < builder->node_n; i++) {
        size += builder->nodes[i].name_len + NAME_SLACK;
    }
    for (uint32_t i = 0; i < builder->record_n; i++) {
        size += zone_render_room(builder->records[i].type, builder->records[i].rdata_len);
    }
    return arena_new_for(size);
}

int zone_freeze(const struct zone_builder *builder, const char *file, struct zone **ret_zone,
                struct zone_report *report, struct failure *failure)
{
    struct zone_rrset *rrsets;
    struct zone *zone = calloc(1, sizeof(*zone));
    int status;

    if (!zone || !(zone->arena = freeze_arena(builder))) {
        free(zone);
        return failure_set(failure, -ENOMEM, "%s: out of memory", file);
    }
    zone->references = 1;
    zone->record_n = builder->record_n + (builder->is_signed ? builder->hashed_n : 0);
    status = freeze_nodes(builder, zone, &rrsets, failure);
    if (status == 0 &&
        (freeze_slots(zone) || freeze_soa(builder, zone) || zone_render_additional(zone, rrsets))) {
        status = failure_set(failure, -ENOMEM, "%s: out of memory", file);
    }
    if (status == 0 && builder->is_signed) {
        zone->signed_until = freeze_signed_until(builder);
        status = zone_denial_freeze(builder, zone, file, report, failure);
    }
    if (status) {
        zone_unref(zone);
        return status;
    }
    *ret_zone = zone;
    return 0;
}
