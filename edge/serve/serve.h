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

/* answer(), then rate limiting, then accounting. Returns the length of the response, 0 for none. */
static inline size_t serve_query(const struct serve_context *context, const uint8_t *query,
                                 size_t query_len, const struct address *client,
                                 enum answer_transport transport, uint8_t *response,
                                 size_t response_max)
{
    struct answer_request request = {.query = query,
                                     .query_len = query_len,
                                     .client = *client,
                                     .transport = transport,
                                     .tcp_idle_ds = context->tcp_idle_ds,
                                     .now_wall_s = context->now_wall_s};
    struct answer_outcome outcome;
    size_t len =
        answer(context->scratch, context->snapshot, &request, response, response_max, &outcome);

    if (len && context->snapshot->admission) {
        len = serve_admit(context, client, transport, response, len, &outcome);
    }
    counters_add_answer(context->counters, &outcome, transport, client->family == ADDRESS_IPV6,
                        query_len, len);
    return len;
}

#endif
