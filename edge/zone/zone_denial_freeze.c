/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The NSEC or NSEC3 chain of a signed zone: chosen, checked, made ready to be searched. A chain
 * with a hole would prove too much or too little, and validators would fail; so it fails here,
 * where file and line are known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/wire/rdata.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone_builder_parts.h"
#include "edge/zone/zone_denial.h"
#include "edge/zone/zone_render.h"

struct denial_work {
    const struct zone_builder *builder;
    struct zone *zone;
    struct zone_denial *denial;
    struct zone_report *report;
    struct failure *failure;
};

static int denial_memory(const struct denial_work *work)
{
    return failure_set(work->failure, -ENOMEM, "out of memory");
}

/* A record to name for a node: its own, or of an empty non-terminal one below. */
static const struct builder_record *denial_record(const struct zone_builder *builder, uint32_t node)
{
    for (uint32_t i = node; i < builder->node_n; i++) {
        uint32_t up = i;

        while (up != node && up != BUILDER_NONE) {
            up = builder->nodes[up].parent;
        }
        if (up == node && builder->nodes[i].record_n) {
            return &builder->records[builder->nodes[i].first];
        }
    }
    return &builder->records[0];
}

/* --- type bit maps --- */

static unsigned denial_count_bits(const uint8_t *bitmap, uint32_t len)
{
    unsigned count = 0;

    while (len) {
        uint32_t window_len = 2u + bitmap[1];

        for (uint32_t i = 2; i < window_len; i++) {
            count += (unsigned)__builtin_popcount(bitmap[i]);
        }
        bitmap += window_len;
        len -= window_len;
    }
    return count;
}

/* The types that a proof must name: all that a query can get here and, at a delegation, NS
 * (RFC 4034 section 4.1.2, RFC 5155 section 7.1). */
static void denial_check_bitmap(const struct denial_work *work, const struct builder_node *node,
                                const uint8_t *bitmap, uint32_t len,
                                const struct builder_record *proof)
{
    const struct builder_record *records = work->builder->records;
    unsigned count = 0, last = 0;
    bool good = true;

    for (uint32_t i = node->first; i < node->first + node->record_n; i++) {
        uint16_t type = records[i].type;
        bool hidden = node->place == BUILDER_CUT && type != WIRE_TYPE_NS && type != WIRE_TYPE_DS &&
                      type != WIRE_TYPE_NSEC && !(type == WIRE_TYPE_RRSIG && records[i].attached);

        if (hidden || type == last) {
            continue;
        }
        last = type;
        count++;
        good = good && rdata_bitmap_has(bitmap, len, type);
    }
    if (!good || count != denial_count_bits(bitmap, len)) {
        zone_builder_warn(work->report, proof, "type bit map differs from the types at its name");
    }
}

/* --- NSEC --- */

static int denial_compare(const void *a, const void *b)
{
    const struct zone_nsec *left = a;
    const struct zone_nsec *right = b;

    if (left->prefix != right->prefix) {
        return left->prefix < right->prefix ? -1 : 1;
    }
    return zone_denial_compare(left->node->name, right->node->name);
}

/* RFC 4035 section 2.3: one record at each name with data of the zone's own, or a delegation. */
static int denial_check_nsec(const struct denial_work *work, const struct zone_node *node,
                             const struct zone_node *next)
{
    uint32_t index = (uint32_t)(node - work->zone->nodes);
    const struct builder_node *from = &work->builder->nodes[index];
    const struct builder_record *nsec;
    uint32_t first;
    uint32_t count = zone_builder_rrset(work->builder, from, WIRE_TYPE_NSEC, 0, &first);
    size_t next_len;

    if (count != 1) {
        return zone_builder_fail(denial_record(work->builder, index), work->failure,
                                 count ? "more than one NSEC record at a name"
                                       : "no NSEC record at this name of a signed zone");
    }
    nsec = &work->builder->records[first];
    next_len = name_len(nsec->rdata);
    if (!name_equal(nsec->rdata, next->name)) {
        char text[NAME_TEXT_LEN];

        return failure_set(work->failure, -EINVAL,
                           "%s:%u: NSEC chain is broken: the next name of the zone is %s",
                           nsec->file, nsec->line, name_to_text(next->name, text));
    }
    denial_check_bitmap(work, from, nsec->rdata + next_len, nsec->rdata_len - (uint32_t)next_len,
                        nsec);
    return 0;
}

static int denial_freeze_nsec(const struct denial_work *work)
{
    const struct zone *zone = work->zone;
    struct zone_nsec *nsecs = arena_alloc(zone->arena, zone->node_n * sizeof(*nsecs));
    uint32_t count = 0;
    int status = 0;

    if (!nsecs) {
        return denial_memory(work);
    }
    for (uint32_t i = 0; i < zone->node_n; i++) {
        const struct builder_node *from = &work->builder->nodes[i];

        if (from->record_n && from->place != BUILDER_BELOW) {
            nsecs[count++] = (struct zone_nsec){
                zone_denial_prefix(zone->nodes[i].name, zone->apex->label_n), &zone->nodes[i]};
        }
    }
    qsort(nsecs, count, sizeof(*nsecs), denial_compare);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = denial_check_nsec(work, nsecs[i].node, nsecs[i + 1 < count ? i + 1 : 0].node);
    }
    work->denial->nsecs = nsecs;
    work->denial->count = count;
    return status;
}

/* --- NSEC3 --- */

/* RDATA of NSEC3 after the fields that NSEC3PARAM has, too: the next hash, then the types. */
static const uint8_t *denial_next(const struct builder_record *nsec3, uint32_t *ret_rest_len)
{
    uint32_t at = 5u + nsec3->rdata[4];

    *ret_rest_len = nsec3->rdata_len - at;
    return nsec3->rdata + at;
}

static bool denial_of_chain(const struct denial_work *work, const struct builder_record *record)
{
    const struct nsec3_params *params = &work->denial->params;

    return record->type == WIRE_TYPE_NSEC3 && record->rdata[0] == 1 &&
           wire_get_u16(record->rdata + 2) == params->iterations &&
           record->rdata[4] == params->salt_len &&
           !memcmp(record->rdata + 5, params->salt, params->salt_len);
}

/* The records of one hash from `first` on, signatures first. *ret_record is its record of the
 * chain, NULL: it has none, and there is nothing to freeze. */
static int denial_freeze_hash(const struct denial_work *work, uint32_t first, uint32_t count,
                              struct zone_nsec3 *ret_nsec3,
                              const struct builder_record **ret_record)
{
    const struct builder_hashed *hashed = &work->builder->hashed[first];
    struct render_rr *rrs = calloc(1 + (size_t)count, sizeof(*rrs));
    uint32_t sig_n = 0;
    int status = 0;

    *ret_record = NULL;
    if (!rrs) {
        return denial_memory(work);
    }
    for (uint32_t i = 0; i < count && status == 0; i++) {
        const struct builder_record *record = &hashed[i].record;

        if (record->type == WIRE_TYPE_RRSIG) {
            rrs[++sig_n] =
                (struct render_rr){.rdata = record->rdata, .rdata_len = record->rdata_len};
        } else if (denial_of_chain(work, record)) {
            status = *ret_record ? zone_builder_fail(record, work->failure,
                                                     "more than one NSEC3 record of a hash")
                                 : 0;
            rrs[0] = (struct render_rr){record->rdata, record->rdata_len, record->ttl};
            *ret_record = record;
        }
    }
    if (status == 0 && *ret_record) {
        if (sig_n == 0) {
            zone_builder_warn(work->report, *ret_record, "no RRSIG record over an NSEC3 record");
        }
        memcpy(ret_nsec3->hash, hashed->hash, NSEC3_HASH_LEN);
        status = zone_render(work->zone->arena, work->zone->apex->name, WIRE_TYPE_NSEC3, rrs, 1,
                             sig_n, &ret_nsec3->rrset);
        status = status ? zone_builder_fail(*ret_record, work->failure, "RRset is too large") : 0;
    }
    free(rrs);
    return status;
}

/* RFC 5155 section 7.1: each record names the next hash, the last one the first. */
static int denial_check_circle(const struct denial_work *work,
                               const struct builder_record *const *records)
{
    const struct zone_denial *denial = work->denial;

    for (uint32_t i = 0; i < denial->count; i++) {
        uint32_t rest_len;
        const uint8_t *next = denial_next(records[i], &rest_len);

        if (next[0] != NSEC3_HASH_LEN ||
            memcmp(next + 1, denial->nsec3s[i + 1 < denial->count ? i + 1 : 0].hash,
                   NSEC3_HASH_LEN) != 0) {
            return zone_builder_fail(records[i], work->failure,
                                     "NSEC3 chain is broken: the next hash of the zone is another");
        }
    }
    return 0;
}

/* A name without a record of its own must lie in an Opt-Out span and be an insecure delegation, or
 * an empty non-terminal, which above nothing but such needs none (RFC 5155 section 7.1). */
static int denial_check_covered(const struct denial_work *work, uint32_t node,
                                const struct builder_record *covering)
{
    const struct zone_builder *builder = work->builder;
    const struct builder_node *from = &builder->nodes[node];
    uint32_t first;

    if ((covering->rdata[1] & NSEC3_FLAG_OPT_OUT) &&
        (from->record_n == 0 || (from->place == BUILDER_CUT &&
                                 !zone_builder_rrset(builder, from, WIRE_TYPE_DS, 0, &first)))) {
        return 0;
    }
    return zone_builder_fail(denial_record(builder, node), work->failure,
                             "no NSEC3 record for this name of a signed zone");
}

static uint32_t denial_find(const struct denial_work *work, uint32_t node, bool *ret_match)
{
    const struct zone_node *of = &work->zone->nodes[node];
    uint8_t hash[NSEC3_HASH_LEN];

    nsec3_hash(&work->denial->params, of->name, of->name_len, hash);
    return zone_denial_search(work->denial, hash, ret_match);
}

/* Finds each name its record; marks in `used` those that are some name's. */
static int denial_find_names(const struct denial_work *work, uint32_t *nsec3_of, bool *used,
                             const struct builder_record *const *records)
{
    const struct zone_builder *builder = work->builder;

    for (uint32_t i = 0; i < builder->node_n; i++) {
        const struct builder_node *from = &builder->nodes[i];
        uint32_t found, rest_len;
        const uint8_t *next;
        bool match;

        if (from->place == BUILDER_BELOW) {
            continue;
        }
        found = denial_find(work, i, &match);
        nsec3_of[i] = 2 * found + match;
        if (!match) {
            int status = denial_check_covered(work, i, records[found]);

            if (status) {
                return status;
            }
            continue;
        }
        used[found] = true;
        if (from->parent != BUILDER_NONE && !(nsec3_of[from->parent] & 1)) {
            return zone_builder_fail(denial_record(builder, i), work->failure,
                                     "no NSEC3 record for the empty name above this one");
        }
        next = denial_next(records[found], &rest_len);
        denial_check_bitmap(work, from, next + 1 + next[0], rest_len - 1 - next[0], records[found]);
    }
    return 0;
}

/* A record without a name would make proofs of that name's absence wrong. One of glue does no harm:
 * such names are never denied. */
static int denial_check_used(const struct denial_work *work, bool *used,
                             const struct builder_record *const *records)
{
    for (uint32_t i = 0; memchr(used, false, work->denial->count) && i < work->builder->node_n;
         i++) {
        if (work->builder->nodes[i].place == BUILDER_BELOW) {
            bool match;
            uint32_t found = denial_find(work, i, &match);

            used[found] |= match;
        }
    }
    for (uint32_t i = 0; i < work->denial->count; i++) {
        if (!used[i]) {
            return zone_builder_fail(records[i], work->failure,
                                     "NSEC3 record of a name that does not exist");
        }
    }
    return 0;
}

static int denial_check_nsec3(const struct denial_work *work,
                              const struct builder_record *const *records)
{
    uint32_t *nsec3_of = arena_alloc(work->zone->arena, work->builder->node_n * sizeof(*nsec3_of));
    bool *used = calloc(work->denial->count, sizeof(*used));
    int status;

    if (!nsec3_of || !used) {
        free(used);
        return denial_memory(work);
    }
    work->denial->nsec3_of = nsec3_of;
    status = denial_check_circle(work, records);
    if (status == 0) {
        status = denial_find_names(work, nsec3_of, used, records);
    }
    if (status == 0) {
        status = denial_check_used(work, used, records);
    }
    free(used);
    return status;
}

static int denial_freeze_hashes(const struct denial_work *work, struct zone_nsec3 *nsec3s,
                                const struct builder_record **records)
{
    const struct builder_hashed *hashed = work->builder->hashed;
    uint32_t hashed_n = work->builder->hashed_n;
    int status = 0;

    work->denial->nsec3s = nsec3s;
    for (uint32_t i = 0, next; status == 0 && i < hashed_n; i = next) {
        uint32_t at = work->denial->count;

        for (next = i + 1;
             next < hashed_n && !memcmp(hashed[i].hash, hashed[next].hash, NSEC3_HASH_LEN);) {
            next++;
        }
        status = denial_freeze_hash(work, i, next - i, &nsec3s[at], &records[at]);
        work->denial->count += records[at] != NULL;
    }
    return status;
}

static uint32_t denial_count_hashes(const struct denial_work *work)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < work->builder->hashed_n; i++) {
        count += denial_of_chain(work, &work->builder->hashed[i].record);
    }
    return count;
}

static int denial_freeze_nsec3(const struct denial_work *work, const struct builder_record *param)
{
    uint32_t count = denial_count_hashes(work);
    struct zone_nsec3 *nsec3s =
        arena_alloc(work->zone->arena, (1 + (size_t)count) * sizeof(*nsec3s));
    const struct builder_record **records = calloc(1 + (size_t)count, sizeof(*records));
    int status;

    if (!nsec3s || !records) {
        free(records);
        return denial_memory(work);
    }
    if (count == 0) {
        free(records);
        return zone_builder_fail(param, work->failure,
                                 "no NSEC3 record for this NSEC3PARAM record");
    }
    status = denial_freeze_hashes(work, nsec3s, records);
    if (status == 0) {
        status = denial_check_nsec3(work, records);
    }
    free(records);
    return status;
}

/* RFC 5155 section 7.3: any of several chains will do. NULL: there is none that we know. */
static const struct builder_record *denial_choose(const struct denial_work *work)
{
    const struct builder_node *apex = &work->builder->nodes[0];
    uint32_t first;
    uint32_t count = zone_builder_rrset(work->builder, apex, WIRE_TYPE_NSEC3PARAM, 0, &first);

    for (uint32_t i = first; i < first + count; i++) {
        const struct builder_record *record = &work->builder->records[i];

        if (record->rdata[0] == 1 && record->rdata[1] == 0) {
            return record;
        }
    }
    return NULL;
}

static int denial_freeze(const struct denial_work *work, const char *file)
{
    const struct builder_record *param = denial_choose(work);
    struct nsec3_params *params = &work->denial->params;
    uint32_t first;

    if (param) {
        params->iterations = wire_get_u16(param->rdata + 2);
        params->salt_len = param->rdata[4];
        memcpy(params->salt, param->rdata + 5, params->salt_len);
        if (params->iterations > ZONE_NSEC3_ITERATIONS_MAX) {
            return failure_set(work->failure, -EINVAL,
                               "%s:%u: NSEC3 has %u iterations, at most %u are served (RFC 9276 "
                               "section 3.4)",
                               param->file, param->line, params->iterations,
                               ZONE_NSEC3_ITERATIONS_MAX);
        }
        if (params->iterations) {
            zone_builder_warn(work->report, param,
                              "NSEC3 has iterations, it should have none (RFC 9276 section 3.1)");
        }
        return denial_freeze_nsec3(work, param);
    }
    if (zone_builder_rrset(work->builder, &work->builder->nodes[0], WIRE_TYPE_NSEC, 0, &first)) {
        return denial_freeze_nsec(work);
    }
    return failure_set(
        work->failure, -EINVAL,
        "%s:1: the zone is signed, but has neither NSEC nor NSEC3PARAM at its origin", file);
}

int zone_denial_freeze(const struct zone_builder *builder, struct zone *zone, const char *file,
                       struct zone_report *report, struct failure *failure)
{
    struct denial_work work = {builder, zone, NULL, report, failure};

    work.denial = arena_alloc(zone->arena, sizeof(*work.denial));
    if (!work.denial) {
        return denial_memory(&work);
    }
    zone->denial = work.denial;
    return denial_freeze(&work, file);
}
