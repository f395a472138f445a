/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/explain_query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"

#define EXPLAIN_OPTION_ECS 8 /* RFC 7871 section 6 */
#define EXPLAIN_UDP_SIZE 1232

static const struct {
    const char *name;
    uint16_t type;
} explain_types[] = {
    {"A", 1},     {"NS", 2},     {"CNAME", 5}, {"SOA", 6},    {"PTR", 12}, {"MX", 15},
    {"TXT", 16},  {"AAAA", 28},  {"SRV", 33},  {"NAPTR", 35}, {"DS", 43},  {"DNSKEY", 48},
    {"SVCB", 64}, {"HTTPS", 65}, {"ANY", 255}, {"CAA", 257},
};

int explain_type_parse(const char *text, uint16_t *ret_type)
{
    uint64_t number;

    for (size_t i = 0; i < sizeof(explain_types) / sizeof(explain_types[0]); i++) {
        if (strcasecmp(text, explain_types[i].name) == 0) {
            *ret_type = explain_types[i].type;
            return 0;
        }
    }
    /* RFC 3597 section 5 */
    if (strncasecmp(text, "TYPE", 4) == 0 &&
        number_parse_u64(text + 4, strlen(text + 4), 1, 65535, &number) == 0) {
        *ret_type = (uint16_t)number;
        return 0;
    }
    return -EINVAL;
}

const char *explain_type_format(uint16_t type, char ret_text[static 16])
{
    for (size_t i = 0; i < sizeof(explain_types) / sizeof(explain_types[0]); i++) {
        if (type == explain_types[i].type) {
            return explain_types[i].name;
        }
    }
    snprintf(ret_text, 16, "TYPE%u", type);
    return ret_text;
}

int explain_query_build(const char *name, uint16_t type, const struct prefix *client,
                        uint8_t ret_query[static EXPLAIN_QUERY_MAX], struct failure *failure)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    size_t address_len = client ? (client->len + 7u) / 8u : 0;
    size_t option_len = client ? 8 + address_len : 0;
    size_t at = WIRE_HEADER_LEN;
    size_t len;

    if (name_from_text(name, wire) < 0) {
        return failure_set(failure, -EINVAL, "'%s' is no domain name", name);
    }
    len = name_len(wire);
    memset(ret_query, 0, EXPLAIN_QUERY_MAX);
    wire_put_u16(ret_query + 4, 1);  /* one question */
    wire_put_u16(ret_query + 10, 1); /* one additional record: OPT */
    memcpy(ret_query + at, wire, len);
    at += len;
    wire_put_u16(ret_query + at, type);
    wire_put_u16(ret_query + at + 2, WIRE_CLASS_IN);
    at += 4;
    wire_put_u16(ret_query + at + 1, WIRE_TYPE_OPT); /* after the root name */
    wire_put_u16(ret_query + at + 3, EXPLAIN_UDP_SIZE);
    wire_put_u16(ret_query + at + 9, (uint16_t)option_len);
    at += 11;
    if (client) {
        wire_put_u16(ret_query + at, EXPLAIN_OPTION_ECS);
        wire_put_u16(ret_query + at + 2, (uint16_t)(option_len - 4));
        wire_put_u16(ret_query + at + 4, client->address.family == ADDRESS_IPV6 ? 2 : 1);
        ret_query[at + 6] = client->len;
        memcpy(ret_query + at + 8, client->address.bytes, address_len);
    }
    return (int)(at + option_len);
}

/* Past a possibly compressed name; 0 when it runs out of the message. */
static size_t explain_skip_name(const uint8_t *bytes, size_t len, size_t at)
{
    while (at < len) {
        if (bytes[at] == 0) {
            return at + 1;
        }
        if (bytes[at] >= 0xc0) {
            return at + 2;
        }
        at += 1u + bytes[at];
    }
    return 0;
}

/* A name in our own response, its pointers followed; they only lead back. */
static void explain_name(const uint8_t *bytes, size_t end, size_t at, struct explain_record *record)
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
    char text[NAME_TEXT_LEN];
    size_t len = 0;

    while (at + 1 < end && bytes[at] != 0) {
        if (bytes[at] >= 0xc0) {
            size_t to = wire_get_u16(bytes + at) & 0x3fffu;

            if (to >= at) {
                return;
            }
            at = to;
            continue;
        }
        if (len + bytes[at] + 2 > NAME_LEN_MAX || at + bytes[at] >= end) {
            return;
        }
        memcpy(name + len, bytes + at, (size_t)bytes[at] + 1);
        len += (size_t)bytes[at] + 1;
        at += (size_t)bytes[at] + 1;
    }
    name[len] = 0;
    snprintf(record->rdata, sizeof(record->rdata), "%.*s", EXPLAIN_RDATA_TEXT_LEN - 1,
             name_to_text(name, text));
}

static void explain_rdata(const uint8_t *bytes, size_t at, size_t len,
                          struct explain_record *record)
{
    const uint8_t *rdata = bytes + at;
    struct address address = {0};

    if ((record->type == WIRE_TYPE_A && len == 4) ||
        (record->type == WIRE_TYPE_AAAA && len == 16)) {
        char text[ADDRESS_TEXT_LEN];

        address.family = len == 4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
        memcpy(address.bytes, rdata, len);
        snprintf(record->rdata, sizeof(record->rdata), "%s", address_format(&address, text));
    } else if (record->type == WIRE_TYPE_CNAME) {
        explain_name(bytes, at + len, at, record);
    } else {
        snprintf(record->rdata, sizeof(record->rdata), "%zu bytes", len);
    }
}

static void explain_options(const uint8_t *rdata, size_t len, struct explain_response *response)
{
    for (size_t at = 0; at + 4 <= len; at += 4u + wire_get_u16(rdata + at + 2)) {
        if (wire_get_u16(rdata + at) == EXPLAIN_OPTION_ECS && at + 8 <= len) {
            response->has_scope = true;
            response->source_len = rdata[at + 6];
            response->scope_len = rdata[at + 7];
        }
    }
}

int explain_response_read(const uint8_t *bytes, size_t len, struct explain_response *ret_response)
{
    unsigned answers;
    unsigned records;
    size_t at;

    memset(ret_response, 0, sizeof(*ret_response));
    if (len < WIRE_HEADER_LEN || wire_get_u16(bytes + 4) != 1) {
        return -EINVAL;
    }
    answers = wire_get_u16(bytes + 6);
    records = answers + wire_get_u16(bytes + 8) + wire_get_u16(bytes + 10);
    at = explain_skip_name(bytes, len, WIRE_HEADER_LEN);
    at = at ? at + 4 : 0;
    for (unsigned i = 0; i < records && at; i++) {
        struct explain_record record = {0};
        size_t rdata_len;

        at = explain_skip_name(bytes, len, at);
        if (!at || at + 10 > len) {
            return -EINVAL;
        }
        record.type = wire_get_u16(bytes + at);
        record.ttl = wire_get_u32(bytes + at + 4);
        rdata_len = wire_get_u16(bytes + at + 8);
        at += 10;
        if (at + rdata_len > len) {
            return -EINVAL;
        }
        if (i < answers && ret_response->record_n < EXPLAIN_RECORDS_MAX) {
            explain_rdata(bytes, at, rdata_len, &record);
            ret_response->records[ret_response->record_n++] = record;
        } else if (record.type == WIRE_TYPE_OPT) {
            explain_options(bytes + at, rdata_len, ret_response);
        }
        at += rdata_len;
    }
    return at ? 0 : -EINVAL;
}
