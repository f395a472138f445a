/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/wire/tsig.h"

#include <string.h>

#include "edge/wire/name.h"
#include "edge/wire/wire.h"

#define TSIG_FIXED_LEN 10u /* type, class, TTL, RDLENGTH */
#define TSIG_TIME_LEN 8u   /* time signed and fudge */
#define TSIG_TAIL_LEN 8u   /* of an error: no MAC, original ID, error, no other data */

/* How many bytes the rest of the question's name has from `target` of the message on; 0: no label
 * of it starts there. No pointer into anything else is followed (RFC 9267 section 2). */
static size_t tsig_question_rest(const uint8_t *message, size_t question_len, size_t target)
{
    size_t end = WIRE_HEADER_LEN + (question_len ? question_len - 4 : 0);

    for (size_t at = WIRE_HEADER_LEN; at < end; at += message[at] + 1u) {
        if (at == target) {
            return end - at;
        }
    }
    return 0;
}

/* The length of the owner name as it stands there; 0: it is none. */
static size_t tsig_name_len(const uint8_t *message, size_t question_len, const uint8_t *name)
{
    size_t at = 0, rest;

    while (name[at] && name[at] < 0xc0) { /* the caller has skipped it once: it ends */
        at += name[at] + 1u;
    }
    if (!name[at]) {
        return at < NAME_LEN_MAX ? at + 1 : 0;
    }
    rest = tsig_question_rest(message, question_len, wire_get_u16(name + at) & 0x3fffu);
    return rest && at + rest <= NAME_LEN_MAX ? at + 2 : 0;
}

bool tsig_parse(struct tsig *ret_tsig, const uint8_t *message, size_t question_len,
                const uint8_t *name, const uint8_t *rdata, size_t rdata_len)
{
    const uint8_t *fixed = rdata - TSIG_FIXED_LEN;
    struct wire_reader reader = {rdata, rdata + rdata_len, false};
    size_t name_len = tsig_name_len(message, question_len, name);
    struct name_key algorithm;
    size_t algorithm_len = name_key_parse(&algorithm, rdata, rdata_len);

    /* RFC 8945 section 4.2: the class is ANY, the TTL 0, the algorithm's name not compressed */
    if (!name_len || !algorithm_len || wire_get_u16(fixed + 2) != WIRE_CLASS_ANY ||
        wire_get_u32(fixed + 4) != 0) {
        return false;
    }
    (void)wire_read(&reader, algorithm_len + TSIG_TIME_LEN);
    (void)wire_read(&reader, wire_read_u16(&reader)); /* MAC */
    (void)wire_read_u16(&reader);                     /* original ID */
    (void)wire_read_u16(&reader);                     /* error */
    (void)wire_read(&reader, wire_read_u16(&reader)); /* other data */
    if (reader.failed || wire_left(&reader)) {
        return false;
    }
    *ret_tsig = (struct tsig){.name = name,
                              .name_len = (uint16_t)name_len,
                              .signed_len = (uint16_t)(algorithm_len + TSIG_TIME_LEN),
                              .algorithm = rdata};
    return true;
}

size_t tsig_error_len(const struct tsig *tsig)
{
    return tsig->name_len + TSIG_FIXED_LEN + tsig->signed_len + TSIG_TAIL_LEN;
}

void tsig_write_error(uint8_t *bytes, const struct tsig *tsig, uint16_t id, uint16_t error)
{
    memcpy(bytes, tsig->name, tsig->name_len);
    bytes += tsig->name_len;
    wire_put_u16(bytes, WIRE_TYPE_TSIG);
    wire_put_u16(bytes + 2, WIRE_CLASS_ANY);
    wire_put_u32(bytes + 4, 0);
    wire_put_u16(bytes + 8, (uint16_t)(tsig->signed_len + TSIG_TAIL_LEN));
    bytes += TSIG_FIXED_LEN;
    memcpy(bytes, tsig->algorithm, tsig->signed_len);
    bytes += tsig->signed_len;
    wire_put_u16(bytes, 0);
    wire_put_u16(bytes + 2, id);
    wire_put_u16(bytes + 4, error);
    wire_put_u16(bytes + 6, 0);
}
