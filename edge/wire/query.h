/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes from the network into a query, or the reason why they are none. Nothing is trusted; nothing
 * outlives the bytes.
 */
#ifndef EDGE_QUERY_H
#define EDGE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/wire/edns.h"
#include "edge/wire/name.h"
#include "edge/wire/tsig.h"

enum query_verdict {
    QUERY_OK,
    QUERY_DROP, /* no header, or a response: answering it could make two servers talk forever */
    QUERY_FORMERR,
    QUERY_NOTIMP,
    QUERY_BADVERS,
    QUERY_NO_QUESTION, /* well-formed; somebody may want a cookie (RFC 7873 section 5.4) */
    QUERY_NOTAUTH,     /* well-formed and signed, with a key that we do not have */
};

struct query {
    uint16_t id;
    uint16_t flags; /* the header's second word */
    uint16_t qtype;
    uint16_t qclass;
    uint16_t
        question_len; /* name, type and class as they came; 0: there is no question to repeat */
    const uint8_t *question;
    struct edns edns;
    struct name_key name; /* of the question */
    struct tsig tsig;     /* valid with QUERY_NOTAUTH */
};

/* Fills as much of `ret_query` as could be read, which is what the error response repeats. */
enum query_verdict query_parse(struct query *ret_query, const uint8_t *bytes, size_t len);

#endif
