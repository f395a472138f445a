/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names are interned with all their ancestors while records arrive, so that empty non-terminals
 * come for free. Records are then sorted by (name, type, RDATA): duplicates meet, RRsets are runs.
 * Checks run on the runs, and freezing copies them into one arena that belongs to the zone.
 */
#include "edge/zone_builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/name.h"
#include "edge/rdata.h"
#include "edge/wire.h"
#include "edge/zone.h"
#include "edge/zone_render.h"

#define BUILDER_NONE UINT32_MAX
#define BUILDER_RECORDS_MAX (UINT32_MAX / 2)

struct builder_node {
    const uint8_t *name;
    uint64_t hash;
    uint32_t parent;
    uint32_t first; /* record, after sorting */
    uint32_t record_n;
    uint8_t name_len;
    uint8_t label_n;
};

struct builder_record {
    const uint8_t *rdata;
    const char *file;
    uint32_t line;
    uint32_t node;
    uint32_t ttl;
    uint32_t rdata_len;
    uint16_t type;
    uint16_t covered;
};

struct zone_builder {
    struct arena *arena;
    struct name_key origin;
    struct builder_node *nodes;
    uint32_t node_n, node_max;
    uint32_t *slots; /* node index + 1 */
    uint32_t slot_n;
    struct builder_record *records;
    uint32_t record_n, record_max;
    const char *file; /* the last one copied */
};

/* --- names --- */

static uint32_t builder_lookup(const struct zone_builder *builder, const struct name_key *key,
                               unsigned label_n)
{
    const uint8_t *name = key->bytes + name_suffix_offset(key, label_n);
    uint8_t len = name_suffix_len(key, label_n);
    uint64_t hash = key->hashes[label_n];

    for (uint32_t i = (uint32_t)hash & (builder->slot_n - 1); builder->slots[i];
         i = (i + 1) & (builder->slot_n - 1)) {
        const struct builder_node *node = &builder->nodes[builder->slots[i] - 1];

        if (node->hash == hash && node->name_len == len && !memcmp(node->name, name, len)) {
            return builder->slots[i] - 1;
        }
    }
    return BUILDER_NONE;
}

static void builder_place(struct zone_builder *builder, uint32_t index)
{
    uint32_t i = (uint32_t)builder->nodes[index].hash & (builder->slot_n - 1);

    while (builder->slots[i]) {
        i = (i + 1) & (builder->slot_n - 1);
    }
    builder->slots[i] = index + 1;
}

static int builder_grow_slots(struct zone_builder *builder)
{
    uint32_t slot_n = builder->slot_n ? builder->slot_n * 2 : 64;
    uint32_t *slots = calloc(slot_n, sizeof(*slots));

    if (!slots) {
        return -ENOMEM;
    }
    free(builder->slots);
    builder->slots = slots;
    builder->slot_n = slot_n;
    for (uint32_t i = 0; i < builder->node_n; i++) {
        builder_place(builder, i);
    }
    return 0;
}

static int builder_grow_nodes(struct zone_builder *builder)
{
    uint32_t node_max = builder->node_max ? builder->node_max * 2 : 32;
    struct builder_node *nodes = realloc(builder->nodes, node_max * sizeof(*nodes));

    if (!nodes) {
        return -ENOMEM;
    }
    builder->nodes = nodes;
    builder->node_max = node_max;
    return builder_grow_slots(builder); /* twice as many slots as nodes, always */
}

/* Interns the suffix of `label_n` labels and its ancestors down from the origin. */
static int builder_intern(struct zone_builder *builder, const struct name_key *key,
                          unsigned label_n, uint32_t *ret_index)
{
    uint32_t parent = BUILDER_NONE;

    for (unsigned labels = builder->origin.label_n; labels <= label_n; labels++) {
        uint32_t index = builder_lookup(builder, key, labels);

        if (index == BUILDER_NONE) {
            struct builder_node node = {.hash = key->hashes[labels],
                                        .parent = parent,
                                        .name_len = name_suffix_len(key, labels),
                                        .label_n = (uint8_t)labels};

            node.name = arena_copy(builder->arena, key->bytes + name_suffix_offset(key, labels),
                                   node.name_len);
            if (!node.name ||
                (builder->node_n == builder->node_max && builder_grow_nodes(builder))) {
                return -ENOMEM;
            }
            index = builder->node_n++;
            builder->nodes[index] = node;
            builder_place(builder, index);
        }
        parent = index;
    }
    *ret_index = parent;
    return 0;
}

/* --- life and intake --- */

struct zone_builder *zone_builder_new(const uint8_t *origin)
{
    struct zone_builder *builder = calloc(1, sizeof(*builder));
    uint32_t apex;

    if (!builder) {
        return NULL;
    }
    builder->arena = arena_new();
    if (!builder->arena || !name_key_make(&builder->origin, origin) ||
        builder_grow_nodes(builder) ||
        builder_intern(builder, &builder->origin, builder->origin.label_n, &apex)) {
        zone_builder_free(builder);
        return NULL;
    }
    return builder;
}

void zone_builder_free(struct zone_builder *builder)
{
    if (builder) {
        arena_free(builder->arena);
        free(builder->nodes);
        free(builder->slots);
        free(builder->records);
        free(builder);
    }
}

static int builder_fail(const struct builder_record *record, struct failure *failure,
                        const char *reason)
{
    return failure_set(failure, -EINVAL, "%s:%u: %s", record->file, record->line, reason);
}

static const char *builder_file(struct zone_builder *builder, const char *file)
{
    if (!builder->file || strcmp(builder->file, file) != 0) {
        builder->file = arena_copy(builder->arena, file, strlen(file));
    }
    return builder->file;
}

static int builder_push(struct zone_builder *builder, const struct builder_record *record)
{
    if (builder->record_n == builder->record_max) {
        uint32_t record_max = builder->record_max ? builder->record_max * 2 : 64;
        struct builder_record *records;

        if (record_max > BUILDER_RECORDS_MAX) {
            return -ENOMEM;
        }
        records = realloc(builder->records, record_max * sizeof(*records));
        if (!records) {
            return -ENOMEM;
        }
        builder->records = records;
        builder->record_max = record_max;
    }
    builder->records[builder->record_n++] = *record;
    return 0;
}

int zone_builder_add(struct zone_builder *builder, const struct zone_record *record,
                     struct failure *failure)
{
    struct builder_record add = {.line = record->line,
                                 .ttl = record->ttl,
                                 .rdata_len = record->rdata_len,
                                 .type = record->type};
    struct name_key key;
    char text[NAME_TEXT_LEN];

    add.file = builder_file(builder, record->file);
    if (!add.file) {
        return failure_set(failure, -ENOMEM, "%s: out of memory", record->file);
    }
    if (!name_key_make(&key, record->owner)) {
        return builder_fail(&add, failure, "malformed owner name");
    }
    if (key.label_n < builder->origin.label_n || !name_is_under(key.bytes, builder->origin.bytes)) {
        return failure_set(failure, -EINVAL, "%s:%u: %s lies outside the zone", add.file, add.line,
                           name_to_text(key.bytes, text));
    }
    if (record->class != WIRE_CLASS_IN) {
        return builder_fail(&add, failure, "class is not IN");
    }
    if (!rdata_check(record->type, record->rdata, record->rdata_len)) {
        return builder_fail(&add, failure, "malformed RDATA");
    }
    if (record->ttl > INT32_MAX) { /* RFC 2181 section 8 */
        return builder_fail(&add, failure, "TTL is over 2147483647");
    }
    if (record->type == WIRE_TYPE_RRSIG) {
        add.covered = wire_get_u16(record->rdata);
    }
    /* RFC 5155 section 7.2.8: the hashed names of NSEC3 are no names of the zone. Their records
     * only prove denials, which are given with DO. */
    if (record->type == WIRE_TYPE_NSEC3 || add.covered == WIRE_TYPE_NSEC3) {
        return 0;
    }
    add.rdata = arena_copy(builder->arena, record->rdata, record->rdata_len);
    if (!add.rdata || builder_intern(builder, &key, key.label_n, &add.node) ||
        builder_push(builder, &add)) {
        return failure_set(failure, -ENOMEM, "%s:%u: out of memory", add.file, add.line);
    }
    return 0;
}

/* --- sorting, checking --- */

static int builder_compare(const void *a, const void *b)
{
    const struct builder_record *left = a;
    const struct builder_record *right = b;
    uint32_t len = left->rdata_len < right->rdata_len ? left->rdata_len : right->rdata_len;
    int order;

    if (left->node != right->node) {
        return left->node < right->node ? -1 : 1;
    }
    if (left->type != right->type) {
        return left->type < right->type ? -1 : 1;
    }
    if (left->covered != right->covered) {
        return left->covered < right->covered ? -1 : 1;
    }
    order = memcmp(left->rdata, right->rdata, len);
    if (order != 0) {
        return order;
    }
    return (left->rdata_len > right->rdata_len) - (left->rdata_len < right->rdata_len);
}

static bool builder_same_rrset(const struct builder_record *a, const struct builder_record *b)
{
    return a->node == b->node && a->type == b->type && a->covered == b->covered;
}

static void builder_warn(struct zone_report *report, const struct builder_record *record,
                         const char *reason)
{
    if (report->warning_n++ == 0) {
        snprintf(report->first_warning, sizeof(report->first_warning), "%s:%u: %s", record->file,
                 record->line, reason);
    }
}

/* Sorts, drops duplicate records (RFC 2181 section 5), gives each RRset the lowest of its TTLs
 * (section 5.2; an RRSIG follows the set it covers instead) and tells each node its records. */
static void builder_group(struct zone_builder *builder, struct zone_report *report)
{
    struct builder_record *records = builder->records;
    uint32_t kept = 0;

    if (builder->record_n) {
        qsort(records, builder->record_n, sizeof(*records), builder_compare);
    }
    for (uint32_t i = 0; i < builder->record_n; i++) {
        struct builder_record *last = kept ? &records[kept - 1] : NULL;

        if (last && builder_same_rrset(last, &records[i]) && last->type != WIRE_TYPE_RRSIG &&
            last->ttl != records[i].ttl) {
            uint32_t ttl = last->ttl < records[i].ttl ? last->ttl : records[i].ttl;

            builder_warn(report, &records[i], "TTLs differ within an RRset; the lowest is used");
            records[i].ttl = ttl;
            for (uint32_t k = kept; k-- > 0 && builder_same_rrset(&records[k], &records[i]);) {
                records[k].ttl = ttl;
            }
        }
        if (last && builder_compare(last, &records[i]) == 0) {
            continue;
        }
        records[kept] = records[i];
        kept++;
    }
    builder->record_n = kept;
    for (uint32_t i = 0; i < kept; i++) {
        struct builder_node *node = &builder->nodes[records[i].node];

        if (node->record_n++ == 0) {
            node->first = i;
        }
    }
}

static const struct builder_record *builder_find(const struct zone_builder *builder,
                                                 const struct builder_node *node, uint16_t type,
                                                 uint32_t *ret_count)
{
    const struct builder_record *found = NULL;

    *ret_count = 0;
    for (uint32_t i = node->first; i < node->first + node->record_n; i++) {
        if (builder->records[i].type == type) {
            found = &builder->records[i];
            ++*ret_count;
        }
    }
    return found;
}

static int builder_check_apex(const struct zone_builder *builder, const char *file,
                              struct failure *failure)
{
    const struct builder_node *apex = &builder->nodes[0];
    const struct builder_record *soa;
    uint32_t count;

    soa = builder_find(builder, apex, WIRE_TYPE_SOA, &count);
    if (!soa) {
        return failure_set(failure, -EINVAL, "%s:1: no SOA record at the zone's origin", file);
    }
    if (count > 1) {
        return builder_fail(soa, failure, "more than one SOA record");
    }
    if (!builder_find(builder, apex, WIRE_TYPE_NS, &count)) {
        return failure_set(failure, -EINVAL, "%s:1: no NS record at the zone's origin", file);
    }
    return 0;
}

/* CNAME stands alone (RFC 1034 section 3.6.2) but for its proofs (RFC 4035 section 2.5) and the old
 * KEY (RFC 3007). */
static bool builder_beside_cname(uint16_t type)
{
    return type == WIRE_TYPE_CNAME || type == WIRE_TYPE_RRSIG || type == WIRE_TYPE_NSEC ||
           type == 25;
}

static int builder_check_node(const struct zone_builder *builder, const struct builder_node *node,
                              struct failure *failure)
{
    const struct builder_record *cname, *dname, *soa, *ns;
    bool apex = node == &builder->nodes[0];
    uint32_t count;

    soa = builder_find(builder, node, WIRE_TYPE_SOA, &count);
    if (soa && !apex) {
        return builder_fail(soa, failure, "SOA record below the zone's origin");
    }
    cname = builder_find(builder, node, WIRE_TYPE_CNAME, &count);
    if (cname && count > 1) {
        return builder_fail(cname, failure, "more than one CNAME record at a name");
    }
    for (uint32_t i = node->first; cname && i < node->first + node->record_n; i++) {
        if (!builder_beside_cname(builder->records[i].type)) {
            return builder_fail(&builder->records[i], failure, "other data beside a CNAME record");
        }
    }
    dname = builder_find(builder, node, WIRE_TYPE_DNAME, &count);
    if (dname && count > 1) { /* RFC 6672 section 2.4 */
        return builder_fail(dname, failure, "more than one DNAME record at a name");
    }
    ns = builder_find(builder, node, WIRE_TYPE_NS, &count);
    if (dname && ns && !apex) {
        return builder_fail(dname, failure, "DNAME record at a delegation (RFC 6672 section 2.3)");
    }
    if ((dname || ns) && name_is_wildcard(node->name)) {
        return builder_fail(dname ? dname : ns, failure,
                            "NS or DNAME record at a wildcard (RFC 4592 section 4)");
    }
    return 0;
}

/* RFC 6672 section 2.4: nothing exists below a DNAME. */
static int builder_check_occluded(const struct zone_builder *builder,
                                  const struct builder_node *node, struct failure *failure)
{
    uint32_t count;

    for (uint32_t up = node->parent; node->record_n && up != BUILDER_NONE;
         up = builder->nodes[up].parent) {
        if (builder_find(builder, &builder->nodes[up], WIRE_TYPE_DNAME, &count)) {
            return builder_fail(&builder->records[node->first], failure,
                                "data below a DNAME record (RFC 6672 section 2.4)");
        }
    }
    return 0;
}

static int builder_check(const struct zone_builder *builder, const char *file,
                         struct failure *failure)
{
    int status = builder_check_apex(builder, file, failure);

    for (uint32_t i = 0; status == 0 && i < builder->node_n; i++) {
        status = builder_check_node(builder, &builder->nodes[i], failure);
        if (status == 0) {
            status = builder_check_occluded(builder, &builder->nodes[i], failure);
        }
    }
    return status;
}

/* --- freezing --- */

static int builder_freeze_rrset(const struct zone_builder *builder, struct arena *arena,
                                const struct builder_node *node, uint32_t first, uint32_t count,
                                struct zone_rrset *ret_rrset, struct failure *failure)
{
    struct render_rr *rrs = calloc(count, sizeof(*rrs));
    int status;

    if (!rrs) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct builder_record *record = &builder->records[first + i];

        rrs[i] = (struct render_rr){
            .rdata = record->rdata, .rdata_len = record->rdata_len, .ttl = record->ttl};
    }
    status = zone_render(arena, node->name, builder->records[first].type, rrs, count, ret_rrset);
    ret_rrset->covered = builder->records[first].covered;
    free(rrs);
    if (status == -E2BIG) {
        return builder_fail(&builder->records[first], failure,
                            "RRset is too large for any DNS message");
    }
    return status ? failure_set(failure, status, "out of memory") : 0;
}

/* `*rrsets` is where the zone's array goes on. */
static int builder_freeze_rrsets(const struct zone_builder *builder, struct arena *arena,
                                 const struct builder_node *from, struct zone_node *to,
                                 struct zone_rrset **rrsets, struct failure *failure)
{
    const struct builder_record *records = builder->records;
    uint32_t end = from->first + from->record_n;

    to->rrsets = *rrsets;
    for (uint32_t i = from->first, next; i < end; i = next) {
        struct zone_rrset *rrset = (*rrsets)++;
        int status;

        for (next = i + 1; next < end && builder_same_rrset(&records[i], &records[next]);) {
            next++;
        }
        if (to->rrset_n == UINT16_MAX) {
            return builder_fail(&records[i], failure, "too many RRsets at a name");
        }
        status = builder_freeze_rrset(builder, arena, from, i, next - i, rrset, failure);
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

static uint32_t builder_count_rrsets(const struct zone_builder *builder)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < builder->record_n; i++) {
        count += i == 0 || !builder_same_rrset(&builder->records[i - 1], &builder->records[i]);
    }
    return count;
}

/* Parents come before their children in the array, so one pass hands cuts down. */
static void builder_freeze_links(const struct zone_builder *builder, struct zone_node *nodes)
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

static int builder_freeze_nodes(const struct zone_builder *builder, struct zone *zone,
                                struct zone_rrset **ret_rrsets, struct failure *failure)
{
    struct zone_node *nodes = arena_alloc(zone->arena, builder->node_n * sizeof(*nodes));
    struct zone_rrset *rrsets =
        arena_alloc(zone->arena, builder_count_rrsets(builder) * sizeof(*rrsets));

    *ret_rrsets = rrsets;
    if (!nodes || !rrsets) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < builder->node_n; i++) {
        const struct builder_node *from = &builder->nodes[i];
        int status;

        nodes[i].name = arena_copy(zone->arena, from->name, from->name_len);
        nodes[i].hash = from->hash;
        nodes[i].name_len = from->name_len;
        nodes[i].label_n = from->label_n;
        if (!nodes[i].name) {
            return failure_set(failure, -ENOMEM, "out of memory");
        }
        status = builder_freeze_rrsets(builder, zone->arena, from, &nodes[i], &rrsets, failure);
        if (status) {
            return status;
        }
    }
    builder_freeze_links(builder, nodes);
    zone->nodes = nodes;
    zone->node_n = builder->node_n;
    zone->apex = nodes;
    return 0;
}

static int builder_freeze_slots(struct zone *zone)
{
    uint32_t slot_n = 4;
    struct zone_slot *slots;

    while (slot_n < 2 * zone->node_n) {
        slot_n *= 2;
    }
    slots = arena_alloc(zone->arena, slot_n * sizeof(*slots));
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
static int builder_freeze_soa(const struct zone_builder *builder, struct zone *zone)
{
    uint32_t count;
    const struct builder_record *soa =
        builder_find(builder, &builder->nodes[0], WIRE_TYPE_SOA, &count);
    uint32_t minimum = wire_get_u32(soa->rdata + soa->rdata_len - 4);
    struct render_rr rr = {.rdata = soa->rdata,
                           .rdata_len = soa->rdata_len,
                           .ttl = minimum < soa->ttl ? minimum : soa->ttl};
    struct zone_rrset *negative = arena_alloc(zone->arena, sizeof(*negative));

    if (!negative) {
        return -ENOMEM;
    }
    zone->serial = wire_get_u32(soa->rdata + soa->rdata_len - 20);
    zone->soa = zone_node_rrset(zone->apex, WIRE_TYPE_SOA);
    zone->soa_negative = negative;
    return zone_render(zone->arena, zone->apex->name, WIRE_TYPE_SOA, &rr, 1, negative);
}

int zone_builder_finish(struct zone_builder *builder, const char *file, struct zone **ret_zone,
                        struct zone_report *ret_report, struct failure *failure)
{
    struct zone_report report = {0};
    struct zone_rrset *rrsets;
    struct zone *zone;
    int status;

    builder_group(builder, &report);
    status = builder_check(builder, file, failure);
    if (status) {
        return status;
    }
    zone = calloc(1, sizeof(*zone));
    if (!zone || !(zone->arena = arena_new())) {
        free(zone);
        return failure_set(failure, -ENOMEM, "%s: out of memory", file);
    }
    zone->references = 1;
    zone->record_n = builder->record_n;
    status = builder_freeze_nodes(builder, zone, &rrsets, failure);
    if (status == 0 && (builder_freeze_slots(zone) || builder_freeze_soa(builder, zone) ||
                        zone_render_additional(zone, rrsets))) {
        status = failure_set(failure, -ENOMEM, "%s: out of memory", file);
    }
    if (status) {
        zone_unref(zone);
        return status;
    }
    if (ret_report) {
        *ret_report = report;
    }
    *ret_zone = zone;
    return 0;
}
