/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "message.h"

#include <string.h>

#include "edge/wire/rdata.h"
#include "edge/wire/wire.h"

/* Expands the name at *at. Pointers must lead backwards, as RFC 1035 section 4.1.4 says ("a prior
 * occurrence"). */
static size_t message_name(const uint8_t *bytes, size_t len, size_t *at, uint8_t ret_name[264])
{
    size_t here = *at, limit = *at, out = 0;
    bool jumped = false;

    for (;;) {
        if (here >= len) {
            return 0;
        }
        if (bytes[here] >= 0xc0) {
            size_t target;

            if (here + 2 > len) {
                return 0;
            }
            target = wire_get_u16(bytes + here) & 0x3fffu;
            if (target >= limit || target < WIRE_HEADER_LEN) {
                return 0;
            }
            if (!jumped) {
                *at = here + 2;
            }
            jumped = true;
            here = limit = target;
            continue;
        }
        if (bytes[here] > 63 || here + 1 + bytes[here] > len || out + 1 + bytes[here] > 255) {
            return 0;
        }
        memcpy(ret_name + out, bytes + here, (size_t)bytes[here] + 1);
        out += (size_t)bytes[here] + 1;
        if (bytes[here] == 0) {
            if (!jumped) {
                *at = here + 1;
            }
            return out;
        }
        here += (size_t)bytes[here] + 1;
    }
}

static const char *message_rdata(const uint8_t *bytes, size_t at, size_t end,
                                 struct table_record *record)
{
    const struct rdata_layout *layout = rdata_layout(record->type);
    unsigned name_n = layout ? layout->name_n : 0;
    size_t before = layout ? layout->before : 0;

    record->rdata_len = 0;
    if (before > end - at) {
        return "RDATA too short";
    }
    memcpy(record->rdata, bytes + at, before);
    record->rdata_len = before;
    at += before;
    for (unsigned i = 0; i < name_n; i++) {
        size_t start = at;
        size_t name = message_name(bytes, end, &at, record->rdata + record->rdata_len);

        if (!name) {
            return "bad name in RDATA";
        }
        if (!layout->compressed && at - start != name) {
            return "a name is compressed where RFC 3597 forbids it";
        }
        record->rdata_len += name;
    }
    if (end - at > sizeof(record->rdata) - record->rdata_len) {
        return "RDATA too long for this test";
    }
    memcpy(record->rdata + record->rdata_len, bytes + at, end - at);
    record->rdata_len += end - at;
    return NULL;
}

static const char *message_record(const uint8_t *bytes, size_t len, size_t *at,
                                  enum table_section section, struct message *message)
{
    struct table_list *list = &message->sections[section];
    struct table_record *record = &list->records[list->count];
    size_t rdata_len;
    const char *wrong;

    if (list->count == TABLE_RECORDS_MAX) {
        return "too many records for this test";
    }
    if (!message_name(bytes, len, at, record->owner) || len - *at < 10) {
        return "bad record";
    }
    record->type = wire_get_u16(bytes + *at);
    record->class = wire_get_u16(bytes + *at + 2);
    record->ttl = wire_get_u32(bytes + *at + 4);
    rdata_len = wire_get_u16(bytes + *at + 8);
    *at += 10;
    if (len - *at < rdata_len) {
        return "RDATA past the end";
    }
    if (record->type == WIRE_TYPE_OPT) {
        if (message->has_opt || section != TABLE_ADDITIONAL || record->owner[0]) {
            return "misplaced OPT";
        }
        message->has_opt = true;
        message->opt_size = record->class;
        message->opt_ttl = record->ttl;
        message->options = bytes + *at;
        message->options_len = rdata_len;
    } else {
        wrong = message_rdata(bytes, *at, *at + rdata_len, record);
        if (wrong) {
            return wrong;
        }
        list->count++;
    }
    *at += rdata_len;
    return NULL;
}

const char *message_parse(const uint8_t *bytes, size_t len, struct message *ret_message)
{
    size_t at = WIRE_HEADER_LEN;
    uint8_t name[264];

    ret_message->has_opt = false;
    ret_message->options = NULL;
    ret_message->options_len = 0;
    if (len < WIRE_HEADER_LEN) {
        return "no header";
    }
    ret_message->id = wire_get_u16(bytes);
    ret_message->flags = wire_get_u16(bytes + 2);
    if (wire_get_u16(bytes + 4) > 1) {
        return "more than one question";
    }
    ret_message->question_at = at;
    if (wire_get_u16(bytes + 4)) {
        if (!message_name(bytes, len, &at, name) || len - at < 4) {
            return "bad question";
        }
        at += 4;
    }
    ret_message->question_len = at - ret_message->question_at;
    for (unsigned s = 0; s < TABLE_SECTIONS; s++) {
        ret_message->sections[s].count = 0;
        for (unsigned i = wire_get_u16(bytes + 6 + (size_t)2 * s); i; i--) {
            const char *wrong = message_record(bytes, len, &at, (enum table_section)s, ret_message);

            if (wrong) {
                return wrong;
            }
        }
    }
    return at == len ? NULL : "bytes after the message";
}

const uint8_t *message_option(const struct message *message, uint16_t code, size_t *ret_len)
{
    const uint8_t *found = NULL;
    size_t at = 0;

    while (at + 4 <= message->options_len) {
        size_t len = wire_get_u16(message->options + at + 2);

        if (wire_get_u16(message->options + at) == code) {
            if (found) {
                return NULL; /* twice */
            }
            found = message->options + at + 4;
            *ret_len = len;
        }
        at += 4 + len;
    }
    return at == message->options_len ? found : NULL;
}
