/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "edge/answer/answer.h"
#include "edge/wire/edns.h"
#include "edge/wire/wire.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static const struct edns_reply FRA = {
    .extended_rcode = 1, .ecs_scope = 18, .nsid = "fra", .nsid_len = 3, .error = EDNS_ERROR_NONE};

/* RFC 7871 sections 6 and 7.1.1, field by field. */
Test(edns, ecs_forms)
{
    static const struct {
        const uint8_t *options;
        size_t len;
        bool good;
        const char *why;
    } rows[] = {
        {BYTES("\0\10\0\7\0\1\30\0\12\13\14"), true, "IPv4 /24"},
        {BYTES("\0\10\0\4\0\1\0\0"), true, "IPv4 /0"},
        {BYTES("\0\10\0\10\0\1\40\0\12\13\14\15"), true, "IPv4 /32"},
        {BYTES("\0\10\0\5\0\1\1\0\200"), true, "IPv4 /1"},
        {BYTES("\0\10\0\13\0\2\70\0\40\1\15\270\0\1\2"), true, "IPv6 /56"},
        {BYTES("\0\10\0\24\0\2\200\0\40\1\15\270\0\1\2\3\4\5\6\7\10\11\12\13"), true, "IPv6 /128"},
        {BYTES("\0\10\0\4\0\2\0\0"), true, "IPv6 /0"},
        {BYTES("\0\10\0\4\0\0\0\0"), true, "FAMILY 0, SOURCE 0"},
        {BYTES("\0\10\0\5\0\0\10\0\12"), false, "FAMILY 0 with an address"},
        {BYTES("\0\10\0\7\0\3\30\0\12\13\14"), false, "FAMILY 3"},
        {BYTES("\0\10\0\4\1\1\0\0"), false, "FAMILY 257"},
        {BYTES("\0\10\0\7\0\1\30\30\12\13\14"), false, "SCOPE in a query"},
        {BYTES("\0\10\0\11\0\1\41\0\12\13\14\15\0"), false, "IPv4 /33"},
        {BYTES("\0\10\0\25\0\2\201\0\40\1\15\270\0\1\2\3\4\5\6\7\10\11\12\13\0"), false,
         "IPv6 /129"},
        {BYTES("\0\10\0\6\0\1\30\0\12\13"), false, "an octet too few"},
        {BYTES("\0\10\0\10\0\1\30\0\12\13\14\0"), false, "an octet too many"},
        {BYTES("\0\10\0\7\0\1\27\0\12\13\15"), false, "a bit beyond SOURCE"},
        {BYTES("\0\10\0\5\0\1\1\0\300"), false, "a bit beyond SOURCE 1"},
        {BYTES("\0\10\0\3\0\1\0"), false, "three octets"},
        {BYTES("\0\10\0\0"), false, "no octets"},
        {BYTES("\0\10\0\4\0\1\0\0\0\10\0\4\0\1\0\0"), false, "twice"},
        {BYTES("\0\10\0\7\0\3\30\0\12\13\14\0\10\0\4\0\1\0\0"), false,
         "a good one after a bad one"},
        {BYTES("\0\10\0\4\0\1\0\0\0\10\0\1\0"), false, "a bad one after a good one"},
        {BYTES("\0\10\0\4\0\1\0\0\0"), false, "rubbish after it"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct edns edns = {0};

        edns_parse(&edns, 1232, 0, rows[i].options, rows[i].len);
        cr_expect_eq(edns.malformed, !rows[i].good, "%s", rows[i].why);
        cr_expect_eq(edns.has_ecs, rows[i].good, "%s", rows[i].why);
    }
}

Test(edns, response_is_written_as_announced)
{
    struct edns edns = {0};
    uint8_t bytes[64];
    static const uint8_t expected[] = "\0\0\51\4\320\1\0\200\0\0\22"
                                      "\0\3\0\3fra"
                                      "\0\10\0\7\0\1\30\22\12\13\14";

    edns_parse(&edns, 4096, 0x00008000, BYTES("\0\10\0\7\0\1\30\0\12\13\14\0\3\0\0\376\1\0\1x"));
    memset(bytes, 0xee, sizeof(bytes));
    cr_assert_eq(edns_response_len(&edns, &FRA), sizeof(expected) - 1);
    edns_write(bytes, sizeof(expected) - 1, &edns, &FRA);
    cr_expect_arr_eq(bytes, expected, sizeof(expected) - 1);
    cr_expect_eq(bytes[sizeof(expected) - 1], 0xee, "one byte more was written");
}

Test(edns, nothing_asked_nothing_said)
{
    struct edns edns = {0};

    cr_expect_eq(edns_response_len(&edns, &FRA), 0, "no EDNS");
    edns_parse(&edns, 512, 0, NULL, 0);
    cr_expect_eq(edns_response_len(&edns, &FRA), EDNS_OPT_LEN, "NSID was not asked for");
    edns.nsid = true;
    cr_expect_eq(edns_response_len(&edns, &(struct edns_reply){.error = EDNS_ERROR_NONE}),
                 EDNS_OPT_LEN, "there is no identity");
}
