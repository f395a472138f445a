/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isochrone-xdpbench: whether the kernel's verdicts and picks equal the host's on an image, and
 * what they cost.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "maps/image.h"
#include "xdp/bench_clients.h"
#include "xdp/cores_check.h"

#define STATE_TABLES 64u
#define ROUNDS 7 /* programs take turns, the fastest round of each counts */

struct options {
    const char *map;
    uint64_t clients;
    uint64_t seed;
    bool json;
    bool if_allowed;
};

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

static const char usage[] =
    "usage: isochrone-xdpbench --map FILE [--clients N] [--seed S] [--json] [--if-allowed]\n"
    "\n"
    "Runs the lookup and selection cores in the kernel, on the image's own bytes, for random\n"
    "clients and PoP states, and compares every answer with the host's. Cores only: no packet is\n"
    "parsed. Exit 1 when one differs.\n"
    "\n"
    "  --map FILE     latency map image\n"
    "  --clients N    how many (default 10000)\n"
    "  --seed S       other clients (default 1)\n"
    "  --json         one JSON object instead of a table\n"
    "  --if-allowed   where the kernel does not allow BPF, say SKIPPED and exit 0\n"
    "  --help, --version\n";

/* 0 to go on, 1 when done (help, version), -EINVAL. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"map", required_argument, NULL, 'm'},  {"clients", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
        {"if-allowed", no_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},    {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (option) {
        case 'm':
            options->map = optarg;
            break;
        case 'n':
            if (number_parse_u64(optarg, strlen(optarg), 1, 4000000, &options->clients) < 0) {
                fprintf(stderr, "--clients: a number from 1 to 4000000, not \"%s\"\n", optarg);
                return -EINVAL;
            }
            break;
        case 's':
            if (number_parse_u64(optarg, strlen(optarg), 0, UINT64_MAX, &options->seed) < 0) {
                fprintf(stderr, "--seed: a number, not \"%s\"\n", optarg);
                return -EINVAL;
            }
            break;
        case 'j':
            options->json = true;
            break;
        case 'a':
            options->if_allowed = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 1;
        case 'V':
            puts("isochrone-xdpbench " ISOCHRONE_VERSION);
            return 1;
        default:
            return -EINVAL;
        }
    }
    return options->map && optind == argc ? 0 : -EINVAL;
}

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

static void print_json(const struct options *options, const struct image *image,
                       const struct figures *figures)
{
    const struct figures *bad = &figures[BAD_DAY];
    const struct figures *good = &figures[GOOD_DAY];

    printf("{\"path\":\"cores\",\"generation\":%llu,\"blocks\":%u,\"clients\":%llu,"
           "\"differences\":%u,\"verified_insns\":%u,\"translated_insns\":%u,"
           "\"jited_bytes\":%u,\"empty_ns\":%.0f,\"kernel_ns\":%.0f,\"host_ns\":%.1f,"
           "\"kernel_bad_day_ns\":%.0f,\"host_bad_day_ns\":%.1f}\n",
           (unsigned long long)image_header(image)->generation, image_region(image)->block_n,
           (unsigned long long)options->clients, bad->differences + good->differences,
           bad->size.verified_insns, bad->size.translated_insns, bad->size.jited_bytes,
           good->empty_ns, kernel_ns(good), good->host_ns, kernel_ns(bad), bad->host_ns);
}

static void print_table(const struct options *options, const struct image *image,
                        const struct figures *figures)
{
    const struct figures *bad = &figures[BAD_DAY];
    const struct figures *good = &figures[GOOD_DAY];

    printf("lookup and selection in the kernel (cores only, no packet is parsed): %llu clients, "
           "%u differences\n",
           (unsigned long long)options->clients, bad->differences + good->differences);
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

static int run_check(const struct options *options, const struct cores_input *input,
                     struct figures *figures, struct failure *failure)
{
    struct cores_check *check = NULL;
    int error;

    if (!input->questions || !input->states) {
        return failure_set(failure, -ENOMEM, "out of memory for %llu clients",
                           (unsigned long long)options->clients);
    }
    error = cores_check_open(input, &check, failure);
    if (error == 0) {
        error = measure(check, input, figures, failure);
    }
    cores_check_close(check);
    return error;
}

static int run_days(const struct options *options, const struct image *image,
                    struct cores_question *questions, const uint8_t (*states)[MAP_STATES],
                    struct figures *figures, struct failure *failure)
{
    const struct cores_input input = {image, states, STATE_TABLES, questions,
                                      (uint32_t)options->clients};
    int error = run_check(options, &input, &figures[BAD_DAY], failure);

    for (uint32_t i = 0; error == 0 && i < input.question_n; i++) {
        questions[i].states = 0; /* everything is up in the first table */
        questions[i].want = 1;
    }
    return error < 0 ? error : run_check(options, &input, &figures[GOOD_DAY], failure);
}

static int run(const struct options *options, struct failure *failure)
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
    questions = bench_questions_new(image, options->seed, (uint32_t)options->clients, STATE_TABLES);
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

int main(int argc, char **argv)
{
    struct options options = {.clients = 10000, .seed = 1};
    struct failure failure = {{0}};
    int parsed = parse_options(argc, argv, &options);

    log_open("isochrone-xdpbench", LOG_LEVEL_NOTICE);
    if (parsed < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (parsed > 0) {
        return 0;
    }
    if (cores_check_allowed(&failure) < 0) {
        if (options.if_allowed) {
            printf("SKIPPED: %s\n", failure.text);
            return 0;
        }
        log_error("%s", failure.text);
        return 1;
    }
    if (run(&options, &failure) < 0) {
        log_error("%s", failure.text);
        return 1;
    }
    return 0;
}
