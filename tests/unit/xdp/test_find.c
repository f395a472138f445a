/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the program finds a template, where hashes meet: what a builder lays down is found, and what
 * it does not have is not, even if bucket and tag are another's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "xdp/find_core.h"
#include "xdp/template_table.h"

#define SEED 0x2545f4914f6cdd1dULL
#define BUCKETS 64u /* of a table of few templates */
#define NAMES 100000u
#define QTYPE 1u

struct candidate {
    uint32_t number;
    uint16_t qtype;
    uint16_t tag;
    uint8_t bucket;
};

static uint32_t name_make(uint32_t number, uint8_t name[16])
{
    uint32_t len = (uint32_t)sprintf((char *)name + 1, "n%06u", number);

    name[0] = (uint8_t)len;
    return len + 2;
}

/* What question_read() would leave of that name. */
static void work_make(struct work *work, uint32_t number, uint16_t qtype)
{
    uint8_t name[16] = {0};

    memset(work->name, 0, sizeof(work->name));
    work->name_len = name_make(number, name);
    work->qtype = qtype;
    memcpy(work->name, name, work->name_len);
    work->hash = name_hash_words(SEED, work->name, work->name_len, qtype);
}

static struct work *work_new(void)
{
    struct work *work = calloc(1, sizeof(*work));

    cr_assert(work);
    return work;
}

static struct candidate candidate_make(struct work *work, uint32_t number, uint16_t qtype)
{
    work_make(work, number, qtype);
    return (struct candidate){number, qtype, name_hash_tag(work->hash),
                              (uint8_t)(work->hash % BUCKETS)};
}

static int candidate_compare(const void *a, const void *b)
{
    const struct candidate *left = a;
    const struct candidate *right = b;

    return left->bucket != right->bucket ? left->bucket - right->bucket : left->tag - right->tag;
}

/* `count` in a row of the sorted list that have the same bucket and tag. */
static const struct candidate *candidates_meet(const struct candidate *list, size_t n, size_t count)
{
    for (size_t i = 0; i + count <= n; i++) {
        if (candidate_compare(&list[i], &list[i + count - 1]) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static struct template_table *table_make(const struct candidate *list, size_t n)
{
    struct template_builder *builder = template_builder_new(64, SEED);
    struct template_table *table;
    struct template_counts counts;
    struct failure failure;

    for (size_t i = 0; i < n; i++) {
        uint8_t name[16] = {0};
        const struct template_static answer = {.name = name,
                                               .qtype = list[i].qtype,
                                               .flags = 0x8400,
                                               .body = (const uint8_t *)"x",
                                               .body_len = 1};

        (void)name_make(list[i].number, name);
        cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    }
    cr_assert_eq(template_builder_finish(builder, &table, &failure), 0);
    template_table_counts(table, &counts);
    cr_assert_eq(counts.static_n, n);
    return table;
}

/* Whether it is found, and as itself. */
static bool is_found(const struct template_table *table, const struct candidate *candidate)
{
    struct fast_policy policy = {0};
    struct fast_tables tables = {.policy = &policy};
    struct work *work = work_new();
    struct find find;
    bool found;

    template_table_policy(table, &policy);
    cr_assert_eq(policy.bucket_mask, BUCKETS - 1);
    tables.templates.bytes = template_table_blocks(table, &tables.templates.block_n);
    work_make(work, candidate->number, candidate->qtype);
    found = find_read(work, &tables, &find) == 0;
    if (found) {
        const struct fast_template *template = find_template(&find);

        cr_assert_eq(template->qtype, candidate->qtype);
        cr_assert_eq(memcmp(template->name, work->name, work->name_len), 0);
    }
    free(work);
    return found;
}

Test(find, names_of_one_bucket_and_tag_are_told_apart)
{
    struct candidate *list = calloc(NAMES, sizeof(*list));
    struct work *work = work_new();
    const struct candidate *three;
    struct template_table *table;

    for (uint32_t i = 0; i < NAMES; i++) {
        list[i] = candidate_make(work, i, QTYPE);
    }
    qsort(list, NAMES, sizeof(*list), candidate_compare);
    three = candidates_meet(list, NAMES, 3);
    cr_assert(three);
    table = table_make(three, 2);
    cr_assert(is_found(table, &three[0]));
    cr_assert(is_found(table, &three[1]));
    cr_assert_not(is_found(table, &three[2]));
    template_table_free(table);
    free(list);
    free(work);
}

Test(find, types_of_one_name_are_told_apart)
{
    struct candidate *list = calloc(65536, sizeof(*list));
    struct work *work = work_new();
    const struct candidate *two;
    struct template_table *table;

    for (uint32_t type = 0; type < 65536; type++) {
        list[type] = candidate_make(work, 7, (uint16_t)type);
    }
    qsort(list, 65536, sizeof(*list), candidate_compare);
    two = candidates_meet(list, 65536, 2);
    cr_assert(two);
    table = table_make(two, 1);
    cr_assert(is_found(table, &two[0]));
    cr_assert_not(is_found(table, &two[1]));
    template_table_free(table);
    free(list);
    free(work);
}

/* Ten of one bucket, the last one of the table, so that the next is the first. */
Test(find, what_a_full_bucket_has_no_room_for_is_in_the_next)
{
    struct work *work = work_new();
    struct candidate list[11];
    struct template_table *table;
    size_t n = 0;

    for (uint32_t i = 0; n < 11; i++) {
        list[n] = candidate_make(work, i, QTYPE);
        n += list[n].bucket == BUCKETS - 1;
    }
    table = table_make(list, 10);
    for (size_t i = 0; i < 10; i++) {
        cr_assert(is_found(table, &list[i]), "%zu", i);
    }
    cr_assert_not(is_found(table, &list[10]));
    template_table_free(table);
    free(work);
}
