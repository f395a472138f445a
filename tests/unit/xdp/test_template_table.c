/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "xdp/name_core.h"
#include "xdp/template_table.h"

#define SEED 0x5eedu
#define NAME_MAX_LEN 255u

static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return name_spread(*state);
}

/* Name number `number`: "nNUMBER", padded to a label of its own length, below "test". */
static uint32_t name_make(uint32_t number, uint8_t ret_name[static NAME_MAX_LEN + 1])
{
    char label[64];
    int len = snprintf(label, sizeof(label), "n%u%.*s", number, (int)(number % 50),
                       "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");

    memset(ret_name, 0, NAME_MAX_LEN + 1);
    ret_name[0] = (uint8_t)len;
    memcpy(ret_name + 1, label, (size_t)len);
    memcpy(ret_name + 1 + len, "\4test", 6);
    return (uint32_t)len + 7;
}

static uint64_t name_hash_of(const uint8_t *name, uint32_t len, uint16_t qtype)
{
    __u64 words[NAME_WORDS_MAX] = {0};

    memcpy(words, name, len);
    return name_hash_words(SEED, words, len, qtype);
}

/* A body that tells its number. */
static size_t body_make(uint32_t number, uint8_t ret_body[static FAST_BODY_MAX])
{
    size_t len = number % 97;

    for (size_t i = 0; i < len; i++) {
        ret_body[i] = (uint8_t)(number * 31 + i * 7);
    }
    return len;
}

static int add_number(struct template_builder *builder, uint32_t number, uint16_t qtype)
{
    uint8_t name[NAME_MAX_LEN + 1], body[FAST_BODY_MAX];
    struct template_static answer = {.name = name,
                                     .qtype = qtype,
                                     .flags = 0x8400,
                                     .counts = {1, (uint16_t)(number % 3), 2},
                                     .answer = FAST_ANSWER_NODATA,
                                     .attributes = FAST_DO_SAME,
                                     .body = body};

    (void)name_make(number, name);
    answer.body_len = body_make(number, body);
    return template_builder_add_static(builder, &answer);
}

/* What a program would do that knows nothing but xdp/fast_abi.h: the template, or NULL. */
static const struct fast_template *program_find(const struct template_table *table,
                                                const uint8_t *name, uint32_t len, uint16_t qtype)
{
    struct fast_policy policy = {0};
    uint32_t block_n;
    const uint8_t *blocks = template_table_blocks(table, &block_n);
    const struct fast_bucket *buckets;
    struct name_factors factors;
    uint64_t hash;
    unsigned same = 0;

    template_table_policy(table, &policy);
    name_factors_make(SEED, &factors);
    cr_assert_arr_eq(&policy.factors, &factors, sizeof(factors));
    hash = name_hash_of(name, len, qtype);
    buckets = (const void *)(blocks + policy.bucket_block * FAST_BLOCK_SIZE);
    for (unsigned next = 0; next < 2; next++) {
        const struct fast_bucket *bucket = &buckets[(hash + next) & policy.bucket_mask];

        for (unsigned i = 0; i < FAST_BUCKET_ENTRIES; i++) {
            uint32_t place = bucket->places[i];
            const struct fast_template *template =
                (const void *)(blocks + FAST_PLACE_BLOCK(place) * FAST_BLOCK_SIZE +
                               FAST_PLACE_OFFSET(place));

            if (bucket->tags[i] != name_hash_tag(hash)) {
                continue;
            }
            cr_assert_lt(FAST_PLACE_BLOCK(place), block_n);
            cr_assert_eq(FAST_PLACE_OFFSET(place) % 64, 0);
            if (same++ < FAST_TAG_SAME && template->qtype == qtype && template->name_len == len &&
                !memcmp(template->name, name, len)) {
                return template;
            }
        }
        if (!bucket->spilled) {
            break;
        }
    }
    return NULL;
}

static bool has_number(const struct template_table *table, uint32_t number, uint16_t qtype)
{
    uint8_t name[NAME_MAX_LEN + 1], body[FAST_BODY_MAX];
    uint32_t len = name_make(number, name);
    const struct fast_template *template = program_find(table, name, len, qtype);
    size_t body_len = body_make(number, body);
    size_t at;
    uint32_t sum = 0;

    cr_assert_eq(template, template_table_find(table, name, qtype));
    if (!template) {
        return false;
    }
    at = (len + 7) / 8 * 8;
    cr_assert_eq(template->kind, FAST_STATIC);
    cr_assert_eq(template->answer, FAST_ANSWER_NODATA);
    cr_assert_eq(template->attributes, FAST_DO_SAME);
    cr_assert_eq(template->flags, 0x8400);
    cr_assert_eq(template->answer_n, 1);
    cr_assert_eq(template->authority_n, number % 3);
    cr_assert_eq(template->additional_n, 2);
    cr_assert_eq(template->body_len, body_len);
    cr_assert_eq(memcmp(template->name + at, body, body_len), 0, "body of %u", number);
    for (size_t i = len; i < at; i++) {
        cr_assert_eq(template->name[i], 0);
    }
    body[body_len] = 0;
    for (size_t i = 0; i < body_len; i += 2) {
        sum += body[i] * 256u + body[i + 1];
    }
    cr_assert_eq(template->body_sum % 65535, sum % 65535, "sum of %u", number);
    return true;
}

static struct template_table *finish(struct template_builder *builder)
{
    struct failure failure = {{0}};
    struct template_table *table = NULL;

    cr_assert_eq(template_builder_finish(builder, &table, &failure), 0, "%s", failure.text);
    return table;
}

Test(template_table, finds_what_was_added_and_nothing_else)
{
    static const uint32_t sizes[] = {0, 1, 319, 320, 321, 5000, 40000};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct template_builder *builder = template_builder_new(1u << 20, SEED);
        struct template_table *table;
        struct template_counts counts;
        uint32_t missing = 0;

        for (uint32_t i = 0; i < sizes[s]; i++) {
            cr_assert_eq(add_number(builder, i / 2, i % 2 ? 28 : 1), 1);
        }
        table = finish(builder);
        for (uint32_t i = 0; i < sizes[s]; i++) {
            missing += !has_number(table, i / 2, i % 2 ? 28 : 1);
            cr_assert_not(has_number(table, i / 2, 16));
            cr_assert_not(has_number(table, sizes[s] + i, 1));
        }
        template_table_counts(table, &counts);
        cr_assert_eq(counts.left_out_n, missing);
        cr_assert_eq(counts.static_n, sizes[s] - missing);
        cr_assert_eq(counts.geo_n, 0);
        cr_assert_eq(missing, 0, "%u of %u", missing, sizes[s]);
        template_table_free(table);
    }
}

Test(template_table, an_empty_table_has_only_buckets)
{
    struct template_table *table = finish(template_builder_new(1, SEED));
    uint32_t block_n;

    (void)template_table_blocks(table, &block_n);
    cr_assert_eq(block_n, 1);
    cr_assert_not(has_number(table, 1, 1));
    template_table_free(table);
}

Test(template_table, equal_input_gives_equal_bytes)
{
    struct template_table *tables[3];
    const uint8_t *blocks[3];
    uint32_t block_n[3];

    for (unsigned i = 0; i < 3; i++) {
        struct template_builder *builder = template_builder_new(1000, i == 2 ? SEED + 1 : SEED);

        for (uint32_t number = 0; number < 500; number++) {
            cr_assert_eq(add_number(builder, number, 1), 1);
        }
        tables[i] = finish(builder);
        blocks[i] = template_table_blocks(tables[i], &block_n[i]);
    }
    cr_assert_eq(block_n[1], block_n[0]);
    cr_assert_eq(memcmp(blocks[0], blocks[1], (size_t)block_n[0] * FAST_BLOCK_SIZE), 0);
    cr_assert(block_n[2] != block_n[0] ||
              memcmp(blocks[0], blocks[2], (size_t)block_n[0] * FAST_BLOCK_SIZE) != 0);
    for (unsigned i = 0; i < 3; i++) {
        template_table_free(tables[i]);
    }
}

/* Numbers of names in bucket `bucket` of 64. */
static uint32_t names_in_bucket(uint32_t bucket, uint32_t wanted, uint32_t *ret_numbers)
{
    uint8_t name[NAME_MAX_LEN + 1];
    uint32_t count = 0;

    for (uint32_t number = 0; count < wanted; number++) {
        uint32_t len = name_make(number, name);

        if ((name_hash_of(name, len, 1) & 63) == bucket) {
            ret_numbers[count++] = number;
        }
    }
    return count;
}

Test(template_table, a_full_bucket_spills_into_the_next_one_only)
{
    static const uint32_t buckets[] = {5, 63};

    for (unsigned b = 0; b < 2; b++) {
        /* no room for more buckets */
        struct template_builder *builder = template_builder_new(2, SEED);
        uint32_t numbers[20], other;
        struct template_table *table;
        struct template_counts counts;

        names_in_bucket(buckets[b], 20, numbers);
        names_in_bucket((buckets[b] + 1) & 63, 1, &other);
        for (uint32_t i = 0; i < 20; i++) {
            cr_assert_eq(add_number(builder, numbers[i], 1), 1);
        }
        cr_assert_eq(add_number(builder, other, 1), 1);
        table = finish(builder);
        for (uint32_t i = 0; i < 20; i++) {
            cr_assert_eq(has_number(table, numbers[i], 1), i < 16, "entry %u", i);
        }
        /* its own bucket is full of the other one's: it is in the one after it */
        cr_assert(has_number(table, other, 1));
        template_table_counts(table, &counts);
        cr_assert_eq(counts.static_n, 17);
        cr_assert_eq(counts.left_out_n, 4);
        template_table_free(table);
    }
}

/* Three names with the same tag in buckets that are looked at together: the third is left out, or
 * the program would have to compare any number of names. */
Test(template_table, no_more_than_two_tags_are_the_same)
{
    enum { SLOTS = 1 << 22, NAMES = 1 << 19 };
    uint32_t(*seen)[2] = calloc(SLOTS, sizeof(*seen));
    uint8_t name[NAME_MAX_LEN + 1];
    unsigned triples = 0;

    for (uint32_t number = 1; number < NAMES && triples < 10; number++) {
        uint32_t len = name_make(number, name);
        uint64_t hash = name_hash_of(name, len, 1);
        uint32_t *two = seen[(hash & 63) << 16 | hash >> 48];

        if (!two[0]) {
            two[0] = number;
        } else if (!two[1]) {
            two[1] = number;
        } else {
            struct template_builder *builder = template_builder_new(2, SEED);
            struct template_table *table;
            struct template_counts counts;

            for (unsigned i = 0; i < 2; i++) {
                cr_assert_eq(add_number(builder, two[i], 1), 1);
            }
            cr_assert_eq(add_number(builder, number, 1), 1);
            table = finish(builder);
            cr_assert(has_number(table, two[0], 1));
            cr_assert(has_number(table, two[1], 1));
            cr_assert_not(has_number(table, number, 1));
            template_table_counts(table, &counts);
            cr_assert_eq(counts.left_out_n, 1);
            template_table_free(table);
            triples++;
        }
    }
    free(seen);
    cr_assert_eq(triples, 10);
}

Test(template_table, what_does_not_fit_is_left_out_and_counted)
{
    for (uint32_t block_max = 1; block_max <= 9; block_max++) {
        struct template_builder *builder = template_builder_new(block_max, SEED);
        struct template_table *table;
        struct template_counts counts;
        uint32_t added = 0, found = 0;
        uint32_t block_n;

        cr_assert_eq(template_builder_is_full(builder), block_max < 3);
        for (uint32_t number = 0; number < 600; number++) {
            int status = add_number(builder, number, 1);

            cr_assert_geq(status, 0);
            added += (uint32_t)status;
        }
        cr_assert(template_builder_is_full(builder));
        table = finish(builder);
        (void)template_table_blocks(table, &block_n);
        cr_assert_leq(block_n, block_max);
        for (uint32_t number = 0; number < 600; number++) {
            found += has_number(table, number, 1);
        }
        template_table_counts(table, &counts);
        cr_assert_eq(counts.static_n, found);
        cr_assert_eq(counts.left_out_n, 600 - found);
        cr_assert_geq(added, found);
        cr_assert_geq(found, block_max > 1 ? (block_max - 1) * 10 : 0, "%u blocks", block_max);
        cr_assert(block_max == 1 || has_number(table, 0, 1), "the first come are in");
        template_table_free(table);
    }
}

Test(template_table, nothing_comes_twice)
{
    struct template_builder *builder = template_builder_new(100, SEED);
    struct template_table *table;
    struct template_counts counts;

    cr_assert_eq(add_number(builder, 1, 1), 1);
    cr_assert_eq(add_number(builder, 1, 1), -EEXIST);
    cr_assert_eq(add_number(builder, 1, 28), 1);
    table = finish(builder);
    template_table_counts(table, &counts);
    cr_assert_eq(counts.static_n, 2);
    cr_assert_eq(counts.left_out_n, 0);
    template_table_free(table);
}

Test(template_table, bodies_and_names_of_any_length)
{
    struct template_builder *builder = template_builder_new(3000, SEED);
    uint8_t name[NAME_MAX_LEN + 1] = {0};
    static uint8_t body[FAST_BODY_MAX + 1];
    struct template_table *table;
    struct template_counts counts;

    for (uint16_t len = 0; len <= FAST_BODY_MAX; len++) {
        struct template_static answer = {.name = name, .qtype = len, .body = body, .body_len = len};

        memset(body, len & 0xff, sizeof(body));
        cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    }
    cr_assert_eq(template_builder_add_static(
                     builder,
                     &(struct template_static){
                         .name = name, .qtype = 5000, .body = body, .body_len = FAST_BODY_MAX + 1}),
                 0);
    for (unsigned at = 0; at < 254; at += 2) { /* 127 labels of one byte: the longest name */
        name[at] = 1;
        name[at + 1] = 'x';
    }
    cr_assert_eq(template_builder_add_static(
                     builder, &(struct template_static){.name = name, .qtype = 1, .body = body}),
                 1);
    table = finish(builder);
    cr_assert_not_null(template_table_find(table, name, 1));
    memset(name, 0, sizeof(name));
    for (uint16_t len = 0; len <= FAST_BODY_MAX; len++) {
        const struct fast_template *template = template_table_find(table, name, len);

        cr_assert_not_null(template);
        cr_assert_eq(template->body_len, len);
        memset(body, len & 0xff, sizeof(body));
        cr_assert_eq(memcmp(template->name + 8, body, len), 0);
    }
    template_table_counts(table, &counts);
    cr_assert_eq(counts.left_out_n, 1);
    template_table_free(table);
}

/* Variants of 256 PoPs: where the bytes lie, their sums, and what is too large. */
Test(template_table, variants_are_a_block_and_their_bytes)
{
    static uint8_t bodies[MAP_STATES][FAST_BODY_MAX + 1];
    struct template_variant by_pop[MAP_STATES] = {0};
    struct template_builder *builder = template_builder_new(100, SEED);
    struct template_geo answer = {.name = (const uint8_t *)"\3www\4test",
                                  .qtype = 28,
                                  .flags = 0x8400,
                                  .service = 70000,
                                  .map = 3,
                                  .family = MAP_FAMILY_IPV6,
                                  .want = 2};
    const struct fast_variant *variants;
    const struct fast_template *template;
    struct template_table *table;

    for (unsigned pop = 0; pop < MAP_STATES; pop++) {
        size_t len = pop % 4 ? pop * 3 + 16 : 0;

        memset(bodies[pop], (int)pop, sizeof(bodies[pop]));
        by_pop[pop] = (struct template_variant){bodies[pop], len, 1, 1, 28};
    }
    by_pop[7].body_len = FAST_BODY_MAX + 1;
    cr_assert_eq(template_builder_add_variants(builder, &(struct template_variants){by_pop},
                                               &answer.variants),
                 1);
    cr_assert_eq(template_builder_add_geo(builder, &answer), 1);
    answer.name = (const uint8_t *)"\3ftp\4test";
    cr_assert_eq(template_builder_add_geo(builder, &answer), 1);
    table = finish(builder);
    cr_assert_null(template_table_find(table, (const uint8_t *)"\3www\4test", 1));
    template = template_table_find(table, (const uint8_t *)"\3www\4test", 28);
    cr_assert_not_null(template);
    cr_assert_eq(template->kind, FAST_GEO);
    cr_assert_eq(template->answer, FAST_ANSWER_GEO);
    cr_assert_eq(template->service, 70000);
    cr_assert_eq(template->map, 3);
    cr_assert_eq(template->family, MAP_FAMILY_IPV6);
    cr_assert_eq(template->want, 2);
    cr_assert_eq(template->variants_block,
                 template_table_find(table, answer.name, 28)->variants_block);
    variants = template_table_at(table, template->variants_block << 8);
    for (unsigned pop = 0; pop < MAP_STATES; pop++) {
        const struct fast_variant *variant = &variants[pop];

        cr_assert_eq(variant->len, pop == 7 ? FAST_BODY_MAX + 1 : by_pop[pop].body_len, "PoP %u",
                     pop);
        if (!variant->len || pop == 7) {
            cr_assert_eq(variant->place, 0);
            continue;
        }
        cr_assert_leq(FAST_PLACE_OFFSET(variant->place) + variant->len, FAST_BLOCK_SIZE);
        cr_assert_eq(memcmp(template_table_at(table, variant->place), bodies[pop], variant->len), 0,
                     "PoP %u", pop);
        cr_assert_eq(variant->sum % 65535,
                     (variant->len / 2 * pop * 257 + (variant->len & 1) * pop * 256) % 65535);
        cr_assert_eq(variant->rr_n, 1);
        cr_assert_eq(variant->ttl_n, 1);
        cr_assert_eq(variant->ttl_stride, 28);
    }
    template_table_free(table);
}

Test(template_table, variants_without_room_are_left_out)
{
    static uint8_t body[FAST_BODY_MAX];
    struct template_variant by_pop[MAP_STATES] = {0};
    uint64_t random = 3;

    for (unsigned i = 0; i < 200; i++) {
        uint32_t block_max = 1 + (uint32_t)(random_next(&random) % 30);
        struct template_builder *builder = template_builder_new(block_max, SEED);
        struct template_table *table;
        uint32_t variants, block_n;
        int status;

        for (unsigned pop = 0; pop < MAP_STATES; pop++) {
            size_t len = random_next(&random) % 3 ? 0 : 16 + random_next(&random) % 1000;

            by_pop[pop] = (struct template_variant){body, len, 1, 0, 0};
        }
        do {
            status = template_builder_add_variants(builder, &(struct template_variants){by_pop},
                                                   &variants);
        } while (status == 1);
        cr_assert_eq(status, 0);
        (void)add_number(builder, 1, 1);
        table = finish(builder);
        (void)template_table_blocks(table, &block_n);
        cr_assert_leq(block_n, block_max);
        template_table_free(table);
    }
}

Test(template_table, what_contradicts_itself_is_refused)
{
    struct template_builder *builder = template_builder_new(100, SEED);
    struct template_variant by_pop[MAP_STATES] = {0};
    struct template_geo answer = {
        .name = (const uint8_t *)"", .qtype = 1, .family = MAP_FAMILY_IPV4, .want = 1};
    uint8_t body[32] = {0};
    uint8_t long_name[300];
    uint32_t variants = 0;

    by_pop[3] = (struct template_variant){body, 32, 2, 3, 16}; /* more TTLs than records */
    cr_assert_eq(
        template_builder_add_variants(builder, &(struct template_variants){by_pop}, &variants),
        -EINVAL);
    by_pop[3] = (struct template_variant){body, 32, 2, 2, 24}; /* a TTL past the end */
    cr_assert_eq(
        template_builder_add_variants(builder, &(struct template_variants){by_pop}, &variants),
        -EINVAL);
    answer.variants = 1;
    cr_assert_eq(template_builder_add_geo(builder, &answer), -EINVAL);
    answer.variants = 0;
    answer.want = MAP_PICKS_MAX + 1;
    cr_assert_eq(template_builder_add_geo(builder, &answer), -EINVAL);
    memset(long_name, 50, sizeof(long_name));
    cr_assert_eq(template_builder_add_static(
                     builder, &(struct template_static){.name = long_name, .qtype = 1}),
                 -EINVAL);
    template_builder_free(builder);
}
