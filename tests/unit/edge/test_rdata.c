/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>

#include "edge/wire/rdata.h"
#include "edge/wire/wire.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

Test(rdata, check)
{
    static const struct {
        uint16_t type;
        const uint8_t *bytes;
        uint32_t len;
        bool good;
    } rows[] = {
        {WIRE_TYPE_A, BYTES("\1\2\3\4"), true},
        {WIRE_TYPE_A, BYTES("\1\2\3"), false},
        {WIRE_TYPE_A, BYTES("\1\2\3\4\5"), false},
        {WIRE_TYPE_AAAA, BYTES("1234567890123456"), true},
        {WIRE_TYPE_AAAA, BYTES("1234"), false},
        {WIRE_TYPE_NS, BYTES("\1a\0"), true},
        {WIRE_TYPE_NS, BYTES("\1a"), false},
        {WIRE_TYPE_NS, BYTES("\1a\0x"), false},
        {WIRE_TYPE_NS, BYTES("\300\14"), false},
        {WIRE_TYPE_CNAME, BYTES(""), false},
        {WIRE_TYPE_MX, BYTES("\0\1\1a\0"), true},
        {WIRE_TYPE_MX, BYTES("\0\1"), false},
        {WIRE_TYPE_MX, BYTES("\0"), false},
        {WIRE_TYPE_SRV, BYTES("\0\1\0\1\0\1\0"), true},
        {WIRE_TYPE_SRV, BYTES("\0\1\0\1\0\1"), false},
        {WIRE_TYPE_SOA,
         BYTES("\0\0"
               "12345678901234567890"),
         true},
        {WIRE_TYPE_SOA,
         BYTES("\0\0"
               "1234567890123456789"),
         false},
        {WIRE_TYPE_HTTPS, BYTES("\0\1\0"), true},
        {WIRE_TYPE_HTTPS,
         BYTES("\0\1\1a\0"
               "any parameters"),
         true},
        {WIRE_TYPE_SVCB, BYTES("\0\1\1a"), false},
        {WIRE_TYPE_SVCB, BYTES("\0"), false},
        {WIRE_TYPE_RRSIG, BYTES("123456789012345678\1a\0sig"), true},
        {WIRE_TYPE_RRSIG, BYTES("123456789012345678\1a"), false},
        {WIRE_TYPE_RRSIG, BYTES("123456789012345678"), false},
        {WIRE_TYPE_RRSIG, BYTES("1"), false},
        {WIRE_TYPE_NSEC, BYTES("\1a\0\0\1\100"), true},
        {WIRE_TYPE_NSEC, BYTES("\1a\0"), true},
        {WIRE_TYPE_NSEC, BYTES("\1a"), false},
        {WIRE_TYPE_NSEC, BYTES("\1a\0\0\2\100"), false},
        {WIRE_TYPE_NSEC, BYTES("\1a\0\0\0"), false},
        {WIRE_TYPE_NSEC, BYTES("\1a\0\0"), false},
        {WIRE_TYPE_NSEC, BYTES("\1a\0\1\1\1\1\1\1"), false}, /* a window twice */
        {WIRE_TYPE_NSEC3,
         BYTES("\1\0\0\0\0\24"
               "12345678901234567890"),
         true},
        {WIRE_TYPE_NSEC3,
         BYTES("\1\0\0\0\2ss\24"
               "12345678901234567890\0\1\100"),
         true},
        {WIRE_TYPE_NSEC3,
         BYTES("\1\0\0\0\0\24"
               "1234567890123456789"),
         false},
        {WIRE_TYPE_NSEC3, BYTES("\1\0\0\0\3ss"), false},
        {WIRE_TYPE_NSEC3, BYTES("\1\0\0\0\0"), false},
        {WIRE_TYPE_NSEC3, BYTES("\1\0\0\0"), false},
        {WIRE_TYPE_NSEC3PARAM, BYTES("\1\0\0\0\2ss"), true},
        {WIRE_TYPE_NSEC3PARAM, BYTES("\1\0\0\0\2s"), false},
        {WIRE_TYPE_NSEC3PARAM, BYTES("\1\0\0\0\0s"), false},
        {WIRE_TYPE_NSEC3PARAM, BYTES("\1\0\0\0"), false},
        {WIRE_TYPE_TXT, BYTES("anything"), true},
        {65280, BYTES(""), true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(rdata_check(rows[i].type, rows[i].bytes, rows[i].len), rows[i].good,
                     "row %zu, type %u", i, rows[i].type);
    }
}

Test(rdata, types_are_read_from_bit_maps)
{
    static const uint8_t map[] = "\0\6\100\1\0\0\0\3\1\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"; /* A MX RRSIG NSEC TYPE511 */
    static const uint16_t types[] = {1, 15, 46, 47, 511};
    unsigned found = 0;

    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        bool wanted = false;

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            wanted |= types[i] == type;
        }
        cr_expect_eq(rdata_bitmap_has(map, sizeof(map) - 1, (uint16_t)type), wanted, "%u", type);
        found += wanted;
    }
    cr_expect_eq(found, 5);
}

/* RFC 3597 section 4: no type after RFC 1035 may have its names compressed. */
Test(rdata, only_old_types_are_compressed)
{
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        const struct rdata_layout *layout = rdata_layout((uint16_t)type);

        cr_expect(!layout || !layout->compressed || type <= WIRE_TYPE_TXT, "type %u", type);
    }
}
