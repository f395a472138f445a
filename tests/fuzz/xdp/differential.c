/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The proof that the fast path is invisible: made queries go to the loaded program, to its model on
 * the host and to answer(). Every byte that the program answers has to be edge's; what it passes
 * up, it passes up untouched and for the model's reason. Then the same while another thread
 * publishes: an answer has to be one of those publications that were in force while it was made.
 *
 *   xdp_differential [--queries N] [--seed S] [--golden FOLDER] [--if-allowed] [--model]
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/number.h"
#include "judge.h"
#include "kernel.h"
#include "queries.h"

#define PUBLICATIONS 8u
#define CHANGE_EVERY 5000u /* queries between publications of the first part */
#define HISTORY 65536u
#define DIFFERENCES_SHOWN 5u
#define VERIFIED_MAX 800000u /* verifiers give up at a million; that of 6.1 needs most */

static const char *const reasons[FAST_PASS_REASONS] = {
    [FAST_PASS_NOT_DNS] = "not_dns", [FAST_PASS_STALE] = "stale",   [FAST_PASS_OFF] = "off",
    [FAST_PASS_LINK] = "link",       [FAST_PASS_IP] = "ip",         [FAST_PASS_SOURCE] = "source",
    [FAST_PASS_SIZE] = "size",       [FAST_PASS_HEADER] = "header", [FAST_PASS_NAME] = "name",
    [FAST_PASS_CLASS] = "class",     [FAST_PASS_EDNS] = "edns",     [FAST_PASS_ECS] = "ecs",
    [FAST_PASS_COOKIE] = "cookie",   [FAST_PASS_DNSSEC] = "dnssec", [FAST_PASS_UNKNOWN] = "unknown",
    [FAST_PASS_IMAGE] = "image",     [FAST_PASS_EMPTY] = "empty",   [FAST_PASS_LARGE] = "large",
    [FAST_PASS_ROOM] = "room",       [FAST_PASS_BROKEN] = "broken",
};

static const char *const answers[FAST_ANSWERS] = {
    [FAST_ANSWER_POSITIVE] = "positive",
    [FAST_ANSWER_NODATA] = "nodata",
    [FAST_ANSWER_GEO] = "geo",
};

struct options {
    uint64_t queries;
    uint64_t seed;
    const char *golden;
    bool if_allowed;
    bool model_only;
};

/* What a publisher thread does and the judge has to know: which publication was in force when.
 * `count` is raised before a word is stored, so history[count - 1] may be a moment early. */
struct publisher {
    struct proof *proof;
    uint64_t random;
    _Atomic uint64_t count;
    _Atomic uint64_t runs; /* odd while a packet is run */
    _Atomic bool stop;
    uint8_t history[HISTORY];
};

struct proof {
    struct options options;
    struct publication publications[PUBLICATIONS];
    struct questions *questions;
    struct judge *judge;
    struct model *model;
    struct kernel *kernel;
    struct fast_counters expected; /* what the model says the program counts */
    struct choices choices;
    uint64_t run_n;
    uint64_t answered_n;
    uint64_t difference_n;
    struct publisher publisher;
};

static void show_bytes(const char *label, const uint8_t *bytes, size_t len)
{
    fprintf(stderr, "  %s %zu:", label, len);
    for (size_t i = 0; i < len; i++) {
        fprintf(stderr, "%s%02x", i % 32 ? "" : "\n    ", bytes[i]);
    }
    fputc('\n', stderr);
}

static void difference(struct proof *proof, const char *what, const struct frame *query,
                       const struct frame *reply)
{
    if (proof->difference_n++ < DIFFERENCES_SHOWN) {
        fprintf(stderr, "query %" PRIu64 ": %s\n", proof->run_n, what);
        show_bytes("query", query->bytes, query->len);
        show_bytes("reply", reply->bytes, reply->len);
    }
}

/* --- one publication at a time --- */

/* Growth at the tail works when the program is run without a device. */
static const struct model_room rooms[KERNEL_FAULTS] = {
    [KERNEL_NO_FAULT] = {0, 2048},
    [KERNEL_TAIL_FAILS] = {216, 0},
    [KERNEL_BOTH_FAIL] = {0, 0},
};

static void expect_counts(struct proof *proof, const struct model_result *result)
{
    if (result->answered) {
        proof->expected.answered[result->answer]++;
        proof->expected.grown_tail += result->growth == MODEL_GROWN_TAIL;
        proof->expected.grown_head += result->growth == MODEL_GROWN_HEAD;
        proof->expected.response_bytes += result->message_len;
    } else {
        proof->expected.passed[result->reason]++;
    }
}

/* The model's and the kernel's idea of the same packet. */
static const char *compare_kernel(struct proof *proof, enum kernel_fault fault,
                                  const struct frame *query, const struct model_result *result,
                                  struct frame *ret_reply)
{
    uint32_t action;
    int error = kernel_run(proof->kernel, fault, query, ret_reply, &action);

    if (error < 0) {
        return "the program could not be run";
    }
    if (action != (result->answered ? XDP_TX : XDP_PASS)) {
        return result->answered ? "the model answers, the program does not"
                                : "the program answers, the model does not";
    }
    if (!result->answered) {
        return ret_reply->len != query->len ||
                       memcmp(ret_reply->bytes, query->bytes, query->len) != 0
                   ? "passed up, but touched"
                   : NULL;
    }
    return ret_reply->len != result->frame_len ||
                   memcmp(ret_reply->bytes, result->frame, result->frame_len) != 0
               ? "the program's answer is not the model's"
               : NULL;
}

static void run_query(struct proof *proof, struct publication *publication)
{
    static struct frame query, reply;
    uint32_t which = choices_below(&proof->choices, 10);
    enum kernel_fault fault = which < 6   ? KERNEL_NO_FAULT
                              : which < 9 ? KERNEL_TAIL_FAILS
                                          : KERNEL_BOTH_FAIL;
    struct model_result result;
    const char *wrong = NULL;

    queries_make(&proof->choices, proof->questions, publication, &query);
    model_run(proof->model, &publication->tables, &rooms[fault], query.bytes, query.len, &result);
    expect_counts(proof, &result);
    if (result.answered) {
        proof->answered_n++;
        memcpy(reply.bytes, result.frame, result.frame_len);
        reply.len = result.frame_len;
        wrong = judge_reply(proof->judge, publication, &query, result.frame, result.frame_len);
    }
    if (!wrong && proof->kernel) {
        wrong = compare_kernel(proof, fault, &query, &result, &reply);
    }
    proof->run_n++;
    if (wrong) {
        difference(proof, wrong, &query, &reply);
    }
}

/* Makes a publication the one in force; slots take turns. */
static void publish(struct proof *proof, struct publication *publication, uint32_t turn)
{
    if (proof->kernel) {
        struct fast_control *control = kernel_control(proof->kernel);

        kernel_put_image(proof->kernel, turn % FAST_TABLE_SLOTS, publication);
        kernel_put_templates(proof->kernel, turn / 2 % FAST_TABLE_SLOTS, publication);
        kernel_put_states(proof->kernel, turn % FAST_SLOTS, publication);
        control->now_wall_s = publication->tables.now_wall_s;
        __atomic_store_n(&control->word,
                         FAST_WORD(turn % FAST_TABLE_SLOTS, turn / 2 % FAST_TABLE_SLOTS,
                                   turn % FAST_SLOTS, turn),
                         __ATOMIC_SEQ_CST);
    }
}

/* Another map, other states, another time: exactly what is in force must be answered. */
static void run_in_turns(struct proof *proof, uint64_t queries)
{
    struct publication *publication = NULL;

    for (uint64_t i = 0; i < queries; i++) {
        if (i % CHANGE_EVERY == 0) {
            uint64_t turn = i / CHANGE_EVERY;

            publication = &proof->publications[turn % PUBLICATIONS];
            if (turn >= PUBLICATIONS) {
                publication_change_states(publication, proof->options.seed + turn);
            }
            publication->tables.now_wall_s = PUBLICATION_NOW_S + turn * 97;
            publish(proof, publication, (uint32_t)turn);
        }
        run_query(proof, publication);
    }
}

static bool check_counters(const struct proof *proof)
{
    struct fast_counters got;
    bool good = true;

    kernel_counters(proof->kernel, &got);
    for (int i = 0; i < FAST_PASS_REASONS; i++) {
        if (got.passed[i] != proof->expected.passed[i]) {
            fprintf(stderr, "passed for %s: the program counts %llu, expected %llu\n", reasons[i],
                    got.passed[i], proof->expected.passed[i]);
            good = false;
        }
    }
    for (int i = 0; i < FAST_ANSWERS; i++) {
        good &= got.answered[i] == proof->expected.answered[i];
    }
    good &= got.grown_tail == proof->expected.grown_tail &&
            got.grown_head == proof->expected.grown_head &&
            got.response_bytes == proof->expected.response_bytes;
    if (!good) {
        fprintf(stderr, "the program's counters are wrong\n");
    }
    return good;
}

/* --- while somebody publishes --- */

/* Every run that began before has ended. */
static void publisher_wait(struct publisher *publisher)
{
    uint64_t runs = atomic_load(&publisher->runs);

    while (runs % 2 && atomic_load(&publisher->runs) == runs && !atomic_load(&publisher->stop)) {
        struct timespec moment = {0, 1000};

        nanosleep(&moment, NULL);
    }
}

/* Writes slots that the word does not name, stores the word, waits until nobody can be reading what
 * it named before. Most publications change states alone, as in life. */
static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    struct proof *proof = publisher->proof;
    struct fast_control *control = kernel_control(proof->kernel);
    unsigned table_slot = 0;

    for (uint32_t turn = 1; !atomic_load(&publisher->stop); turn++) {
        uint64_t count = atomic_load(&publisher->count);
        unsigned before = publisher->history[(count - 1) % HISTORY];
        /* neighbours differ in their states alone */
        unsigned next = choices_random(&publisher->random) % 16
                            ? before ^ 1u
                            : (unsigned)(choices_random(&publisher->random) % PUBLICATIONS);
        const struct publication *publication = &proof->publications[next];

        if (next / 2 != before / 2) {
            table_slot = !table_slot;
            kernel_put_image(proof->kernel, table_slot, publication);
            kernel_put_templates(proof->kernel, table_slot, publication);
        }
        kernel_put_states(proof->kernel, turn % FAST_SLOTS, publication);
        publisher->history[count % HISTORY] = (uint8_t)next;
        atomic_store(&publisher->count, count + 1);
        __atomic_store_n(&control->word, FAST_WORD(table_slot, table_slot, turn % FAST_SLOTS, turn),
                         __ATOMIC_SEQ_CST);
        publisher_wait(publisher);
    }
    return NULL;
}

/* NULL if the answer is that of a publication between two moments. */
static const char *judge_any(struct proof *proof, const struct frame *query,
                             const struct frame *reply, uint64_t from, uint64_t to)
{
    const char *wrong = "no publication";
    unsigned tried = 0;

    for (uint64_t at = from; at <= to && wrong; at++) {
        unsigned which = proof->publisher.history[at % HISTORY];

        if (!(tried >> which & 1)) {
            tried |= 1u << which;
            wrong = judge_reply(proof->judge, &proof->publications[which], query, reply->bytes,
                                reply->len);
        }
    }
    return wrong;
}

static void run_beside(struct proof *proof)
{
    static struct frame query, reply;
    struct publisher *publisher = &proof->publisher;
    /* the word of `count - 1` may not be stored yet: the one before counts, too */
    uint64_t from = atomic_load(&publisher->count);
    const char *wrong = NULL;
    uint64_t to;
    uint32_t action;
    int error;

    from = from > 1 ? from - 2 : 0;
    queries_make(&proof->choices, proof->questions,
                 &proof->publications[publisher->history[from % HISTORY]], &query);
    atomic_fetch_add(&publisher->runs, 1);
    error = kernel_run(proof->kernel, KERNEL_NO_FAULT, &query, &reply, &action);
    atomic_fetch_add(&publisher->runs, 1);
    to = atomic_load(&publisher->count) - 1;
    if (error < 0) {
        wrong = "the program could not be run";
    } else if (action == XDP_TX) {
        proof->answered_n++;
        wrong = judge_any(proof, &query, &reply, from, to);
    } else if (reply.len != query.len || memcmp(reply.bytes, query.bytes, query.len) != 0) {
        wrong = "passed up, but touched";
    }
    proof->run_n++;
    if (wrong) {
        difference(proof, wrong, &query, &reply);
    }
}

/* Neighbours become the same but for their states, and all are of one time. */
static void prepare_publications(struct proof *proof)
{
    for (unsigned i = 0; i < PUBLICATIONS; i++) {
        if (i % 2) {
            publication_close(&proof->publications[i]);
            publication_open(&proof->publications[i], proof->options.golden, i / 2,
                             proof->options.seed * 16 + i / 2);
            publication_change_states(&proof->publications[i], proof->options.seed + i);
        } else {
            publication_close(&proof->publications[i]);
            publication_open(&proof->publications[i], proof->options.golden, i / 2,
                             proof->options.seed * 16 + i / 2);
        }
    }
}

static int run_while_published(struct proof *proof, uint64_t queries)
{
    struct publisher *publisher = &proof->publisher;
    pthread_t thread;

    prepare_publications(proof);
    publish(proof, &proof->publications[0], 0);
    *publisher = (struct publisher){.proof = proof, .random = proof->options.seed};
    atomic_store(&publisher->count, 1);
    if (pthread_create(&thread, NULL, publisher_run, publisher)) {
        return -1;
    }
    for (uint64_t i = 0; i < queries; i++) {
        run_beside(proof);
    }
    atomic_store(&publisher->stop, true);
    pthread_join(thread, NULL);
    printf("published while answering: %" PRIu64 " times\n",
           (uint64_t)atomic_load(&publisher->count));
    return 0;
}

/* --- begin and end --- */

static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"queries", required_argument, NULL, 'q'}, {"seed", required_argument, NULL, 's'},
        {"golden", required_argument, NULL, 'g'},  {"if-allowed", no_argument, NULL, 'i'},
        {"model", no_argument, NULL, 'm'},         {NULL, 0, NULL, 0},
    };
    int option;

    *options =
        (struct options){.queries = 100000, .seed = 1, .golden = TEST_SOURCE_DIR "/tests/golden"};
    while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        if (option == 'q' || option == 's') {
            if (number_parse_u64(optarg, strlen(optarg), 0, UINT64_MAX,
                                 option == 'q' ? &options->queries : &options->seed) < 0) {
                fprintf(stderr, "%s: no number\n", optarg);
                return -1;
            }
        } else if (option == 'g') {
            options->golden = optarg;
        } else if (option == 'i') {
            options->if_allowed = true;
        } else if (option == 'm') {
            options->model_only = true;
        } else {
            return -1;
        }
    }
    return 0;
}

static void report(const struct proof *proof)
{
    const struct fast_counters *counted = &proof->expected;

    printf("%" PRIu64 " queries, %" PRIu64 " answered (%.1f %%), %" PRIu64 " differences\n",
           proof->run_n, proof->answered_n,
           100.0 * (double)proof->answered_n / (double)proof->run_n, proof->difference_n);
    printf("in turns:");
    for (int i = 0; i < FAST_ANSWERS; i++) {
        printf(" %s %llu", answers[i], counted->answered[i]);
    }
    printf("; grown at the tail %llu, at the head %llu; passed:", counted->grown_tail,
           counted->grown_head);
    for (int i = 0; i < FAST_PASS_REASONS; i++) {
        if (counted->passed[i]) {
            printf(" %s %llu", reasons[i], counted->passed[i]);
        }
    }
    putchar('\n');
}

static int prove(struct proof *proof)
{
    uint64_t beside = proof->kernel ? proof->options.queries / 4 : 0;
    bool good = true;

    for (unsigned i = 0; i < PUBLICATIONS; i++) {
        publication_open(&proof->publications[i], proof->options.golden, i,
                         i ? proof->options.seed * 8 + i : 0);
    }
    proof->questions = questions_new(proof->options.golden);
    questions_sort(proof->questions, proof->publications, PUBLICATIONS);
    run_in_turns(proof, proof->options.queries - beside);
    if (proof->kernel) {
        good = check_counters(proof) && run_while_published(proof, beside) == 0;
        printf("the verifier processed %u instructions\n", kernel_verified(proof->kernel));
        if (kernel_verified(proof->kernel) > VERIFIED_MAX) {
            fprintf(stderr, "more than %u\n", VERIFIED_MAX);
            good = false;
        }
    }
    report(proof);
    if (proof->answered_n * 2 < proof->run_n) {
        fprintf(stderr, "less than half was answered: that proves little\n");
        good = false;
    }
    for (unsigned i = 0; i < PUBLICATIONS; i++) {
        publication_close(&proof->publications[i]);
    }
    questions_free(proof->questions);
    return good && proof->difference_n == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct proof proof;
    struct fast_limits limits = {.image_blocks = 4096, .template_blocks = 4096, .services = 64};
    struct failure failure = {{0}};
    int result;

    if (parse_options(argc, argv, &proof.options) < 0) {
        return 2;
    }
    proof.choices.state = proof.options.seed;
    if (!proof.options.model_only && kernel_open(&limits, &proof.kernel, &failure) < 0) {
        fprintf(stderr, "%s: %s\n", proof.options.if_allowed ? "SKIPPED" : "failed", failure.text);
        return proof.options.if_allowed ? 0 : 1;
    }
    proof.judge = judge_new();
    proof.model = model_new();
    result = prove(&proof);
    model_free(proof.model);
    judge_free(proof.judge);
    if (proof.kernel) {
        kernel_close(proof.kernel);
    }
    return result;
}
