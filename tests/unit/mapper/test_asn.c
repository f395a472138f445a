/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/asn.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

static int table_read(const char *text, struct asn_table *table, struct failure *failure)
{
    struct line_stream *stream;
    int err;

    *table = (struct asn_table){0};
    cr_assert_eq(
        line_stream_from_bytes("as.csv", (const uint8_t *)text, strlen(text), &stream, failure), 0);
    err = asn_read(table, stream, failure);
    line_stream_close(stream);
    return err ? err : asn_finish(table);
}

static uint32_t asn_at(const struct asn_table *table, const char *text)
{
    struct address address;
    uint32_t number;

    cr_assert_eq(address_parse(text, &address), 0);
    number = steps_value(
        &table->networks[address.family == ADDRESS_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6],
        key_from_address(&address));
    return number == STEPS_NONE ? 0 : table->asn[number];
}

Test(asn, ranges_of_both_families_in_any_order)
{
    struct asn_table table;
    struct failure failure;

    cr_assert_eq(table_read("start,end,asn,name\r\n"
                            "9.9.9.0,9.9.10.255,19281,\"Quad9, Inc\"\r\n"
                            "1.0.0.0,1.0.0.255,13335,Cloudflare\n"
                            "2a00:1450::,2a00:1450:ffff:ffff:ffff:ffff:ffff:ffff,15169,Google\n"
                            "255.255.254.0,255.255.255.255,1,last\n"
                            "10.0.0.0,10.0.0.255,0,nobody\n",
                            &table, &failure),
                 0);
    cr_assert_eq(asn_at(&table, "1.0.0.7"), 13335);
    cr_assert_eq(asn_at(&table, "1.0.1.0"), 0);
    cr_assert_eq(asn_at(&table, "9.9.10.255"), 19281);
    cr_assert_eq(asn_at(&table, "9.9.11.0"), 0);
    cr_assert_eq(asn_at(&table, "10.0.0.1"), 0);
    cr_assert_eq(asn_at(&table, "255.255.255.255"), 1);
    cr_assert_eq(asn_at(&table, "2a00:1450:1::"), 15169);
    cr_assert_eq(asn_at(&table, "2a00:1451::"), 0);
    asn_done(&table);
}

Test(asn, ranges_are_clipped_to_whole_units)
{
    struct asn_table table;
    struct failure failure;

    cr_assert_eq(table_read("1.0.0.1,1.0.3.254,5\n"
                            "2.0.0.0,2.0.0.127,6\n"
                            "2a00::1,2a00:0:0:2ff:ffff:ffff:ffff:ffff,7\n",
                            &table, &failure),
                 0);
    cr_assert_eq(asn_at(&table, "1.0.0.5"), 0);
    cr_assert_eq(asn_at(&table, "1.0.1.0"), 5);
    cr_assert_eq(asn_at(&table, "1.0.2.255"), 5);
    cr_assert_eq(asn_at(&table, "1.0.3.0"), 0);
    cr_assert_eq(asn_at(&table, "2.0.0.1"), 0);
    cr_assert_eq(asn_at(&table, "2a00::5"), 0);
    cr_assert_eq(asn_at(&table, "2a00:0:0:100::"), 7);
    cr_assert_eq(asn_at(&table, "2a00:0:0:300::"), 0);
    asn_done(&table);
}

Test(asn, adjacent_ranges_of_one_as_stay_two_networks)
{
    struct asn_table table;
    struct failure failure;

    cr_assert_eq(table_read("1.0.0.0,1.0.0.255,5\n1.0.1.0,1.0.1.255,5\n", &table, &failure), 0);
    cr_assert_eq(table.n, 2);
    cr_assert_eq(table.networks[MAP_FAMILY_IPV4].n, 3);
    asn_done(&table);
}

Test(asn, bad_rows)
{
    static const char *const rows[] = {
        "1.0.0.0,1.0.0.255\n",        "1.0.0.0,2a00::,5\n", "1.0.1.0,1.0.0.0,5\n",
        "1.0.0.0,1.0.0.255,AS5\n",    "1.0.0.0/24,x,5\n",   "1.0.0.0,1.0.0.255,4294967296\n",
        "1.0.0.0,1.0.0.255,\"5\"x\n",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct asn_table table;
        struct failure failure;

        cr_assert_eq(table_read(rows[i], &table, &failure), -EINVAL, "%s", rows[i]);
        cr_assert_not_null(strstr(failure.text, "as.csv:1:"));
        asn_done(&table);
    }
}
