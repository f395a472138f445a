/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pure core of the server: (query bytes, client, transport, snapshot) -> (response bytes,
 * outcome). It knows no socket, allocates nothing, logs nothing, and everything that decides the
 * bytes of an answer is inside it, truncation included. The file to read first in this folder is
 * answer.c.
 */
#ifndef EDGE_ANSWER_H
#define EDGE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "maps/cookie_core.h"
#include "maps/decide_core.h"
#include "maps/select_core.h"

struct snapshot;
struct service;

#define ANSWER_QUERY_MAX 65535
#define ANSWER_RESPONSE_MAX 65535

enum answer_transport {
    ANSWER_UDP,
    ANSWER_TCP,
};

/* What became of a query; one counter each, closed. */
enum answer_kind {
    ANSWER_DROPPED,   /* no response: shorter than a header, or a response itself (QR = 1) */
    ANSWER_POSITIVE,  /* data, CNAME chains included */
    ANSWER_GEO,       /* data chosen for the client by a service */
    ANSWER_GEO_EMPTY, /* a service with nobody left: on_empty decided */
    ANSWER_NODATA,
    ANSWER_NXDOMAIN,
    ANSWER_REFERRAL,
    ANSWER_CHAOS,    /* id.server, version.bind, generation.isochrone ... */
    ANSWER_REFUSED,  /* no zone of ours */
    ANSWER_SERVFAIL, /* the zone never loaded, or a loop */
    ANSWER_FORMERR,
    ANSWER_NOTIMP,
    ANSWER_BADVERS,
    ANSWER_COOKIE,  /* asked for a cookie and nothing else (RFC 7873 section 5.4) */
    ANSWER_NOTAUTH, /* signed with a key that we do not have (RFC 8945 section 5.2.1) */
    ANSWER_KINDS,
};

/* snake_case name of a kind, as metrics and stats print it. */
const char *answer_kind_name(enum answer_kind kind);

struct answer_request {
    const uint8_t *query;
    size_t query_len;
    int64_t now_wall_s; /* for cookies, and the age in generation.isochrone. CH; 0: no age */
    enum answer_transport transport;
    uint16_t tcp_idle_ds;  /* how long an idle connection lives, in units of 100 ms; 0: not said */
    struct address client; /* where the datagram or connection came from */
};

struct answer_outcome {
    enum answer_kind kind;
    uint8_t rcode;  /* whole, as OPT extends it */
    bool truncated; /* TC was set */
    bool edns;      /* the query had an OPT record */
    bool ecs;       /* and a usable client subnet option */
    enum cookie_verdict cookie;
    uint16_t qtype;        /* 0 when there was no question */
    uint16_t question_len; /* repeated in the response, right after the header */
    uint16_t opt_len;      /* of the OPT record at the end of the response; 0: none */
    uint16_t tsig_len;     /* of the TSIG record after it; 0: none */
    uint64_t about;        /* hash of the name responses like this one have in common: the name
                              itself, a wildcard's parent, the delegated zone, the zone of NXDOMAIN */
};

/* What explain wants to know; filled by answer() when the scratch points to one. */
struct answer_trace {
    bool geo;                      /* a service decided; else only `service` is valid */
    const struct service *service; /* of the name, borrowed from the snapshot; NULL: none */
    struct map_client client;
    struct map_verdict verdict;
    struct map_picks picks;
    enum map_family family;
    uint32_t ttl;
};

/* Per-worker memory that lives; nothing in it outlasts one call but the memory itself. */
struct answer_scratch;

struct answer_scratch *answer_scratch_new(void);
void answer_scratch_free(struct answer_scratch *scratch);

/* NULL (the default) switches tracing off. */
void answer_scratch_trace(struct answer_scratch *scratch, struct answer_trace *trace);

/* Answering in two halves. The first reads `n` queries, at most ANSWER_AHEAD, and asks the caches
 * for what their answers are made of, so that they wait for memory together. The second answers the
 * i-th of them: writes at most `response_max` bytes (>= 512) and returns how many; 0 means send
 * nothing. Requests and queries stay where they are until then; `response` must not overlap a
 * query. Never inlined, so that what they cost can be counted. */
#define ANSWER_AHEAD 32u

__attribute__((noinline)) void answer_read(struct answer_scratch *scratch,
                                           const struct snapshot *snapshot,
                                           const struct answer_request *requests, unsigned n);
__attribute__((noinline)) size_t answer_write(struct answer_scratch *scratch, unsigned i,
                                              uint8_t *response, size_t response_max,
                                              struct answer_outcome *ret_outcome);

/* Both halves, for one query. */
size_t answer(struct answer_scratch *scratch, const struct snapshot *snapshot,
              const struct answer_request *request, uint8_t *response, size_t response_max,
              struct answer_outcome *ret_outcome);

#endif
