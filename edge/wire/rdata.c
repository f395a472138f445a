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

bool rdata_check(uint16_t type, const uint8_t *rdata, uint32_t len)
{
    const struct rdata_layout *layout = rdata_layout(type);
    size_t at;

    if (type == WIRE_TYPE_RRSIG) { /* the covered type is read from it */
        return len >= 18;
    }
    if (!layout) {
        return true;
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
