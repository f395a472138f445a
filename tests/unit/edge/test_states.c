/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/daemon/states.h"
#include "edge/daemon/states_file.h"
#include "world.h"

#define NOW INT64_C(1800000000)
#define FRA 0
#define SIN 1
#define NYC 2

static struct world world;
static struct states *states;

static void setup(void)
{
    world_open(&world, TEST_SOURCE_DIR "/tests/golden");
    states = states_new(2);
    cr_assert_not_null(states);
}

static void teardown(void)
{
    states_free(states);
    world_close(&world);
}

/* One word about a PoP; place 0 is the operator, 1 and 2 the fleet files. */
static void say(size_t place, const char *name, const char *state, int64_t expires_s)
{
    struct states_entry entry = {.layer = place ? STATES_FLEET : STATES_OPERATOR,
                                 .expires_s = expires_s};
    struct states_source source = {0};

    cr_assert_eq(states_name_parse(name, &entry), 0);
    cr_assert_eq(pop_state_parse(state, &entry.state), 0);
    cr_assert_eq(states_source_copy(states_source(states, place), &source), 0);
    cr_assert_eq(states_source_add(&source, &entry), 0);
    states_replace(states, place, &source);
}

static const struct service *service(const char *name)
{
    const struct service *found = services_find(world.services, name);

    cr_assert_not_null(found);
    return found;
}

static struct state_set *build(const struct state_set *previous, int64_t now_s)
{
    struct state_set *set = NULL;

    cr_assert_eq(states_build(states, world.services, world.image, previous,
                              previous ? world.services : NULL, now_s, false, &set),
                 0);
    return set;
}

static uint8_t state_of(const char *name, unsigned family, unsigned pop, int64_t now_s)
{
    struct state_set *set = build(NULL, now_s);
    uint8_t state = set->tables[service(name)->index].states[family][pop];

    state_set_unref(set);
    return state;
}

static uint32_t ttl_of(const struct state_set *set, const char *name)
{
    return set->tables[service(name)->index].ttl;
}

Test(states, nobody_says_anything, .init = setup, .fini = teardown)
{
    cr_expect_eq(state_of("web", MAP_FAMILY_IPV4, FRA, NOW), 0);
    cr_expect_eq(state_of("web", MAP_FAMILY_IPV6, FRA, NOW), 0);
    cr_expect_eq(state_of("web", MAP_FAMILY_IPV6, NYC, NOW), MAP_STATE_ABSENT); /* IPv4 only */
    cr_expect_eq(state_of("v4only", MAP_FAMILY_IPV4, SIN, NOW), MAP_STATE_ABSENT);
    cr_expect_eq(state_of("web", MAP_FAMILY_IPV4, MAP_POP_NONE, NOW), MAP_STATE_ABSENT);
    cr_expect_eq(states_next_s(states), INT64_MAX);
}

Test(states, who_wins, .init = setup, .fini = teardown)
{
    static const struct {
        struct {
            size_t place;
            const char *name;
            const char *state;
        } said[3];
        uint8_t web, pair; /* what fra is then */
    } rows[] = {
        {{{0, "fra", "drain"}}, MAP_STATE_DRAIN, MAP_STATE_DRAIN},
        {{{0, "fra/web", "drain"}}, MAP_STATE_DRAIN, 0},
        /* operator over fleet, whatever is stronger as a state */
        {{{0, "fra", "up"}, {1, "fra", "down"}}, 0, 0},
        {{{1, "fra/web", "down"}, {0, "fra", "up"}}, 0, 0},
        /* within a layer the word about the service beats the one about the PoP */
        {{{0, "fra", "down"}, {0, "fra/web", "up"}}, 0, MAP_STATE_DOWN},
        {{{1, "fra/web", "shed 10"}, {2, "fra", "down"}}, 10, MAP_STATE_DOWN},
        /* of two files the stronger state */
        {{{1, "fra", "shed 10"}, {2, "fra", "drain"}}, MAP_STATE_DRAIN, MAP_STATE_DRAIN},
        {{{2, "fra", "down"}, {1, "fra", "shed 99"}}, MAP_STATE_DOWN, MAP_STATE_DOWN},
        /* a PoP the map does not know waits */
        {{{0, "tyo", "down"}}, 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        states_free(states);
        states = states_new(2);
        for (size_t k = 0; k < 3 && rows[i].said[k].name; k++) {
            say(rows[i].said[k].place, rows[i].said[k].name, rows[i].said[k].state, 0);
        }
        cr_expect_eq(state_of("web", MAP_FAMILY_IPV4, FRA, NOW), rows[i].web, "row %zu", i);
        cr_expect_eq(state_of("web", MAP_FAMILY_IPV6, FRA, NOW), rows[i].web, "row %zu", i);
        cr_expect_eq(state_of("pair", MAP_FAMILY_IPV4, FRA, NOW), rows[i].pair, "row %zu", i);
        cr_expect_eq(state_of("web", MAP_FAMILY_IPV4, SIN, NOW), 0, "row %zu", i);
    }
}

Test(states, find_names_the_winner_and_what_it_overrides, .init = setup, .fini = teardown)
{
    const struct states_entry *found[8];

    say(1, "fra", "down", 0);
    say(2, "fra", "drain", 0);
    say(0, "fra", "shed 5", NOW + 100);
    say(0, "fra/web", "up", NOW + 50);
    say(0, "sin", "down", 0);
    cr_assert_eq(states_find(states, "fra", "web", NOW, found, 8), 4);
    cr_expect_eq(found[0]->state, 0);
    cr_expect_eq(found[1]->state, 5);
    cr_expect_eq(found[2]->state, MAP_STATE_DOWN);
    cr_expect_eq(found[3]->state, MAP_STATE_DRAIN);
    /* the winner is kept when there is room for fewer */
    cr_assert_eq(states_find(states, "fra", "web", NOW, found, 1), 1);
    cr_expect_eq(found[0]->state, 0);
    cr_assert_eq(states_find(states, "fra", "web", NOW + 60, found, 8), 3);
    cr_expect_eq(found[0]->state, 5);
}

Test(states, expiry_ends_a_word_and_is_foreseen, .init = setup, .fini = teardown)
{
    struct state_set *set;

    say(0, "fra", "down", NOW + 100);
    say(0, "sin", "drain", NOW + 200);
    set = build(NULL, NOW);
    cr_expect_eq(states_next_s(states), NOW + 40); /* pair: its ttl of 60 before the first */
    state_set_unref(set);
    cr_expect_eq(state_of("web", MAP_FAMILY_IPV4, FRA, NOW + 99), MAP_STATE_DOWN);
    cr_expect_eq(state_of("web", MAP_FAMILY_IPV4, FRA, NOW + 100), 0);
    cr_expect_not(states_expire(states, NOW + 99));
    cr_expect(states_expire(states, NOW + 100));
    cr_expect_eq(states_source(states, 0)->count, 1);
    cr_expect_str_eq(states_source(states, 0)->entries[0].pop, "sin");
}

Test(states, ttl_is_low_around_a_change, .init = setup, .fini = teardown)
{
    struct state_set *before = build(NULL, NOW);
    struct state_set *after;
    struct state_set *trial = NULL;
    int64_t until_s;

    cr_expect_eq(ttl_of(before, "web"), 30);
    say(0, "fra/web", "drain", 0);
    /* a look at what would be leaves no trace */
    cr_assert_eq(states_build(states, world.services, world.image, before, world.services, NOW,
                              true, &trial),
                 0);
    state_set_unref(trial);
    cr_expect_eq(states_ttl_reason(states, service("web"), NOW, &until_s), STATES_TTL_NORMAL);

    after = build(before, NOW);
    cr_expect_eq(ttl_of(after, "web"), 5);
    cr_expect_eq(ttl_of(after, "pair"), 60, "nothing changed for it");
    cr_expect_eq(states_ttl_reason(states, service("web"), NOW, &until_s), STATES_TTL_RECENT);
    cr_expect_eq(until_s, NOW + 30);
    cr_expect_eq(states_next_s(states), NOW + 30);
    state_set_unref(before);

    before = after;
    after = build(before, NOW + 29);
    cr_expect_eq(ttl_of(after, "web"), 5);
    state_set_unref(after);
    after = build(before, NOW + 30);
    cr_expect_eq(ttl_of(after, "web"), 30);
    cr_expect_eq(states_next_s(states), INT64_MAX);
    state_set_unref(before);
    state_set_unref(after);
}

Test(states, ttl_is_low_before_an_expiry, .init = setup, .fini = teardown)
{
    static const struct {
        int64_t at_s; /* before the expiry */
        uint32_t web; /* ttl 30, ttl_min 5 */
    } rows[] = {{31, 30}, {30, 5}, {1, 5}};

    say(0, "fra/web", "drain", NOW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct state_set *set = build(NULL, NOW - rows[i].at_s);

        cr_expect_eq(ttl_of(set, "web"), rows[i].web, "%lld s before", (long long)rows[i].at_s);
        state_set_unref(set);
    }
}

Test(states, emptied_sees_only_what_becomes_empty, .init = setup, .fini = teardown)
{
    enum map_family family = MAP_FAMILY_IPV4;
    struct state_set *before;
    struct state_set *after;

    say(0, "sin", "drain", 0);
    before = build(NULL, NOW);
    say(0, "fra/web", "down", 0);
    after = build(before, NOW);
    cr_expect_null(states_emptied(world.services, before, after, &family),
                   "IPv6 has the draining sin left, IPv4 also nyc");
    state_set_unref(after);
    say(0, "sin/web", "down", 0);
    after = build(before, NOW);
    cr_expect_str_eq(states_emptied(world.services, before, after, &family)->name, "web");
    cr_expect_eq(family, MAP_FAMILY_IPV6, "nyc still answers IPv4");
    cr_expect_null(states_emptied(world.services, after, after, &family), "it was empty before");
    cr_expect_not_null(states_emptied(world.services, NULL, after, &family));
    state_set_unref(before);
    state_set_unref(after);
}

Test(states, the_last_word_about_a_pop_counts)
{
    static const struct {
        const char *name;
        bool clear;
        size_t left;
    } rows[] = {
        {"fra/web", false, 1}, {"fra/pair", false, 2}, {"sin", false, 3},    {"fra/web", false, 3},
        {"fra", false, 2},     {"fra/web", false, 3},  {"fra/web", true, 2}, {"fra/none", true, 2},
        {"fra", true, 1},      {"sin", true, 0},
    };
    struct states_source source = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct states_entry entry = {0};
        struct states_source changed = {0};

        cr_assert_eq(states_name_parse(rows[i].name, &entry), 0);
        cr_assert_eq(states_change_operator(&source, &entry, rows[i].clear, &changed), 0);
        cr_expect_eq(changed.count, rows[i].left, "row %zu: %zu", i, changed.count);
        states_source_done(&source);
        source = changed;
    }
    states_source_done(&source);
}

Test(states_file, operator_states_survive_being_written)
{
    char path[] = "/tmp/statesXXXXXX";
    int fd = mkstemp(path);
    struct states_entry entry = {.set_s = NOW, .expires_s = NOW + 5, .state = MAP_STATE_DRAIN};
    struct states_source source = {0};
    struct states_source back = {0};
    struct failure failure = {{0}};

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(states_name_parse("fra/web", &entry), 0);
    snprintf(entry.reason, sizeof(entry.reason), "a \"quoted\" reason\nof two lines");
    snprintf(entry.owner, sizeof(entry.owner), "alice");
    cr_assert_eq(states_source_add(&source, &entry), 0);
    cr_assert_eq(states_operator_save(path, &source, &failure), 0, "%s", failure.text);
    cr_assert_eq(states_operator_load(path, &back, &failure), 0, "%s", failure.text);
    cr_assert_eq(back.count, 1);
    cr_expect_eq(memcmp(&back.entries[0], &entry, sizeof(entry)), 0);
    states_source_done(&back);
    unlink(path);
    cr_expect_eq(states_operator_load(path, &back, &failure), 0, "a missing file is an empty one");
    cr_expect_eq(back.count, 0);
    states_source_done(&source);
}

Test(states_file, broken_operator_states_are_refused)
{
    static const char *const rows[] = {
        "",
        "{",
        "[]",
        "{\"version\": 2, \"operator\": []}",
        "{\"version\": 1}",
        "{\"version\": 1, \"operator\": [{}]}",
        ("{\"version\": 1, \"operator\": [{\"pop\": \"fra\", \"service\": \"\", \"state\": "
         "\"sideways\", \"reason\": \"\", \"owner\": \"\", \"set\": 1, \"expires\": 0}]}"),
        ("{\"version\": 1, \"operator\": [{\"pop\": \"\", \"service\": \"\", \"state\": \"up\","
         " \"reason\": \"\", \"owner\": \"\", \"set\": 1, \"expires\": 0}]}"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[] = "/tmp/statesXXXXXX";
        int fd = mkstemp(path);
        struct states_source back = {0};
        struct failure failure = {{0}};

        cr_assert_geq(fd, 0);
        cr_assert_eq(write(fd, rows[i], strlen(rows[i])), (ssize_t)strlen(rows[i]));
        close(fd);
        cr_expect_lt(states_operator_load(path, &back, &failure), 0, "row %zu", i);
        cr_expect(strncmp(failure.text, path, strlen(path)) == 0, "'%s'", failure.text);
        cr_expect_eq(back.count, 0);
        unlink(path);
    }
}

Test(states_file, fleet_files)
{
    static const struct {
        const char *text;
        int count;         /* -1: refused */
        const char *fault; /* part of it */
        bool force;
    } rows[] = {
        {"pops: {}\n", 0, "", false},
        {"pops: {fra: drain, sin/web: shed 5}\nforce: true\n", 2, "", true},
        {"pops:\n  fra: {state: down, reason: r, owner: o, expires: '2026-11-23T10:00:00Z'}\n", 1,
         "", false},
        {"", -1, "f.yaml:1:1: 'pops' is missing", false}, /* a cut file is not "all up" */
        {"pops: [fra]\n", -1, "f.yaml:1:7:", false},
        {"pops: {fra: sideways}\n", -1, "f.yaml:1:13: 'sideways' is no state", false},
        {"pops: {fra: {reason: r}}\n", -1, "'state' is missing", false},
        {"pops: {fra: {state: up, expires: soon}}\n", -1, "f.yaml:1:34: 'soon'", false},
        {"pops: {fra/: up}\n", -1, "no PoP or PoP/service", false},
        {"pops: {}\npop: {}\n", -1, "f.yaml:2:", false},
        {"pops: {}\nforce: maybe\n", -1, "f.yaml:2:8:", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct states_source source = {0};
        struct failure failure = {{0}};
        bool force = false;
        int code = states_fleet_parse("f.yaml", (const uint8_t *)rows[i].text, strlen(rows[i].text),
                                      NOW, &source, &force, &failure);

        cr_expect_eq(code < 0, rows[i].count < 0, "row %zu: %s", i, failure.text);
        cr_expect_not_null(strstr(failure.text, rows[i].fault), "row %zu: '%s'", i, failure.text);
        if (code == 0) {
            cr_expect_eq((int)source.count, rows[i].count, "row %zu", i);
            cr_expect_eq(force, rows[i].force, "row %zu", i);
        }
        if (i == 2) {
            cr_expect_eq(source.entries[0].expires_s, 1795428000);
            cr_expect_eq(source.entries[0].set_s, NOW);
            cr_expect_str_eq(source.entries[0].owner, "o");
        }
        states_source_done(&source);
    }
}
