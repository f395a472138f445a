/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/sketch.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

Test(sketch, a_bucket_stands_for_its_values_within_two_percent)
{
    for (double ms = 1.0; ms < 10000; ms *= 1.003) {
        double back = sketch_value(sketch_bucket(ms));

        cr_assert_lt(fabs(back - ms) / ms, 0.0205, "%g became %g", ms, back);
    }
}

Test(sketch, below_a_millisecond_the_error_is_absolute)
{
    for (double ms = 0.0; ms < 1; ms += 0.003) {
        cr_assert_lt(fabs(sketch_value(sketch_bucket(ms)) - ms), 0.0209);
    }
    cr_assert_eq(sketch_bucket(-1), 0);
    cr_assert_eq(sketch_bucket(NAN), 0);
    cr_assert_eq(sketch_bucket(1e300), SKETCH_BUCKETS - 1);
}

Test(sketch, buckets_rise_with_values)
{
    unsigned last = 0;

    for (double ms = 0.01; ms < 20000; ms *= 1.001) {
        unsigned bucket = sketch_bucket(ms);

        cr_assert(bucket == last || bucket == last + 1, "%g", ms);
        last = bucket;
    }
    cr_assert_eq(last, SKETCH_BUCKETS - 1);
}

Test(sketch, quantiles_of_few_and_of_many_samples)
{
    struct sketch sketch = {0};

    cr_assert_float_eq(sketch_quantile(&sketch, 0.25), 0, 0);
    for (int i = 1; i <= 12; i++) { /* 10, 20, ... 120 */
        cr_assert_eq(sketch_add(&sketch, i * 10.0, 1), 0);
    }
    cr_assert_eq(sketch.is_list, 0);
    cr_assert_float_eq(sketch_quantile(&sketch, 0.25), 30, 0.7);
    cr_assert_float_eq(sketch_quantile(&sketch, 0), 10, 0.3);
    cr_assert_float_eq(sketch_quantile(&sketch, 1), 120, 2.5);
    for (int i = 13; i <= 100; i++) {
        cr_assert_eq(sketch_add(&sketch, i * 10.0, 1), 0);
    }
    cr_assert_eq(sketch.is_list, 1);
    cr_assert_eq(sketch_count(&sketch), 100);
    cr_assert_float_eq(sketch_quantile(&sketch, 0.25), 250, 6);
    cr_assert_float_eq(sketch_quantile(&sketch, 0.5), 500, 11);
    sketch_done(&sketch);
}

Test(sketch, a_count_weighs_as_many_samples)
{
    struct sketch sketch = {0};

    cr_assert_eq(sketch_add(&sketch, 100, 3), 0);
    cr_assert_eq(sketch_add(&sketch, 10, 1), 0);
    cr_assert_eq(sketch_count(&sketch), 4);
    cr_assert_float_eq(sketch_quantile(&sketch, 0.25), 10, 0.3);
    cr_assert_float_eq(sketch_quantile(&sketch, 0.26), 100, 2.1);
    sketch_done(&sketch);
}

static void fill(struct sketch *sketch, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        cr_assert_eq(sketch_add(sketch, 0.5 + (i * 7919 % 4000), 1 + i % 3), 0);
    }
}

static void expect_equal(const struct sketch *a, const struct sketch *b)
{
    cr_assert_eq(sketch_count(a), sketch_count(b));
    for (int i = 0; i <= 100; i++) {
        cr_assert_float_eq(sketch_quantile(a, i / 100.0), sketch_quantile(b, i / 100.0), 0);
    }
}

Test(sketch, merging_shards_in_any_order_is_adding_the_samples)
{
    struct sketch all = {0};
    struct sketch part[3] = {{{{{0}, 0, 0}}}};
    struct sketch forward = {0};
    struct sketch backward = {0};

    fill(&all, 0, 900);
    fill(&part[0], 0, 5); /* a shard that stays small */
    fill(&part[1], 5, 500);
    fill(&part[2], 500, 900);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(sketch_merge(&forward, &part[i]), 0);
        cr_assert_eq(sketch_merge(&backward, &part[2 - i]), 0);
    }
    expect_equal(&all, &forward);
    expect_equal(&all, &backward);
    for (int i = 0; i < 3; i++) {
        sketch_done(&part[i]);
    }
    sketch_done(&all);
    sketch_done(&forward);
    sketch_done(&backward);
}

Test(sketch, counters_saturate)
{
    struct sketch sketch = {0};

    cr_assert_eq(sketch_add(&sketch, 5, UINT32_MAX), 0);
    cr_assert_eq(sketch_add(&sketch, 5, 7), 0);
    cr_assert_eq(sketch_count(&sketch), UINT32_MAX);
    sketch_done(&sketch);
}

Test(sketch, every_bucket_may_be_in_use)
{
    struct sketch sketch = {0};

    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < SKETCH_BUCKETS; i++) {
            cr_assert_eq(sketch_add(&sketch, sketch_value(SKETCH_BUCKETS - 1 - i), 2), 0);
        }
    }
    cr_assert_eq(sketch_count(&sketch), 4 * SKETCH_BUCKETS);
    cr_assert_eq(sketch_bucket(sketch_quantile(&sketch, 0.5)), SKETCH_BUCKETS / 2 - 1);
    sketch_done(&sketch);
}
