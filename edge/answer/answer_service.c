/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names whose addresses are chosen per client.
 */
#include "edge/answer/answer_work.h"
#include "edge/answer/geo_answer.h"
#include "edge/service/services.h"

static void answer_trace_geo(struct answer_trace *trace, const struct service *service,
                             enum map_family family, const struct geo_choice *choice)
{
    trace->geo = true;
    trace->service = service;
    trace->client = choice->client;
    trace->verdict = choice->verdict;
    trace->picks = choice->picks;
    trace->family = family;
    trace->ttl = choice->ttl;
}

/* A failure has no partial answer beside it. */
static enum answer_step answer_fail(struct answer_scratch *work, enum answer_kind kind)
{
    const struct query *query = &work->query;

    response_init(&work->response, work->response.bytes, work->response.limit, query->question,
                  query->question_len);
    work->denial.proof_n = 0;
    work->authoritative = false;
    return answer_done_because(work, kind, WIRE_RCODE_SERVFAIL, EDNS_ERROR_OTHER);
}

/* Nobody is left. The TTL must not rise because everything is down: what stands in for the answer
 * lives no longer than the answer would. */
static enum answer_step answer_geo_empty(struct answer_scratch *work,
                                         const struct answer_match *match, uint32_t ttl)
{
    const struct zone_rrset *fallback;

    switch (match->service->on_empty) {
    case SERVICE_ON_EMPTY_STATIC:
        fallback = match->node ? zone_node_rrset(match->node, work->query.qtype) : NULL;
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
    struct map_client client;
    struct geo_choice choice;

    geo_client(&work->query.edns, &work->request->client, &client);
    geo_choose(work->snapshot, service, family, &client, &choice);
    work->ecs_scope = choice.verdict.scope;
    if (work->trace) {
        answer_trace_geo(work->trace, service, family, &choice);
    }
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
