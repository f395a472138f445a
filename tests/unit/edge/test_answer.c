/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the golden table cannot say: limits, tracing, what a scratch keeps, hostile bytes.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/answer/answer.h"
#include "edge/answer/snapshot.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_denial.h"
#include "edge/zone/zone_loader.h"
#include "edge/zone/zone_set.h"
#include "world.h"

#define GOLDEN TEST_SOURCE_DIR "/tests/golden"

static struct world world;
static struct answer_scratch *scratch;
static uint8_t response[ANSWER_RESPONSE_MAX];
static struct answer_outcome outcome;

static void setup(void)
{
    world_open(&world, GOLDEN);
    scratch = answer_scratch_new();
}

static void teardown(void)
{
    answer_scratch_free(scratch);
    world_close(&world);
}

/* A query; `edns` 0: without EDNS. `ecs` is the data of a client subnet option. */
static size_t make(uint8_t *query, const char *name, uint16_t type, uint16_t edns, const char *ecs,
                   size_t ecs_len)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    size_t len = WIRE_HEADER_LEN;

    cr_assert_eq(name_from_text(name, wire), 0);
    memset(query, 0, WIRE_HEADER_LEN);
    wire_put_u16(query, 77);
    query[5] = 1;
    memcpy(query + len, wire, name_len(wire));
    len += name_len(wire);
    wire_put_u16(query + len, type);
    wire_put_u16(query + len + 2, WIRE_CLASS_IN);
    len += 4;
    if (edns) {
        memset(query + len, 0, 11);
        query[11] = 1;
        wire_put_u16(query + len + 1, WIRE_TYPE_OPT);
        wire_put_u16(query + len + 3, edns);
        if (ecs) {
            wire_put_u16(query + len + 9, (uint16_t)(4 + ecs_len));
            wire_put_u16(query + len + 11, 8);
            wire_put_u16(query + len + 13, (uint16_t)ecs_len);
            memcpy(query + len + 15, ecs, ecs_len);
            len += 4 + ecs_len;
        }
        len += 11;
    }
    return len;
}

static size_t ask(const uint8_t *query, size_t len, enum answer_transport transport, size_t max)
{
    struct answer_request request = {.query = query,
                                     .query_len = len,
                                     .client = {ADDRESS_IPV4, {127, 0, 0, 1}},
                                     .transport = transport};

    return answer(scratch, world.snapshot, &request, response, max, &outcome);
}

/* Appends a TSIG record whose key and algorithm have names of `name_len` bytes. */
static size_t add_tsig(uint8_t *query, size_t len, size_t name_len)
{
    uint8_t name[NAME_LEN_MAX];
    size_t at = 0;

    while (at + 1 < name_len) {
        size_t label = name_len - at - 2 < 63 ? name_len - at - 2 : 63;

        name[at] = (uint8_t)label;
        memset(name + at + 1, 'k', label);
        at += label + 1;
    }
    name[at] = 0;
    query[11]++;
    memcpy(query + len, name, name_len);
    len += name_len;
    wire_put_u16(query + len, WIRE_TYPE_TSIG);
    wire_put_u16(query + len + 2, WIRE_CLASS_ANY);
    memset(query + len + 4, 0, 4);
    wire_put_u16(query + len + 8, (uint16_t)(name_len + 16));
    memcpy(query + len + 10, name, name_len);
    memset(query + len + 10 + name_len, 0, 16);
    return len + 10 + name_len + 16;
}

Test(answer, tsig_has_room_or_there_is_tc, .init = setup, .fini = teardown)
{
    static const struct {
        size_t name_len;
        enum answer_transport transport;
        uint16_t edns;
        bool truncated;
    } rows[] = {
        {5, ANSWER_UDP, 0, false},     {226, ANSWER_UDP, 0, false},   {227, ANSWER_UDP, 0, true},
        {220, ANSWER_UDP, 512, false}, {221, ANSWER_UDP, 512, true},  {255, ANSWER_UDP, 512, true},
        {255, ANSWER_UDP, 600, false}, {255, ANSWER_TCP, 512, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t query[1024];
        size_t len = make(query, "mail.example.com.", 1, rows[i].edns, NULL, 0);
        size_t opt = rows[i].edns ? 1 : 0;

        len = ask(query, add_tsig(query, len, rows[i].name_len), rows[i].transport, 65535);
        cr_expect_eq(outcome.kind, ANSWER_NOTAUTH, "row %zu", i);
        cr_expect_eq(outcome.truncated, rows[i].truncated, "row %zu", i);
        cr_expect_eq(wire_get_u16(response + 10), opt + !rows[i].truncated, "row %zu", i);
        cr_expect_leq(len, rows[i].edns > 512                ? rows[i].edns
                           : rows[i].transport == ANSWER_UDP ? 512
                                                             : 65535);
    }
}

Test(answer, sizes, .init = setup, .fini = teardown)
{
    static const struct {
        const char *name;
        uint16_t type, edns;
        enum answer_transport transport;
        size_t max;
        bool truncated;
        size_t at_most;
        const char *why;
    } rows[] = {
        {"big.example.com.", 1, 0, ANSWER_UDP, 65535, true, 512, "512 without EDNS"},
        {"big.example.com.", 1, 100, ANSWER_UDP, 65535, true, 512, "never below 512"},
        {"big.example.com.", 1, 1003, ANSWER_UDP, 65535, true, 1003, "one byte too few"},
        {"big.example.com.", 1, 1004, ANSWER_UDP, 65535, false, 1004, "just enough"},
        {"huge.example.com.", 28, 65535, ANSWER_UDP, 65535, true, 1232, "never above 1232"},
        {"huge.example.com.", 28, 65535, ANSWER_TCP, 65535, false, 65535, "TCP has room"},
        {"huge.example.com.", 28, 0, ANSWER_TCP, 65535, false, 65535, "TCP without EDNS too"},
        {"huge.example.com.", 28, 4096, ANSWER_TCP, 600, true, 600, "the caller's buffer"},
        {"mail.example.com.", 1, 4096, ANSWER_UDP, 512, false, 512, "a small buffer is enough"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t query[512];
        size_t len = make(query, rows[i].name, rows[i].type, rows[i].edns, NULL, 0);
        size_t answered;

        memset(response, 0xee, sizeof(response));
        answered = ask(query, len, rows[i].transport, rows[i].max);
        cr_expect_eq(outcome.truncated, rows[i].truncated, "%s", rows[i].why);
        cr_expect_eq((response[2] & 2) != 0, rows[i].truncated, "%s", rows[i].why);
        cr_expect_leq(answered, rows[i].at_most, "%s: %zu", rows[i].why, answered);
        cr_expect_eq(response[rows[i].at_most < 65535 ? rows[i].at_most : 65534], 0xee,
                     "%s: written past the limit", rows[i].why);
        cr_expect_eq(wire_get_u16(response + 10), rows[i].edns ? 1 : 0, "%s: OPT is kept",
                     rows[i].why);
        cr_expect(!rows[i].truncated || wire_get_u16(response + 6) == 0, "%s: no part of a set",
                  rows[i].why);
    }
}

Test(answer, trace_tells_what_was_chosen_and_forgets, .init = setup, .fini = teardown)
{
    struct answer_trace trace;
    uint8_t query[512];
    size_t len = make(query, "alias.example.com.", WIRE_TYPE_AAAA, 1232, "\0\1\30\0\306\63\144", 7);

    memset(&trace, 0xa5, sizeof(trace));
    answer_scratch_trace(scratch, &trace);
    ask(query, len, ANSWER_UDP, 1232);
    cr_expect_eq(outcome.kind, ANSWER_GEO);
    cr_assert(trace.geo);
    cr_expect_eq(trace.service, services_find(world.services, "web"));
    cr_expect_eq(trace.family, MAP_FAMILY_IPV6);
    cr_expect_eq(trace.verdict.scope, 25);
    cr_expect_eq(trace.verdict.basis, MAP_BASIS_ECS);
    cr_expect_eq(trace.picks.count, 1);
    cr_expect_eq(trace.picks.pop[0], 0);
    cr_expect_eq(trace.ttl, 30);

    len = make(query, "mail.example.com.", WIRE_TYPE_A, 0, NULL, 0);
    ask(query, len, ANSWER_UDP, 1232);
    cr_expect_not(trace.geo);

    answer_scratch_trace(scratch, NULL);
    trace.geo = true;
    len = make(query, "www.example.com.", WIRE_TYPE_A, 0, NULL, 0);
    ask(query, len, ANSWER_UDP, 1232);
    cr_expect(trace.geo, "tracing is off");
}

Test(answer, ttl_is_the_published_one, .init = setup, .fini = teardown)
{
    uint8_t query[512];
    size_t len = make(query, "www.example.com.", WIRE_TYPE_A, 0, NULL, 0);
    uint32_t index = services_find(world.services, "web")->index;

    world.states->tables[index].ttl = 7;
    cr_assert_eq(ask(query, len, ANSWER_UDP, 1232), len + 16);
    cr_expect_eq(wire_get_u32(response + len + 6), 7);
}

Test(answer, states_move_clients_but_not_scopes, .init = setup, .fini = teardown)
{
    uint8_t query[512];
    size_t len = make(query, "www.example.com.", WIRE_TYPE_A, 1232, "\0\1\31\0\306\63\144\0", 8);
    struct state_table *table = &world.states->tables[services_find(world.services, "web")->index];
    static const struct {
        uint8_t fra, sin, nyc;
        uint8_t last_octet; /* of the first address */
        enum answer_kind kind;
    } rows[] = {
        {0, 0, 0, 10, ANSWER_GEO},
        {MAP_STATE_DOWN, 0, 0, 20, ANSWER_GEO},
        {MAP_STATE_DRAIN, MAP_STATE_DOWN, 0, 30, ANSWER_GEO},
        {MAP_STATE_DRAIN, MAP_STATE_DOWN, MAP_STATE_DOWN, 10, ANSWER_GEO},
        {100, MAP_STATE_DOWN, MAP_STATE_DRAIN, 10, ANSWER_GEO},
        {MAP_STATE_DOWN, MAP_STATE_DOWN, MAP_STATE_DOWN, 80, ANSWER_GEO_EMPTY},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t answered, question_len = len - 12 - 11 - 12;

        table->states[MAP_FAMILY_IPV4][0] = rows[i].fra;
        table->states[MAP_FAMILY_IPV4][1] = rows[i].sin;
        table->states[MAP_FAMILY_IPV4][2] = rows[i].nyc;
        answered = ask(query, len, ANSWER_UDP, 1232);
        cr_expect_eq(outcome.kind, rows[i].kind, "row %zu", i);
        cr_expect_eq(response[12 + question_len + 15], rows[i].last_octet, "row %zu", i);
        cr_expect_eq(response[answered - 5], 25, "row %zu: scope %u", i, response[answered - 5]);
    }
}

Test(answer, age_is_told_when_the_time_is_known, .init = setup, .fini = teardown)
{
    uint8_t query[512];
    size_t len = make(query, "generation.isochrone.", WIRE_TYPE_TXT, 0, NULL, 0);
    struct answer_request request = {.query = query, .client = {ADDRESS_IPV4, {127, 0, 0, 1}}};
    size_t answered;

    query[len - 1] = WIRE_CLASS_CH;
    request.query_len = len;
    answered = answer(scratch, world.snapshot, &request, response, sizeof(response), &outcome);
    cr_expect_eq(outcome.kind, ANSWER_CHAOS);
    cr_expect_not_null(memmem(response, answered, "\16map=1763790000", 15));
    cr_expect_not_null(memmem(response, answered, "\27config=0123456789abcdef", 24));
    cr_expect_not_null(memmem(response, answered, "\12sequence=3", 11));
    cr_expect_not_null(memmem(response, answered, "\24published=1763790100", 21));
    cr_expect_not_null(memmem(response, answered, services_digest(world.services), 16));
    cr_expect_null(memmem(response, answered, "age=", 4));
    request.now_wall_s = 1763790142;
    answered = answer(scratch, world.snapshot, &request, response, sizeof(response), &outcome);
    cr_expect_not_null(memmem(response, answered, "\6age=42", 7));
}

/* The response to a query must not depend on what was asked before. */
Test(answer, nothing_is_left_from_the_query_before, .init = setup, .fini = teardown)
{
    static const struct {
        const char *name;
        uint16_t type, edns;
        const char *ecs;
        size_t ecs_len;
    } rows[] = {
        {"alias2.example.com.", 1, 1232, "\0\1\30\0\306\63\144", 7},
        {"mail.example.com.", 1, 0, NULL, 0},
        {"a.b.c.d.e.f.nowhere.example.com.", 28, 4096, NULL, 0},
        {"x.bigcut.example.com.", 1, 0, NULL, 0},
        {"www.dname.example.com.", 1, 1232, "\0\2\0\0", 4},
        {"other.example.com.", 15, 1232, NULL, 0},
        {"example.org.", 1, 1232, "\0\1\0\0", 4},
    };
    enum { N = sizeof(rows) / sizeof(rows[0]) };
    uint8_t alone[N][2048];
    size_t alone_len[N];
    uint8_t query[512];

    for (size_t i = 0; i < N; i++) {
        struct answer_scratch *kept = scratch;
        size_t len =
            make(query, rows[i].name, rows[i].type, rows[i].edns, rows[i].ecs, rows[i].ecs_len);

        scratch = answer_scratch_new();
        alone_len[i] = ask(query, len, ANSWER_UDP, 2048);
        memcpy(alone[i], response, alone_len[i]);
        answer_scratch_free(scratch);
        scratch = kept;
    }
    for (size_t i = 0; i < (size_t)N * N; i++) {
        size_t k = i % 2 ? i / N : i % N;
        size_t len =
            make(query, rows[k].name, rows[k].type, rows[k].edns, rows[k].ecs, rows[k].ecs_len);

        cr_assert_eq(ask(query, len, ANSWER_UDP, 2048), alone_len[k], "%s", rows[k].name);
        cr_assert_arr_eq(response, alone[k], alone_len[k], "%s", rows[k].name);
    }
}

/* A zone that was signed after its services were loaded: an address per client would be bogus. */
Test(answer, a_signed_zone_hears_no_service, .init = setup, .fini = teardown)
{
    static const char text[] =
        "@ 300 SOA ns h 1 2 3 4 5\n@ 300 NS ns\n@ 300 DNSKEY 257 3 13 AAAA\n"
        "@ 300 NSEC www NS SOA RRSIG NSEC DNSKEY\nwww 300 A 192.0.2.99\nwww 300 NSEC @ A NSEC\n"
        "@ 300 RRSIG SOA 13 2 300 20900101000000 20260101000000 1 example.com. AAAA\n";
    uint8_t query[512], origin[NAME_LEN_MAX + NAME_SLACK + 1];
    size_t len = make(query, "www.example.com.", WIRE_TYPE_A, 1232, NULL, 0);
    struct zone_set *zones = zone_set_new();
    struct failure failure;
    struct zone *zone;

    ask(query, len, ANSWER_UDP, sizeof(response));
    cr_expect_eq(outcome.kind, ANSWER_GEO);
    name_from_text("example.com.", origin);
    cr_assert_eq(zone_load_bytes("z", text, sizeof(text) - 1, origin, &zone, NULL, &failure), 0,
                 "%s", failure.text);
    cr_assert_eq(zone_set_add(zones, origin, zone), 0);
    cr_assert_eq(zone_set_finish(zones), 0);
    snapshot_free(world.snapshot);
    world.snapshot = snapshot_new(zones, world.services, world.image, world.states,
                                  &(struct snapshot_info){.identity = "x"});
    len = ask(query, len, ANSWER_UDP, sizeof(response));
    cr_expect_eq(outcome.kind, ANSWER_POSITIVE);
    cr_expect(memmem(response, len, "\300\0\2\143", 4));
    zone_unref(zone);
    zone_set_unref(zones);
}

Test(answer, kinds_have_names)
{
    for (int kind = 0; kind < ANSWER_KINDS; kind++) {
        cr_expect_not_null(answer_kind_name((enum answer_kind)kind), "%d", kind);
        for (int other = 0; other < kind; other++) {
            cr_expect_str_neq(answer_kind_name((enum answer_kind)kind),
                              answer_kind_name((enum answer_kind)other));
        }
    }
}

/* What the server says of the name, with DO, when the record that covers `made_up` has its hash. */
static enum answer_kind ask_collided(const char *asked, const char *made_up)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    uint8_t hash[NSEC3_HASH_LEN], kept[NSEC3_HASH_LEN], query[512];
    size_t len = make(query, asked, 1, 1232, NULL, 0);
    const struct zone *zone;
    uint8_t *stored;
    bool known, match;

    cr_assert_eq(name_from_text("hashed.example.", wire), 0);
    zone = zone_set_find(world.zones, wire, &known);
    cr_assert_eq(name_from_text(made_up, wire), 0);
    stored = (uint8_t *)zone_denial_nsec3(zone, wire, name_len(wire), &match)->hash;
    cr_assert(!match);
    nsec3_hash(&zone->denial->params, wire, name_len(wire), hash);
    memcpy(kept, stored, sizeof(kept));
    memcpy(stored, hash, sizeof(hash)); /* still between its neighbours */
    ask(query, len, ANSWER_UDP, 65535);
    cr_expect_eq(outcome.kind, ANSWER_NXDOMAIN, "without DO nothing is to be proved");
    query[len - 4] = 0x80;
    ask(query, len, ANSWER_UDP, 65535);
    memcpy(stored, kept, sizeof(kept));
    return outcome.kind;
}

/* RFC 5155 section 7.2.9, with a hash that is made to collide: nobody can find a name that does. */
Test(answer, hashes_that_collide_fail, .init = setup, .fini = teardown)
{
    static const char *const collide[] = {"x.www.hashed.example.", "*.www.hashed.example."};

    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(ask_collided("x.www.hashed.example.", collide[i]), ANSWER_SERVFAIL, "%s",
                     collide[i]);
        cr_expect_eq(wire_get_u16(response + 2), WIRE_FLAG_QR | WIRE_RCODE_SERVFAIL);
        cr_expect_arr_eq(response + 4, "\0\1\0\0\0\0\0\1", 8, "the question, and OPT");
        cr_expect_eq(ask_collided("nowhere.hashed.example.", "a.hashed.example."), ANSWER_NXDOMAIN,
                     "and the next query is not the worse for it");
    }
}

/* Below an empty name that Opt-Out left without a record the wildcard of the origin, should there
 * be one, is no collision. */
Test(answer, a_wildcard_above_optout_is_no_collision, .init = setup, .fini = teardown)
{
    cr_expect_eq(ask_collided("x.optent.hashed.example.", "*.hashed.example."), ANSWER_NXDOMAIN);
    cr_expect_eq(wire_get_u16(response + 2), WIRE_FLAG_QR | WIRE_FLAG_AA | WIRE_RCODE_NXDOMAIN);
    cr_expect_geq(wire_get_u16(response + 8), 6, "SOA and proofs with their signatures");
}
