/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "edge/serve/counters.h"

Test(counters, one_answer_is_counted_in_every_place_it_belongs_to)
{
    static struct counters counters;
    struct counters_sum sum = {0};
    struct answer_outcome outcome = {
        .kind = ANSWER_GEO, .rcode = 0, .truncated = true, .edns = true, .ecs = true, .qtype = 28};

    counters_add_answer(&counters, &outcome, ANSWER_TCP, 1, 40, 100);
    counters_sum_add(&sum, &counters);
    counters_sum_add(&sum, &counters); /* two workers that did the same */
    cr_expect_eq(sum.answers[ANSWER_GEO][ANSWER_TCP][1], 2);
    cr_expect_eq(sum.answers[ANSWER_GEO][ANSWER_TCP][0], 0);
    cr_expect_eq(sum.answers[ANSWER_GEO][ANSWER_UDP][1], 0);
    cr_expect_eq(sum.rcodes[0], 2);
    cr_expect_eq(sum.qtypes[COUNTER_QTYPE_AAAA], 2);
    cr_expect_eq(sum.plain[COUNTER_QUERY_BYTES], 80);
    cr_expect_eq(sum.plain[COUNTER_RESPONSE_BYTES], 200);
    cr_expect_eq(sum.plain[COUNTER_TRUNCATED], 2);
    cr_expect_eq(sum.plain[COUNTER_EDNS], 2);
    cr_expect_eq(sum.plain[COUNTER_ECS], 2);
}

Test(counters, what_gets_no_response_counts_as_dropped_only)
{
    static struct counters counters;
    struct counters_sum sum = {0};
    struct answer_outcome outcome = {.kind = ANSWER_DROPPED};

    counters_add_answer(&counters, &outcome, ANSWER_UDP, 0, 5, 0);
    counters_sum_add(&sum, &counters);
    cr_expect_eq(sum.answers[ANSWER_DROPPED][ANSWER_UDP][0], 1);
    cr_expect_eq(sum.rcodes[0], 0);
    cr_expect_eq(sum.qtypes[COUNTER_QTYPE_OTHER], 0);
    cr_expect_eq(sum.plain[COUNTER_RESPONSE_BYTES], 0);
}

Test(counters, every_counter_has_a_name_of_its_own)
{
    for (unsigned i = 0; i < COUNTER_PLAIN_N; i++) {
        cr_assert_not_null(counter_plain_name((enum counter_plain)i), "plain %u", i);
        for (unsigned k = 0; k < i; k++) {
            cr_expect_str_neq(counter_plain_name((enum counter_plain)i),
                              counter_plain_name((enum counter_plain)k));
        }
    }
    for (unsigned i = 0; i < COUNTER_QTYPES; i++) {
        cr_assert_not_null(counter_qtype_name((enum counter_qtype)i), "type %u", i);
    }
    for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
        cr_assert_not_null(counter_rcode_name(i), "rcode %u", i);
    }
}

Test(counters, types_without_a_name_share_one_place)
{
    static const struct {
        uint16_t qtype;
        enum counter_qtype place;
    } rows[] = {
        {1, COUNTER_QTYPE_A},     {28, COUNTER_QTYPE_AAAA}, {65, COUNTER_QTYPE_HTTPS},
        {255, COUNTER_QTYPE_ANY}, {0, COUNTER_QTYPE_OTHER}, {65535, COUNTER_QTYPE_OTHER},
        {257, COUNTER_QTYPE_CAA},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(counter_qtype_of(rows[i].qtype), rows[i].place, "type %u", rows[i].qtype);
    }
}
