/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"
#include "edge/zone/zone_set.h"

static struct zone *make(const char *origin_text, uint8_t *ret_origin)
{
    static const char text[] = "@ 1 IN SOA ns.example. h 1 2 3 4 5\n@ 1 NS ns.example.\n";
    struct failure failure = {{0}};
    struct zone *zone = NULL;

    cr_assert_eq(name_from_text(origin_text, ret_origin), 0);
    cr_assert_eq(zone_load_bytes("z", text, strlen(text), ret_origin, &zone, NULL, &failure), 0,
                 "%s", failure.text);
    return zone;
}

Test(zone_set, longest_origin_wins)
{
    static const char *const origins[] = {"example.com.", "A.b.example.com.", "com.",
                                          "example.net."};
    static const struct {
        const char *name;
        int origin; /* -1: none */
    } rows[] = {
        {"example.com.", 0},
        {"www.example.com.", 0},
        {"b.example.com.", 0},
        {"a.b.example.com.", 1},
        {"x.a.b.example.com.", 1},
        {"xa.b.example.com.", 0},
        {"com.", 2},
        {"xexample.com.", 2},
        {"example.net.", 3},
        {"net.", -1},
        {".", -1},
        {"org.", -1},
    };
    struct zone_set *set = zone_set_new();
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    const uint8_t *back;

    for (size_t i = 0; i < 4; i++) {
        struct zone *zone = make(origins[i], origin);

        cr_assert_eq(zone_set_add(set, origin, zone), 0);
        cr_expect_eq(zone_set_add(set, origin, zone), -EEXIST);
        zone_unref(zone); /* the set holds its own reference */
    }
    cr_assert_eq(zone_set_finish(set), 0);
    cr_expect_eq(zone_set_count(set), 4);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool known;
        const struct zone *found;

        name_from_text(rows[i].name, origin);
        found = zone_set_find(set, origin, &known);
        cr_expect_eq(known, rows[i].origin >= 0, "%s", rows[i].name);
        cr_expect_eq(found,
                     rows[i].origin < 0 ? NULL : zone_set_get(set, (uint32_t)rows[i].origin, NULL),
                     "%s", rows[i].name);
    }
    zone_set_get(set, 1, &back);
    cr_expect(!memcmp(back, "\1a\1b\7example\3com", 17), "origins are kept in lower case");
    zone_set_unref(set);
}

Test(zone_set, a_place_without_a_zone_is_known_and_hides_the_parent)
{
    struct zone_set *set = zone_set_new();
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    struct zone *zone = make("com.", origin);
    bool known = false;

    zone_set_add(set, origin, zone);
    zone_unref(zone);
    name_from_text("example.com.", origin);
    cr_assert_eq(zone_set_add(set, origin, NULL), 0);
    cr_assert_eq(zone_set_finish(set), 0);
    name_from_text("www.example.com.", origin);
    cr_expect_null(zone_set_find(set, origin, &known));
    cr_expect(known);
    zone_set_unref(set);
}

Test(zone_set, the_root_can_be_served_and_an_empty_set_knows_nothing)
{
    struct zone_set *set = zone_set_new();
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1] = {0};
    bool known = true;
    struct zone *zone;

    cr_assert_eq(zone_set_finish(set), 0);
    cr_expect_null(zone_set_find(set, origin, &known));
    cr_expect_not(known);
    zone_set_unref(set);

    set = zone_set_new();
    zone = make(".", origin);
    zone_set_add(set, origin, zone);
    zone_set_finish(set);
    name_from_text("any.thing.", origin);
    cr_expect_eq(zone_set_find(set, origin, &known), zone);
    zone_unref(zone);
    zone_set_unref(set);
}
