/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/overrides.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "scratch.h"

static const char three_pops[] = "pops:\n"
                                 "  fra: {location: [50.1, 8.7]}\n"
                                 "  sin: {location: [1.3, 103.8]}\n"
                                 "  nyc: {location: [40.7, -74.0]}\n"
                                 "maps:\n"
                                 "  web: {}\n"
                                 "  video: {pops: [sin, nyc]}\n";

struct fixture {
    struct scratch scratch;
    struct config *config;
    struct overrides overrides;
    struct failure failure;
    int err;
};

static void fixture_read(struct fixture *fixture, const char *text)
{
    struct line_stream *stream;

    *fixture = (struct fixture){.err = 0};
    scratch_open(&fixture->scratch);
    scratch_write(&fixture->scratch, "pins.csv", text);
    scratch_write(&fixture->scratch, "mapper.yaml", three_pops);
    fixture->config = scratch_config(&fixture->scratch);
    cr_assert_eq(
        line_stream_open(scratch_path(&fixture->scratch, "pins.csv"), &stream, &fixture->failure),
        0);
    fixture->err =
        overrides_read(&fixture->overrides, fixture->config, 0, stream, &fixture->failure);
    line_stream_close(stream);
}

static void fixture_done(struct fixture *fixture)
{
    overrides_done(&fixture->overrides);
    config_free(fixture->config);
    scratch_close(&fixture->scratch);
}

/* The pins that decide for an address, as ids; RANKING_NOBODY-like all ones when none does. */
static uint64_t pins_at(const struct fixture *fixture, size_t map, enum map_space space,
                        uint64_t generation, const char *address_text)
{
    struct steps steps = {0};
    struct address address;
    struct map_address folded;
    struct failure failure;
    uint64_t pops = UINT64_MAX;
    uint32_t number;

    cr_assert_eq(address_parse(address_text, &address), 0);
    folded.key = key_from_address(&address);
    folded.family = MAP_FAMILY_IPV4;
    if (address.family == ADDRESS_IPV6) {
        map_address_ipv6(folded.key.hi, folded.key.lo, &folded);
    }
    cr_assert_eq(overrides_steps(&fixture->overrides, fixture->config, map, space,
                                 (enum map_family)folded.family, generation, &steps, &failure),
                 0);
    number = steps_value(&steps, folded.key);
    if (number != STEPS_NONE) {
        pops = fixture->overrides.item[number].pops;
    }
    steps_done(&steps);
    return pops;
}

#define PINS(...) pins_of((const uint8_t[]){__VA_ARGS__, 0xff})

static uint64_t pins_of(const uint8_t *pops)
{
    uint64_t packed = UINT64_MAX;
    unsigned n = 0;

    for (; pops[n] != 0xff; n++) {
        packed &= ~(UINT64_C(0xff) << (8 * n));
        packed |= (uint64_t)pops[n] << (8 * n);
    }
    return packed;
}

Test(overrides, the_longest_match_wins_at_any_length)
{
    static const char *const heads[] = {"", "prefix,pop\n", "prefix,pop,pop2\n"};

    for (size_t i = 0; i < 3; i++) {
        struct fixture fixture;
        char text[512];

        snprintf(text, sizeof(text),
                 "%s# a comment\n\n0.0.0.0/0,fra\n198.18.0.0/15,sin,fra\n198.18.5.0/24,nyc\n"
                 "198.18.5.77/32,sin\n2001:db8::/32,nyc\n2002:c000:200::/40,sin\n",
                 heads[i]);
        fixture_read(&fixture, text);
        cr_assert_eq(fixture.err, 0, "%s", fixture.failure.text);
        cr_assert_eq(fixture.overrides.n, 6);
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "1.1.1.1"), PINS(0));
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "198.19.1.1"), PINS(1, 0));
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "198.18.5.76"), PINS(2));
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "198.18.5.77"), PINS(1));
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_RESOLVER, 0, "198.18.5.77"), PINS(1));
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "2001:db8:ffff::1"), PINS(2));
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "2001:db9::1"), UINT64_MAX);
        /* a 6to4 prefix is the IPv4 prefix it stands for */
        cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "192.0.2.1"), PINS(1));
        /* the second map has no fra: rows that name it do not count there */
        cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_CLIENT, 0, "1.1.1.1"), UINT64_MAX);
        cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_CLIENT, 0, "198.19.1.1"), UINT64_MAX);
        cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_CLIENT, 0, "198.18.5.76"), PINS(2));
        /* 198.18.5.77/32 alone is finer than /24 */
        cr_assert_eq(fixture.overrides.finer_n, 1);
        cr_assert_not_null(strstr(fixture.overrides.finer.text, "pins.csv:"));
        fixture_done(&fixture);
    }
}

Test(overrides, the_long_form)
{
    struct fixture fixture;

    fixture_read(&fixture, "space,prefix,pops,map,owner,expires,reason\n"
                           "client,8.8.0.0/16,sin nyc,web,ops,,why\n"
                           "resolver,8.8.8.0/24,nyc;sin,,ops,,why\n"
                           ",9.9.0.0/16,nyc|sin,video,,2027-01-02,\"a, b\"\n"
                           "any,9.8.0.0/16,\"nyc,sin\",,,2027-01-02T10:00:00Z,\n"
                           "any,9.7.0.0/16,nyc,,,1800000000,\n");
    cr_assert_eq(fixture.err, 0, "%s", fixture.failure.text);
    cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "8.8.8.8"), PINS(1, 2));
    cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_CLIENT, 0, "8.8.8.8"), UINT64_MAX);
    cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_RESOLVER, 0, "8.8.8.8"), PINS(2, 1));
    cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_RESOLVER, 0, "8.8.8.8"), PINS(2, 1));
    cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 0, "9.9.9.9"), UINT64_MAX);
    cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_RESOLVER, 0, "9.9.9.9"), PINS(2, 1));
    /* 2027-01-02T00:00:00Z is 1798848000 */
    cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_CLIENT, 1798847999, "9.9.9.9"), PINS(2, 1));
    cr_assert_eq(pins_at(&fixture, 1, MAP_SPACE_CLIENT, 1798848000, "9.9.9.9"), UINT64_MAX);
    cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 1798883999, "9.8.1.1"), PINS(2, 1));
    cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 1798884000, "9.8.1.1"), UINT64_MAX);
    cr_assert_eq(pins_at(&fixture, 0, MAP_SPACE_CLIENT, 1800000000, "9.7.1.1"), UINT64_MAX);
    fixture_done(&fixture);
}

Test(overrides, what_is_wrong_is_named_with_its_line)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"8.8.8.0/24,lhr\n", "pins.csv:1:12: no PoP \"lhr\""},
        {"prefix,pop\n8.8.8.8/24,fra\n", "pins.csv:2:1: not a prefix"},
        {"prefix,pop\nfra,8.8.8.0/24\n", "pins.csv:2:1: not a prefix"},
        {"8.8.8.0/24\n", "names no PoP"},
        {"8.8.8.0/24,fra,fra\n", "pins.csv:1:16: the row names twice"},
        {"8.8.8.0/24,\"fra\n", "not a row"},
        {"prefix,pops,colour\n", "pins.csv:1:13: unknown column \"colour\""},
        {"map,prefix\n", "needs the columns prefix and pops"},
        {"prefix,pops,map\n8.8.8.0/24,fra,shop\n", "pins.csv:2:16: no map \"shop\""},
        {"prefix,pops,map\n8.8.8.0/24,fra,video\n", "not all PoPs"},
        {"prefix,pops\n8.8.8.0/24,fra;lhr\n", "pins.csv:2:16: no PoP \"lhr\""},
        {"prefix,pops,space\n8.8.8.0/24,fra,both\n", "space is"},
        {"prefix,pops,expires\n8.8.8.0/24,fra,soon\n", "pins.csv:2:16: not a time: \"soon\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;

        fixture_read(&fixture, cases[i].text);
        cr_assert_eq(fixture.err, -EINVAL, "%s", cases[i].text);
        cr_assert_not_null(strstr(fixture.failure.text, cases[i].reason), "%s instead of %s",
                           fixture.failure.text, cases[i].reason);
        fixture_done(&fixture);
    }
}

Test(overrides, one_prefix_pinned_in_two_ways_is_an_error)
{
    struct fixture fixture;
    struct scratch *scratch = &fixture.scratch;
    struct build_report report;

    fixture_read(&fixture, "8.8.8.0/24,fra\n9.9.9.0/24,nyc\n8.8.8.0/24,sin\n");
    cr_assert_eq(fixture.err, 0);
    scratch_write(scratch, "mapper.yaml",
                  "pops: {fra: {location: [1, 1]}, sin: {location: [2, 2]}, "
                  "nyc: {location: [3, 3]}}\nmaps: {web: {}}\noverrides: pins.csv\n");
    cr_assert_eq(scratch_build(scratch, &report, &fixture.failure), -EINVAL);
    cr_assert_not_null(strstr(fixture.failure.text, "pins.csv:3:1: pins differently"), "%s",
                       fixture.failure.text);
    cr_assert_not_null(strstr(fixture.failure.text, "pins.csv:1"));
    fixture_done(&fixture);
}
