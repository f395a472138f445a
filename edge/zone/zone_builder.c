/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names are interned with all their ancestors while records arrive, so that empty non-terminals
 * come for free. Records are then sorted by (name, type, RDATA): duplicates meet, RRsets are runs.
 */
#include "edge/zone/zone_builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/wire/rdata.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone_builder_parts.h"

#define BUILDER_RECORDS_MAX (UINT32_MAX / 2)

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
        free(builder->hashed);
        free(builder);
    }
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
        return zone_builder_fail(&add, failure, "malformed owner name");
    }
    if (key.label_n < builder->origin.label_n || !name_is_under(key.bytes, builder->origin.bytes)) {
        return failure_set(failure, -EINVAL, "%s:%u: %s lies outside the zone", add.file, add.line,
                           name_to_text(key.bytes, text));
    }
    if (record->class != WIRE_CLASS_IN) {
        return zone_builder_fail(&add, failure, "class is not IN");
    }
    if (!rdata_check(record->type, record->rdata, record->rdata_len)) {
        return zone_builder_fail(&add, failure, "malformed RDATA");
    }
    if (record->ttl > INT32_MAX) { /* RFC 2181 section 8 */
        return zone_builder_fail(&add, failure, "TTL is over 2147483647");
    }
    if (record->type == WIRE_TYPE_RRSIG) {
        add.covered = wire_get_u16(record->rdata);
    }
    if (record->type == WIRE_TYPE_NSEC3 || add.covered == WIRE_TYPE_NSEC3) {
        add.rdata = record->rdata;
        return zone_builder_add_hashed(builder, &key, &add, failure);
    }
    add.rdata = arena_copy(builder->arena, record->rdata, record->rdata_len);
    if (!add.rdata || builder_intern(builder, &key, key.label_n, &add.node) ||
        builder_push(builder, &add)) {
        return failure_set(failure, -ENOMEM, "%s:%u: out of memory", add.file, add.line);
    }
    return 0;
}

int zone_builder_fail(const struct builder_record *record, struct failure *failure,
                      const char *reason)
{
    return failure_set(failure, -EINVAL, "%s:%u: %s", record->file, record->line, reason);
}

/* --- sorting --- */

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

void zone_builder_warn(struct zone_report *report, const struct builder_record *record,
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

            zone_builder_warn(report, &records[i],
                              "TTLs differ within an RRset; the lowest is used");
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
        node->has_dname |= records[i].type == WIRE_TYPE_DNAME;
    }
}

uint32_t zone_builder_rrset(const struct zone_builder *builder, const struct builder_node *node,
                            uint16_t type, uint16_t covered, uint32_t *ret_first)
{
    uint32_t end = node->first + node->record_n;
    uint32_t low = node->first, high = end, first;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct builder_record *record = &builder->records[middle];

        if (record->type < type || (record->type == type && record->covered < covered)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    first = low;
    while (low < end && builder->records[low].type == type &&
           builder->records[low].covered == covered) {
        low++;
    }
    *ret_first = first;
    return low - first;
}

/* --- signatures --- */

/* Parents come before their children. */
static void builder_find_cuts(struct zone_builder *builder)
{
    for (uint32_t i = 1; i < builder->node_n; i++) {
        struct builder_node *node = &builder->nodes[i];
        uint32_t first;

        if (builder->nodes[node->parent].place != BUILDER_AUTHORITATIVE) {
            node->place = BUILDER_BELOW;
        } else if (zone_builder_rrset(builder, node, WIRE_TYPE_NS, 0, &first)) {
            node->place = BUILDER_CUT;
        }
    }
}

/* What the zone says with authority, and so may sign (RFC 4035 section 2.2). */
static bool builder_signable(const struct builder_node *node, uint16_t type)
{
    return node->place == BUILDER_AUTHORITATIVE ||
           (node->place == BUILDER_CUT && (type == WIRE_TYPE_DS || type == WIRE_TYPE_NSEC));
}

/* Signatures that nothing asks for stay as records of their own. */
static void builder_attach(struct zone_builder *builder, struct zone_report *report)
{
    for (uint32_t i = 0; i < builder->record_n; i++) {
        struct builder_record *record = &builder->records[i];
        const struct builder_node *node = &builder->nodes[record->node];
        uint32_t first;

        if (record->type != WIRE_TYPE_RRSIG) {
            continue;
        }
        if (!zone_builder_rrset(builder, node, record->covered, 0, &first)) {
            zone_builder_warn(report, record, "RRSIG record over a set that does not exist");
        } else if (!builder_signable(node, record->covered)) {
            zone_builder_warn(report, record,
                              "RRSIG record over data that is not the zone's to sign");
        } else {
            record->attached = true;
            if (record->ttl != builder->records[first].ttl) { /* RFC 4034 section 3 */
                zone_builder_warn(report, record,
                                  "TTL of an RRSIG record is not that of its set, which is used");
            }
        }
    }
}

static void builder_find_unsigned(const struct zone_builder *builder, struct zone_report *report)
{
    for (uint32_t i = 0; i < builder->record_n; i++) {
        const struct builder_record *record = &builder->records[i];
        const struct builder_node *node = &builder->nodes[record->node];
        uint32_t first;

        if (record->type != WIRE_TYPE_RRSIG && builder_signable(node, record->type) &&
            (i == 0 || !builder_same_rrset(record - 1, record)) &&
            !zone_builder_rrset(builder, node, WIRE_TYPE_RRSIG, record->type, &first)) {
            zone_builder_warn(report, record, "no RRSIG record over this set of a signed zone");
        }
    }
}

static void builder_sign(struct zone_builder *builder, struct zone_report *report)
{
    const struct builder_node *apex = &builder->nodes[0];
    uint32_t first;

    builder_find_cuts(builder);
    builder_attach(builder, report);
    builder->is_signed = zone_builder_rrset(builder, apex, WIRE_TYPE_DNSKEY, 0, &first) &&
                         zone_builder_rrset(builder, apex, WIRE_TYPE_RRSIG, WIRE_TYPE_SOA, &first);
    if (builder->is_signed) {
        builder_find_unsigned(builder, report);
        zone_builder_sort_hashed(builder);
    }
}

const struct builder_record *zone_builder_find(const struct zone_builder *builder,
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

int zone_builder_finish(struct zone_builder *builder, const char *file, struct zone **ret_zone,
                        struct zone_report *ret_report, struct failure *failure)
{
    struct zone_report report = {0};
    int status;

    builder_group(builder, &report);
    builder_sign(builder, &report);
    status = zone_check(builder, file, failure);
    if (status == 0) {
        status = zone_freeze(builder, file, ret_zone, &report, failure);
    }
    if (status == 0 && ret_report) {
        *ret_report = report;
    }
    return status;
}
