/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "world.h"
#include "xdp/bench_clients.h"
#include "xdp/cores_check.h"

#define QUESTIONS 12000
#define STATES 40

/* The verifier gives up at a million: room for the packet path around the cores. */
#define VERIFIED_INSNS_MAX 150000

Test(cores, kernel_agrees_with_the_host)
{
    struct failure failure = {{0}};

    if (cores_check_allowed(&failure) < 0) {
        fprintf(stderr, "SKIP cores: %s\n", failure.text);
        cr_skip_test("%s", failure.text);
    }
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *world = world_new(seed, 3000);
        struct image *image = world_image(world);
        struct cores_question *questions = bench_questions_new(image, seed, QUESTIONS, STATES);
        uint8_t(*states)[MAP_STATES] = bench_states_new(image, seed, STATES);
        struct cores_input input = {image, (const uint8_t(*)[MAP_STATES])states, STATES, questions,
                                    QUESTIONS};
        struct cores_check *check = NULL;
        struct cores_size size;
        uint32_t first;
        double ns;

        cr_assert_eq(cores_check_open(&input, &check, &failure), 0, "%s", failure.text);
        cr_assert_eq(cores_check_run(check, CORES_PROGRAM_RUN, &ns, &failure), 0, "%s",
                     failure.text);
        cr_assert_eq(cores_check_compare(check, &first), 0, "question %u differs", first);
        for (uint32_t i = 0; i < QUESTIONS; i++) {
            cr_assert_eq(cores_check_answer(check, i)->done, 1, "question %u was not run", i);
        }
        cores_check_size(check, &size);
        cr_assert_leq(size.verified_insns, VERIFIED_INSNS_MAX, "%u", size.verified_insns);
        cores_check_close(check);
        free(states);
        free(questions);
        image_unref(image);
        world_free(world);
    }
}

/* The comparison itself: an empty run answers nothing, so every answer must count as different. */
Test(cores, a_wrong_answer_is_noticed)
{
    struct failure failure = {{0}};
    struct world *world;
    struct image *image;
    struct cores_question *questions;
    uint8_t(*states)[MAP_STATES];
    struct cores_check *check = NULL;
    uint32_t first;
    double ns;

    if (cores_check_allowed(&failure) < 0) {
        cr_skip_test("%s", failure.text);
    }
    world = world_new(1, 100);
    image = world_image(world);
    questions = bench_questions_new(image, 1, 100, 2);
    states = bench_states_new(image, 1, 2);
    cr_assert_eq(cores_check_open(&(struct cores_input){image, (const uint8_t(*)[MAP_STATES])states,
                                                        2, questions, 100},
                                  &check, &failure),
                 0, "%s", failure.text);
    cr_assert_eq(cores_check_run(check, CORES_PROGRAM_EMPTY, &ns, &failure), 0);
    cr_assert_eq(cores_check_compare(check, &first), 100);
    cr_assert_eq(first, 0);
    cores_check_close(check);
    free(states);
    free(questions);
    image_unref(image);
    world_free(world);
}

/* The questions must reach every way through the cores, or agreement says little. */
Test(cores, questions_reach_every_basis_and_tier)
{
    struct world *world = world_new(2, 3000);
    struct image *image = world_image(world);
    struct cores_question *questions = bench_questions_new(image, 2, QUESTIONS, STATES);
    uint8_t(*states)[MAP_STATES] = bench_states_new(image, 2, STATES);
    struct cores_input input = {image, (const uint8_t(*)[MAP_STATES])states, STATES, questions,
                                QUESTIONS};
    unsigned bases[4] = {0};
    unsigned tiers[MAP_TIERS + 1] = {0};
    unsigned folded = 0;
    unsigned special = 0;

    for (uint32_t i = 0; i < QUESTIONS; i++) {
        struct cores_answer answer;

        cores_check_host(&input, &questions[i], &answer);
        bases[answer.verdict.basis]++;
        tiers[answer.picks.tier]++;
        folded += questions[i].client.ecs.folded_bits != 0;
        special += answer.verdict.special;
    }
    for (int i = 0; i < 4; i++) {
        cr_assert_gt(bases[i], 20, "basis %d: %u", i, bases[i]);
    }
    for (unsigned i = 0; i <= MAP_TIERS; i++) {
        cr_assert_gt(tiers[i], 20, "tier %u: %u", i, tiers[i]);
    }
    cr_assert_gt(folded, 100);
    cr_assert_gt(special, 100);
    free(states);
    free(questions);
    image_unref(image);
    world_free(world);
}
