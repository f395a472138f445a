/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/infer.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

/* A world made by hand: one city, ASes of several /24 each, three PoPs. */
struct world {
    struct config config;
    struct geo geo;
    struct asn_table asn;
    struct cells *cells;
    struct cell_table table;
    struct infer *infer;
    uint32_t as_number[64];
};

static void world_open(struct world *world)
{
    const struct place delhi = place_at(28.6, 77.2, "IN", 2);
    struct map_key start = {UINT64_C(0x10000000) << 32, 0};

    memset(world, 0, sizeof(*world));
    world->config =
        (struct config){.pops = {{"dxb", 25.2, 55.3}, {"sin", 1.35, 103.8}, {"fra", 50.1, 8.7}},
                        .pop_n = 3,
                        .maps = {{.name = "web", .pops = {0, 1, 2}, .pop_n = 3}},
                        .map_n = 1};
    cr_assert_eq(geo_intern(&world->geo, &delhi), 0);
    cr_assert_eq(steps_append(&world->geo.places[0], start, 0), 0);
    world->asn.asn = world->as_number;
    for (uint32_t i = 0; i < 64; i++) { /* 16.<i>.0.0/16 is AS 100 + i */
        world->as_number[i] = 100 + i;
        cr_assert_eq(steps_append(&world->asn.networks[0], start, i), 0);
        start.hi += UINT64_C(1) << 48;
    }
    world->cells = cells_new();
}

static void world_measure(struct world *world, unsigned as, unsigned block, uint8_t pop,
                          double rtt_ms, uint32_t count)
{
    const struct block client = {.hi = (uint64_t)(0x10000000u | as << 16 | block << 8) << 32,
                                 .family = MAP_FAMILY_IPV4,
                                 .len = 24};

    cr_assert_eq(sketch_add(&cells_get(world->cells, &client, pop)->sketch, rtt_ms, count), 0);
}

static void world_fit(struct world *world)
{
    cr_assert_eq(cells_finish(world->cells, &world->table), 0);
    cr_assert_eq(infer_fit(&world->config, &world->geo, &world->asn, &world->table, &world->infer),
                 0);
}

static void world_close(struct world *world)
{
    infer_free(world->infer);
    cell_table_done(&world->table);
    steps_done(&world->geo.places[0]);
    steps_done(&world->asn.networks[0]);
    world->asn.asn = NULL;
    geo_done(&world->geo);
}

static enum map_source estimate_at(const struct world *world, uint32_t address,
                                   struct infer_estimate *estimates)
{
    const struct map_key key = {(uint64_t)address << 32, 0};
    struct infer_site site = infer_site_at(world->infer, MAP_FAMILY_IPV4, key);

    return infer_from_site(world->infer, &site, estimates);
}

Test(infer, without_measurements_geography_speaks)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    struct world world;

    world_open(&world);
    world_fit(&world);
    cr_assert_eq(estimate_at(&world, 0x10050001, estimates), MAP_SOURCE_GEO);
    cr_assert_lt(estimates[0].rtt_ms, estimates[1].rtt_ms); /* Dubai is nearer to Delhi */
    cr_assert_lt(estimates[1].rtt_ms, estimates[2].rtt_ms);
    cr_assert_float_eq(estimates[0].rtt_ms, 26.3 + 0.0171 * 2190, 1);
    cr_assert_eq(estimate_at(&world, 0x01000001, estimates), MAP_SOURCE_DEFAULT);
    world_close(&world);
}

Test(infer, many_samples_speak_for_themselves_and_few_follow_their_as)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    struct world world;

    world_open(&world);
    for (unsigned block = 0; block < 30; block++) {
        world_measure(&world, 5, block, 0, 240, 50);
        world_measure(&world, 5, block, 1, 41, 50);
    }
    world_measure(&world, 5, 40, 0, 45, 1);   /* one odd sample in the same AS */
    world_measure(&world, 5, 41, 0, 30, 500); /* and a network that is truly different */
    world_measure(&world, 5, 41, 1, 90, 500);
    world_fit(&world);
    cr_assert_eq(infer_from_block(world.infer, 0, estimates), MAP_SOURCE_MEASURED);
    cr_assert_float_eq(estimates[0].rtt_ms, 240, 12);
    cr_assert_float_eq(estimates[1].rtt_ms, 41, 3);
    cr_assert_eq(estimates[1].samples, 50);
    cr_assert_eq(estimates[1].source, MAP_SOURCE_MEASURED);
    cr_assert_eq(infer_block_asn(world.infer, 0), 105);
    (void)infer_from_block(world.infer, 30, estimates);
    cr_assert_lt(estimates[1].rtt_ms, estimates[0].rtt_ms, "one sample outweighs its AS");
    cr_assert_eq(estimates[1].samples, 0);
    cr_assert_eq(estimates[1].source, MAP_SOURCE_INFERRED);
    (void)infer_from_block(world.infer, 31, estimates);
    cr_assert_float_eq(estimates[0].rtt_ms, 30, 4);
    cr_assert_lt(estimates[0].rtt_ms, estimates[1].rtt_ms);
    world_close(&world);
}

Test(infer, a_network_nobody_measured_follows_its_as_and_then_its_country)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    struct world world;

    world_open(&world);
    for (unsigned as = 0; as < 12; as++) {
        bool odd = as == 3; /* one AS has a good path to Dubai, the country has not */

        for (unsigned block = 0; block < 10; block++) {
            world_measure(&world, as, block, 0, odd ? 35 : 240, 20);
            world_measure(&world, as, block, 1, odd ? 80 : 41, 20);
        }
    }
    world_fit(&world);
    cr_assert_eq(estimate_at(&world, 0x1003c801, estimates), MAP_SOURCE_INFERRED);
    cr_assert_lt(estimates[0].rtt_ms, estimates[1].rtt_ms);
    cr_assert_eq(estimate_at(&world, 0x1005c801, estimates), MAP_SOURCE_INFERRED);
    cr_assert_lt(estimates[1].rtt_ms, estimates[0].rtt_ms);
    /* an AS without a single row */
    cr_assert_eq(estimate_at(&world, 0x10200001, estimates), MAP_SOURCE_INFERRED);
    cr_assert_lt(estimates[1].rtt_ms, estimates[0].rtt_ms);
    world_close(&world);
}

Test(infer, a_slow_last_mile_does_not_count_against_the_only_measured_pop)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    struct world world;

    world_open(&world);
    for (unsigned block = 0; block < 40; block++) {
        world_measure(&world, 5, block, 0, 60, 30);
        world_measure(&world, 5, block, 1, 70, 30);
        world_measure(&world, 5, block, 2, 130, 30);
    }
    world_measure(&world, 5, 50, 0, 160, 100); /* the same paths behind 100 ms of radio */
    world_fit(&world);
    (void)infer_from_block(world.infer, 40, estimates);
    cr_assert_float_eq(estimates[0].rtt_ms, 160, 5);
    cr_assert_lt(estimates[0].rtt_ms, estimates[1].rtt_ms);
    cr_assert_lt(estimates[1].rtt_ms, estimates[2].rtt_ms);
    world_close(&world);
}

Test(infer, no_guess_is_faster_than_light)
{
    struct infer_estimate estimates[MAP_MAX_POPS];
    struct world world;

    world_open(&world);
    for (unsigned block = 0; block < 40; block++) {
        world_measure(&world, 5, block, 0, 1, 30); /* the database is wrong about the place */
        world_measure(&world, 5, block, 2, 1, 30);
    }
    world_fit(&world);
    (void)estimate_at(&world, 0x1005c801, estimates);
    for (int pop = 0; pop < 3; pop++) {
        const struct geo_point delhi = geo_point_at(28.6, 77.2);
        const struct geo_point there =
            geo_point_at(world.config.pops[pop].latitude, world.config.pops[pop].longitude);

        cr_assert_geq(estimates[pop].rtt_ms, 0.0099 * geo_distance_km(&delhi, &there));
    }
    (void)infer_from_block(world.infer, 0, estimates);
    cr_assert_lt(estimates[0].rtt_ms, 10); /* what was measured stands */
    world_close(&world);
}

Test(infer, reduced_sites_have_the_same_estimates)
{
    struct infer_estimate full[MAP_MAX_POPS];
    struct infer_estimate reduced[MAP_MAX_POPS];
    struct world world;

    world_open(&world);
    for (unsigned as = 0; as < 12; as += 2) {
        world_measure(&world, as, 1, 0, 40 + 10 * as, 20);
        world_measure(&world, as, 2, 1, 90 - 3 * as, 20);
    }
    world_fit(&world);
    for (uint32_t as = 0; as < 14; as++) {
        const struct map_key key = {(uint64_t)(0x10000000u | as << 16) << 32, 0};
        struct infer_site site = infer_site_at(world.infer, MAP_FAMILY_IPV4, key);
        enum map_source source = infer_from_site(world.infer, &site, full);

        infer_site_reduce(world.infer, &site);
        cr_assert_eq(site.network == STEPS_NONE, as % 2 == 1 || as >= 12);
        cr_assert_eq(infer_from_site(world.infer, &site, reduced), source);
        cr_assert_arr_eq(full, reduced, 3 * sizeof(full[0]));
    }
    world_close(&world);
}

Test(infer, the_prior_learns_distance_from_enough_cells)
{
    struct world world;

    world_open(&world);
    for (unsigned block = 0; block < 200; block++) {
        for (uint8_t pop = 0; pop < 3; pop++) {
            const struct geo_point delhi = geo_point_at(28.6, 77.2);
            const struct geo_point there =
                geo_point_at(world.config.pops[pop].latitude, world.config.pops[pop].longitude);

            world_measure(&world, block % 20, block, pop,
                          8 + 0.0125 * geo_distance_km(&delhi, &there), 50);
        }
    }
    world_fit(&world);
    cr_assert_eq(infer_prior_get(world.infer)->cells, 600);
    cr_assert_float_eq(infer_prior_get(world.infer)->base_ms, 8, 2);
    cr_assert_float_eq(infer_prior_get(world.infer)->ms_per_km, 0.0125, 0.0005);
    world_close(&world);
}
