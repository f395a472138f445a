/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "publication.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "choices.h"
#include "edge/render/render.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/zone/zone_set.h"
#include "maps/image_writer.h"
#include "queries.h"
#include "world.h"
#include "xdp/listener_core.h"

#define WIDE_POPS 12u
#define WIDE_SERVICES 9u
#define WIDE_RUNS 400u
#define TABLE_BLOCKS 4096u

static void need(bool condition, const char *what, const struct failure *failure)
{
    if (!condition) {
        fprintf(stderr, "publication: %s: %s\n", what, failure ? failure->text : "failed");
        abort();
    }
}

/* --- the wider world --- */

static void wide_records(struct image_builder *builder, uint64_t *random, uint32_t ret_records[32])
{
    for (unsigned i = 0; i < 32; i++) {
        struct map_record record = {.pops = ~UINT64_C(0),
                                    .shed_class = (uint8_t)(choices_random(random) % 100)};
        unsigned first = (unsigned)(choices_random(random) % WIDE_POPS);
        unsigned pop_n = 1 + (unsigned)(choices_random(random) % 8);
        int64_t id;

        for (unsigned k = 0; k < pop_n; k++) {
            uint64_t pop = (first + k * 5) % WIDE_POPS; /* 5 and 12 have no divisor in common */

            record.pops = (record.pops & ~(UINT64_C(255) << (8 * k))) | pop << (8 * k);
        }
        id = image_builder_intern(builder, &record);
        need(id >= 0, "record", NULL);
        ret_records[i] = (uint32_t)id;
    }
}

static int compare_runs(const void *a, const void *b)
{
    uint64_t left = ((const struct image_run *)a)->start.hi;
    uint64_t right = ((const struct image_run *)b)->start.hi;

    return left < right ? -1 : left > right;
}

/* Borders where queries come from: 198.51.96.0/19 in steps of a /26, 2001:db8::/35 of a /52. */
static void wide_table(struct image_builder *builder, enum map_space space, enum map_family family,
                       const uint32_t records[32], uint64_t *random)
{
    static struct image_run runs[WIDE_RUNS];
    struct failure failure = {{0}};
    size_t run_n = 1;

    runs[0] = (struct image_run){{0, 0}, records[0], 0};
    for (size_t i = 1; i < WIDE_RUNS; i++) {
        uint64_t step = choices_random(random) % 512;
        uint64_t what = choices_random(random) % 40;

        runs[i].start.hi = family == MAP_FAMILY_IPV4
                               ? (UINT64_C(0xc6336000) << 32) + (step << 38)
                               : UINT64_C(0x20010db800000000) + (step << 12) * (i % 3 ? 1 : 512);
        runs[i].record = what < 32                     ? records[what]
                         : space == MAP_SPACE_RESOLVER ? MAP_RECORD_FALLBACK
                         : what < 34                   ? MAP_RECORD_SPECIAL
                                                       : records[what - 32];
    }
    qsort(runs + 1, WIDE_RUNS - 1, sizeof(runs[0]), compare_runs);
    for (size_t i = 1; i < WIDE_RUNS; i++) {
        if (runs[i].start.hi != runs[run_n - 1].start.hi) {
            runs[run_n++] = runs[i];
        }
    }
    need(image_builder_add_table(builder, 0, space, family, runs, run_n, false, &failure) == 0,
         "table", &failure);
}

static struct image *wide_image(uint64_t seed)
{
    struct image_builder *builder = image_builder_new(PUBLICATION_NOW_S - 1000 + seed % 100, 0);
    uint8_t pops[WIDE_POPS];
    struct failure failure = {{0}};
    uint64_t random = seed;
    uint32_t records[32];
    struct image_stats stats;
    struct image *image;
    const uint8_t *bytes;
    size_t len;

    for (unsigned i = 0; i < WIDE_POPS; i++) {
        char name[8];

        snprintf(name, sizeof(name), "p%u", i);
        pops[i] = (uint8_t)i;
        need(image_builder_add_pop(builder, name, 0, 0, &failure) == (int)i, "PoP", &failure);
    }
    need(image_builder_add_map(builder, "web", pops, WIDE_POPS, 2, &failure) == 0, "map", &failure);
    wide_records(builder, &random, records);
    for (int space = 0; space < MAP_SPACES; space++) {
        for (int family = 0; family < MAP_FAMILIES; family++) {
            wide_table(builder, (enum map_space)space, (enum map_family)family, records, &random);
        }
    }
    need(image_builder_finish(builder, &bytes, &len, &stats, &failure) == 0, "image", &failure);
    need(image_from_bytes("wide.isomap", bytes, len, &image, &failure) == 0, "image", &failure);
    image_builder_free(builder);
    return image;
}

/* s1 .. s8 with as many picks, and s9, a service of names. */
static void wide_services_write(FILE *file)
{
    fputs("services:\n", file);
    for (unsigned s = 1; s <= WIDE_SERVICES; s++) {
        fprintf(file, "  s%u:\n    map: web\n    ttl: %u\n    on_empty: nodata\n", s, 20 + s);
        if (s < WIDE_SERVICES) {
            fprintf(file, "    pops_per_answer: %u\n", s);
        }
        fputs("    pops:\n", file);
        for (unsigned p = 0; p < WIDE_POPS; p++) {
            if (s == WIDE_SERVICES) {
                fprintf(file, "      p%u: {cname: %s}\n", p,
                        p % 3 ? "mail.example.com." : "edge.example.org.");
                continue;
            }
            fprintf(file, "      p%u: [", p);
            for (unsigned a = 0; a <= (s + p) % 3; a++) {
                fprintf(file, "\"192.0.%u.%u\", ", s, p * 4 + a);
            }
            if (p % 4 != s % 4) {
                fprintf(file, "\"2001:db8:%u::%u\", \"2001:db8:%u::1:%u\"", s, p, s, p);
            }
            fputs("]\n", file);
        }
    }
    fputs("names:\n", file);
    for (unsigned s = 1; s <= WIDE_SERVICES; s++) {
        fprintf(file, "  s%u.example.com.: s%u\n", s, s);
    }
    fputs("  s2.example.net.: s2\n  a-rather-long-name-of-a-service.below.example.net.: s1\n",
          file);
}

static struct services *wide_services(struct image *image, const struct zone_set *zones)
{
    char path[] = "/tmp/xdp-services-XXXXXX";
    struct failure failure = {{0}};
    struct services *services = NULL;
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    need(file != NULL, "temporary file", NULL);
    wide_services_write(file);
    fclose(file);
    need(services_load(path, image, zones, &services, &failure) == 0, "services", &failure);
    unlink(path);
    return services;
}

/* --- a snapshot --- */

static void golden_services(struct publication *publication, const char *folder)
{
    struct failure failure = {{0}};
    char path[4096];

    snprintf(path, sizeof(path), "%s/services.yaml", folder);
    need(services_load(path, publication->image, publication->zones, &publication->services,
                       &failure) == 0,
         "services", &failure);
}

static uint8_t random_state(uint64_t *random)
{
    uint64_t what = choices_random(random) % 10;

    return what < 6   ? 0
           : what < 8 ? (uint8_t)(1 + choices_random(random) % 100)
           : what < 9 ? MAP_STATE_DRAIN
                      : MAP_STATE_DOWN;
}

static void random_states(struct state_set *states, uint64_t seed)
{
    uint64_t random = seed;

    for (uint32_t i = 0; i < states->service_n; i++) {
        struct state_table *table = &states->tables[i];

        table->ttl = 1 + (uint32_t)(choices_random(&random) % 100000);
        for (unsigned place = 0; place < MAP_FAMILIES * MAP_STATES; place++) {
            uint8_t *state = &table->states[place / MAP_STATES][place % MAP_STATES];

            if (*state != MAP_STATE_ABSENT) {
                *state = random_state(&random);
            }
        }
    }
}

static void make_snapshot(struct publication *publication, uint64_t seed)
{
    struct snapshot_info info = {.identity = "proof1",
                                 .version = "isochrone",
                                 .cookies = {2, 0, {"a golden secret", "an older secret"}},
                                 .sequence = seed,
                                 .published_wall_s = PUBLICATION_NOW_S};

    info.cookies.secrets[0][15] = (uint8_t)(seed % 3);
    info.cookies.count = seed % 7 == 6 ? 0 : 1 + (uint32_t)(seed % 2);
    info.identity[seed % 5 == 4 ? 0 : 6] = '\0';
    publication->snapshot = snapshot_new(publication->zones, publication->services,
                                         publication->image, publication->states, &info);
    need(publication->snapshot != NULL, "snapshot", NULL);
}

/* --- its tables --- */

static void listen_on(struct fast_policy *policy, const char *text)
{
    struct fast_address address = {{0}};
    uint8_t *bytes = (uint8_t *)address.words;
    struct endpoint endpoint;

    need(endpoint_parse(text, 53, &endpoint) == 0, "listener", NULL);
    if (endpoint.address.family == ADDRESS_IPV6) {
        memcpy(bytes, endpoint.address.bytes, 16);
    } else {
        memset(bytes + 10, 0xff, 2);
        memcpy(bytes + 12, endpoint.address.bytes, 4);
    }
    need(fast_listener_add(policy, &address, __builtin_bswap16(endpoint.port)) == 0, "listener",
         NULL);
}

static void make_policy(struct publication *publication)
{
    const struct snapshot *snapshot = publication->snapshot;
    struct fast_policy *policy = &publication->policy;
    const uint8_t *maps = (const uint8_t *)image_map(publication->image, 0);

    memset(policy, 0, sizeof(*policy));
    template_table_policy(publication->table, policy);
    policy->maps_block =
        (uint32_t)((size_t)(maps - image_region(publication->image)->bytes) / MAP_BLOCK_SIZE);
    policy->records_block = image_records_block(publication->image);
    policy->nsid_len = snapshot->identity_len;
    memcpy(policy->nsid, snapshot->info.identity, snapshot->identity_len);
    policy->cookies = snapshot->info.cookies;
    listen_on(policy, "192.0.2.53@53");
    listen_on(policy, "192.0.2.54@5353");
    listen_on(policy, "2001:db8::53@53");
}

static void make_tables(struct publication *publication)
{
    struct model_tables *tables = &publication->tables;

    _Static_assert(sizeof(struct fast_state) == sizeof(struct state_table), "the same bytes");
    *tables = (struct model_tables){
        .word = FAST_WORD(0, 0, 0, 1),
        .policy = &publication->policy,
        .image = image_region(publication->image),
        .states = (const struct fast_state *)publication->states->tables,
        .service_n = publication->states->service_n,
        .now_wall_s = PUBLICATION_NOW_S,
    };
    tables->templates = template_table_blocks(publication->table, &tables->template_blocks);
}

/* All there is, and as hot names whatever will be asked: only so is something behind wildcards. */
static void make_templates(struct publication *publication, const char *folder, uint64_t seed)
{
    static struct render_question hot[QUERIES_MAX];
    struct render_request request = {.snapshot = publication->snapshot,
                                     .mode = RENDER_ALL,
                                     .hot = hot,
                                     .block_max = TABLE_BLOCKS,
                                     .seed = seed * 77 + 5};
    struct questions *questions = questions_new(folder);
    struct render_report report;
    struct failure failure = {{0}};

    for (size_t i = 0; i < questions->count && seed % 4 != 3; i++) {
        hot[request.hot_n++] =
            (struct render_question){questions->list[i].name, questions->list[i].qtype};
    }
    need(render_templates(&request, &publication->table, &report, &failure) == 0, "templates",
         &failure);
    questions_free(questions);
}

void publication_open(struct publication *publication, const char *folder, unsigned kind,
                      uint64_t seed)
{

    *publication = (struct publication){.kind = kind % 2};
    publication->zones = world_zones(folder);
    if (publication->kind) {
        publication->image = wide_image(seed);
        publication->services = wide_services(publication->image, publication->zones);
    } else {
        publication->image = world_image();
        golden_services(publication, folder);
    }
    publication->states = world_states(publication->services);
    if (seed) {
        random_states(publication->states, seed);
    }
    make_snapshot(publication, seed);
    make_templates(publication, folder, seed);
    make_policy(publication);
    make_tables(publication);
}

void publication_change_states(struct publication *publication, uint64_t seed)
{
    struct state_set *states = world_states(publication->services);

    random_states(states, seed);
    snapshot_free(publication->snapshot);
    state_set_unref(publication->states);
    publication->states = states;
    make_snapshot(publication, seed);
    make_policy(publication);
    make_tables(publication);
}

void publication_close(struct publication *publication)
{
    template_table_free(publication->table);
    snapshot_free(publication->snapshot);
    state_set_unref(publication->states);
    services_unref(publication->services);
    zone_set_unref(publication->zones);
    image_unref(publication->image);
}
