/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names whose addresses, or whose CNAME record, are chosen per client.
 */
#include "edge/answer/answer_service.h"

#include <string.h>

#include "edge/service/services.h"
#include "edge/wire/name.h"

void answer_trace_choice(struct answer_trace *trace, const struct service *service,
                         enum map_family family, const struct geo_choice *choice)
{
    *trace = (struct answer_trace){.geo = true,
                                   .service = service,
                                   .client = choice->client,
                                   .verdict = choice->verdict,
                                   .picks = choice->picks,
                                   .family = family,
                                   .ttl = choice->ttl};
}

/* Nobody is left. The TTL must not rise because everything is down: what stands in for the answer
 * lives no longer than the answer would. */
static enum answer_step answer_geo_empty(struct answer_scratch *work,
                                         const struct answer_match *match, uint32_t ttl)
{
    const struct zone_rrset *fallback;
    uint16_t type;

    switch (match->service->on_empty) {
    case SERVICE_ON_EMPTY_STATIC:
        type = match->service->is_alias ? WIRE_TYPE_CNAME : work->query->qtype;
        fallback = match->node ? zone_node_rrset(match->node, type) : NULL;
        if (!fallback) { /* there when the services were loaded, gone with a later zone */
            return answer_fail(work, ANSWER_GEO_EMPTY);
        }
        (void)response_add(&work->response, RESPONSE_ANSWER, fallback, ttl);
        return answer_done(work, ANSWER_GEO_EMPTY, WIRE_RCODE_NOERROR);
    case SERVICE_ON_EMPTY_NODATA:
        (void)answer_negative(work, match->zone, ANSWER_NODATA, ttl);
        return answer_done(work, ANSWER_GEO_EMPTY, WIRE_RCODE_NOERROR);
    case SERVICE_ON_EMPTY_SERVFAIL:
        break;
    }
    return answer_fail(work, ANSWER_GEO_EMPTY);
}

enum answer_step answer_service(struct answer_scratch *work, const struct answer_match *match,
                                enum map_family family)
{
    const struct service *service = match->service;
    size_t address_len = family == MAP_FAMILY_IPV4 ? 4 : 16;
    size_t at = work->response.at;
    uint16_t answer_n = work->response.counts[RESPONSE_ANSWER];
    struct geo_choice choice;

    if (work->behind_alias) {
        return answer_done(work, ANSWER_GEO, WIRE_RCODE_NOERROR);
    }
    answer_choose(work, service, family, &choice);
    if (choice.picks.count == 0) {
        return answer_geo_empty(work, match, choice.ttl);
    }
    for (unsigned i = 0; i < choice.picks.count; i++) {
        const struct service_addresses *addresses =
            &service->addresses[family][choice.picks.pop[i]];

        if (!response_add_addresses(&work->response, choice.ttl, addresses->bytes, address_len,
                                    addresses->count)) {
            work->response.at = at; /* no part of a set (RFC 2181 section 9) */
            work->response.counts[RESPONSE_ANSWER] = answer_n;
            break;
        }
    }
    return answer_done(work, ANSWER_GEO, WIRE_RCODE_NOERROR);
}

/* What the zones say of the name a service's CNAME leads to goes along if it is data for everybody:
 * then the scope of the CNAME is that of the whole (RFC 7871 section 7.2.1). What would be another
 * service's choice, or nothing, the resolver finds out by itself: a scope must not depend on who
 * was picked, and no client may see a negative answer where others see data. */
static enum answer_step answer_alias_target(struct answer_scratch *work, const uint8_t *target)
{
    struct response *response = &work->response;
    struct response before = *response;
    struct denial proofs = work->denial;

    if (answer_follow(work, NULL, target) == ANSWER_STEP_FOLLOW) {
        work->behind_alias = true;
        answer_chain(work);
        work->behind_alias = false;
        if (work->kind != ANSWER_POSITIVE || work->rcode != WIRE_RCODE_NOERROR) {
            *response = before;
            work->denial = proofs;
        }
    }
    work->authoritative = true;
    return answer_done(work, ANSWER_GEO, WIRE_RCODE_NOERROR);
}

enum answer_step answer_alias(struct answer_scratch *work, const struct answer_match *match)
{
    const struct service *service = match->service;
    const uint8_t *target;
    struct geo_choice choice;

    if (service->is_held) {
        if (work->trace) {
            work->trace->service = service;
        }
        return answer_fail(work, ANSWER_SERVFAIL);
    }
    if (work->behind_alias) {
        return answer_done(work, ANSWER_GEO, WIRE_RCODE_NOERROR);
    }
    answer_choose(work, service, SERVICE_ALIAS_FAMILY, &choice);
    if (choice.picks.count == 0) {
        return answer_geo_empty(work, match, choice.ttl);
    }
    target = service->addresses[SERVICE_ALIAS_FAMILY][choice.picks.pop[0]].bytes;
    if (!response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_CNAME, WIRE_CLASS_IN,
                             choice.ttl, target, name_len(target)) ||
        work->query->qtype == WIRE_TYPE_CNAME || work->query->qtype == WIRE_TYPE_ANY) {
        return answer_done(work, ANSWER_GEO, WIRE_RCODE_NOERROR);
    }
    return answer_alias_target(work, target);
}
