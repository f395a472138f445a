/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the transports of one worker share: the published snapshot of this round, the worker's
 * scratch memory and its counters. One thread only.
 */
#ifndef EDGE_SERVE_H
#define EDGE_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "edge/answer/admission.h"
#include "edge/answer/answer.h"
#include "edge/answer/snapshot.h"
#include "edge/serve/counters.h"

/* What an epoll event belongs to: the first member of whatever is registered. */
enum serve_kind {
    SERVE_UDP,
    SERVE_TCP_LISTENER,
    SERVE_TCP_CONNECTION,
    SERVE_STOP,
};

struct serve_source {
    enum serve_kind kind;
    int fd; /* -1: closed, to be ignored */
};

struct serve_context {
    const struct snapshot *snapshot; /* valid until the worker's next quiescent state */
    int64_t now_wall_s;              /* of the round */
    int64_t now_coarse_ns;           /* the same, monotonic, exact to a few milliseconds */
    uint16_t tcp_idle_ds;            /* units of 100 ms */
    struct answer_scratch *scratch;
    struct counters *counters;
};

/* Rate limiting, when it is on. Returns the length of what is sent. */
size_t serve_admit(const struct serve_context *context, const struct address *client,
                   enum answer_transport transport, uint8_t *response, size_t len,
                   struct answer_outcome *outcome);

static inline struct answer_request serve_request(const struct serve_context *context,
                                                  const uint8_t *query, size_t query_len,
                                                  const struct address *client,
                                                  enum answer_transport transport)
{
    return (struct answer_request){.query = query,
                                   .query_len = query_len,
                                   .client = *client,
                                   .transport = transport,
                                   .tcp_idle_ds = context->tcp_idle_ds,
                                   .now_wall_s = context->now_wall_s};
}

/* answer_read() of at most ANSWER_AHEAD requests. */
static inline void serve_read(const struct serve_context *context,
                              const struct answer_request *requests, unsigned n)
{
    answer_read(context->scratch, context->snapshot, requests, n);
}

/* answer_write() of the i-th of them, then rate limiting, then accounting. Returns the length of
 * the response, 0 for none. */
static inline size_t serve_write(const struct serve_context *context,
                                 const struct answer_request *requests, unsigned i,
                                 uint8_t *response, size_t response_max)
{
    const struct answer_request *request = &requests[i];
    struct answer_outcome outcome;
    size_t len = answer_write(context->scratch, i, response, response_max, &outcome);

    if (len && context->snapshot->admission) {
        len = serve_admit(context, &request->client, request->transport, response, len, &outcome);
    }
    counters_add_answer(context->counters, &outcome, request->transport,
                        request->client.family == ADDRESS_IPV6, request->query_len, len);
    return len;
}

#endif
