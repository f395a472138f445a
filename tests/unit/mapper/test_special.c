/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/special.h"

#include <criterion/criterion.h>

static const struct {
    const char *address;
    int kind;
} cases[] = {
    {"8.8.8.8", 0},
    {"9.255.255.255", 0},
    {"10.0.0.0", SPECIAL_PURPOSE},
    {"10.255.255.255", SPECIAL_PURPOSE},
    {"11.0.0.0", 0},
    {"100.64.0.1", SPECIAL_PURPOSE},
    {"100.128.0.0", 0},
    {"127.0.0.1", SPECIAL_PURPOSE},
    {"169.254.0.1", SPECIAL_PURPOSE},
    {"172.31.255.255", SPECIAL_PURPOSE},
    {"172.32.0.0", 0},
    {"192.0.2.1", SPECIAL_DOCUMENTATION},
    {"192.0.3.0", 0},
    {"192.168.1.1", SPECIAL_PURPOSE},
    {"198.19.255.255", SPECIAL_PURPOSE},
    {"198.51.100.7", SPECIAL_DOCUMENTATION},
    {"203.0.113.7", SPECIAL_DOCUMENTATION},
    {"223.255.255.255", 0},
    {"239.1.1.1", SPECIAL_PURPOSE},
    {"255.255.255.255", SPECIAL_PURPOSE},
    {"::1", SPECIAL_PURPOSE},
    {"::ffff:8.8.8.8", SPECIAL_FOLDED},
    {"64:ff9b::808:808", SPECIAL_FOLDED},
    {"100::1", SPECIAL_PURPOSE},
    {"2001::1", SPECIAL_PURPOSE},
    {"2001:200::1", 0},
    {"2001:db8::1", SPECIAL_DOCUMENTATION},
    {"2001:db9::1", 0},
    {"2002::1", SPECIAL_FOLDED},
    {"2a00:1450::1", 0},
    {"3fff:fff::1", SPECIAL_DOCUMENTATION},
    {"fd00::1", SPECIAL_PURPOSE},
    {"fe80::1", SPECIAL_PURPOSE},
    {"ff02::1", SPECIAL_PURPOSE},
};

Test(special, kinds)
{
    struct steps steps[MAP_FAMILIES] = {{0}, {0}};

    cr_assert_eq(special_steps(MAP_FAMILY_IPV4, &steps[MAP_FAMILY_IPV4]), 0);
    cr_assert_eq(special_steps(MAP_FAMILY_IPV6, &steps[MAP_FAMILY_IPV6]), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum map_family family;
        struct address address;
        struct map_key key;
        uint32_t value;

        cr_assert_eq(address_parse(cases[i].address, &address), 0);
        key = key_from_address(&address);
        family = address.family == ADDRESS_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6;
        cr_assert_eq(special_find(family, key), cases[i].kind, "%s", cases[i].address);
        value = steps_value(&steps[family], key);
        if (cases[i].kind == 0) {
            cr_assert_eq(value, STEPS_NONE, "%s", cases[i].address);
        } else if (key.hi >>
                   56) { /* the first /56 holds several kinds and is widened to the strongest */
            cr_assert_eq(value, (uint32_t)cases[i].kind, "%s", cases[i].address);
        } else {
            cr_assert_neq(value, STEPS_NONE, "%s", cases[i].address);
        }
    }
    steps_done(&steps[0]);
    steps_done(&steps[1]);
}

Test(special, steps_lie_on_the_units_resolvers_send)
{
    for (int family = 0; family < MAP_FAMILIES; family++) {
        uint64_t below = UINT64_MAX >> (family == MAP_FAMILY_IPV4 ? 24 : 56);
        struct steps steps = {0};

        cr_assert_eq(special_steps((enum map_family)family, &steps), 0);
        cr_assert_null(steps.lo);
        for (size_t i = 0; i < steps.n; i++) {
            cr_assert_eq(steps.hi[i] & below, 0);
        }
        steps_done(&steps);
    }
}
