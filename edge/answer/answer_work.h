/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The query being answered, shared by the files that answer it (answer.c, answer_name.c,
 * answer_service.c, denial.c) and nobody else.
 */
#ifndef EDGE_ANSWER_WORK_H
#define EDGE_ANSWER_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/answer/answer.h"
#include "edge/answer/denial.h"
#include "edge/answer/response.h"
#include "edge/wire/query.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"

#define ANSWER_TTL_ANY UINT32_MAX /* for response_add(): as they are */

/* A query that was read. */
struct answer_ahead {
    const struct answer_request *request;
    const struct zone *zone;      /* for the question, if there is one; NULL: none, or not loaded */
    const struct zone_node *node; /* what zone_ask_node() says of the name */
    bool known;                   /* which of these two */
    enum query_verdict verdict;
    struct query query;
};

struct answer_scratch {
    struct answer_trace *trace;
    struct answer_ahead ahead[ANSWER_AHEAD];
    /* of the query being answered */
    const struct snapshot *snapshot;
    const struct answer_request *request;
    const struct answer_ahead *read; /* one of `ahead` */
    const struct query *query;       /* its query */
    struct response response;
    struct name_key target;      /* the current name, once a CNAME or DNAME was followed */
    const struct name_key *name; /* the current name */
    enum answer_kind kind;
    enum wire_rcode rcode;
    bool authoritative;
    bool behind_alias; /* following the CNAME record of a service; false between queries */
    uint64_t about;    /* see struct answer_outcome */
    uint8_t ecs_scope;
    struct edns_reply reply;    /* valid with EDNS */
    uint16_t opt_len;           /* of our OPT record; 0: none */
    enum cookie_verdict cookie; /* COOKIE_NONE: the response has none */
    enum edns_error error;      /* why there is no better answer */
    uint8_t cookie_bytes[COOKIE_LEN];
    struct denial denial;
    /* hashes of the names before: a chain that meets one of them is a loop */
    uint64_t visited[RESPONSE_STAGES];
};

/* What the zone and the services know about the current name. */
struct answer_match {
    const struct zone *zone;
    const struct zone_node *node; /* whose RRsets answer; NULL: the zone has none */
    const struct service *service;
    const struct zone_node *encloser; /* of an expanded wildcard; NULL: it is the name itself */
};

enum answer_step {
    ANSWER_STEP_DONE,
    ANSWER_STEP_FOLLOW, /* the current name changed */
};

/* What became of it; always ANSWER_STEP_DONE. */
static inline enum answer_step answer_done(struct answer_scratch *work, enum answer_kind kind,
                                           enum wire_rcode rcode)
{
    work->kind = kind;
    work->rcode = rcode;
    return ANSWER_STEP_DONE;
}

/* The same with the reason, for whom EDNS lets us tell (RFC 8914). */
static inline enum answer_step answer_done_because(struct answer_scratch *work,
                                                   enum answer_kind kind, enum wire_rcode rcode,
                                                   enum edns_error error)
{
    work->error = error;
    return answer_done(work, kind, rcode);
}

/* No answer after all: of what was composed only the question stays (answer.c). */
enum answer_step answer_fail(struct answer_scratch *work, enum answer_kind kind);

/* A negative answer: the SOA and the proofs collected. The SOA tells for how long, at most
 * `ttl_max` (RFC 2308 section 2). After a CNAME the rcode is that of the last name (RFC 6604
 * section 3), and the answer as a whole counts as what the last name was. */
enum answer_step answer_negative(struct answer_scratch *work, const struct zone *zone,
                                 enum answer_kind kind, uint32_t ttl_max);

/* Answers for the current name and, while it leads on, for those it leads to (answer.c). */
void answer_chain(struct answer_scratch *work);

/* The CNAME just added leads to `target`; `rrset` is NULL for one that is not of the zone. A chain
 * that is too long or comes back ends where it is, as an answer: the resolver goes on by itself and
 * finds the loop. */
enum answer_step answer_follow(struct answer_scratch *work, const struct zone_rrset *rrset,
                               const uint8_t *target);

/* Answers for the current name, which lies in `zone`; zone_ask_node() has said `asked` of it
 * (answer_name.c). */
enum answer_step answer_name(struct answer_scratch *work, const struct zone *zone,
                             const struct zone_node *asked);

#endif
