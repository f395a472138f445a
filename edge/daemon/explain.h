/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why a client gets the answer it gets: a real query is built and given to answer() on the
 * published snapshot, and what the trace says about the decision is put into words. Nothing here
 * decides anything. Control thread.
 */
#ifndef EDGE_EXPLAIN_H
#define EDGE_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/daemon/publisher.h"

struct fast;

struct explain_request {
    const char *client; /* address (asked as /24 or /56, as resolvers do) or prefix */
    const char *name;
    const char *type; /* mnemonic or TYPEnnn; NULL: A, or AAAA for an IPv6 client */
    const char *from; /* who sends the query; NULL: nobody the map knows */
    bool resolver;    /* the client is a resolver that sends no client subnet */
};

/* A reply for the control socket; `fast` may be NULL. -EINVAL with the reason for a request that is
 * none. */
int explain(const struct publisher *publisher, struct fast *fast,
            const struct explain_request *request, int64_t now_s, json_t **ret_reply,
            struct failure *failure);

#endif
