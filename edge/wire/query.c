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
 * section (RFC 6891 section 6.1.1); TSIG only there, as the last record of all (RFC 8945 section
 * 5.1). Returns `verdict`, that of what was read before, or QUERY_NOTAUTH for TSIG (SIG(0) is not
 * looked at), QUERY_FORMERR for what must not be there; the reader fails at what is no record. */
static enum query_verdict query_read_record(struct query *query, struct wire_reader *reader,
                                            const uint8_t *message, bool additional,
                                            enum query_verdict verdict)
{
    const uint8_t *name = reader->at;
    const uint8_t *rdata;
    uint16_t type, class, rdata_len;
    uint32_t ttl;

    query_skip_name(reader);
    type = wire_read_u16(reader);
    class = wire_read_u16(reader);
    ttl = wire_read_u32(reader);
    rdata_len = wire_read_u16(reader);
    rdata = wire_read(reader, rdata_len);
    if (reader->failed || verdict == QUERY_NOTAUTH) {
        verdict = QUERY_FORMERR;
    }
    if (reader->failed) {
        return verdict;
    }
    if (type == WIRE_TYPE_OPT) {
        if (query->edns.present || name[0] != 0 || !additional) {
            return QUERY_FORMERR;
        }
        edns_parse(&query->edns, class, ttl, rdata, rdata_len);
    } else if (type == WIRE_TYPE_TSIG && verdict == QUERY_OK) {
        bool good = additional &&
                    tsig_parse(&query->tsig, message, query->question_len, name, rdata, rdata_len);

        return good ? QUERY_NOTAUTH : QUERY_FORMERR;
    }
    return verdict;
}

/* What follows the question. A query has nothing in the answer section, and in the authority
 * section only the SOA of an IXFR (RFC 1995 section 3). Whatever is wrong, an OPT record is still
 * looked for: who sends one gets one back, in errors, too (RFC 6891 section 6.1.1). */
static enum query_verdict query_read_records(struct query *query, struct wire_reader *reader,
                                             const uint8_t *message)
{
    unsigned answer_n = wire_get_u16(message + 6);
    unsigned early_n = answer_n + wire_get_u16(message + 8);
    unsigned record_n = early_n + wire_get_u16(message + 10);
    enum query_verdict verdict = QUERY_OK;

    if (early_n && (answer_n || query->qtype != WIRE_TYPE_IXFR)) {
        verdict = QUERY_FORMERR;
    }
    for (unsigned i = 0; i < record_n && !reader->failed; i++) {
        verdict = query_read_record(query, reader, message, i >= early_n, verdict);
    }
    return wire_left(reader) ? QUERY_FORMERR : verdict; /* RFC 8906 section 3.2.3 and common sense:
                                                           no rubbish after the message */
}

/* The questions of a message that is not answered, for its opcode (RFC 8906 section 3.1.4) or
 * because it has more than one (RFC 9619 section 4): of all that it holds only an OPT record
 * matters, if it is made like a query. */
static void query_skip_questions(struct wire_reader *reader, unsigned question_n)
{
    for (; question_n && !reader->failed; question_n--) {
        query_skip_name(reader);
        (void)wire_read(reader, 4);
    }
}

enum query_verdict query_parse(struct query *ret_query, const uint8_t *bytes, size_t len)
{
    struct query *query = ret_query;
    struct wire_reader reader;
    enum query_verdict verdict, other = QUERY_OK;
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
    question_n = wire_get_u16(bytes + 4);
    if ((query->flags & WIRE_FLAG_OPCODE) || question_n > 1) {
        other = query->flags & WIRE_FLAG_OPCODE ? QUERY_NOTIMP : QUERY_FORMERR;
        query_skip_questions(&reader, question_n);
    } else if (question_n == 1 && !query_read_question(query, &reader)) {
        return QUERY_FORMERR;
    }
    verdict = query_read_records(query, &reader, bytes);
    if (other != QUERY_OK) {
        query->edns.malformed = false;
        query->edns.present &= !reader.failed && !wire_left(&reader); /* or what looked like it? */
        verdict = other;
    } else if (verdict == QUERY_FORMERR) {
        return verdict;
    }
    if (query->edns.present) {
        if (query->edns.version != 0) { /* RFC 6891 section 6.1.3 */
            return QUERY_BADVERS;
        }
        if (query->edns.malformed) {
            return QUERY_FORMERR;
        }
    }
    if (question_n == 0 && other == QUERY_OK) {
        return verdict == QUERY_OK ? QUERY_NO_QUESTION : QUERY_FORMERR;
    }
    return verdict;
}
