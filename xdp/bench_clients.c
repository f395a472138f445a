/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/bench_clients.h"

#include <stdlib.h>
#include <string.h>

#include "maps/wide_key.h"

#define SAMPLE_MAX 4096u /* blocks remembered per family */

struct sample {
    uint64_t random;
    uint64_t seen;
    uint32_t n;
    struct {
        struct map_key start;
        uint32_t depth;
    } blocks[SAMPLE_MAX];
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t word = *state += 0x9e3779b97f4a7c15ULL;

    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

static uint32_t random_below(uint64_t *state, uint64_t bound)
{
    return (uint32_t)((random_next(state) >> 32) * bound >> 32);
}

static wide_key random_wide(uint64_t *state)
{
    return (wide_key)random_next(state) << 64 | random_next(state);
}

/* Reservoir sampling: each block is kept with the same chance. */
static int sample_block(void *context, const struct map_key *start, uint32_t depth, uint32_t record)
{
    struct sample *sample = context;
    uint64_t place = sample->seen++;

    (void)record;
    if (sample->n < SAMPLE_MAX) {
        place = sample->n++;
    } else {
        place = random_next(&sample->random) % (place + 1);
    }
    if (place < SAMPLE_MAX) {
        sample->blocks[place].start = *start;
        sample->blocks[place].depth = depth;
    }
    return 0;
}

static wide_key random_in_block(uint64_t *random, const struct sample *sample)
{
    uint32_t place = random_below(random, sample->n);

    return wide_key_from(&sample->blocks[place].start) |
           (random_wide(random) & wide_key_host_mask(sample->blocks[place].depth));
}

static void address_of(wide_key value, bool ipv6, unsigned bits, struct map_address *ret_address)
{
    struct map_key key = wide_key_to(value & ~wide_key_host_mask(bits));

    if (ipv6) {
        map_address_ipv6(key.hi, key.lo, ret_address);
    } else {
        map_address_ipv4((__u32)(key.hi >> 32), ret_address);
    }
}

static const struct {
    struct map_key start;
    unsigned depth;
    bool ipv6;
} corners[] = {
    {{0, 0x0000ffff00000000ULL}, 96, true},  /* ::ffff:0:0/96, RFC 4291 */
    {{0x0064ff9b00000000ULL, 0}, 96, true},  /* 64:ff9b::/96, RFC 6052 */
    {{0x2002000000000000ULL, 0}, 16, true},  /* 2002::/16, RFC 3056 */
    {{0x0a00000000000000ULL, 0}, 8, false},  /* 10.0.0.0/8, RFC 1918 */
    {{0x6440000000000000ULL, 0}, 10, false}, /* 100.64.0.0/10, RFC 6598 */
    {{0x7f00000000000000ULL, 0}, 8, false},  /* 127.0.0.0/8 */
    {{0xfc00000000000000ULL, 0}, 7, true},   /* fc00::/7, RFC 4193 */
    {{0xfe80000000000000ULL, 0}, 10, true},  /* fe80::/10 */
    {{0, 1}, 128, true},                     /* ::1 */
    {{0, 0}, 0, false},
    {{0x2000000000000000ULL, 0}, 3, true},
};

/* One in four anywhere or in a corner, the others inside the image's blocks. */
static void random_address(uint64_t *random, const struct sample *samples, bool ecs,
                           struct map_address *ret_address)
{
    static const unsigned ecs_bits[2][4] = {{24, 24, 20, 32}, {56, 48, 64, 128}};
    bool ipv6 = random_below(random, 2);
    wide_key value = random_in_block(random, &samples[ipv6]);

    if (random_below(random, 4) == 0) {
        uint32_t corner = random_below(random, sizeof(corners) / sizeof(corners[0]));

        ipv6 = corners[corner].ipv6;
        value = wide_key_from(&corners[corner].start) |
                (random_wide(random) & wide_key_host_mask(corners[corner].depth));
    }
    address_of(value, ipv6, ecs ? ecs_bits[ipv6][random_below(random, 4)] : 128, ret_address);
}

struct cores_question *bench_questions_new(const struct image *image, uint64_t seed,
                                           uint32_t question_n, uint32_t state_n)
{
    struct cores_question *questions = calloc(question_n, sizeof(*questions));
    struct sample *samples = calloc(MAP_FAMILIES, sizeof(*samples));
    uint64_t random = seed;

    if (!questions || !samples) {
        free(questions);
        free(samples);
        return NULL;
    }
    for (int family = 0; family < MAP_FAMILIES; family++) {
        samples[family].random = seed + 1;
        (void)image_walk(image, 0, MAP_SPACE_CLIENT,
                         family == MAP_FAMILY_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6,
                         sample_block, &samples[family]);
    }
    for (uint32_t i = 0; i < question_n; i++) {
        struct cores_question *question = &questions[i];

        random_address(&random, samples, false, &question->client.source);
        random_address(&random, samples, true, &question->client.ecs);
        if (random_below(&random, 4) == 0) { /* no ECS: the resolver decides */
            memset(&question->client.ecs, 0, sizeof(question->client.ecs));
            question->client.ecs.family = MAP_ADDRESS_NONE;
        }
        question->map = random_below(&random, image_map_count(image));
        question->states = random_below(&random, state_n);
        question->want = random_below(&random, 2) ? 1 : 1 + random_below(&random, MAP_PICKS_MAX);
    }
    free(samples);
    return questions;
}

/* `trouble` of 8 PoPs are not simply up. */
static uint8_t random_state(uint64_t *random, uint32_t trouble)
{
    static const uint8_t kinds[] = {MAP_STATE_DOWN, MAP_STATE_DRAIN, MAP_STATE_ABSENT};
    uint32_t kind;

    if (random_below(random, 8) >= trouble) {
        return 0;
    }
    kind = random_below(random, 6);
    return kind < 3 ? kinds[kind] : (uint8_t)random_below(random, MAP_STATE_SHED_MAX + 1);
}

uint8_t (*bench_states_new(const struct image *image, uint64_t seed, uint32_t state_n))[MAP_STATES]
{
    uint8_t(*states)[MAP_STATES] = calloc(state_n, MAP_STATES);
    uint64_t random = seed + 2;

    if (!states) {
        return NULL;
    }
    memset(states, MAP_STATE_ABSENT, (size_t)state_n * MAP_STATES);
    for (uint32_t i = 0; i < state_n; i++) {
        uint32_t trouble = i ? random_below(&random, 9) : 0;

        for (uint32_t pop = 0; pop < image_pop_count(image); pop++) {
            uint8_t state = random_state(&random, trouble);

            /* few random tables have nobody, or only draining PoPs left */
            state = i == 1 ? MAP_STATE_DOWN : state;
            state = i == 2 ? (pop % 3 ? MAP_STATE_DRAIN : MAP_STATE_DOWN) : state;
            states[i][pop] = state;
        }
    }
    return states;
}
