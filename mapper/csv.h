/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rows of comma-separated values (RFC 4180): quoted fields with doubled quotes, one row per line (a
 * quoted line break is refused), spaces around unquoted fields dropped.
 */
#ifndef MAPPER_CSV_H
#define MAPPER_CSV_H

#include <stddef.h>

#define CSV_MAX_FIELDS 64u

struct csv_field {
    const char *text; /* terminated, inside the line that was split */
    size_t len;
    size_t column; /* where it starts in the line, from 1 */
};

/* Splits `line` (of `len` bytes and a NUL byte) in place. The number of fields, or -EINVAL: quotes
 * that do not match, or too many fields. */
int csv_split(char *line, size_t len, struct csv_field ret_fields[static CSV_MAX_FIELDS]);

/* Index of the field that is exactly `name`, or -1. */
int csv_find(const struct csv_field *fields, size_t n, const char *name);

/* Drops a UTF-8 byte order mark at the start of a file's first line. */
void csv_skip_mark(char **line, size_t *len);

#endif
