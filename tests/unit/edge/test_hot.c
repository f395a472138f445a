/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/render/hot.h"
#include "edge/wire/name.h"
#include "xdp/name_core.h"

#define NAMES 20000u

static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return name_spread(*state);
}

static void name_make(uint32_t number, uint8_t ret_name[static 256])
{
    memset(ret_name, 0, 256);
    ret_name[0] = (uint8_t)snprintf((char *)ret_name + 1, 20, "N%u", number);
    memcpy(ret_name + 1 + ret_name[0], "\4Test", 6);
}

static uint32_t name_number(const uint8_t *name)
{
    cr_assert_eq(name[1], 'n');
    return (uint32_t)strtoul((const char *)name + 2, NULL, 10);
}

/* Numbers as often as Zipf's law has them, exponent 1. */
struct zipf {
    double sums[NAMES];
    uint64_t random;
};

static struct zipf *zipf_new(uint64_t seed)
{
    struct zipf *zipf = malloc(sizeof(*zipf));
    double sum = 0;

    for (uint32_t i = 0; i < NAMES; i++) {
        sum += 1.0 / (i + 1);
        zipf->sums[i] = sum;
    }
    zipf->random = seed;
    return zipf;
}

static uint32_t zipf_next(struct zipf *zipf)
{
    double wanted =
        (double)(random_next(&zipf->random) >> 11) / 9007199254740992.0 * zipf->sums[NAMES - 1];
    uint32_t low = 0, high = NAMES - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (zipf->sums[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void add(struct hot *hot, uint32_t number, uint16_t qtype)
{
    uint8_t name[256];

    name_make(number, name);
    hot_add(hot, name, qtype);
}

Test(hot, counts_lie_around_the_truth)
{
    struct zipf *zipf = zipf_new(1);
    struct hot *hot = hot_new(100, 7);
    static uint64_t exact[NAMES];
    uint8_t name[256];

    for (unsigned i = 0; i < 200000; i++) {
        uint32_t number = zipf_next(zipf);

        exact[number]++;
        add(hot, number, 1);
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        uint64_t most, least;

        name_make(i, name);
        hot_count(hot, name, 1, &most, &least);
        cr_assert(!most || (least <= exact[i] && exact[i] <= most), "%u: %lu not in %lu..%lu", i,
                  exact[i], least, most);
        cr_assert(i >= 50 || most, "%u has no counter", i);
        cr_assert(!most || most - least <= 200000 / 400, "more error than Space-Saving has");
        hot_count(hot, name, 28, &most, &least);
        cr_assert_eq(most, 0);
    }
    hot_free(hot);
    free(zipf);
}

/* The share of all queries that are for a chosen name. */
static double coverage(const struct hot *hot, const struct zipf *zipf)
{
    const struct render_question *questions;
    size_t count = hot_chosen(hot, &questions);
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t number = name_number(questions[i].name);

        sum += zipf->sums[number] - (number ? zipf->sums[number - 1] : 0);
    }
    return sum / zipf->sums[NAMES - 1];
}

Test(hot, the_chosen_are_nearly_the_best_and_stay)
{
    enum { WANTED = 500 };
    struct zipf *zipf = zipf_new(2);
    struct hot *hot = hot_new(WANTED, 7);
    const struct render_question *questions;
    double best = zipf->sums[WANTED - 1] / zipf->sums[NAMES - 1];
    unsigned changes = 0;

    for (unsigned turn = 0; turn < 30; turn++) {
        bool changed;

        for (unsigned i = 0; i < 20000; i++) {
            add(hot, zipf_next(zipf), 1);
        }
        changed = hot_turn(hot, NULL, NULL);
        cr_assert(turn > 0 || changed);
        changes += changed && turn >= 4;
        cr_assert(turn < 4 || coverage(hot, zipf) > 0.97 * best, "turn %u: %f of %f", turn,
                  coverage(hot, zipf), best);
    }
    cr_assert_eq(hot_chosen(hot, &questions), WANTED);
    cr_assert_leq(changes, 1, "%u changes in 26 turns", changes);
    hot_free(hot);
    free(zipf);
}

Test(hot, a_flood_of_names_asked_once_moves_nothing)
{
    struct zipf *zipf = zipf_new(3);
    struct hot *hot = hot_new(200, 7);
    const struct render_question *questions;
    uint32_t flood = 1000000;
    size_t count;

    for (unsigned turn = 0; turn < 10; turn++) {
        for (unsigned i = 0; i < 5000; i++) {
            add(hot, zipf_next(zipf), 1);
            for (unsigned k = 0; k < 10 && turn >= 3; k++) {
                add(hot, flood++, 1);
            }
        }
        (void)hot_turn(hot, NULL, NULL);
        cr_assert_gt(coverage(hot, zipf), 0.9 * zipf->sums[199] / zipf->sums[NAMES - 1]);
    }
    count = hot_chosen(hot, &questions);
    for (size_t i = 0; i < count; i++) {
        cr_assert_lt(name_number(questions[i].name), NAMES);
    }
    hot_free(hot);
    free(zipf);
}

Test(hot, what_becomes_hot_comes_in)
{
    struct hot *hot = hot_new(10, 7);
    const struct render_question *questions;
    unsigned turns = 0;

    for (unsigned turn = 0; turn < 5; turn++) {
        for (uint32_t i = 0; i < 1000; i++) {
            add(hot, i % 10, 28);
        }
        (void)hot_turn(hot, NULL, NULL);
    }
    cr_assert_eq(hot_chosen(hot, &questions), 10);
    do {
        for (uint32_t i = 0; i < 1000; i++) {
            add(hot, 50 + i % 10, 28);
        }
        cr_assert_lt(++turns, 8);
    } while (!hot_turn(hot, NULL, NULL));
    cr_assert_eq(hot_chosen(hot, &questions), 10);
    for (unsigned i = 0; i < 10; i++) {
        cr_assert_eq(name_number(questions[i].name) / 10, 5);
        cr_assert_eq(questions[i].qtype, 28);
    }
    hot_free(hot);
}

static bool even_numbers(void *context, const struct render_question *question)
{
    (*(unsigned *)context)++;
    return name_number(question->name) % 2 == 0;
}

Test(hot, only_who_is_worth_it_is_chosen)
{
    struct hot *hot = hot_new(20, 7);
    const struct render_question *questions;
    unsigned asked = 0;
    size_t count;

    for (uint32_t i = 0; i < 3000; i++) {
        add(hot, i % 30, 1);
    }
    cr_assert(hot_turn(hot, even_numbers, &asked));
    count = hot_chosen(hot, &questions);
    cr_assert_eq(count, 15);
    cr_assert_eq(asked, 30);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(name_number(questions[i].name) % 2, 0);
    }
    hot_free(hot);
}

Test(hot, spelling_does_not_count_but_type_does)
{
    struct hot *hot = hot_new(1, 7);
    uint64_t most, least;

    hot_add(hot, (const uint8_t *)"\3www\4test", 1);
    hot_add(hot, (const uint8_t *)"\3WwW\4TEST", 1);
    hot_add(hot, (const uint8_t *)"\3www\4test", 28);
    hot_count(hot, (const uint8_t *)"\3www\4tesT", 1, &most, &least);
    cr_assert_eq(most, 2);
    cr_assert_eq(least, 2);
    hot_count(hot, (const uint8_t *)"\3www\4test", 28, &most, &least);
    cr_assert_eq(most, 1);
    hot_free(hot);
}

Test(hot, sizes_that_are_none)
{
    cr_assert_null(hot_new(0, 1));
    cr_assert_null(hot_new(HOT_WANTED_MAX + 1, 1));
    hot_free(NULL);
}

/* --- samples --- */

/* A query for www.test A over IPv4, with one VLAN tag or none. */
static void sample_make(struct fast_tap *sample, bool tagged)
{
    static const uint8_t message[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3wWw\4test\0\0\1\0\1";
    const size_t message_len = sizeof(message) - 1;
    uint8_t *at = sample->bytes;
    uint32_t sum = 0;

    memset(sample, 0, sizeof(*sample));
    memcpy(at, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
    at += 12;
    if (tagged) {
        memcpy(at, "\x81\0\0\7", 4);
        at += 4;
    }
    memcpy(at, "\x08\0", 2);
    at += 2;
    memcpy(at, "\x45\0\0\0\0\0\x40\0\x40\x11\0\0\xc0\0\2\1\xc0\0\2\2", 20);
    at[3] = (uint8_t)(28 + message_len);
    for (unsigned i = 0; i < 20; i += 2) {
        sum += at[i] * 256u + at[i + 1];
    }
    sum = ~((sum & 0xffff) + (sum >> 16));
    at[10] = (uint8_t)(sum >> 8);
    at[11] = (uint8_t)sum;
    at += 20;
    memcpy(at, "\xc0\0\0\x35\0\0\0\0", 8);
    at[5] = (uint8_t)(8 + message_len);
    at += 8;
    memcpy(at, message, message_len);
    at += message_len;
    sample->len = (uint16_t)(at - sample->bytes);
    sample->verdict = FAST_PASS_UNKNOWN;
}

static uint64_t sample_counts(const struct fast_tap *sample)
{
    struct hot *hot = hot_new(1, 7);
    bool taken = hot_sample(hot, sample);
    uint64_t most, least;

    hot_count(hot, (const uint8_t *)"\3www\4test", 1, &most, &least);
    cr_assert_eq(taken, most == 1);
    hot_free(hot);
    return most;
}

Test(hot, samples_that_a_template_would_answer_count)
{
    struct fast_tap sample;

    for (unsigned tagged = 0; tagged < 2; tagged++) {
        sample_make(&sample, tagged);
        cr_assert_eq(sample_counts(&sample), 1);
        sample.verdict = FAST_PASS_COOKIE;
        cr_assert_eq(sample_counts(&sample), 0);
        sample.answered = 1;
        sample.verdict = FAST_ANSWER_NODATA;
        cr_assert_eq(sample_counts(&sample), 1);
    }
}

Test(hot, samples_cut_anywhere_are_no_query)
{
    struct fast_tap sample;
    uint16_t len;

    sample_make(&sample, true);
    len = sample.len;
    for (sample.len = 0; sample.len < len; sample.len++) {
        cr_assert_eq(sample_counts(&sample), 0, "%u of %u bytes", sample.len, len);
    }
    sample.len = 1500; /* of which only the first FAST_TAP_BYTES are there: padding */
    cr_assert_eq(sample_counts(&sample), 1);
}

Test(hot, samples_of_responses_and_other_classes_do_not_count)
{
    struct fast_tap sample;

    sample_make(&sample, false);
    sample.bytes[sample.len - 1] = 3;
    cr_assert_eq(sample_counts(&sample), 0);
    sample_make(&sample, false);
    sample.bytes[14 + 20 + 8 + 2] |= 0x80;
    cr_assert_eq(sample_counts(&sample), 0);
}
