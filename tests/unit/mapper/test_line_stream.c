/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/line_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <criterion/criterion.h>

#include "scratch.h"

static char *long_text(size_t *ret_len)
{
    size_t len = 0;
    char *text = malloc(4u << 20);

    for (unsigned i = 0; len < (3u << 20); i++) {
        len += (size_t)sprintf(text + len, "line %u of a file larger than the buffer\n", i);
    }
    *ret_len = len;
    return text;
}

static uint64_t lines_count(const char *path, int *ret_err)
{
    struct line_stream *stream;
    struct failure failure;
    struct line line = {0};

    *ret_err = line_stream_open(path, &stream, &failure);
    if (*ret_err) {
        return 0;
    }
    while ((*ret_err = line_stream_next(stream, &line, &failure)) == 1) {
        char expected[64];

        sprintf(expected, "line %u of a file larger than the buffer", (unsigned)line.number - 1);
        cr_assert_str_eq(line.text, expected);
    }
    line_stream_close(stream);
    return line.number;
}

Test(line_stream, plain_gzip_and_zstd_are_the_same_file)
{
    struct scratch scratch;
    size_t len;
    char *text = long_text(&len);
    size_t room = ZSTD_compressBound(len);
    uint8_t *packed = malloc(room);
    uint64_t lines;
    gzFile gz;
    int err;

    scratch_open(&scratch);
    scratch_write_bytes(&scratch, "plain", text, len);
    lines = lines_count(scratch_path(&scratch, "plain"), &err);
    cr_assert_eq(err, 0);
    cr_assert_gt(lines, 60000);
    gz = gzopen(scratch_path(&scratch, "gz"), "wb1");
    cr_assert_eq(gzwrite(gz, text, (unsigned)len), (int)len);
    gzclose(gz);
    cr_assert_eq(lines_count(scratch_path(&scratch, "gz"), &err), lines);
    cr_assert_eq(err, 0);
    room = ZSTD_compress(packed, room, text, len, 1);
    scratch_write_bytes(&scratch, "zst", packed, room);
    cr_assert_eq(lines_count(scratch_path(&scratch, "zst"), &err), lines);
    cr_assert_eq(err, 0);
    /* cut short: an error, not fewer lines */
    scratch_write_bytes(&scratch, "cut", packed, room / 2);
    (void)lines_count(scratch_path(&scratch, "cut"), &err);
    cr_assert_eq(err, -EIO);
    cr_assert_eq(truncate(scratch_path(&scratch, "gz"), 5000), 0);
    (void)lines_count(scratch_path(&scratch, "gz"), &err);
    cr_assert_eq(err, -EIO);
    free(text);
    free(packed);
    scratch_close(&scratch);
}

Test(line_stream, lines_end_as_they_may)
{
    static const char text[] = "one\r\n\ntwo\nlast";
    static const char *const expected[] = {"one", "", "two", "last"};
    struct line_stream *stream;
    struct failure failure;
    struct line line;

    cr_assert_eq(
        line_stream_from_bytes("memory", (const uint8_t *)text, strlen(text), &stream, &failure),
        0);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(line_stream_next(stream, &line, &failure), 1);
        cr_assert_str_eq(line.text, expected[i]);
        cr_assert_eq(line.len, strlen(expected[i]));
        cr_assert_eq(line.number, i + 1);
    }
    cr_assert_eq(line_stream_next(stream, &line, &failure), 0);
    line_stream_close(stream);
}

Test(line_stream, a_line_beyond_the_bound_is_told_and_skipped)
{
    static const size_t lens[] = {LINE_MAX_LEN, LINE_MAX_LEN + 1, 3u << 20};

    for (size_t i = 0; i < 3; i++) {
        size_t len = lens[i] + 7;
        uint8_t *text = malloc(len);
        struct line_stream *stream;
        struct failure failure;
        struct line line;

        memset(text, 'x', len);
        memcpy(text + lens[i], "\nafter\n", 7);
        cr_assert_eq(line_stream_from_bytes("memory", text, len, &stream, &failure), 0);
        cr_assert_eq(line_stream_next(stream, &line, &failure), 1);
        cr_assert_eq(line.too_long, lens[i] > LINE_MAX_LEN);
        cr_assert_eq(line.len, lens[i] > LINE_MAX_LEN ? 0 : lens[i]);
        cr_assert_eq(line_stream_next(stream, &line, &failure), 1);
        cr_assert_str_eq(line.text, "after");
        cr_assert_eq(line.number, 2);
        cr_assert_eq(line_stream_next(stream, &line, &failure), 0);
        line_stream_close(stream);
        free(text);
    }
}

Test(line_stream, what_is_no_file_is_refused)
{
    struct line_stream *stream;
    struct failure failure;

    cr_assert_eq(line_stream_open("/nonexistent/rows.csv", &stream, &failure), -ENOENT);
    cr_assert_not_null(strstr(failure.text, "/nonexistent/rows.csv"));
    cr_assert_eq(line_stream_open("/tmp", &stream, &failure), -EISDIR);
}
