/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One name of a question or chain: the algorithm of RFC 1034 section 4.3.2 with wildcards as RFC
 * 4592 and DNAME as RFC 6672 have them, over the zone and, laid over it, the names of services.
 */
#include "edge/answer/answer_service.h"

#include <string.h>

#include "edge/answer/snapshot.h"
#include "edge/service/overlay.h"
#include "edge/service/services.h"

#define ANSWER_HINFO_TTL 3600

enum answer_step answer_negative(struct answer_scratch *work, const struct zone *zone,
                                 enum answer_kind kind, uint32_t ttl_max)
{
    (void)response_add(&work->response, RESPONSE_AUTHORITY, zone->soa_negative, ttl_max);
    if (work->denial.proof_n) {
        denial_write(work);
    }
    return answer_done(work, kind,
                       kind == ANSWER_NXDOMAIN ? WIRE_RCODE_NXDOMAIN : WIRE_RCODE_NOERROR);
}

static enum answer_step answer_nodata(struct answer_scratch *work, const struct answer_match *match)
{
    if (work->response.dnssec) {
        denial_add_nodata(work, match);
    }
    return answer_negative(work, match->zone, ANSWER_NODATA, ANSWER_TTL_ANY);
}

/* --- CNAME and DNAME --- */

enum answer_step answer_follow(struct answer_scratch *work, const struct zone_rrset *rrset,
                               const uint8_t *target)
{
    struct response *response = &work->response;
    size_t len;

    work->visited[response->stage] = name_key_hash(work->name);
    work->kind = ANSWER_POSITIVE;
    work->rcode = WIRE_RCODE_NOERROR;
    len = name_key_make(&work->target, target);
    for (unsigned i = 0; i <= response->stage; i++) {
        if (work->visited[i] == name_key_hash(&work->target)) {
            return ANSWER_STEP_DONE;
        }
    }
    if (!len || !response_follow(response, rrset, len)) {
        return ANSWER_STEP_DONE;
    }
    work->name = &work->target;
    return ANSWER_STEP_FOLLOW;
}

/* An alias that does not fit is followed all the same: the rcode is that of the last name, in a
 * truncated response, too (RFC 6604 section 3). */
static enum answer_step answer_cname(struct answer_scratch *work, const struct answer_match *match)
{
    const struct zone_rrset *cname = zone_node_rrset(match->node, WIRE_TYPE_CNAME);

    (void)response_add(&work->response, RESPONSE_ANSWER, cname, ANSWER_TTL_ANY);
    if (work->response.dnssec && match->encloser) {
        denial_add_expansion(work, match);
    }
    return answer_follow(work, cname, cname->target);
}

/* RFC 6672 section 3: the DNAME itself, and a CNAME made of it for servers that do not know it; a
 * validator makes that one itself, it has no signature (section 5.3.1). */
static enum answer_step answer_dname(struct answer_scratch *work, const struct zone_node *node)
{
    const struct zone_rrset *dname = zone_node_rrset(node, WIRE_TYPE_DNAME);
    const uint8_t *name = work->response.stage ? work->target.bytes : work->query->question;
    size_t prefix_len = (size_t)work->name->len - node->name_len;
    size_t target_len = name_len(dname->target);
    uint8_t target[NAME_LEN_MAX + NAME_SLACK + 1];

    (void)response_add(&work->response, RESPONSE_ANSWER, dname, ANSWER_TTL_ANY);
    if (prefix_len + target_len > NAME_LEN_MAX) { /* RFC 6672 section 2.2 */
        return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_YXDOMAIN);
    }
    memcpy(target, name, prefix_len);
    memcpy(target + prefix_len, dname->target, target_len);
    (void)response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_CNAME, WIRE_CLASS_IN,
                              dname->ttl, target, prefix_len + target_len);
    if (work->query->qtype == WIRE_TYPE_CNAME) {
        return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
    }
    return answer_follow(work, NULL, target);
}

/* --- one name --- */

/* Addresses of a service are for one client and never go along with something else (RFC 7871
 * section 7.4). */
static bool answer_skip_service(const void *context, const struct zone_node *node)
{
    const struct overlay_node *found =
        overlay_get_name(context, node->name, node->name_len, node->hash);

    return found && found->service;
}

/* An expanded wildcard is proved to have been the closest match (RFC 4035 section 3.1.3.3). */
static void answer_prove(struct answer_scratch *work, const struct answer_match *match)
{
    if (work->response.dnssec && match->encloser) {
        denial_add_expansion(work, match);
    }
    if (work->denial.proof_n) {
        denial_write(work);
    }
}

static enum answer_step answer_data(struct answer_scratch *work, const struct answer_match *match,
                                    const struct zone_rrset *rrset)
{
    size_t rrset_at = work->response.at;
    bool added = response_add(&work->response, RESPONSE_ANSWER, rrset, ANSWER_TTL_ANY);

    answer_prove(work, match);
    if (added && rrset->additional_n) {
        response_add_additional(&work->response, rrset, rrset_at, answer_skip_service,
                                services_overlay(work->snapshot->services));
    }
    return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
}

/* The signatures of one set, as RFC 8482 section 4.1 has one set answer ANY: all of them would make
 * the answer that amplifies best. */
static enum answer_step answer_rrsig(struct answer_scratch *work, const struct answer_match *match)
{
    for (unsigned i = 0; i < match->node->rrset_n; i++) {
        const struct zone_rrset *rrset = &match->node->rrsets[i];

        if (rrset->type == WIRE_TYPE_RRSIG) {
            return answer_data(work, match, rrset);
        }
        if (rrset->sig_n) {
            (void)response_add_signatures(&work->response, RESPONSE_ANSWER, rrset);
            answer_prove(work, match);
            return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
        }
    }
    return answer_nodata(work, match);
}

/* RFC 8482 section 4.2: a synthesised HINFO says that ANY is not answered; a CNAME is the whole
 * answer anyway. Nobody could have signed that HINFO, so a signed zone answers with one set it has
 * (section 4.1). */
static enum answer_step answer_any(struct answer_scratch *work, const struct answer_match *match)
{
    static const uint8_t hinfo[] = "\7RFC8482";

    if (match->node && (match->node->flags & ZONE_NODE_CNAME) && !match->service) {
        return answer_data(work, match, zone_node_rrset(match->node, WIRE_TYPE_CNAME));
    }
    if (!match->service && (!match->node || !match->node->rrset_n)) {
        return answer_nodata(work, match);
    }
    if (match->zone->denial) {
        return answer_data(work, match, &match->node->rrsets[0]);
    }
    (void)response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_HINFO, WIRE_CLASS_IN,
                              ANSWER_HINFO_TTL, hinfo, sizeof(hinfo)); /* its NUL: an empty OS */
    return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
}

/* The name exists: what of the wanted type is there? */
static enum answer_step answer_node(struct answer_scratch *work, const struct answer_match *match)
{
    uint16_t qtype = work->query->qtype;
    const struct zone_rrset *rrset;

    if (match->service) {
        if (qtype == WIRE_TYPE_A && match->service->has_family[MAP_FAMILY_IPV4]) {
            return answer_service(work, match, MAP_FAMILY_IPV4);
        }
        if (qtype == WIRE_TYPE_AAAA && match->service->has_family[MAP_FAMILY_IPV6]) {
            return answer_service(work, match, MAP_FAMILY_IPV6);
        }
        if (match->service->is_alias) {
            return answer_alias(work, match);
        }
        if (work->trace) {
            work->trace->service = match->service;
        }
    }
    if (qtype == WIRE_TYPE_ANY) {
        return answer_any(work, match);
    }
    if (qtype == WIRE_TYPE_RRSIG && match->node) {
        return answer_rrsig(work, match);
    }
    rrset = match->node ? zone_node_rrset(match->node, qtype) : NULL;
    if (rrset) {
        if ((qtype == WIRE_TYPE_SVCB || qtype == WIRE_TYPE_HTTPS) &&
            !overlay_is_empty(services_overlay(work->snapshot->services)) &&
            !match->zone->denial && /* signed is signed */
            answer_svcb(work, match, rrset)) {
            return ANSWER_STEP_DONE;
        }
        return answer_data(work, match, rrset);
    }
    /* NSEC, like RRSIG, belongs beside a CNAME (RFC 4035 section 2.5): it is asked for here */
    if (match->node && (match->node->flags & ZONE_NODE_CNAME) && qtype != WIRE_TYPE_NSEC) {
        return answer_cname(work, match);
    }
    return answer_nodata(work, match);
}

/* RFC 1034 section 4.3.2 step 3b: the way down, with the addresses needed to take it, and whether
 * the chain of trust goes down there, too (RFC 4035 section 3.1.4). */
static enum answer_step answer_referral(struct answer_scratch *work, const struct zone *zone,
                                        const struct zone_node *cut)
{
    const struct zone_rrset *ns = zone_node_rrset(cut, WIRE_TYPE_NS);
    size_t ns_at = work->response.at;

    if (work->response.stage == 0) {
        work->authoritative = false;
    }
    work->about = cut->hash;
    if (response_add(&work->response, RESPONSE_AUTHORITY, ns, ANSWER_TTL_ANY)) {
        if (work->response.dnssec) {
            denial_add_referral(work, zone, cut);
            denial_write(work);
        }
        response_add_additional(&work->response, ns, ns_at, NULL, NULL);
    }
    return answer_done(work, ANSWER_REFERRAL, WIRE_RCODE_NOERROR);
}

/* The name itself does not exist; `node` and `overlay` are its closest enclosers in the zone and in
 * the services' names, of which the deeper one counts (RFC 4592 section 3.3). */
static enum answer_step answer_missing(struct answer_scratch *work, const struct zone *zone,
                                       const struct zone_node *node,
                                       const struct overlay_node *overlay)
{
    unsigned overlay_labels = overlay ? overlay->label_n : 0;
    struct answer_match match = {zone, NULL, NULL, node};

    if (node->flags & ZONE_NODE_DNAME) {
        return answer_dname(work, node);
    }
    if (node->label_n >= overlay_labels) {
        match.node = node->wildcard;
    }
    if (overlay && overlay->wildcard) {
        match.service = overlay->wildcard->service;
    }
    if (match.node || match.service) {
        return answer_node(work, &match);
    }
    work->about = zone->apex->hash;
    if (work->response.dnssec) {
        denial_add_nxdomain(work, zone, node);
    }
    return answer_negative(work, zone, ANSWER_NXDOMAIN, ANSWER_TTL_ANY);
}

enum answer_step answer_name(struct answer_scratch *work, const struct zone *zone,
                             const struct zone_node *asked)
{
    const struct overlay *services = services_overlay(work->snapshot->services);
    const struct overlay_node *overlay = NULL;
    bool exact;
    const struct zone_node *node = zone_find_asked(zone, work->name, asked, &exact);

    work->about = node->hash;
    /* DS lies on the parent's side of a cut (RFC 4035 section 3.1.4.1) */
    if (node->cut && !(exact && node->cut == node && work->query->qtype == WIRE_TYPE_DS)) {
        return answer_referral(work, zone, node->cut);
    }
    /* a service says what nobody signed: when its zone became signed after it was loaded, the zone
     * counts */
    if (!overlay_is_empty(services) && !zone->denial) {
        /* above what the zone has, the services' names decide nothing */
        overlay = exact ? overlay_get(services, work->name, work->name->label_n)
                        : overlay_find(services, work->name, node->label_n);
        if (overlay && overlay->label_n > node->label_n) {
            work->about = overlay->hash;
        }
    }
    if (exact || (overlay && overlay->label_n == work->name->label_n)) {
        struct answer_match match = {zone, exact ? node : NULL, NULL, NULL};

        if (overlay && overlay->label_n == work->name->label_n) {
            match.service = overlay->service;
        }
        return answer_node(work, &match);
    }
    return answer_missing(work, zone, node, overlay);
}
