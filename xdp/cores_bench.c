/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/cores_bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "maps/image.h"
#include "xdp/bench_clients.h"
#include "xdp/cores_check.h"

#define STATE_TABLES 64u
#define ROUNDS 7 /* programs take turns, the fastest round of each counts */

/* What one set of questions gave. */
struct figures {
    struct cores_size size;
    uint32_t differences;
    double run_ns;
    double empty_ns;
    double host_ns;
};

/* The same clients twice: with the PoP states of a bad day, where selection has far to look, and
 * with everything up. */
enum day { BAD_DAY, GOOD_DAY, DAYS };

static double host_round(const struct cores_input *input)
{
    int64_t start = clock_monotonic_ns();
    struct cores_answer answer;

    for (uint32_t i = 0; i < input->question_n; i++) {
        cores_check_host(input, &input->questions[i], &answer);
        __asm__ volatile("" : : "r"(&answer) : "memory");
    }
    return (double)(clock_monotonic_ns() - start) / input->question_n;
}

static void keep_least(double value, double *least)
{
    if (*least <= 0 || value < *least) {
        *least = value;
    }
}

static int measure(struct cores_check *check, const struct cores_input *input,
                   struct figures *figures, struct failure *failure)
{
    uint32_t first;

    cores_check_size(check, &figures->size);
    for (int round = 0; round < ROUNDS; round++) {
        double ns = 0;
        int error = cores_check_run(check, CORES_PROGRAM_EMPTY, &ns, failure);

        keep_least(ns, &figures->empty_ns);
        if (error == 0) {
            error = cores_check_run(check, CORES_PROGRAM_RUN, &ns, failure);
        }
        if (error < 0) {
            return error;
        }
        keep_least(ns, &figures->run_ns);
        keep_least(host_round(input), &figures->host_ns);
    }
    figures->differences = cores_check_compare(check, &first);
    if (figures->differences) {
        const struct cores_question *question = &input->questions[first];
        const struct cores_answer *answer = cores_check_answer(check, first);

        log_error("question %u (map %u, ecs %016llx%016llx family %u): the kernel says record %u, "
                  "scope %u, first pick %u",
                  first, question->map, (unsigned long long)question->client.ecs.key.hi,
                  (unsigned long long)question->client.ecs.key.lo, question->client.ecs.family,
                  answer->verdict.record_id, answer->verdict.scope, answer->picks.pop[0]);
    }
    return 0;
}

static double kernel_ns(const struct figures *figures)
{
    return figures->run_ns - figures->empty_ns;
}

static void print_json(const struct cores_bench_options *options, const struct image *image,
                       const struct figures *figures)
{
    const struct figures *bad = &figures[BAD_DAY];
    const struct figures *good = &figures[GOOD_DAY];

    printf("{\"path\":\"cores\",\"generation\":%llu,\"blocks\":%u,\"clients\":%u,"
           "\"differences\":%u,\"verified_insns\":%u,\"translated_insns\":%u,"
           "\"jited_bytes\":%u,\"empty_ns\":%.0f,\"kernel_ns\":%.0f,\"host_ns\":%.1f,"
           "\"kernel_bad_day_ns\":%.0f,\"host_bad_day_ns\":%.1f}\n",
           (unsigned long long)image_header(image)->generation, image_region(image)->block_n,
           options->client_n, bad->differences + good->differences, bad->size.verified_insns,
           bad->size.translated_insns, bad->size.jited_bytes, good->empty_ns, kernel_ns(good),
           good->host_ns, kernel_ns(bad), bad->host_ns);
}

static void print_table(const struct cores_bench_options *options, const struct image *image,
                        const struct figures *figures)
{
    const struct figures *bad = &figures[BAD_DAY];
    const struct figures *good = &figures[GOOD_DAY];

    printf("lookup and selection in the kernel (cores only, no packet is parsed): %u clients, "
           "%u differences\n",
           options->client_n, bad->differences + good->differences);
    printf("  image     %s, generation %llu, %u blocks of %u bytes in a mapped BPF array\n",
           options->map, (unsigned long long)image_header(image)->generation,
           image_region(image)->block_n, MAP_BLOCK_SIZE);
    printf("  verifier  %u instructions processed (limit 1000000), %u in the program, %u bytes of "
           "machine code\n",
           bad->size.verified_insns, bad->size.translated_insns, bad->size.jited_bytes);
    printf("  kernel    %.0f ns per client with every PoP up, %.0f with random PoP states (less "
           "%.0f for an empty run)\n",
           kernel_ns(good), kernel_ns(bad), good->empty_ns);
    printf("  host      %.0f ns and %.0f ns, the same clients\n", good->host_ns, bad->host_ns);
}

static int run_check(const struct cores_bench_options *options, const struct cores_input *input,
                     struct figures *figures, struct failure *failure)
{
    struct cores_check *check = NULL;
    int error;

    if (!input->questions || !input->states) {
        return failure_set(failure, -ENOMEM, "out of memory for %u clients", options->client_n);
    }
    error = cores_check_open(input, &check, failure);
    if (error == 0) {
        error = measure(check, input, figures, failure);
    }
    cores_check_close(check);
    return error;
}

static int run_days(const struct cores_bench_options *options, const struct image *image,
                    struct cores_question *questions, const uint8_t (*states)[MAP_STATES],
                    struct figures *figures, struct failure *failure)
{
    const struct cores_input input = {image, states, STATE_TABLES, questions, options->client_n};
    int error = run_check(options, &input, &figures[BAD_DAY], failure);

    for (uint32_t i = 0; error == 0 && i < input.question_n; i++) {
        questions[i].states = 0; /* everything is up in the first table */
        questions[i].want = 1;
    }
    return error < 0 ? error : run_check(options, &input, &figures[GOOD_DAY], failure);
}

int cores_bench_run(const struct cores_bench_options *options, struct failure *failure)
{
    struct cores_question *questions;
    uint8_t(*states)[MAP_STATES];
    struct figures figures[DAYS] = {0};
    uint32_t differences;
    struct image *image;
    int error = image_open(options->map, &image, failure);

    if (error < 0) {
        return error;
    }
    questions = bench_questions_new(image, options->seed, options->client_n, STATE_TABLES);
    states = bench_states_new(image, options->seed, STATE_TABLES);
    error =
        run_days(options, image, questions, (const uint8_t(*)[MAP_STATES])states, figures, failure);
    if (error == 0) {
        (options->json ? print_json : print_table)(options, image, figures);
    }
    free(states);
    free(questions);
    image_unref(image);
    differences = figures[BAD_DAY].differences + figures[GOOD_DAY].differences;
    if (error == 0 && differences) {
        error = failure_set(failure, -EIO, "%u answers of the kernel differ", differences);
    }
    return error;
}
