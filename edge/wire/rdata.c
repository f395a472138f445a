/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/wire/rdata.h"

#include <stddef.h>

#include "edge/wire/name.h"
#include "edge/wire/wire.h"

static const struct rdata_layout layouts[] = {
    {WIRE_TYPE_A, 4, 0, 0, false},
    {WIRE_TYPE_NS, 0, 1, 0, true},
    {WIRE_TYPE_CNAME, 0, 1, 0, true},
    {WIRE_TYPE_SOA, 0, 2, 20, true},
    {WIRE_TYPE_PTR, 0, 1, 0, true},
    {WIRE_TYPE_MX, 2, 1, 0, true},
    {WIRE_TYPE_AAAA, 16, 0, 0, false},
    {WIRE_TYPE_SRV, 6, 1, 0, false},           /* RFC 2782: not compressed */
    {WIRE_TYPE_DNAME, 0, 1, 0, false},         /* RFC 6672 section 2.5: not compressed */
    {WIRE_TYPE_SVCB, 2, 1, RDATA_REST, false}, /* RFC 9460 section 2.2: not compressed */
    {WIRE_TYPE_HTTPS, 2, 1, RDATA_REST, false},
};

const struct rdata_layout *rdata_layout(uint16_t type)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (layouts[i].type == type) {
            return &layouts[i];
        }
    }
    return NULL;
}

/* RFC 4034 section 4.1.2: windows in rising order, none of them empty. */
static bool rdata_check_bitmap(const uint8_t *bitmap, uint32_t len)
{
    int window = -1;

    while (len) {
        uint32_t window_len = len >= 2 ? 2u + bitmap[1] : 0;

        if (window_len < 3 || window_len > 34 || window_len > len || bitmap[0] <= window) {
            return false;
        }
        window = bitmap[0];
        bitmap += window_len;
        len -= window_len;
    }
    return true;
}

bool rdata_bitmap_has(const uint8_t *bitmap, uint32_t len, uint16_t type)
{
    unsigned byte = (type & 0xffu) / 8;

    while (len && bitmap[0] != type >> 8) {
        uint32_t window_len = 2u + bitmap[1];

        bitmap += window_len;
        len -= window_len;
    }
    return len && byte < bitmap[1] && (bitmap[2 + byte] & (0x80u >> (type & 7u)));
}

/* RFC 5155 section 3.2: fixed fields, salt, next hashed owner name, types. */
static bool rdata_check_nsec3(const uint8_t *rdata, uint32_t len)
{
    uint32_t at = len >= 5 ? 5u + rdata[4] : len;

    if (at >= len) {
        return false;
    }
    at += 1u + rdata[at];
    return at <= len && rdata_check_bitmap(rdata + at, len - at);
}

/* What of DNSSEC is read and not only copied. */
static bool rdata_check_dnssec(uint16_t type, const uint8_t *rdata, uint32_t len)
{
    size_t name;

    switch (type) {
    case WIRE_TYPE_RRSIG:
        return len > 18 && name_check(rdata + 18, len - 18) != 0;
    case WIRE_TYPE_NSEC:
        name = name_check(rdata, len);
        return name && rdata_check_bitmap(rdata + name, len - (uint32_t)name);
    case WIRE_TYPE_NSEC3:
        return rdata_check_nsec3(rdata, len);
    case WIRE_TYPE_NSEC3PARAM:
        return len >= 5 && len == 5u + rdata[4];
    default:
        return true;
    }
}

bool rdata_check(uint16_t type, const uint8_t *rdata, uint32_t len)
{
    const struct rdata_layout *layout = rdata_layout(type);
    size_t at;

    if (!layout) {
        return rdata_check_dnssec(type, rdata, len);
    }
    at = layout->before;
    if (at > len) {
        return false;
    }
    for (unsigned i = 0; i < layout->name_n; i++) {
        size_t name = name_check(rdata + at, len - at);

        if (!name) {
            return false;
        }
        at += name;
    }
    return layout->after == RDATA_REST || at + layout->after == len;
}
