/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"
#include "edge/zone/zone_set.h"
#include "maps/image_writer.h"

#define V4(a, b, c, d)                                                                             \
    ((uint64_t)(a) << 56 | (uint64_t)(b) << 48 | (uint64_t)(c) << 40 | (uint64_t)(d) << 32)

enum { FRA, SIN, NYC };

static void world_need(bool condition, const char *what, const struct failure *failure)
{
    if (!condition) {
        fprintf(stderr, "test world: %s: %s\n", what, failure ? failure->text : "failed");
        abort();
    }
}

static uint32_t world_record(struct image_builder *builder, unsigned first, unsigned second,
                             unsigned third)
{
    struct map_record record = {.pops = ~UINT64_C(0) << 24 | (uint64_t)third << 16 |
                                        (uint64_t)second << 8 | first};
    int64_t id = image_builder_intern(builder, &record);

    world_need(id >= 0, "record", NULL);
    return (uint32_t)id;
}

static void world_table(struct image_builder *builder, enum map_space space, enum map_family family,
                        const struct image_run *runs, size_t run_n)
{
    struct failure failure = {{0}};

    world_need(image_builder_add_table(builder, 0, space, family, runs, run_n, false, &failure) ==
                   0,
               "table", &failure);
}

static void world_fill(struct image_builder *builder)
{
    uint32_t fra = world_record(builder, FRA, SIN, NYC);
    uint32_t sin = world_record(builder, SIN, FRA, NYC);
    uint32_t sin_nyc = world_record(builder, SIN, NYC, FRA);
    uint32_t nyc = world_record(builder, NYC, FRA, SIN);
    const struct image_run client4[] = {
        {{0, 0}, nyc, 0},
        {{V4(10, 0, 0, 0), 0}, MAP_RECORD_SPECIAL, 0},
        {{V4(11, 0, 0, 0), 0}, nyc, 0},
        {{V4(198, 51, 100, 0), 0}, fra, 0},
        {{V4(198, 51, 100, 128), 0}, sin, 0},
        {{V4(198, 51, 101, 0), 0}, nyc, 0},
        {{V4(203, 0, 113, 0), 0}, sin_nyc, 0},
        {{V4(203, 0, 114, 0), 0}, nyc, 0},
    };
    const struct image_run client6[] = {
        {{0, 0}, nyc, 0},
        {{0x20010db800010000, 0}, fra, 0},
        {{0x20010db800020000, 0}, sin, 0},
        {{0x20010db800030000, 0}, nyc, 0},
        {{0xfd00000000000000, 0}, MAP_RECORD_SPECIAL, 0},
        {{0xfe00000000000000, 0}, nyc, 0},
    };
    const struct image_run resolver4[] = {
        {{0, 0}, MAP_RECORD_FALLBACK, 0},
        {{V4(192, 0, 2, 0), 0}, sin, 0},
        {{V4(192, 0, 3, 0), 0}, MAP_RECORD_FALLBACK, 0},
    };
    const struct image_run resolver6[] = {
        {{0, 0}, MAP_RECORD_FALLBACK, 0},
        {{0x20010db800050000, 0}, sin, 0},
        {{0x20010db800060000, 0}, MAP_RECORD_FALLBACK, 0},
    };

    world_table(builder, MAP_SPACE_CLIENT, MAP_FAMILY_IPV4, client4, 8);
    world_table(builder, MAP_SPACE_CLIENT, MAP_FAMILY_IPV6, client6, 6);
    world_table(builder, MAP_SPACE_RESOLVER, MAP_FAMILY_IPV4, resolver4, 3);
    world_table(builder, MAP_SPACE_RESOLVER, MAP_FAMILY_IPV6, resolver6, 3);
}

uint8_t *world_image_bytes(size_t *ret_len)
{
    static const char *const names[] = {"fra", "sin", "nyc"};
    static const uint8_t pops[] = {FRA, SIN, NYC};
    struct image_builder *builder = image_builder_new(WORLD_GENERATION, 0);
    struct failure failure = {{0}};
    struct image_stats stats;
    const uint8_t *bytes;
    uint8_t *copy;

    for (int i = 0; i < 3; i++) {
        world_need(image_builder_add_pop(builder, names[i], 0, 0, &failure) == i, "PoP", &failure);
    }
    world_need(image_builder_add_map(builder, "web", pops, 3, 1, &failure) == 0, "map", &failure);
    world_fill(builder);
    world_need(image_builder_finish(builder, &bytes, ret_len, &stats, &failure) == 0, "image",
               &failure);
    copy = malloc(*ret_len);
    world_need(copy != NULL, "memory", NULL);
    memcpy(copy, bytes, *ret_len);
    image_builder_free(builder);
    return copy;
}

struct image *world_image(void)
{
    struct failure failure = {{0}};
    struct image *image;
    size_t len;
    uint8_t *bytes = world_image_bytes(&len);

    world_need(image_from_bytes("world.isomap", bytes, len, &image, &failure) == 0, "image",
               &failure);
    free(bytes);
    return image;
}

struct zone_set *world_zones(const char *folder)
{
    static const char *const origins[] = {"example.com.",       "example.net.",
                                          "child.example.com.", "child.broken.example.",
                                          "signed.example.",    "hashed.example."};
    struct zone_set *zones = zone_set_new();
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];

    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        struct failure failure = {{0}};
        struct zone *zone = NULL;
        char path[4096];

        snprintf(path, sizeof(path), "%s/%szone", folder, origins[i]);
        world_need(name_from_text(origins[i], origin) == 0, "origin", NULL);
        world_need(zone_load_file(path, origin, &zone, NULL, &failure) == 0, origins[i], &failure);
        world_need(zone_set_add(zones, origin, zone) == 0, "zone set", NULL);
        zone_unref(zone);
    }
    world_need(name_from_text("broken.example.", origin) == 0, "origin", NULL);
    world_need(zone_set_add(zones, origin, NULL) == 0 && zone_set_finish(zones) == 0, "zone set",
               NULL);
    return zones;
}

struct state_set *world_states(const struct services *services)
{
    struct state_set *states = state_set_new(services_count(services));

    world_need(states != NULL, "states", NULL);
    for (uint32_t i = 0; i < services_count(services); i++) {
        const struct service *service = services_get(services, i);

        states->tables[i].ttl = service->ttl;
        for (int family = 0; family < MAP_FAMILIES; family++) {
            for (unsigned pop = 0; pop < MAP_STATES; pop++) {
                if (service->addresses[family][pop].count) {
                    states->tables[i].states[family][pop] =
                        strncmp(service->name, "empty-", 6) ? 0 : MAP_STATE_DOWN;
                }
            }
        }
    }
    return states;
}

void world_open(struct world *world, const char *folder)
{
    static const struct snapshot_info info = {.identity = "golden1",
                                              .version = "isochrone",
                                              .config_digest = "0123456789abcdef",
                                              .cookies = {1, 0, {"a golden secret"}},
                                              .sequence = 3,
                                              .published_wall_s = 1763790100};
    struct failure failure = {{0}};
    char path[4096];

    world->image = world_image();
    world->zones = world_zones(folder);
    snprintf(path, sizeof(path), "%s/services.yaml", folder);
    world_need(services_load(path, world->image, world->zones, &world->services, &failure) == 0,
               "services", &failure);
    world->states = world_states(world->services);
    world->snapshot =
        snapshot_new(world->zones, world->services, world->image, world->states, &info);
    world_need(world->snapshot != NULL, "snapshot", NULL);
}

void world_close(struct world *world)
{
    snapshot_free(world->snapshot);
    state_set_unref(world->states);
    services_unref(world->services);
    zone_set_unref(world->zones);
    image_unref(world->image);
}
