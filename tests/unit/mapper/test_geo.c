/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/geo.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "scratch.h"

#define MMDB TEST_SOURCE_DIR "/tests/fuzz/mapper/mmdb/"

static const struct place *place_find(const struct geo *geo, const char *text)
{
    struct address address;
    uint32_t number;

    cr_assert_eq(address_parse(text, &address), 0);
    number = steps_value(
        &geo->places[address.family == ADDRESS_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6],
        key_from_address(&address));
    return number == STEPS_NONE ? NULL : &geo->place[number];
}

static void expect_place(const struct geo *geo, const char *text, int latitude_d, int longitude_d,
                         const char *country)
{
    const struct place *place = place_find(geo, text);

    cr_assert_not_null(place, "%s", text);
    cr_assert_eq(place->latitude_d, latitude_d, "%s: %d", text, place->latitude_d);
    cr_assert_eq(place->longitude_d, longitude_d, "%s: %d", text, place->longitude_d);
    cr_assert_eq(place->country, country[0] << 8 | country[1], "%s", text);
}

Test(geo, nested_doubles_of_a_combined_tree)
{
    struct failure failure = {{0}};
    struct geo geo;

    cr_assert_eq(geo_load_file(MMDB "GeoIP2-City-Test.mmdb", &geo, &failure), 0, "%s",
                 failure.text);
    expect_place(&geo, "81.2.69.142", 515, -1, "GB");
    expect_place(&geo, "89.160.20.112", 584, 156, "SE");
    expect_place(&geo, "2001:218::1", 357, 1398, "JP");
    cr_assert_null(place_find(&geo, "8.8.8.8"));
    /* the IPv4 tree and its aliases are no part of the IPv6 walk */
    cr_assert_null(place_find(&geo, "::81.2.69.142"));
    cr_assert_null(place_find(&geo, "2002:5102:458e::1"));
    geo_done(&geo);
}

Test(geo, flat_floats_of_the_sample_world)
{
    static const char path[] = TEST_SOURCE_DIR "/maps/sample/city-ipv4.mmdb";
    struct failure failure = {{0}};
    struct geo geo;

    cr_assert_eq(geo_load_file(path, &geo, &failure), 0, "%s", failure.text);
    cr_assert_gt(geo.places[MAP_FAMILY_IPV4].n, 20000);
    cr_assert_eq(geo.places[MAP_FAMILY_IPV6].n, 0);
    cr_assert_not_null(place_find(&geo, "192.28.151.1"));
    cr_assert(place_is_located(place_find(&geo, "192.28.151.1")));
    cr_assert_eq(place_find(&geo, "192.28.151.1")->country, 'A' << 8 | 'D');
    geo_done(&geo);
}

Test(geo, a_database_of_countries_only)
{
    struct failure failure = {{0}};
    struct geo geo;

    cr_assert_eq(geo_load_file(MMDB "GeoLite2-Country-Test.mmdb", &geo, &failure), 0, "%s",
                 failure.text);
    cr_assert_not_null(place_find(&geo, "81.2.69.142"));
    cr_assert(!place_is_located(place_find(&geo, "81.2.69.142")));
    cr_assert_eq(place_find(&geo, "81.2.69.142")->country, 'G' << 8 | 'B');
    geo_done(&geo);
}

/* Corrupt files end in a reason or in something harmless; which of them end how is pinned down. */
Test(geo, corrupt_files)
{
    static const struct {
        const char *name;
        bool refused;
    } cases[] = {
        {"GeoIP2-City-Test-Broken-Double-Format.mmdb", true},
        {"bad-libmaxminddb-metadata-marker-only.mmdb", true},
        {"bad-invalid-bytes-length.mmdb", true},
        {"bad-metadata-is-an-uint128.mmdb", true},
        {"bad-invalid-string-length.mmdb", true},
        {"bad-unexpected-bytes.mmdb", true},
        {"bad-invalid-data-record-offset.mmdb", true},
        {"GeoIP2-City-Test-Invalid-Node-Count.mmdb", true},
        {"MaxMind-DB-test-broken-search-tree-24.mmdb", true},
        {"MaxMind-DB-no-ipv4-search-tree.mmdb", false},
        {"GeoLite2-ASN-Test.mmdb", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct failure failure = {{0}};
        struct geo geo = {0};
        char path[512];
        int err;

        snprintf(path, sizeof(path), "%s%s", MMDB, cases[i].name);
        err = geo_load_file(path, &geo, &failure);
        cr_assert_eq(err != 0, cases[i].refused, "%s: %d %s", cases[i].name, err, failure.text);
        if (err) {
            cr_assert_not_null(strstr(failure.text, cases[i].name));
        } else {
            geo_done(&geo);
        }
    }
}

Test(geo, a_missing_file)
{
    struct failure failure = {{0}};
    struct geo geo;

    cr_assert_eq(geo_load_file("/nonexistent/x.mmdb", &geo, &failure), -ENOENT);
    cr_assert_not_null(strstr(failure.text, "/nonexistent/x.mmdb: No such file"));
}

Test(geo, of_two_files_the_first_decides_where_both_know)
{
    static const char *const orders[] = {"[city.mmdb, country.mmdb]", "[country.mmdb, city.mmdb]"};

    for (int i = 0; i < 2; i++) {
        struct failure failure = {{0}};
        struct scratch scratch;
        struct config *config;
        struct geo geo;
        char text[256];

        scratch_open(&scratch);
        cr_assert_eq(symlink(MMDB "GeoIP2-City-Test.mmdb", scratch_path(&scratch, "city.mmdb")), 0);
        cr_assert_eq(
            symlink(MMDB "GeoLite2-Country-Test.mmdb", scratch_path(&scratch, "country.mmdb")), 0);
        snprintf(text, sizeof(text),
                 "pops: {a: {location: [0, 0]}}\nmaps: {web: {}}\nsources: {geo: %s}\n", orders[i]);
        scratch_write(&scratch, "mapper.yaml", text);
        config = scratch_config(&scratch);
        for (unsigned threads = 1; threads <= 2; threads++) {
            cr_assert_eq(geo_load(config, threads, &geo, &failure), 0, "%s", failure.text);
            cr_assert_eq(place_is_located(place_find(&geo, "81.2.69.142")), i == 0);
            geo_done(&geo);
        }
        config_free(config);
        scratch_close(&scratch);
    }
}

Test(geo, distances)
{
    static const struct {
        double from[2];
        double to[2];
        double km;
    } cases[] = {
        {{50.11, 8.68}, {50.11, 8.68}, 0},  {{50.11, 8.68}, {1.35, 103.82}, 10258},
        {{0, 0}, {0, 180}, 20015},          {{90, 0}, {-90, 77}, 20015},
        {{51.5, -0.1}, {48.86, 2.35}, 341}, {{0, 179.9}, {0, -179.9}, 22.2},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct geo_point a = geo_point_at(cases[i].from[0], cases[i].from[1]);
        struct geo_point b = geo_point_at(cases[i].to[0], cases[i].to[1]);

        cr_assert_float_eq(geo_distance_km(&a, &b), cases[i].km, 3, "case %zu: %g", i,
                           geo_distance_km(&a, &b));
    }
}

Test(geo, places_are_quantised_and_shared)
{
    struct geo geo = {0};
    struct place a = place_at(51.5142, -0.0931, "GB", 2);
    struct place b = place_at(51.46, -0.1, "GB", 2);
    struct place c = place_at(51.46, -0.1, "", 0);
    struct place nowhere = place_at(NAN, 3, "GB", 2);

    cr_assert_eq(geo_intern(&geo, &a), 0);
    cr_assert_eq(geo_intern(&geo, &b), 0);
    cr_assert_eq(geo_intern(&geo, &c), 1);
    cr_assert(!place_is_located(&nowhere));
    for (int i = 0; i < 16000; i++) {
        struct place place = place_at(i % 90, i / 90, "XX", 2);

        cr_assert_eq(geo_intern(&geo, &place), i + 2);
    }
    geo_done(&geo);
}
