/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each test runs in a process of its own, whose stderr becomes this pipe. */
static int reader;

static void catch_stderr(void)
{
    int pair[2];

    cr_assert_eq(pipe2(pair, O_NONBLOCK), 0);
    reader = pair[0];
    cr_assert_eq(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
    close(pair[1]);
    unsetenv("JOURNAL_STREAM");
}

static const char *caught(void)
{
    static char text[65536];
    ssize_t len = read(reader, text, sizeof(text) - 1);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

TestSuite(log, .init = catch_stderr);

Test(log, a_line_has_time_program_and_level)
{
    unsigned year;
    char rest[64] = "";

    log_open("isochrone-test", LOG_LEVEL_INFO);
    log_warning("map is %d h old", 7);
    cr_assert_eq(sscanf(caught(), "%4u-%*2u-%*2uT%*2u:%*2u:%*2uZ %63[^\n]", &year, rest), 2);
    cr_assert_geq(year, 2026);
    cr_assert_str_eq(rest, "isochrone-test warning: map is 7 h old");
}

Test(log, less_urgent_lines_are_dropped)
{
    log_open("isochrone-test", LOG_LEVEL_WARNING);
    log_notice("no");
    log_info("no");
    log_debug("no");
    cr_assert_not(log_enabled(LOG_LEVEL_NOTICE));
    cr_assert(log_enabled(LOG_LEVEL_ERROR));
    cr_assert_str_empty(caught());
    log_error("yes");
    cr_assert_not_null(strstr(caught(), "error: yes\n"));
    log_set_threshold(LOG_LEVEL_DEBUG);
    log_debug("now");
    cr_assert_not_null(strstr(caught(), "debug: now\n"));
}

Test(log, the_journal_gets_priorities)
{
    struct stat status;
    char stream[64];

    cr_assert_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open("isochrone-test", LOG_LEVEL_INFO);
    log_error("down");
    log_info("up");
    cr_assert_str_eq(caught(), "<3>down\n<6>up\n");
}

Test(log, an_inherited_journal_variable_means_nothing)
{
    static const char *const streams[] = {"1:1", "", "x", "1", "1:1x"};

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        setenv("JOURNAL_STREAM", streams[i], 1);
        log_open("isochrone-test", LOG_LEVEL_INFO);
        log_info("up");
        cr_assert_not_null(strstr(caught(), "isochrone-test info: up"), "%s", streams[i]);
    }
}

Test(log, no_byte_can_forge_a_line_or_move_the_cursor)
{
    log_open("isochrone-test", LOG_LEVEL_INFO);
    log_info("name \"%s\"", "a\n<3>root\r\t\x1b[2J\x7f\xc3\xa9");
    cr_assert_not_null(
        strstr(caught(), "name \"a\\x0a<3>root\\x0d\\x09\\x1b[2J\\x7f\\xc3\\xa9\"\n"));
}

Test(log, long_lines_are_cut_and_still_end)
{
    char longer[10000];
    const char *line;

    log_open("isochrone-test", LOG_LEVEL_INFO);
    for (int filler = 0; filler < 2; filler++) {
        memset(longer, filler ? '\n' : 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        log_info("%s", longer);
        line = caught();
        cr_assert_leq(strlen(line), 4096); /* one write of a pipe */
        cr_assert_geq(strlen(line), 4090);
        cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1);
    }
}
