/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/answer/geo_answer.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "world.h"

#define GOLDEN TEST_SOURCE_DIR "/tests/golden"

static struct world world;

static void setup(void)
{
    world_open(&world, GOLDEN);
}

static void teardown(void)
{
    world_close(&world);
}

static void edns_with(struct edns *ret_edns, const char *address, unsigned source)
{
    struct address parsed;

    memset(ret_edns, 0, sizeof(*ret_edns));
    if (!address) {
        return;
    }
    cr_assert_eq(address_parse(address, &parsed), 0);
    ret_edns->present = true;
    ret_edns->has_ecs = true;
    ret_edns->ecs.family = parsed.family == ADDRESS_IPV4 ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6;
    ret_edns->ecs.source = (uint8_t)source;
    ret_edns->ecs.address_len = (uint8_t)((source + 7) / 8);
    memcpy(ret_edns->ecs.address, parsed.bytes, ret_edns->ecs.address_len);
}

Test(geo_answer, which_address_counts, .init = setup, .fini = teardown)
{
    static const struct {
        const char *ecs;
        unsigned source_len;
        const char *client; /* NULL: unknown */
        unsigned basis, scope;
        int pop; /* first pick */
        const char *why;
    } rows[] = {
        {"198.51.100.0", 24, "192.0.2.1", MAP_BASIS_ECS, 25, 0, "ECS before the resolver"},
        {NULL, 0, "192.0.2.1", MAP_BASIS_RESOLVER, 0, 1, "a listed resolver"},
        {NULL, 0, "198.51.100.1", MAP_BASIS_SOURCE, 0, 0, "an unlisted one as a client"},
        {NULL, 0, "::ffff:192.0.2.1", MAP_BASIS_RESOLVER, 0, 1, "a v4-mapped source"},
        {"0.0.0.0", 0, "192.0.2.1", MAP_BASIS_RESOLVER, 0, 1, "SOURCE 0"},
        {"10.0.0.0", 8, "192.0.2.1", MAP_BASIS_RESOLVER, 8, 1, "a special-purpose client"},
        {"10.0.0.0", 8, "10.9.9.9", MAP_BASIS_DEFAULT, 8, 0, "and a special-purpose resolver"},
        {NULL, 0, NULL, MAP_BASIS_DEFAULT, 0, 0, "nobody known: the map's default"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct service *service = services_find(world.services, "web");
        struct address client = {ADDRESS_NONE, {0}};
        struct map_client who;
        struct geo_choice choice;
        struct edns edns;

        edns_with(&edns, rows[i].ecs, rows[i].source_len);
        cr_assert(!rows[i].client || address_parse(rows[i].client, &client) == 0);
        geo_client(&edns, &client, &who);
        choice.client = who;
        geo_choose(world.snapshot, service, MAP_FAMILY_IPV4, &choice);
        cr_expect_eq(choice.verdict.basis, rows[i].basis, "%s", rows[i].why);
        cr_expect_eq(choice.verdict.scope, rows[i].scope, "%s", rows[i].why);
        cr_expect_eq(choice.picks.pop[0], rows[i].pop, "%s", rows[i].why);
        cr_expect_eq(choice.ttl, 30, "%s", rows[i].why);
    }
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*state >> 33);
}

/* Invariant: two clients inside a returned scope get the same PoPs, whatever the states are, and
 * the scope does not depend on the states. */
Test(geo_answer, scope_is_a_promise, .init = setup, .fini = teardown)
{
    static const uint8_t possible[] = {0, 0, 30, 100, MAP_STATE_DRAIN, MAP_STATE_DOWN};
    const struct service *service = services_find(world.services, "pair");
    struct address resolver = {ADDRESS_IPV4, {192, 0, 2, 1}};
    uint64_t seed = 7;

    for (int i = 0; i < 20000; i++) {
        struct state_table *table = &world.states->tables[service->index];
        struct edns a = {0}, b = {0};
        struct map_client client;
        struct geo_choice first, second, before;
        uint32_t address = next_random(&seed) << 1 | (next_random(&seed) & 1), mask;

        if (i % 2) { /* near the measured blocks */
            address = 0xc6336400 | (address & 0x3ff);
        }
        a.has_ecs = b.has_ecs = true;
        a.ecs.family = b.ecs.family = ECS_FAMILY_IPV4;
        a.ecs.source = b.ecs.source = 32;
        for (int k = 0; k < 4; k++) {
            a.ecs.address[k] = (uint8_t)(address >> (24 - 8 * k));
        }
        geo_client(&a, &resolver, &client);
        before.client = client;
        geo_choose(world.snapshot, service, MAP_FAMILY_IPV4, &before);
        for (int pop = 0; pop < 3; pop++) {
            table->states[MAP_FAMILY_IPV4][pop] = possible[next_random(&seed) % 6];
        }
        first.client = client;
        geo_choose(world.snapshot, service, MAP_FAMILY_IPV4, &first);
        cr_assert_eq(first.verdict.scope, before.verdict.scope, "the scope moved with the states");
        mask = first.verdict.scope ? ~UINT32_C(0) << (32 - first.verdict.scope) : 0;
        address = (address & mask) | (next_random(&seed) & ~mask);
        for (int k = 0; k < 4; k++) {
            b.ecs.address[k] = (uint8_t)(address >> (24 - 8 * k));
        }
        geo_client(&b, &resolver, &client);
        second.client = client;
        geo_choose(world.snapshot, service, MAP_FAMILY_IPV4, &second);
        cr_assert_eq(second.verdict.scope, first.verdict.scope);
        cr_assert_arr_eq(&second.picks, &first.picks, sizeof(first.picks));
    }
}
