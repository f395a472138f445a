/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The words of a master file, one record at a time (RFC 1035 section 5.1): comments, quotes and
 * parentheses taken away, escapes left as they are. Words are views into the file's bytes.
 */
#ifndef MAPPER_IMPORT_ZONE_LINE_H
#define MAPPER_IMPORT_ZONE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone_word {
    const char *text; /* not terminated */
    size_t len;
    bool quoted;
};

struct zone_line {
    struct zone_word *word; /* owned by the reader */
    size_t n;
    uint32_t line;     /* where the record starts, from 1 */
    bool starts_blank; /* white space first: the owner is the last record's */
};

struct zone_line_reader {
    const char *bytes;
    size_t len;
    size_t at;
    uint32_t line;
    struct zone_word *word;
    size_t capacity;
};

void zone_line_open(struct zone_line_reader *reader, const uint8_t *bytes, size_t len);
void zone_line_close(struct zone_line_reader *reader);

/* 1 with the next record that has words, 0 at the end, -ENOMEM. When *ret_fault is not NULL
 * afterwards, it says what is wrong with the record's form. */
int zone_line_next(struct zone_line_reader *reader, struct zone_line *ret_line,
                   const char **ret_fault);

#endif
