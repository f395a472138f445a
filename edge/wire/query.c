/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/wire/query.h"

#include <string.h>

#include "edge/wire/wire.h"

/* Skips a possibly compressed name: where a pointer leads does not matter here, no pointer of a
 * query is ever followed (RFC 9267 section 2). */
static void query_skip_name(struct wire_reader *reader)
{
    for (;;) {
        uint8_t length = wire_read_u8(reader);

        if (reader->failed || length == 0) {
            return;
        }
        if (length >= 0xc0) {
            (void)wire_read_u8(reader);
            return;
        }
        if (length > NAME_LABEL_LEN_MAX) {
            reader->failed = true;
            return;
        }
        (void)wire_read(reader, length);
    }
}

static bool query_read_question(struct query *query, struct wire_reader *reader)
{
    const uint8_t *start = reader->at;
    size_t len = name_key_parse(&query->name, start, wire_left(reader));

    if (!len) {
        return false;
    }
    (void)wire_read(reader, len);
    query->qtype = wire_read_u16(reader);
    query->qclass = wire_read_u16(reader);
    if (reader->failed) {
        query->qtype = 0;
        return false;
    }
    query->question = start;
    query->question_len = (uint16_t)(len + 4);
    return true;
}

/* One record after the question. OPT may stand only once, only at the root, only in the additional
 * section (RFC 6891 section 6.1.1). */
static bool query_read_record(struct query *query, struct wire_reader *reader, bool additional)
{
    bool root = wire_left(reader) && reader->at[0] == 0;
    const uint8_t *rdata;
    uint16_t type, class, rdata_len;
    uint32_t ttl;

    query_skip_name(reader);
    type = wire_read_u16(reader);
    class = wire_read_u16(reader);
    ttl = wire_read_u32(reader);
    rdata_len = wire_read_u16(reader);
    rdata = wire_read(reader, rdata_len);
    if (reader->failed) {
        return false;
    }
    if (type != WIRE_TYPE_OPT) {
        return true; /* TSIG and SIG(0) included: we hold no keys, the signature is not looked at */
    }
    if (query->edns.present || !root || !additional) {
        return false;
    }
    edns_parse(&query->edns, class, ttl, rdata, rdata_len);
    return true;
}

/* The records that a query may carry: none in the answer section, in the authority section only the
 * SOA of an IXFR (RFC 1995 section 3). */
static bool query_read_records(struct query *query, struct wire_reader *reader, uint16_t answer_n,
                               uint16_t authority_n, uint16_t additional_n)
{
    if (answer_n || (authority_n && query->qtype != WIRE_TYPE_IXFR)) {
        return false;
    }
    for (unsigned i = 0; i < authority_n; i++) {
        if (!query_read_record(query, reader, false)) {
            return false;
        }
    }
    for (unsigned i = 0; i < additional_n; i++) {
        if (!query_read_record(query, reader, true)) {
            return false;
        }
    }
    return wire_left(reader) ==
           0; /* RFC 8906 section 3.2.3 and common sense: no rubbish after the message */
}

enum query_verdict query_parse(struct query *ret_query, const uint8_t *bytes, size_t len)
{
    struct query *query = ret_query;
    struct wire_reader reader;
    unsigned question_n;

    if (len < WIRE_HEADER_LEN) {
        return QUERY_DROP;
    }
    reader = (struct wire_reader){bytes + WIRE_HEADER_LEN, bytes + len, false};
    query->id = wire_get_u16(bytes);
    query->flags = wire_get_u16(bytes + 2);
    query->qtype = 0;
    query->qclass = 0;
    query->question_len = 0;
    query->edns.present = false; /* eight neighbours: one store */
    query->edns.has_ecs = false;
    query->edns.malformed = false;
    query->edns.dnssec_ok = false;
    query->edns.nsid = false;
    query->edns.has_cookie = false;
    query->edns.keepalive = false;
    query->edns.keepalive_malformed = false;
    if (query->flags & WIRE_FLAG_QR) {
        return QUERY_DROP;
    }
    if (query->flags & WIRE_FLAG_OPCODE) { /* what such a message holds we do not know: header only
                                              (RFC 8906 section 3.1.4) */
        return QUERY_NOTIMP;
    }
    question_n = wire_get_u16(bytes + 4);
    if (question_n > 1) { /* RFC 9619 section 4 */
        return QUERY_FORMERR;
    }
    if ((question_n == 1 && !query_read_question(query, &reader)) ||
        !query_read_records(query, &reader, wire_get_u16(bytes + 6), wire_get_u16(bytes + 8),
                            wire_get_u16(bytes + 10))) {
        return QUERY_FORMERR;
    }
    if (query->edns.present && query->edns.version != 0) { /* RFC 6891 section 6.1.3 */
        return QUERY_BADVERS;
    }
    if (query->edns.malformed) {
        return QUERY_FORMERR;
    }
    return question_n ? QUERY_OK : QUERY_NO_QUESTION;
}
