/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/daemon/file_stamp.h"

static char path[] = "/tmp/stampXXXXXX";

static void put(const char *text, time_t changed)
{
    struct timespec times[2] = {{changed, 0}, {changed, 0}};
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void setup(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

static int take(struct file_stamp *ret_stamp, struct failure *failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code = file_stamp_read(path, ret_stamp, &bytes, &len, failure);

    free(bytes);
    return code;
}

Test(file_stamp, what_counts_as_a_change, .init = setup, .fini = teardown)
{
    static const time_t old = 1700000000;
    static const struct {
        const char *before;
        time_t before_s; /* 0: now */
        const char *after;
        time_t after_s;
        bool holds;
        const char *why;
    } rows[] = {
        {"a", old, "a", old, true, "nothing happened"},
        {"a", old, "a", old + 5, false, "touched: it has to be read to know"},
        {"a", 0, "a", 0, true, "so young that its content was looked at"},
        {"a", old, "b", old + 5, false, "other content"},
        {"a", old, "ab", old, false, "longer, its time put back"},
        {"a", 0, "b", 0, false, "so young that its time proves nothing"},
        {"", old, "", old, true, "empty is a content"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct file_stamp stamp;
        struct failure failure = {{0}};
        time_t now = time(NULL);

        put(rows[i].before, rows[i].before_s ? rows[i].before_s : now);
        cr_assert_eq(take(&stamp, &failure), 0, "%s", failure.text);
        put(rows[i].after, rows[i].after_s ? rows[i].after_s : now);
        cr_expect_eq(file_stamp_holds(path, &stamp), rows[i].holds, "%s", rows[i].why);
    }
}

Test(file_stamp, what_includes_others_or_was_not_looked_at_never_holds, .init = setup,
     .fini = teardown)
{
    struct file_stamp stamp;
    struct failure failure = {{0}};

    put("a", 1700000000);
    cr_assert_eq(take(&stamp, &failure), 0);
    cr_expect(file_stamp_holds(path, &stamp));
    stamp.includes = true;
    cr_expect_not(file_stamp_holds(path, &stamp));
    put("a", time(NULL));
    cr_assert_eq(file_stamp_take(path, &stamp, &failure), 0);
    cr_expect_not(file_stamp_holds(path, &stamp), "young, and its content is not known");
}

Test(file_stamp, a_file_that_is_gone_is_no_longer_the_same, .init = setup)
{
    struct file_stamp stamp;
    struct failure failure = {{0}};

    put("a", 1700000000);
    cr_assert_eq(take(&stamp, &failure), 0);
    unlink(path);
    cr_expect_not(file_stamp_holds(path, &stamp));
    cr_expect_lt(take(&stamp, &failure), 0);
    cr_expect_not_null(strstr(failure.text, "No such file"));
    cr_expect_not(file_stamp_holds(path, &(struct file_stamp){0}), "a stamp never taken");
}
