/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/history.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WALL_MS INT64_C(1795369201123)

static struct journal_record verdict(int number)
{
    struct journal_record record = {.kind = JOURNAL_VERDICT, .wall_ms = WALL_MS + number};

    journal_set(record.subject, "192.0.2.53/32");
    journal_set(record.word, "withdraw");
    journal_set(record.code, "hard");
    snprintf(record.text, sizeof(record.text), "number %d", number);
    return record;
}

static const char *text_of(const struct history *history, size_t index)
{
    static char text[1024];

    cr_assert(history_get(history, index));
    history_describe(history_get(history, index), text, sizeof(text));
    return text;
}

Test(history, keeps_the_last)
{
    static struct history history;
    struct journal_record check = {.kind = JOURNAL_CHECK};

    cr_expect_null(history_get(&history, 0));
    for (int i = 0; i < HISTORY_LEN + 3; i++) {
        const struct journal_record record = verdict(i);

        history_add(&history, &record);
        history_add(&history, &check);
    }
    cr_expect_str_eq(text_of(&history, 0), "192.0.2.53/32: withdraw, hard: number 3");
    cr_expect_str_eq(text_of(&history, HISTORY_LEN - 1),
                     "192.0.2.53/32: withdraw, hard: number 514");
    cr_expect_null(history_get(&history, HISTORY_LEN));
}

Test(history, words)
{
    static struct history history;
    struct journal_record record = {.kind = JOURNAL_REQUEST, .expires_s = 1795376401};
    json_t *object;

    journal_set(record.subject, "192.0.2.53/32");
    journal_set(record.word, "drain");
    journal_set(record.owner, "noc");
    journal_set(record.text, "router upgrade");
    history_add(&history, &record);
    cr_expect_str_eq(text_of(&history, 0), "192.0.2.53/32: operator noc: drain, until "
                                           "2026-11-22T19:40:01Z: router upgrade");
    object = history_json(history_get(&history, 0));
    cr_expect_str_eq(json_string_value(json_object_get(object, "verb")), "drain");
    json_decref(object);
}

static void journal_write(const char *path, int from, int to)
{
    char line[JOURNAL_LINE_LEN];
    FILE *file = fopen(path, "w");

    for (int i = from; i < to; i++) {
        const struct journal_record record = verdict(i);

        fwrite(line, 1, journal_encode(&record, line), file);
        fputs("not a line of ours\n{\"half\n", file);
    }
    fputs("{\"time\":", file);
    fclose(file);
}

Test(history, seeded_from_the_end_of_a_journal)
{
    static struct history history, long_one;
    char folder[] = "/tmp/test_history.XXXXXX", path[64], before[80];

    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/journal", folder);
    snprintf(before, sizeof(before), "%s.1", path);
    history_seed(&history, path);
    cr_expect_eq(history.count, 0, "nothing there");
    journal_write(before, 0, 4);
    journal_write(path, 4, 6);
    history_seed(&history, path);
    cr_expect_eq(history.count, 6);
    cr_expect_str_eq(text_of(&history, 0), "192.0.2.53/32: withdraw, hard: number 0");
    cr_expect_str_eq(text_of(&history, 5), "192.0.2.53/32: withdraw, hard: number 5");
    journal_write(path, 0, 20000);
    history_seed(&long_one, path);
    cr_expect_eq(long_one.count, HISTORY_LEN);
    cr_expect_str_eq(text_of(&long_one, HISTORY_LEN - 1),
                     "192.0.2.53/32: withdraw, hard: number 19999");
    unlink(path);
    unlink(before);
    rmdir(folder);
}
