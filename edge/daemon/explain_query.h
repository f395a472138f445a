/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The wire side of explain: a query as a resolver would send it, and the response in words. Pure.
 */
#ifndef EDGE_EXPLAIN_QUERY_H
#define EDGE_EXPLAIN_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"

#define EXPLAIN_QUERY_MAX 512
#define EXPLAIN_RECORDS_MAX 32
#define EXPLAIN_RDATA_TEXT_LEN 256

/* "AAAA", "TYPE65". 0 or -EINVAL. */
int explain_type_parse(const char *text, uint16_t *ret_type);
const char *explain_type_format(uint16_t type, char ret_text[static 16]);

/* A query with EDNS and, unless `client` is NULL, its prefix in a client subnet option (RFC 7871
 * section 6). Returns its length, or -EINVAL when the name is none. */
int explain_query_build(const char *name, uint16_t type, const struct prefix *client,
                        uint8_t ret_query[static EXPLAIN_QUERY_MAX], struct failure *failure);

struct explain_record {
    uint16_t type;
    uint32_t ttl;
    char rdata[EXPLAIN_RDATA_TEXT_LEN];
};

struct explain_response {
    struct explain_record records[EXPLAIN_RECORDS_MAX]; /* of the answer section */
    size_t record_n;
    bool has_scope; /* the response carries a client subnet option */
    uint8_t source_len;
    uint8_t scope_len;
};

/* -EINVAL when our own response cannot be read. */
int explain_response_read(const uint8_t *bytes, size_t len, struct explain_response *ret_response);

#endif
