/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SVCB and HTTPS records beside services (RFC 9460). Their address hints stand in for A and AAAA
 * records, so they must not say anything else than these would:
 *
 *   the record's target is the service's own name   the hints become the addresses chosen for this
 *                                                   client, and the answer has the service's scope
 *   it is the name of another service               no hints: the client asks for the addresses
 *   it is any other name                            the zone's hints
 *
 * A family the service does not serve is the zone's, hints included. Only hints that the zone has
 * are replaced, so the keys of a record never depend on the client. Records are taken apart while
 * answering: zones and services may have been loaded at different times.
 */
#include "edge/answer/answer_service.h"

#include <string.h>

#include "edge/answer/snapshot.h"
#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"

/* RFC 9460 section 14.3.2 */
#define SVCB_KEY_MANDATORY 0
#define SVCB_KEY_IPV4HINT 4
#define SVCB_KEY_IPV6HINT 6

#define SVCB_RR_FIXED 12u /* before the RDATA of a pre-rendered record */

/* The three keys at most, a list of addresses per pick, and what lies around them. */
#define SVCB_PIECES_MAX (16u + 2u * MAP_PICKS_MAX)

/* One record, taken apart. */
struct svcb {
    const uint8_t *rdata;
    size_t len;
    size_t params_at;
    bool is_own; /* the target is the current name */
    bool has_hint[MAP_FAMILIES];
};

enum svcb_fate {
    SVCB_KEEP,
    SVCB_REPLACE,
    SVCB_OMIT,
};

/* What happens to the hints of one record, and where they come from. */
struct svcb_plan {
    const struct service *service;
    const struct geo_choice *choices; /* by family */
    enum svcb_fate fates[MAP_FAMILIES];
};

struct svcb_pieces {
    struct response_piece list[SVCB_PIECES_MAX];
    uint8_t heads[MAP_FAMILIES + 1][4]; /* keys and lengths of what is put in */
    size_t count;
};

/* The family a key is the hint of; MAP_FAMILIES: none. */
static unsigned svcb_family(unsigned key)
{
    return key == SVCB_KEY_IPV4HINT   ? MAP_FAMILY_IPV4
           : key == SVCB_KEY_IPV6HINT ? MAP_FAMILY_IPV6
                                      : MAP_FAMILIES;
}

/* False: AliasMode, which has no parameters (RFC 9460 section 2.4.2), or not what the RFC says. */
static bool svcb_read(const struct answer_scratch *work, const uint8_t *rdata, size_t len,
                      struct svcb *ret_svcb)
{
    size_t target_len = len > 2 ? name_check(rdata + 2, len - 2) : 0;

    *ret_svcb = (struct svcb){.rdata = rdata, .len = len, .params_at = 2 + target_len};
    if (!target_len || wire_get_u16(rdata) == 0) {
        return false;
    }
    /* "." is the owner itself (RFC 9460 section 2.5.2) */
    ret_svcb->is_own = target_len == 1 ||
                       (target_len == work->name->len && name_equal(rdata + 2, work->name->bytes));
    for (size_t at = ret_svcb->params_at; at < len; at += 4u + wire_get_u16(rdata + at + 2)) {
        unsigned family;

        if (len - at < 4 || len - at - 4 < wire_get_u16(rdata + at + 2)) {
            return false;
        }
        family = svcb_family(wire_get_u16(rdata + at));
        if (family < MAP_FAMILIES) {
            ret_svcb->has_hint[family] = true;
        }
    }
    return true;
}

/* The addresses of a name are a service's, or could be: a wildcard that the zone may or may not
 * hide counts, since leaving a hint out is never wrong. */
static bool svcb_target_is_service(const struct answer_scratch *work, const struct svcb *svcb)
{
    const struct overlay_node *node;
    struct name_key key;

    if (!name_key_parse(&key, svcb->rdata + 2, svcb->len - 2)) {
        return false;
    }
    node = overlay_find(services_overlay(work->snapshot->services), &key, 0);
    return node && (node->label_n == key.label_n ? node->service != NULL
                                                 : node->wildcard && node->wildcard->service);
}

/* Hints of the current name's own addresses that a service chooses. */
static bool svcb_follows(const struct svcb *svcb, const struct service *service, unsigned family)
{
    return service && svcb->is_own && svcb->has_hint[family] && service->has_family[family];
}

static void svcb_plan(const struct answer_scratch *work, const struct svcb *svcb,
                      struct svcb_plan *plan)
{
    bool elsewhere = !svcb->is_own && (svcb->has_hint[0] || svcb->has_hint[1]) &&
                     svcb_target_is_service(work, svcb);

    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        plan->fates[family] = elsewhere && svcb->has_hint[family] ? SVCB_OMIT : SVCB_KEEP;
        if (svcb_follows(svcb, plan->service, family)) {
            plan->fates[family] = plan->choices[family].picks.count ? SVCB_REPLACE : SVCB_OMIT;
        }
    }
}

/* --- composing --- */

static void svcb_put(struct svcb_pieces *pieces, const uint8_t *bytes, size_t len)
{
    if (len) {
        pieces->list[pieces->count++] = (struct response_piece){bytes, len};
    }
}

static void svcb_put_head(struct svcb_pieces *pieces, unsigned which, unsigned key, size_t len)
{
    wire_put_u16(pieces->heads[which], (uint16_t)key);
    wire_put_u16(pieces->heads[which] + 2, (uint16_t)len);
    svcb_put(pieces, pieces->heads[which], 4);
}

static void svcb_put_hint(const struct svcb_plan *plan, unsigned family, unsigned key,
                          struct svcb_pieces *pieces)
{
    const struct map_picks *picks = &plan->choices[family].picks;
    size_t address_len = family == MAP_FAMILY_IPV4 ? 4 : 16;
    size_t count = 0;

    if (plan->fates[family] == SVCB_OMIT) {
        return;
    }
    for (unsigned i = 0; i < picks->count; i++) {
        count += plan->service->addresses[family][picks->pop[i]].count;
    }
    svcb_put_head(pieces, family, key, count * address_len);
    for (unsigned i = 0; i < picks->count; i++) {
        const struct service_addresses *addresses =
            &plan->service->addresses[family][picks->pop[i]];

        svcb_put(pieces, addresses->bytes, addresses->count * address_len);
    }
}

/* A key that is left out must not be mandatory (RFC 9460 section 8). */
static void svcb_put_mandatory(const struct svcb_plan *plan, const uint8_t *param,
                               struct svcb_pieces *pieces)
{
    size_t len = wire_get_u16(param + 2);
    struct response_piece kept[MAP_FAMILIES + 1] = {{param + 4, 0}};
    size_t kept_len = 0;
    size_t kept_n = 0;

    for (size_t at = 0; at + 2 <= len; at += 2) {
        unsigned family = svcb_family(wire_get_u16(param + 4 + at));

        if (family < MAP_FAMILIES && plan->fates[family] == SVCB_OMIT && kept_n < MAP_FAMILIES) {
            kept[++kept_n] = (struct response_piece){param + 4 + at + 2, 0};
        } else {
            kept[kept_n].len += 2;
            kept_len += 2;
        }
    }
    if (kept_len) {
        svcb_put_head(pieces, MAP_FAMILIES, SVCB_KEY_MANDATORY, kept_len);
        for (size_t i = 0; i <= kept_n; i++) {
            svcb_put(pieces, kept[i].bytes, kept[i].len);
        }
    }
}

static bool svcb_add(struct answer_scratch *work, const struct svcb *svcb,
                     const struct svcb_plan *plan, uint16_t type, uint32_t ttl)
{
    bool omits = plan->fates[0] == SVCB_OMIT || plan->fates[1] == SVCB_OMIT;
    struct svcb_pieces pieces = {.count = 0};
    size_t from = 0; /* not yet put */

    for (size_t at = svcb->params_at; at < svcb->len;) {
        const uint8_t *param = svcb->rdata + at;
        unsigned key = wire_get_u16(param);
        unsigned family = svcb_family(key);
        size_t next = at + 4u + wire_get_u16(param + 2);
        bool is_mandatory = key == SVCB_KEY_MANDATORY && omits;
        bool is_hint = family < MAP_FAMILIES && plan->fates[family] != SVCB_KEEP;

        /* a key stands once (RFC 9460 section 2.2); a second one stays as it is */
        if ((is_mandatory || is_hint) && pieces.count < SVCB_PIECES_MAX / 2) {
            svcb_put(&pieces, svcb->rdata + from, at - from);
            if (is_hint) {
                svcb_put_hint(plan, family, key, &pieces);
            } else {
                svcb_put_mandatory(plan, param, &pieces);
            }
            from = next;
        }
        at = next;
    }
    svcb_put(&pieces, svcb->rdata + from, svcb->len - from);
    return response_add_pieces(&work->response, type, ttl, pieces.list, pieces.count);
}

/* --- the set --- */

/* Chooses for each family that some record of the set has hints of. False: for none. */
static bool svcb_choose(struct answer_scratch *work, const struct answer_match *match,
                        const struct zone_rrset *rrset,
                        struct geo_choice ret_choices[static MAP_FAMILIES])
{
    const uint8_t *rr = rrset->wire;
    bool wanted[MAP_FAMILIES] = {false};

    for (unsigned i = 0; i < rrset->rr_n && match->service; i++) {
        size_t len = wire_get_u16(rr + 10);
        struct svcb svcb;

        if (svcb_read(work, rr + SVCB_RR_FIXED, len, &svcb)) {
            for (unsigned family = 0; family < MAP_FAMILIES; family++) {
                wanted[family] |= svcb_follows(&svcb, match->service, family);
            }
        }
        rr += SVCB_RR_FIXED + len;
    }
    for (unsigned family = 0; family < MAP_FAMILIES && !work->behind_alias; family++) {
        if (wanted[family]) {
            answer_choose(work, match->service, (enum map_family)family, &ret_choices[family]);
        }
    }
    return wanted[0] || wanted[1];
}

/* Whether anything of the set is not as the zone has it. */
static bool svcb_differs(const struct answer_scratch *work, const struct answer_match *match,
                         const struct geo_choice *choices, const struct zone_rrset *rrset)
{
    const uint8_t *rr = rrset->wire;

    for (unsigned i = 0; i < rrset->rr_n; i++) {
        struct svcb_plan plan = {.service = match->service, .choices = choices};
        size_t len = wire_get_u16(rr + 10);
        struct svcb svcb;

        if (svcb_read(work, rr + SVCB_RR_FIXED, len, &svcb)) {
            svcb_plan(work, &svcb, &plan);
            if (plan.fates[0] != SVCB_KEEP || plan.fates[1] != SVCB_KEEP) {
                return true;
            }
        }
        rr += SVCB_RR_FIXED + len;
    }
    return false;
}

static void svcb_add_all(struct answer_scratch *work, const struct answer_match *match,
                         const struct geo_choice *choices, const struct zone_rrset *rrset,
                         uint32_t ttl)
{
    struct response before = work->response;
    const uint8_t *rr = rrset->wire;

    for (unsigned i = 0; i < rrset->rr_n; i++) {
        struct svcb_plan plan = {.service = match->service, .choices = choices};
        size_t len = wire_get_u16(rr + 10);
        struct svcb svcb;

        if (svcb_read(work, rr + SVCB_RR_FIXED, len, &svcb)) {
            svcb_plan(work, &svcb, &plan);
        } else {
            svcb.params_at = svcb.len; /* as it is */
        }
        if (!svcb_add(work, &svcb, &plan, rrset->type, ttl)) {
            work->response = before; /* no part of a set (RFC 2181 section 9) */
            work->response.truncated = true;
            return;
        }
        rr += SVCB_RR_FIXED + len;
    }
}

bool answer_svcb(struct answer_scratch *work, const struct answer_match *match,
                 const struct zone_rrset *rrset)
{
    struct geo_choice choices[MAP_FAMILIES] = {0};
    bool geo = svcb_choose(work, match, rrset, choices);
    uint32_t ttl = rrset->ttl;

    if (!geo && !svcb_differs(work, match, choices, rrset)) {
        return false;
    }
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        if (choices[family].ttl && choices[family].ttl < ttl) {
            ttl = choices[family].ttl;
        }
    }
    if (!geo || !work->behind_alias) {
        svcb_add_all(work, match, choices, rrset, ttl);
    }
    (void)answer_done(work, geo ? ANSWER_GEO : ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
    return true;
}
