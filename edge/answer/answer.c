/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A query becomes a response, in this order:
 *
 *   query_parse        bytes -> query, or FORMERR, NOTIMP, BADVERS, NOTAUTH, nothing
 *   answer_zone        whose name it is
 *   answer_cookie      whether the client is where it says it is  (RFC 7873, 9018)
 *   answer_question    class and type -> CHAOS, REFUSED, or the names of a chain:
 *     answer_name      zone, delegation, DNAME, wildcard: what exists   (RFC 1034, 4592, 6672)
 *       answer_node    the type there: data, CNAME, nothing             (RFC 2308, 8482)
 *       denial         proofs of what is not there, in a signed zone    (RFC 4035, 5155)
 *       answer_service the type there: addresses for this client        (RFC 7871)
 *   answer_finish      OPT with what the query's OPT asked for, header  (RFC 6891, 5001)
 */
#include "edge/answer/answer.h"

#include <stdlib.h>
#include <string.h>

#include "edge/answer/answer_work.h"
#include "edge/answer/chaos.h"
#include "edge/answer/snapshot.h"
#include "edge/zone/zone_set.h"

#define ANSWER_LAG 4u /* reading so many queries takes about as long as memory does */
#define ANSWER_UDP_MIN                                                                             \
    512 /* what everybody can receive (RFC 1035 section 2.3.4, RFC 6891 section 6.2.3) */

const char *answer_kind_name(enum answer_kind kind)
{
    static const char *const names[ANSWER_KINDS] = {
        [ANSWER_DROPPED] = "dropped",   [ANSWER_POSITIVE] = "positive",
        [ANSWER_GEO] = "geo",           [ANSWER_GEO_EMPTY] = "geo_empty",
        [ANSWER_NODATA] = "nodata",     [ANSWER_NXDOMAIN] = "nxdomain",
        [ANSWER_REFERRAL] = "referral", [ANSWER_CHAOS] = "chaos",
        [ANSWER_REFUSED] = "refused",   [ANSWER_SERVFAIL] = "servfail",
        [ANSWER_FORMERR] = "formerr",   [ANSWER_NOTIMP] = "notimp",
        [ANSWER_BADVERS] = "badvers",   [ANSWER_COOKIE] = "cookie",
        [ANSWER_NOTAUTH] = "notauth",
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

/* Judges the query's cookie and makes the response's. A bad one is answered like none (RFC 7873
 * section 5.2.4): what it is worth is for rate limiting to say. */
static enum query_verdict answer_cookie(struct answer_scratch *work, enum query_verdict verdict)
{
    const struct cookie_secrets *secrets = &work->snapshot->info.cookies;
    const struct edns *edns = &work->query->edns;
    const struct address *client = &work->request->client;

    if (!secrets->count ||
        (verdict != QUERY_OK && verdict != QUERY_NO_QUESTION && verdict != QUERY_NOTAUTH)) {
        return verdict;
    }
    if (!cookie_len_ok(edns->cookie_len)) { /* RFC 7873 section 5.2.2 */
        return QUERY_FORMERR;
    }
    work->cookie = cookie_answer(secrets, edns->cookie, edns->cookie_len, client->bytes,
                                 client->family == ADDRESS_IPV6 ? 16 : 4,
                                 (uint32_t)work->request->now_wall_s, work->cookie_bytes);
    return verdict;
}

/* RFC 7873 section 5.4: no question, but a cookie. */
static void answer_no_question(struct answer_scratch *work)
{
    if (work->cookie == COOKIE_NONE) {
        answer_done(work, ANSWER_FORMERR, WIRE_RCODE_FORMERR);
    } else {
        answer_done(work, ANSWER_COOKIE,
                    work->cookie == COOKIE_BAD ? WIRE_RCODE_BADCOOKIE : WIRE_RCODE_NOERROR);
    }
}

/* The zone for a name. DS of an origin is asked of the parent zone, if that is ours too. */
static const struct zone *answer_zone(const struct zone_set *zones, const struct name_key *name,
                                      uint16_t qtype, bool *ret_known)
{
    const struct zone *zone = zone_set_find_key(zones, name, name->label_n, ret_known);

    if (qtype == WIRE_TYPE_DS && zone && zone->apex->label_n == name->label_n &&
        name->label_n > 0) {
        bool parent_known;
        const struct zone *parent =
            zone_set_find_key(zones, name, name->label_n - 1u, &parent_known);

        return parent_known ? parent : zone; /* NULL: ours, but it never loaded */
    }
    return zone;
}

enum answer_step answer_fail(struct answer_scratch *work, enum answer_kind kind)
{
    const struct query *query = work->query;

    response_init(&work->response, work->response.bytes, work->response.limit, query->question,
                  query->question_len);
    work->denial.proof_n = 0;
    work->denial.collided = false;
    work->authoritative = false;
    return answer_done_because(work, kind, WIRE_RCODE_SERVFAIL, EDNS_ERROR_OTHER);
}

/* The zone for the current name, and what it has of that name; for the question both are known
 * since it was read. */
static const struct zone *answer_current_zone(const struct answer_scratch *work,
                                              const struct zone_node **ret_asked, bool *ret_known)
{
    const struct zone *zone = work->read->zone;

    *ret_asked = work->read->node;
    *ret_known = work->read->known;
    if (work->response.stage) {
        zone = answer_zone(work->snapshot->zones, work->name, work->query->qtype, ret_known);
        *ret_asked = zone ? zone_ask_node(zone, name_key_hash(work->name)) : NULL;
    }
    return zone;
}

void answer_chain(struct answer_scratch *work)
{
    enum answer_step step = ANSWER_STEP_FOLLOW;

    while (step == ANSWER_STEP_FOLLOW) {
        const struct zone_node *asked;
        bool known;
        const struct zone *zone = answer_current_zone(work, &asked, &known);

        if (zone) {
            work->authoritative = work->response.stage == 0 || work->authoritative;
            step = answer_name(work, zone, asked);
        } else if (work->response
                       .stage) { /* the chain leaves what we can answer: the resolver follows */
            break;
        } else if (known) {
            answer_done_because(work, ANSWER_SERVFAIL, WIRE_RCODE_SERVFAIL, EDNS_ERROR_NOT_READY);
            return;
        } else {
            answer_done_because(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED,
                                EDNS_ERROR_NOT_AUTHORITATIVE);
            return;
        }
    }
    if (work->denial.proof_n) {
        if (work->denial.collided) { /* RFC 5155 section 7.2.9 */
            (void)answer_fail(work, ANSWER_SERVFAIL);
        } else { /* of wildcards in a chain that ended in no zone of ours */
            denial_write(work);
        }
    }
}

static void answer_chaos(struct answer_scratch *work)
{
    uint8_t rdata[CHAOS_RDATA_MAX];
    size_t len = 0;

    if (work->query->qtype == WIRE_TYPE_TXT || work->query->qtype == WIRE_TYPE_ANY) {
        len = chaos_text(work->snapshot, work->name, work->request->now_wall_s, rdata);
    }
    if (!len) {
        answer_done_because(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED, EDNS_ERROR_NOT_AUTHORITATIVE);
        return;
    }
    work->authoritative = true;
    (void)response_add_record(&work->response, RESPONSE_ANSWER, WIRE_TYPE_TXT, WIRE_CLASS_CH, 0,
                              rdata, len);
    answer_done(work, ANSWER_CHAOS, WIRE_RCODE_NOERROR);
}

static void answer_question(struct answer_scratch *work)
{
    if (work->query->qclass == WIRE_CLASS_CH) {
        answer_chaos(work);
        return;
    }
    if (work->query->qclass != WIRE_CLASS_IN) {
        answer_done_because(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED, EDNS_ERROR_NOT_SUPPORTED);
        return;
    }
    switch (work->query->qtype) {
    case WIRE_TYPE_AXFR:
    case WIRE_TYPE_IXFR: /* nobody is allowed to transfer */
        answer_done_because(work, ANSWER_REFUSED, WIRE_RCODE_REFUSED, EDNS_ERROR_PROHIBITED);
        return;
    case WIRE_TYPE_OPT: /* meta types that are no question */
    case WIRE_TYPE_TSIG:
        answer_done(work, ANSWER_FORMERR, WIRE_RCODE_FORMERR);
        return;
    case WIRE_TYPE_TKEY:
    case WIRE_TYPE_MAILA:
    case WIRE_TYPE_MAILB:
        answer_done_because(work, ANSWER_NOTIMP, WIRE_RCODE_NOTIMP, EDNS_ERROR_NOT_SUPPORTED);
        return;
    default:
        answer_chain(work);
    }
}

/* --- begin and end --- */

/* What our OPT record is known to say before there is an answer. */
static void answer_reply(struct answer_scratch *work)
{
    const struct query *query = work->query;

    work->reply.nsid = work->snapshot->info.identity;
    work->reply.nsid_len = work->snapshot->identity_len;
    work->reply.cookie = work->cookie ? work->cookie_bytes : NULL;
    work->reply.keepalive = 0;
    if (query->edns.keepalive && work->request->transport == ANSWER_TCP) { /* RFC 7828 */
        work->reply.keepalive = work->request->tcp_idle_ds;
    }
    work->reply.error = EDNS_ERROR_NONE;
}

static void answer_begin(struct answer_scratch *work, uint8_t *bytes, size_t max)
{
    const struct query *query = work->query;
    size_t limit = max < ANSWER_RESPONSE_MAX ? max : ANSWER_RESPONSE_MAX;

    if (work->request->transport == ANSWER_UDP) {
        size_t wanted = query->edns.present ? query->edns.udp_size : 0;

        if (wanted > EDNS_UDP_MAX) {
            wanted = EDNS_UDP_MAX;
        }
        if (wanted < ANSWER_UDP_MIN) {
            wanted = ANSWER_UDP_MIN;
        }
        limit = wanted < limit ? wanted : limit;
    }
    if (query->edns.present) {
        work->opt_len = EDNS_OPT_LEN;
        if (query->edns.has_options) {
            answer_reply(work);
            work->opt_len = (uint16_t)edns_response_len(&query->edns, &work->reply);
        }
        limit -= work->opt_len;
    }
    response_init(&work->response, bytes, limit, query->question, query->question_len);
    work->response.dnssec = query->edns.present && query->edns.dnssec_ok;
    work->denial.proof_n = 0;
    work->name = &query->name;
    work->kind = ANSWER_SERVFAIL;
    work->rcode = WIRE_RCODE_SERVFAIL;
    work->authoritative = false;
    work->ecs_scope = 0;
    work->error = EDNS_ERROR_NONE;
    work->about = 0;
}

static size_t answer_finish(struct answer_scratch *work, struct answer_outcome *ret_outcome)
{
    const struct query *query = work->query;
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
        struct edns_reply *reply = &work->reply;

        reply->extended_rcode = (uint8_t)((unsigned)work->rcode >> 4);
        reply->ecs_scope = work->ecs_scope;
        if (work->error != EDNS_ERROR_NONE && response->limit - response->at >= EDNS_ERROR_LEN) {
            /* only where it costs no data its place */
            if (!query->edns.has_options) {
                answer_reply(work);
            }
            reply->error = work->error;
            work->opt_len = (uint16_t)(work->opt_len + EDNS_ERROR_LEN);
        }
        edns_write(bytes + response->at, work->opt_len, &query->edns, reply);
        response->at += work->opt_len;
        response->counts[RESPONSE_ADDITIONAL]++;
    }
    wire_put_u16(bytes, query->id);
    wire_put_u16(bytes + 2, (uint16_t)flags);
    wire_put_u16(bytes + 4, query->question_len ? 1 : 0);
    wire_put_u16(bytes + 6, response->counts[RESPONSE_ANSWER]);
    wire_put_u16(bytes + 8, response->counts[RESPONSE_AUTHORITY]);
    wire_put_u16(bytes + 10, response->counts[RESPONSE_ADDITIONAL]);
    *ret_outcome = (struct answer_outcome){.kind = work->kind,
                                           .rcode = (uint8_t)work->rcode,
                                           .truncated = response->truncated,
                                           .edns = query->edns.present,
                                           .ecs = query->edns.has_ecs,
                                           .cookie = work->cookie,
                                           .qtype = query->qtype,
                                           .question_len = query->question_len,
                                           .opt_len = query->edns.present ? work->opt_len : 0,
                                           .about = work->about};
    return response->at;
}

/* RFC 8945 section 5.2.1: who signs with a key that we do not have (we have none) is told so, in a
 * TSIG record that is not signed and goes after OPT. If it has no room: TC. */
static size_t answer_notauth(struct answer_scratch *work, struct answer_outcome *ret_outcome)
{
    const struct tsig *tsig = &work->query->tsig;
    struct response *response = &work->response;
    size_t len = tsig_error_len(tsig);

    response->truncated = len > response->limit - response->at;
    answer_done(work, ANSWER_NOTAUTH, WIRE_RCODE_NOTAUTH);
    (void)answer_finish(work, ret_outcome);
    if (!response->truncated) {
        tsig_write_error(response->bytes + response->at, tsig, work->query->id, TSIG_ERROR_BADKEY);
        response->at += len;
        wire_put_u16(response->bytes + 10, ++response->counts[RESPONSE_ADDITIONAL]);
        ret_outcome->tsig_len = (uint16_t)len;
    }
    return response->at;
}

/* --- the halves --- */

static void answer_read_one(struct answer_ahead *ahead, const struct snapshot *snapshot,
                            const struct answer_request *request)
{
    const struct name_key *name = &ahead->query.name;

    ahead->request = request;
    ahead->zone = NULL;
    ahead->node = NULL;
    ahead->known = false;
    ahead->verdict = query_parse(&ahead->query, request->query, request->query_len);
    if (ahead->verdict == QUERY_OK) {
        ahead->zone = answer_zone(snapshot->zones, name, ahead->query.qtype, &ahead->known);
    }
    if (ahead->zone) {
        zone_ask_slot(ahead->zone, name_key_hash(name));
    }
}

static void answer_ask_node(struct answer_ahead *ahead)
{
    if (ahead->zone) {
        ahead->node = zone_ask_node(ahead->zone, name_key_hash(&ahead->query.name));
    }
}

void answer_read(struct answer_scratch *scratch, const struct snapshot *snapshot,
                 const struct answer_request *requests, unsigned n)
{
    struct answer_ahead *ahead = scratch->ahead;

    scratch->snapshot = snapshot;
    if (n == 1) { /* nobody to go on with meanwhile */
        answer_read_one(ahead, snapshot, requests);
        answer_ask_node(ahead);
        return;
    }
    /* each step some queries behind the one before: what that one asked for has come by then, and
     * no more is on its way at once than a processor keeps track of */
    for (unsigned i = 0; i < n + 2 * ANSWER_LAG; i++) {
        if (i < n) {
            answer_read_one(&ahead[i], snapshot, &requests[i]);
        }
        if (i >= ANSWER_LAG && i < n + ANSWER_LAG) {
            answer_ask_node(&ahead[i - ANSWER_LAG]);
        }
        if (i >= 2 * ANSWER_LAG && ahead[i - 2 * ANSWER_LAG].node) {
            zone_ask_data(ahead[i - 2 * ANSWER_LAG].node);
        }
    }
}

size_t answer_write(struct answer_scratch *scratch, unsigned i, uint8_t *response,
                    size_t response_max, struct answer_outcome *ret_outcome)
{
    struct answer_ahead *ahead = &scratch->ahead[i];
    const struct answer_request *request = ahead->request;
    enum query_verdict verdict = ahead->verdict;

    if (verdict == QUERY_DROP) {
        *ret_outcome = (struct answer_outcome){.kind = ANSWER_DROPPED};
        return 0;
    }
    scratch->request = request;
    scratch->read = ahead;
    scratch->query = &ahead->query;
    if (scratch->trace) {
        memset(scratch->trace, 0, sizeof(*scratch->trace));
    }
    scratch->cookie = COOKIE_NONE;
    if (ahead->query.edns.has_cookie) {
        verdict = answer_cookie(scratch, verdict);
    }
    if (ahead->query.edns.keepalive_malformed && verdict == QUERY_OK &&
        request->transport == ANSWER_TCP) { /* RFC 7828 section 3.2: over UDP it is ignored */
        ahead->query.edns.keepalive = false;
        verdict = QUERY_FORMERR;
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
    case QUERY_NOTAUTH:
        return answer_notauth(scratch, ret_outcome);
    case QUERY_NO_QUESTION:
        answer_no_question(scratch);
        break;
    case QUERY_DROP:
        break;
    }
    return answer_finish(scratch, ret_outcome);
}

size_t answer(struct answer_scratch *scratch, const struct snapshot *snapshot,
              const struct answer_request *request, uint8_t *response, size_t response_max,
              struct answer_outcome *ret_outcome)
{
    answer_read(scratch, snapshot, request, 1);
    return answer_write(scratch, 0, response, response_max, ret_outcome);
}
