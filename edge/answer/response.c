/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/answer/response.h"

#include <string.h>

#include "edge/wire/wire.h"

#define RESPONSE_RR_FIXED 12u        /* owner pointer, type, class, TTL, RDLENGTH */
#define RESPONSE_POINTER_MAX 0x3fffu /* RFC 1035 section 4.1.4: 14 bits */

void response_init(struct response *response, uint8_t *bytes, size_t limit, const uint8_t *question,
                   size_t question_len)
{
    response->bytes = bytes;
    response->at = WIRE_HEADER_LEN + question_len;
    response->limit = limit;
    response->counts[RESPONSE_ANSWER] = 0;
    response->counts[RESPONSE_AUTHORITY] = 0;
    response->counts[RESPONSE_ADDITIONAL] = 0;
    response->truncated = false;
    response->stage = 0;
    response->places[0] =
        (struct response_place){WIRE_HEADER_LEN, (uint8_t)(question_len ? question_len - 4 : 0), 0};
    if (question_len) {
        memcpy(bytes + WIRE_HEADER_LEN, question, question_len);
    }
}

/* A pointer to the suffix of a stage's name that is `suffix_len` bytes long. Names of a chain
 * stand in reach of 14 bits: response_follow() goes no further. */
static uint16_t response_pointer_at(const struct response *response, unsigned stage,
                                    unsigned suffix_len)
{
    const struct response_place *place = &response->places[stage];

    if (suffix_len == ZONE_PATCH_OWNER) {
        suffix_len = place->len;
    }
    while (suffix_len <= place->tail_len) {
        place--;
    }
    return (uint16_t)(0xc000u | (place->at + place->len - suffix_len));
}

static uint16_t response_pointer(const struct response *response, unsigned suffix_len)
{
    return response_pointer_at(response, response->stage, suffix_len);
}

static bool response_room(struct response *response, size_t len)
{
    if (response->truncated || len > response->limit - response->at) {
        response->truncated = true;
        return false;
    }
    return true;
}

static void response_cap_ttl(uint8_t *rr, unsigned rr_n, uint32_t ttl_max)
{
    for (unsigned i = 0; i < rr_n; i++) {
        if (wire_get_u32(rr + 6) > ttl_max) {
            wire_put_u32(rr + 6, ttl_max);
        }
        rr += RESPONSE_RR_FIXED + wire_get_u16(rr + 10);
    }
}

/* Signatures were copied to `out`: their owner is that of the set. */
static void response_own_signatures(const struct response *response, uint8_t *out,
                                    const struct zone_rrset *rrset)
{
    uint16_t owner = response_pointer(response, rrset->patches[0].suffix_len);

    for (unsigned i = 0; i < rrset->sig_n; i++) {
        wire_put_u16(out, owner);
        out += RESPONSE_RR_FIXED + wire_get_u16(out + 10);
    }
}

bool response_add_signatures(struct response *response, enum response_section section,
                             const struct zone_rrset *rrset)
{
    uint8_t *out = response->bytes + response->at;

    if (!response_room(response, rrset->sig_len)) {
        return false;
    }
    memcpy(out, rrset->wire + rrset->wire_len, rrset->sig_len);
    response_own_signatures(response, out, rrset);
    response->at += rrset->sig_len;
    response->counts[section] = (uint16_t)(response->counts[section] + rrset->sig_n);
    return true;
}

bool response_add(struct response *response, enum response_section section,
                  const struct zone_rrset *rrset, uint32_t ttl_max)
{
    uint8_t *out = response->bytes + response->at;
    size_t sig_len = response->dnssec ? rrset->sig_len : 0;
    size_t len = rrset->wire_len + sig_len;
    unsigned rr_n = rrset->rr_n;

    if (!response_room(response, len)) {
        return false;
    }
    memcpy(out, rrset->wire, len);
    /* the question's own name: an owner is never longer, and of the same length only itself */
    if (response->stage || rrset->owner_len != response->places[0].len) {
        for (unsigned i = 0; i < rrset->patch_n; i++) {
            wire_put_u16(out + rrset->patches[i].offset,
                         response_pointer(response, rrset->patches[i].suffix_len));
        }
        if (sig_len) {
            response_own_signatures(response, out + rrset->wire_len, rrset);
        }
    }
    rr_n += sig_len ? rrset->sig_n : 0u;
    if (rrset->ttl > ttl_max) {
        response_cap_ttl(out, rr_n, ttl_max);
    }
    response->at += len;
    response->counts[section] = (uint16_t)(response->counts[section] + rr_n);
    return true;
}

/* An owner that is not the current name: `prefix`, and a pointer to what follows (0: nothing). */
struct response_owner {
    const uint8_t *prefix;
    size_t prefix_len;
    uint16_t pointer;
};

/* Copies records and wanted signatures with that owner; those after the first point to the first,
 * if 14 bits reach it. False: no room. */
static bool response_put(struct response *response, enum response_section section,
                         const struct zone_rrset *rrset, const struct response_owner *owner)
{
    unsigned rr_n = rrset->rr_n + (response->dnssec ? rrset->sig_n : 0u);
    size_t first_len = owner->prefix_len + (owner->pointer ? 2 : 0);
    bool pointed = response->at <= RESPONSE_POINTER_MAX;
    uint16_t pointer = owner->prefix_len ? (uint16_t)(0xc000u | response->at) : owner->pointer;
    size_t len = rrset->wire_len + (response->dnssec ? rrset->sig_len : 0) - 2 * (size_t)rr_n +
                 first_len + (rr_n - 1) * (pointed ? 2 : first_len);
    uint8_t *out = response->bytes + response->at;
    const uint8_t *rr = rrset->wire;

    if (response->truncated || len > response->limit - response->at) {
        return false;
    }
    for (unsigned i = 0; i < rr_n; i++) {
        size_t rr_len = RESPONSE_RR_FIXED + wire_get_u16(rr + 10);

        if (i == 0 || !pointed) {
            memcpy(out, owner->prefix, owner->prefix_len);
            if (owner->pointer) {
                wire_put_u16(out + owner->prefix_len, owner->pointer);
            }
            out += first_len;
        } else {
            wire_put_u16(out, pointer);
            out += 2;
        }
        memcpy(out, rr + 2, rr_len - 2);
        out += rr_len - 2;
        rr += rr_len;
    }
    response->at = (size_t)(out - response->bytes);
    response->counts[section] = (uint16_t)(response->counts[section] + rr_n);
    return true;
}

bool response_add_foreign(struct response *response, enum response_section section,
                          const struct zone_rrset *rrset, const uint8_t *prefix, size_t prefix_len,
                          unsigned stage, unsigned suffix_len)
{
    struct response_owner owner = {prefix, prefix_len,
                                   response_pointer_at(response, stage, suffix_len)};

    if (!response_put(response, section, rrset, &owner)) {
        response->truncated = true; /* RFC 4035 section 3.1.1 */
        return false;
    }
    return true;
}

static void response_put_fixed(uint8_t *out, uint16_t owner, uint16_t type, uint16_t class,
                               uint32_t ttl, uint16_t rdata_len)
{
    wire_put_u16(out, owner);
    wire_put_u16(out + 2, type);
    wire_put_u16(out + 4, class);
    wire_put_u32(out + 6, ttl);
    wire_put_u16(out + 10, rdata_len);
}

bool response_add_addresses(struct response *response, uint32_t ttl, const uint8_t *addresses,
                            size_t address_len, size_t count)
{
    uint8_t *out = response->bytes + response->at;
    uint16_t owner = response_pointer(response, ZONE_PATCH_OWNER);
    uint16_t type = address_len == 4 ? WIRE_TYPE_A : WIRE_TYPE_AAAA;

    if (!response_room(response, count * (RESPONSE_RR_FIXED + address_len))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        response_put_fixed(out, owner, type, WIRE_CLASS_IN, ttl, (uint16_t)address_len);
        if (address_len == 4) { /* lengths the compiler knows need no call */
            memcpy(out + RESPONSE_RR_FIXED, addresses, 4);
        } else {
            memcpy(out + RESPONSE_RR_FIXED, addresses, 16);
        }
        out += RESPONSE_RR_FIXED + address_len;
        addresses += address_len;
    }
    response->at = (size_t)(out - response->bytes);
    response->counts[RESPONSE_ANSWER] = (uint16_t)(response->counts[RESPONSE_ANSWER] + count);
    return true;
}

bool response_add_record(struct response *response, enum response_section section, uint16_t type,
                         uint16_t class, uint32_t ttl, const uint8_t *rdata, size_t rdata_len)
{
    uint8_t *out = response->bytes + response->at;

    if (!response_room(response, RESPONSE_RR_FIXED + rdata_len)) {
        return false;
    }
    response_put_fixed(out, response_pointer(response, ZONE_PATCH_OWNER), type, class, ttl,
                       (uint16_t)rdata_len);
    memcpy(out + RESPONSE_RR_FIXED, rdata, rdata_len);
    response->at += RESPONSE_RR_FIXED + rdata_len;
    response->counts[section]++;
    return true;
}

bool response_add_pieces(struct response *response, uint16_t type, uint32_t ttl,
                         const struct response_piece *pieces, size_t piece_n)
{
    uint8_t *out = response->bytes + response->at;
    size_t rdata_len = 0;

    for (size_t i = 0; i < piece_n; i++) {
        rdata_len += pieces[i].len;
    }
    if (!response_room(response, RESPONSE_RR_FIXED + rdata_len)) {
        return false;
    }
    response_put_fixed(out, response_pointer(response, ZONE_PATCH_OWNER), type, WIRE_CLASS_IN, ttl,
                       (uint16_t)rdata_len);
    out += RESPONSE_RR_FIXED;
    for (size_t i = 0; i < piece_n; i++) {
        memcpy(out, pieces[i].bytes, pieces[i].len);
        out += pieces[i].len;
    }
    response->at += RESPONSE_RR_FIXED + rdata_len;
    response->counts[RESPONSE_ANSWER]++;
    return true;
}

bool response_follow(struct response *response, const struct zone_rrset *rrset, size_t target_len)
{
    struct response_place place = {.len = (uint8_t)target_len};

    if (response->stage + 1 >= RESPONSE_STAGES) {
        return false;
    }
    if (response->truncated) {
        /* nothing is written any more, nor pointed to */
    } else if (rrset) {
        /* the RDATA is a name; its pointer, if it has one, is the patch after the owner's */
        place.at = (uint16_t)(response->at - (response->dnssec ? rrset->sig_len : 0) -
                              rrset->wire_len + RESPONSE_RR_FIXED);
        place.tail_len = rrset->patch_n > 1 ? rrset->patches[1].suffix_len : 0;
    } else {
        place.at = (uint16_t)(response->at - target_len);
    }
    if (place.at + target_len > RESPONSE_POINTER_MAX) { /* signatures can be long */
        return false;
    }
    response->places[++response->stage] = place;
    return true;
}

/* Copies an address RRset of `node`, whose name stands at byte `name_at` of the message. False: no
 * room. */
static bool response_put_node(struct response *response, const struct zone_node *node,
                              const struct zone_rrset *rrset, size_t name_at)
{
    bool pointed = name_at <= RESPONSE_POINTER_MAX;
    size_t owner_len = pointed ? 2 : node->name_len;
    size_t rr_len = rrset->wire_len / rrset->rr_n; /* all of one length: addresses */
    uint8_t *out = response->bytes + response->at;
    const uint8_t *rr = rrset->wire;

    if ((response->dnssec && rrset->sig_n) ||
        (rrset->type != WIRE_TYPE_A && rrset->type != WIRE_TYPE_AAAA)) {
        struct response_owner owner = {node->name, pointed ? 0 : owner_len,
                                       pointed ? (uint16_t)(0xc000u | name_at) : 0};

        return response_put(response, RESPONSE_ADDITIONAL, rrset, &owner);
    }
    if (response->truncated ||
        rrset->rr_n * (owner_len - 2 + rr_len) > response->limit - response->at) {
        return false;
    }
    for (unsigned i = 0; i < rrset->rr_n; i++) {
        if (pointed) {
            wire_put_u16(out, (uint16_t)(0xc000u | name_at));
        } else {
            memcpy(out, node->name, owner_len);
        }
        memcpy(out + owner_len, rr + 2, rr_len - 2);
        out += owner_len + rr_len - 2;
        rr += rr_len;
    }
    response->at = (size_t)(out - response->bytes);
    response->counts[RESPONSE_ADDITIONAL] =
        (uint16_t)(response->counts[RESPONSE_ADDITIONAL] + rrset->rr_n);
    return true;
}

static void response_add_glue(struct response *response, const struct zone_rrset *rrset,
                              size_t rrset_at, bool required, response_skip skip,
                              const void *context)
{
    const uint16_t types[] = {WIRE_TYPE_A, WIRE_TYPE_AAAA, rrset->type};
    /* RFC 9460 section 4.1: what the target of a SVCB record says of itself, too */
    const unsigned type_n = rrset->type == WIRE_TYPE_SVCB || rrset->type == WIRE_TYPE_HTTPS ? 3 : 2;

    for (unsigned i = 0; i < rrset->additional_n; i++) {
        const struct zone_additional *additional = &rrset->additional[i];

        if (additional->required != required || (skip && skip(context, additional->node))) {
            continue;
        }
        for (unsigned t = 0; t < type_n; t++) {
            const struct zone_rrset *found = zone_node_rrset(additional->node, types[t]);

            if (found && found != rrset &&
                !response_put_node(response, additional->node, found,
                                   rrset_at + additional->name_offset) &&
                required) {
                response->truncated = true; /* RFC 9471 section 3.1 */
                return;
            }
        }
    }
}

void response_add_additional(struct response *response, const struct zone_rrset *rrset,
                             size_t rrset_at, response_skip skip, const void *context)
{
    response_add_glue(response, rrset, rrset_at, true, skip, context);
    if (!response->truncated) {
        response_add_glue(response, rrset, rrset_at, false, skip, context);
    }
}
