/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/route.h"

#include <criterion/criterion.h>
#include <string.h>

Test(route, commands)
{
    struct route route = {.attributes = {.next_hop_self = true}};
    char line[ROUTE_COMMAND_LEN];

    prefix_parse("192.0.2.53/32", true, &route.prefix);
    cr_assert_eq(route_announce_command(&route, line), strlen(line));
    cr_assert_str_eq(line, "announce route 192.0.2.53/32 next-hop self\n");
    route.attributes.has_med = true; /* 0 is a MED too */
    route_announce_command(&route, line);
    cr_assert_str_eq(line, "announce route 192.0.2.53/32 next-hop self med 0\n");

    prefix_parse("2001:db8::53/128", true, &route.prefix);
    route.attributes = (struct route_attributes){
        .has_med = true,
        .med = 100,
        .communities_n = 2,
        .communities = {{65010, 53}, {65535, 0}},
        .large_communities_n = 1,
        .large_communities = {{65010, 1, 4294967295}},
        .as_path_n = 2,
        .as_path = {65010, 65010},
    };
    address_parse("2001:db8::1", &route.attributes.next_hop);
    route_announce_command(&route, line);
    cr_assert_str_eq(line, "announce route 2001:db8::53/128 next-hop 2001:db8::1 med 100 community "
                           "[ 65010:53 65535:0 ] large-community [ 65010:1:4294967295 ] as-path [ "
                           "65010 65010 ]\n");
    cr_assert_eq(route_withdraw_command(&route, line), strlen(line));
    cr_assert_str_eq(line, "withdraw route 2001:db8::53/128\n");
}

Test(route, attributes_are_equal_if_a_peer_is_told_the_same)
{
    const struct route_attributes plain = {.next_hop_self = true};
    const struct route_attributes rows[] = {
        {.next_hop_self = false},
        {.next_hop_self = true, .has_med = true},
        {.next_hop_self = true, .communities_n = 1, .communities = {{65535, 0}}},
        {.next_hop_self = true, .large_communities_n = 1, .large_communities = {{1, 2, 3}}},
        {.next_hop_self = true, .as_path_n = 1, .as_path = {65001}},
    };
    struct route_attributes a = {.communities_n = 2, .communities = {{1, 2}, {3, 4}}};
    struct route_attributes b = {.communities_n = 3, .communities = {{3, 4}, {1, 2}, {3, 4}}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_not(route_attributes_equal(&plain, &rows[i]), "row %zu", i);
        cr_expect_not(route_attributes_equal(&rows[i], &plain), "row %zu", i);
        cr_expect(route_attributes_equal(&rows[i], &rows[i]), "row %zu", i);
    }
    cr_expect(route_attributes_equal(&a, &b));
    b.communities[1].low = 5;
    cr_expect_not(route_attributes_equal(&a, &b));
    a = b = plain;
    a.med = 7; /* means nothing without has_med */
    cr_expect(route_attributes_equal(&a, &b));
    address_parse("10.0.0.1", &b.next_hop);
    cr_expect(route_attributes_equal(&a, &b));
}

Test(route, the_longest_command_fits)
{
    struct route route = {.attributes = {.has_med = true,
                                         .med = UINT32_MAX,
                                         .communities_n = ROUTE_COMMUNITIES_MAX,
                                         .large_communities_n = ROUTE_COMMUNITIES_MAX,
                                         .as_path_n = ROUTE_AS_PATH_MAX}};
    char line[ROUTE_COMMAND_LEN];

    prefix_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", true, &route.prefix);
    route.attributes.next_hop = route.prefix.address;
    memset(route.attributes.communities, 0xff, sizeof(route.attributes.communities));
    memset(route.attributes.large_communities, 0xff, sizeof(route.attributes.large_communities));
    memset(route.attributes.as_path, 0xff, sizeof(route.attributes.as_path));
    cr_assert_lt(route_announce_command(&route, line), sizeof(line));
    cr_assert_str_eq(line + strlen(line) - strlen(" 4294967295 ]\n"), " 4294967295 ]\n");
}
