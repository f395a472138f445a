/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A query becomes a response, in this order:
 *
 *   query_parse      bytes -> query, or FORMERR, NOTIMP, BADVERS, nothing
 *   answer_question  class and type -> CHAOS, REFUSED, or the names of a chain:
 *     answer_name      zone, delegation, DNAME, wildcard, what exists        (RFC 1034
 * section 4.3.2, 4592, 6672) answer_node      the type at that name: service, data, CNAME, nothing
 * (RFC 2308, 8482) answer_finish    OPT with what the query's OPT asked for, header         (RFC
 * 6891, 7871, 5001)
 */
#include "edge/answer.h"

#include <stdlib.h>
#include <string.h>

#include "edge/chaos.h"
#include "edge/geo_answer.h"
#include "edge/overlay.h"
#include "edge/query.h"
#include "edge/response.h"
#include "edge/services.h"
#include "edge/snapshot.h"
#include "edge/wire.h"
#include "edge/zone.h"
#include "edge/zone_set.h"

#define ANSWER_UDP_MIN                                                                             \
    512 /* what everybody can receive (RFC 1035 section 2.3.4, RFC 6891 section 6.2.3) */
#define ANSWER_TTL_ANY UINT32_MAX
#define ANSWER_HINFO_TTL 3600

struct answer_scratch {
    struct answer_trace *trace;
    /* of the query being answered */
    const struct snapshot *snapshot;
    const struct answer_request *request;
    struct query query;
    struct response response;
    struct name_key target;      /* the current name, once a CNAME or DNAME was followed */
    const struct name_key *name; /* the current name */
    enum answer_kind kind;
    enum wire_rcode rcode;
    bool authoritative;
    uint8_t ecs_scope;
    uint64_t visited[RESPONSE_STAGES]; /* hashes of the names before: a chain that meets one of them
                                          is a loop */
};

/* What the zone and the services know about the current name. */
struct answer_match {
    const struct zone *zone;
    const struct zone_node *node; /* whose RRsets answer; NULL: the zone has none */
    const struct service *service;
};

enum answer_step {
    ANSWER_STEP_DONE,
    ANSWER_STEP_FOLLOW, /* the current name changed */
};

const char *answer_kind_name(enum answer_kind kind)
{
    static const char *const names[ANSWER_KINDS] = {
        [ANSWER_DROPPED] = "dropped",   [ANSWER_POSITIVE] = "positive",
        [ANSWER_GEO] = "geo",           [ANSWER_GEO_EMPTY] = "geo_empty",
        [ANSWER_NODATA] = "nodata",     [ANSWER_NXDOMAIN] = "nxdomain",
        [ANSWER_REFERRAL] = "referral", [ANSWER_CHAOS] = "chaos",
        [ANSWER_REFUSED] = "refused",   [ANSWER_SERVFAIL] = "servfail",
        [ANSWER_FORMERR] = "formerr",   [ANSWER_NOTIMP] = "notimp",
        [ANSWER_BADVERS] = "badvers",
    };

    return names[kind];
}

struct answer_scratch *answer_scratch_new(void)
{
    return calloc(1, sizeof(struct answer_scratch));
}

void answer_scratch_free(struct answer_scratch *scratch)
{
    free(scratch);
}

void answer_scratch_trace(struct answer_scratch *scratch, struct answer_trace *trace)
{
    scratch->trace = trace;
}

static enum answer_step answer_done(struct answer_scratch *work, enum answer_kind kind,
                                    enum wire_rcode rcode)
{
    work->kind = kind;
    work->rcode = rcode;
    return ANSWER_STEP_DONE;
}

/* A negative answer: the SOA tells for how long (RFC 2308 section 2). After a CNAME the rcode is
 * that of the last name (RFC 6604 section 3), while the answer as a whole counts as what the last
 * name was. */
static enum answer_step answer_negative(struct answer_scratch *work, const struct zone *zone,
                                        enum answer_kind kind, uint32_t ttl_max)
{
    (void)response_add(&work->response, RESPONSE_AUTHORITY, zone->soa_negative, ttl_max);
    return answer_done(work, kind,
                       kind == ANSWER_NXDOMAIN ? WIRE_RCODE_NXDOMAIN : WIRE_RCODE_NOERROR);
}

/* --- CNAME and DNAME --- */

/* The CNAME just added leads to `target`. A chain that is too long or comes back ends where it is,
 * as an answer: the resolver goes on by itself and finds the loop. */
static enum answer_step answer_follow(struct answer_scratch *work, const struct zone_rrset *rrset,
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

static enum answer_step answer_cname(struct answer_scratch *work, const struct zone_rrset *cname)
{
    if (!response_add(&work->response, RESPONSE_ANSWER, cname, ANSWER_TTL_ANY)) {
        return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
    }
    return answer_follow(work, cname, cname->target);
}

/* RFC 6672 section 3: the DNAME itself, and a CNAME made of it for servers that do not know it. */
static enum answer_step answer_dname(struct answer_scratch *work, const struct zone_node *node)
{
    const struct zone_rrset *dname = zone_node_rrset(node, WIRE_TYPE_DNAME);
    const uint8_t *name = work->response.stage ? work->target.bytes : work->query.question;
    size_t prefix_len = (size_t)work->name->len - node->name_len;
    size_t target_len = name_len(dname->target);
    uint8_t target[NAME_LEN_MAX + NAME_SLACK + 1];

    (void)response_add(&work->response, RESPONSE_ANSWER, dname, ANSWER_TTL_ANY);
    if (prefix_len + target_len > NAME_LEN_MAX) { /* RFC 6672 section 2.2 */
        return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_YXDOMAIN);
    }
    memcpy(target, name, prefix_len);
    memcpy(target + prefix_len, dname->target, target_len);
    if (!response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_CNAME, WIRE_CLASS_IN,
                             dname->ttl, target, prefix_len + target_len) ||
        work->query.qtype == WIRE_TYPE_CNAME) {
        return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
    }
    return answer_follow(work, NULL, target);
}

/* --- services --- */

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
    work->authoritative = false;
    return answer_done(work, kind, WIRE_RCODE_SERVFAIL);
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

static enum answer_step answer_geo(struct answer_scratch *work, const struct answer_match *match,
                                   enum map_family family)
{
    const struct service *service = match->service;
    size_t address_len = family == MAP_FAMILY_IPV4 ? 4 : 16;
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
            break;
        }
    }
    return answer_done(work, ANSWER_GEO, WIRE_RCODE_NOERROR);
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

static enum answer_step answer_data(struct answer_scratch *work, const struct zone_rrset *rrset)
{
    size_t rrset_at = work->response.at;

    if (response_add(&work->response, RESPONSE_ANSWER, rrset, ANSWER_TTL_ANY) &&
        rrset->additional_n) {
        response_add_additional(&work->response, rrset, rrset_at, answer_skip_service,
                                services_overlay(work->snapshot->services));
    }
    return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
}

/* RFC 8482 section 4.2: a synthesised HINFO says that ANY is not answered; a CNAME is the whole
 * answer anyway. */
static enum answer_step answer_any(struct answer_scratch *work, const struct answer_match *match)
{
    static const uint8_t hinfo[] = "\7RFC8482";

    if (match->node && (match->node->flags & ZONE_NODE_CNAME) && !match->service) {
        return answer_data(work, zone_node_rrset(match->node, WIRE_TYPE_CNAME));
    }
    if (!match->service && (!match->node || !match->node->rrset_n)) {
        return answer_negative(work, match->zone, ANSWER_NODATA, ANSWER_TTL_ANY);
    }
    (void)response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_HINFO, WIRE_CLASS_IN,
                              ANSWER_HINFO_TTL, hinfo, sizeof(hinfo)); /* its NUL: an empty OS */
    return answer_done(work, ANSWER_POSITIVE, WIRE_RCODE_NOERROR);
}

/* The name exists: what of the wanted type is there? */
static enum answer_step answer_node(struct answer_scratch *work, const struct answer_match *match)
{
    uint16_t qtype = work->query.qtype;
    const struct zone_rrset *rrset;

    if (match->service) {
        if (qtype == WIRE_TYPE_A && match->service->has_family[MAP_FAMILY_IPV4]) {
            return answer_geo(work, match, MAP_FAMILY_IPV4);
        }
        if (qtype == WIRE_TYPE_AAAA && match->service->has_family[MAP_FAMILY_IPV6]) {
            return answer_geo(work, match, MAP_FAMILY_IPV6);
        }
    }
    if (qtype == WIRE_TYPE_ANY) {
        return answer_any(work, match);
    }
    rrset = match->node ? zone_node_rrset(match->node, qtype) : NULL;
    if (rrset) {
        return answer_data(work, rrset);
    }
    if (match->node && (match->node->flags & ZONE_NODE_CNAME)) {
        return answer_cname(work, zone_node_rrset(match->node, WIRE_TYPE_CNAME));
    }
    return answer_negative(work, match->zone, ANSWER_NODATA, ANSWER_TTL_ANY);
}

/* RFC 1034 section 4.3.2 step 3b: the way down, with the addresses needed to take it. */
static enum answer_step answer_referral(struct answer_scratch *work, const struct zone_node *cut)
{
    const struct zone_rrset *ns = zone_node_rrset(cut, WIRE_TYPE_NS);
    size_t ns_at = work->response.at;

    if (work->response.stage == 0) {
        work->authoritative = false;
    }
    if (response_add(&work->response, RESPONSE_AUTHORITY, ns, ANSWER_TTL_ANY)) {
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
    struct answer_match match = {zone, NULL, NULL};

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
    return answer_negative(work, zone, ANSWER_NXDOMAIN, ANSWER_TTL_ANY);
}

static enum answer_step answer_name(struct answer_scratch *work, const struct zone *zone)
{
    const struct overlay *services = services_overlay(work->snapshot->services);
    const struct overlay_node *overlay = NULL;
    bool exact;
    const struct zone_node *node = zone_find(zone, work->name, &exact);

    /* DS lies on the parent's side of a cut (RFC 4035 section 3.1.4.1) */
    if (node->cut && !(exact && node->cut == node && work->query.qtype == WIRE_TYPE_DS)) {
        return answer_referral(work, node->cut);
    }
    if (!overlay_is_empty(services)) {
        /* above what the zone has, the services' names decide nothing */
        overlay = exact ? overlay_get(services, work->name, work->name->label_n)
                        : overlay_find(services, work->name, node->label_n);
    }
    if (exact || (overlay && overlay->label_n == work->name->label_n)) {
        struct answer_match match = {zone, exact ? node : NULL, NULL};

        if (overlay && overlay->label_n == work->name->label_n) {
            match.service = overlay->service;
        }
        return answer_node(work, &match);
    }
    return answer_missing(work, zone, node, overlay);
}

/* --- the question --- */

/* The zone for the current name. DS of an origin is asked of the parent zone, if that is ours too.
 */
static const struct zone *answer_zone(const struct answer_scratch *work, bool *ret_known)
{
    const struct zone_set *zones = work->snapshot->zones;
    const struct name_key *name = work->name;
    const struct zone *zone = zone_set_find_key(zones, name, name->label_n, ret_known);

    if (work->query.qtype == WIRE_TYPE_DS && zone && zone->apex->label_n == name->label_n &&
        name->label_n > 0) {
        bool parent_known;
        const struct zone *parent =
            zone_set_find_key(zones, name, name->label_n - 1u, &parent_known);

        return parent ? parent : zone;
    }
    return zone;
}

static void answer_internet(struct answer_scratch *work)
{
    enum answer_step step = ANSWER_STEP_FOLLOW;

    while (step == ANSWER_STEP_FOLLOW) {
        bool known;
        const struct zone *zone = answer_zone(work, &known);

        if (zone) {
            work->authoritative = work->response.stage == 0 || work->authoritative;
            step = answer_name(work, zone);
        } else if (work->response
                       .stage) { /* the chain leaves what we can answer: the resolver follows */
            return;
        } else if (known) {
            answer_done(work, ANSWER_SERVFAIL, WIRE_RCODE_SERVFAIL);
            return;
        } else {
            answer_done(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED);
            return;
        }
    }
}

static void answer_chaos(struct answer_scratch *work)
{
    uint8_t rdata[CHAOS_RDATA_MAX];
    size_t len = 0;

    if (work->query.qtype == WIRE_TYPE_TXT || work->query.qtype == WIRE_TYPE_ANY) {
        len = chaos_text(work->snapshot, work->name, work->request->now_wall_s, rdata);
    }
    if (!len) {
        answer_done(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED);
        return;
    }
    work->authoritative = true;
    (void)response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_TXT, WIRE_CLASS_CH, 0,
                              rdata, len);
    answer_done(work, ANSWER_CHAOS, WIRE_RCODE_NOERROR);
}

static void answer_question(struct answer_scratch *work)
{
    if (work->query.qclass == WIRE_CLASS_CH) {
        answer_chaos(work);
        return;
    }
    if (work->query.qclass != WIRE_CLASS_IN) {
        answer_done(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED);
        return;
    }
    switch (work->query.qtype) {
    case WIRE_TYPE_AXFR:
    case WIRE_TYPE_IXFR: /* nobody is allowed to transfer */
        answer_done(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED);
        return;
    case WIRE_TYPE_OPT: /* meta types that are no question */
    case WIRE_TYPE_TSIG:
        answer_done(work, ANSWER_FORMERR, WIRE_RCODE_FORMERR);
        return;
    case WIRE_TYPE_TKEY:
    case WIRE_TYPE_MAILA:
    case WIRE_TYPE_MAILB:
        answer_done(work, ANSWER_NOTIMP, WIRE_RCODE_NOTIMP);
        return;
    default:
        answer_internet(work);
    }
}

/* --- begin and end --- */

static void answer_begin(struct answer_scratch *work, uint8_t *bytes, size_t max)
{
    const struct query *query = &work->query;
    size_t limit = max < ANSWER_RESPONSE_MAX ? max : ANSWER_RESPONSE_MAX;

    if (work->request->transport == ANSWER_UDP) {
        size_t wanted = query->edns.present ? query->edns.udp_size : 0;

        if (wanted > ANSWER_UDP_MAX) {
            wanted = ANSWER_UDP_MAX;
        }
        if (wanted < ANSWER_UDP_MIN) {
            wanted = ANSWER_UDP_MIN;
        }
        limit = wanted < limit ? wanted : limit;
    }
    limit -= edns_response_len(&query->edns, work->snapshot->identity_len);
    response_init(&work->response, bytes, limit, query->question, query->question_len);
    work->name = &query->name;
    work->kind = ANSWER_SERVFAIL;
    work->rcode = WIRE_RCODE_SERVFAIL;
    work->authoritative = false;
    work->ecs_scope = 0;
}

static size_t answer_finish(struct answer_scratch *work, struct answer_outcome *ret_outcome)
{
    const struct query *query = &work->query;
    struct response *response = &work->response;
    uint8_t *bytes = response->bytes;
    unsigned flags = WIRE_FLAG_QR | (query->flags & (WIRE_FLAG_OPCODE | WIRE_FLAG_RD)) |
                     ((unsigned)work->rcode & 0xfu);

    if (work->kind != ANSWER_NOTIMP) {
        flags |= query->flags & WIRE_FLAG_CD;
    }
    flags |= work->authoritative ? WIRE_FLAG_AA : 0;
    flags |= response->truncated ? WIRE_FLAG_TC : 0;
    if (query->edns.present) {
        const char *identity = work->snapshot->info.identity;
        size_t identity_len = work->snapshot->identity_len;

        edns_write(bytes + response->at, &query->edns, (uint8_t)((unsigned)work->rcode >> 4),
                   work->ecs_scope, identity, identity_len);
        response->at += edns_response_len(&query->edns, identity_len);
        response->counts[RESPONSE_ADDITIONAL]++;
    }
    wire_put_u16(bytes, query->id);
    wire_put_u16(bytes + 2, (uint16_t)flags);
    wire_put_u16(bytes + 4, query->question_len ? 1 : 0);
    wire_put_u16(bytes + 6, response->counts[RESPONSE_ANSWER]);
    wire_put_u16(bytes + 8, response->counts[RESPONSE_AUTHORITY]);
    wire_put_u16(bytes + 10, response->counts[RESPONSE_ADDITIONAL]);
    *ret_outcome = (struct answer_outcome){.kind = work->kind,
                                           .rcode = (uint8_t)((unsigned)work->rcode & 0xfu),
                                           .truncated = response->truncated,
                                           .edns = query->edns.present,
                                           .ecs = query->edns.has_ecs,
                                           .qtype = query->qtype};
    return response->at;
}

size_t answer(struct answer_scratch *scratch, const struct snapshot *snapshot,
              const struct answer_request *request, uint8_t *response, size_t response_max,
              struct answer_outcome *ret_outcome)
{
    enum query_verdict verdict = query_parse(&scratch->query, request->query, request->query_len);

    if (verdict == QUERY_DROP) {
        *ret_outcome = (struct answer_outcome){.kind = ANSWER_DROPPED};
        return 0;
    }
    scratch->snapshot = snapshot;
    scratch->request = request;
    if (scratch->trace) {
        memset(scratch->trace, 0, sizeof(*scratch->trace));
    }
    answer_begin(scratch, response, response_max);
    switch (verdict) {
    case QUERY_OK:
        answer_question(scratch);
        break;
    case QUERY_FORMERR:
        answer_done(scratch, ANSWER_FORMERR, WIRE_RCODE_FORMERR);
        break;
    case QUERY_NOTIMP:
        answer_done(scratch, ANSWER_NOTIMP, WIRE_RCODE_NOTIMP);
        break;
    case QUERY_BADVERS:
        answer_done(scratch, ANSWER_BADVERS, WIRE_RCODE_BADVERS);
        break;
    case QUERY_DROP:
        break;
    }
    return answer_finish(scratch, ret_outcome);
}
