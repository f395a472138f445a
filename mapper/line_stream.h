/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A text file, line by line, in constant memory: plain, gzip or zstd, recognised by its first bytes
 * whatever it is called. A line longer than the bound is delivered as such (LINE_TOO_LONG) without
 * its content, and reading goes on.
 */
#ifndef MAPPER_LINE_STREAM_H
#define MAPPER_LINE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

#define LINE_MAX_LEN ((size_t)65535)

struct line_stream;

struct line {
    char *text; /* terminated, without its line end; may be changed; valid until the next call */
    size_t len;
    uint64_t number; /* from 1 */
    bool too_long;   /* `text` is empty */
};

int line_stream_open(const char *path, struct line_stream **ret_stream, struct failure *failure);

/* Reads bytes in memory, which are borrowed and taken as plain text. `name` is for messages. */
int line_stream_from_bytes(const char *name, const uint8_t *bytes, size_t len,
                           struct line_stream **ret_stream, struct failure *failure);

/* 1 with a line, 0 at the end, negative when the file cannot be read or decompressed. */
int line_stream_next(struct line_stream *stream, struct line *ret_line, struct failure *failure);

const char *line_stream_name(const struct line_stream *stream);

/* Bytes taken from the file so far, compressed as they lie there; for progress. */
uint64_t line_stream_offset(const struct line_stream *stream);

void line_stream_close(struct line_stream *stream); /* NULL is allowed */

#endif
