/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes in network order. Loads and stores of known-good places, and a reader whose error is
 * sticky: once it ran past the end everything it returns is zero, so that a parser checks once, at
 * the end. Values only, no state of its own.
 */
#ifndef EDGE_WIRE_H
#define EDGE_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_HEADER_LEN 12

/* Header flags (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6). */
#define WIRE_FLAG_QR 0x8000u
#define WIRE_FLAG_OPCODE 0x7800u
#define WIRE_FLAG_AA 0x0400u
#define WIRE_FLAG_TC 0x0200u
#define WIRE_FLAG_RD 0x0100u
#define WIRE_FLAG_CD 0x0010u

/* Response codes (RFC 6895 section 2.3). */
enum wire_rcode {
    WIRE_RCODE_NOERROR = 0,
    WIRE_RCODE_FORMERR = 1,
    WIRE_RCODE_SERVFAIL = 2,
    WIRE_RCODE_NXDOMAIN = 3,
    WIRE_RCODE_NOTIMP = 4,
    WIRE_RCODE_REFUSED = 5,
    WIRE_RCODE_YXDOMAIN = 6,
    WIRE_RCODE_NOTAUTH = 9,    /* RFC 8945 section 3 */
    WIRE_RCODE_BADVERS = 16,   /* from here on only with EDNS: upper bits in OPT */
    WIRE_RCODE_BADCOOKIE = 23, /* RFC 7873 section 8 */
};

/* Record types that this server treats specially; all others are data (RFC 3597). */
enum wire_type {
    WIRE_TYPE_A = 1,
    WIRE_TYPE_NS = 2,
    WIRE_TYPE_CNAME = 5,
    WIRE_TYPE_SOA = 6,
    WIRE_TYPE_PTR = 12,
    WIRE_TYPE_HINFO = 13,
    WIRE_TYPE_MX = 15,
    WIRE_TYPE_TXT = 16,
    WIRE_TYPE_AAAA = 28,
    WIRE_TYPE_SRV = 33,
    WIRE_TYPE_DNAME = 39,
    WIRE_TYPE_OPT = 41,
    WIRE_TYPE_DS = 43,
    WIRE_TYPE_RRSIG = 46,
    WIRE_TYPE_NSEC = 47,
    WIRE_TYPE_DNSKEY = 48,
    WIRE_TYPE_NSEC3 = 50,
    WIRE_TYPE_NSEC3PARAM = 51,
    WIRE_TYPE_SVCB = 64,
    WIRE_TYPE_HTTPS = 65,
    WIRE_TYPE_TKEY = 249,
    WIRE_TYPE_TSIG = 250,
    WIRE_TYPE_IXFR = 251,
    WIRE_TYPE_AXFR = 252,
    WIRE_TYPE_MAILB = 253,
    WIRE_TYPE_MAILA = 254,
    WIRE_TYPE_ANY = 255,
};

enum wire_class {
    WIRE_CLASS_IN = 1,
    WIRE_CLASS_CH = 3,
    WIRE_CLASS_ANY = 255,
};

static inline uint16_t wire_get_u16(const uint8_t *bytes)
{
    uint16_t value;

    memcpy(&value, bytes, sizeof(value));
    return be16toh(value);
}

static inline uint32_t wire_get_u32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

static inline void wire_put_u16(uint8_t *bytes, uint16_t value)
{
    value = htobe16(value);
    memcpy(bytes, &value, sizeof(value));
}

static inline void wire_put_u32(uint8_t *bytes, uint32_t value)
{
    value = htobe32(value);
    memcpy(bytes, &value, sizeof(value));
}

struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline size_t wire_left(const struct wire_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The next `len` bytes, or NULL when there are fewer. */
static inline const uint8_t *wire_read(struct wire_reader *reader, size_t len)
{
    const uint8_t *bytes = reader->at;

    if (wire_left(reader) < len) {
        reader->failed = true;
        reader->at = reader->end;
        return NULL;
    }
    reader->at += len;
    return bytes;
}

static inline uint8_t wire_read_u8(struct wire_reader *reader)
{
    const uint8_t *bytes = wire_read(reader, 1);

    return bytes ? bytes[0] : 0;
}

static inline uint16_t wire_read_u16(struct wire_reader *reader)
{
    const uint8_t *bytes = wire_read(reader, 2);

    return bytes ? wire_get_u16(bytes) : 0;
}

static inline uint32_t wire_read_u32(struct wire_reader *reader)
{
    const uint8_t *bytes = wire_read(reader, 4);

    return bytes ? wire_get_u32(bytes) : 0;
}

#endif
