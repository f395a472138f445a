/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/zone_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define END (-1)

void zone_line_open(struct zone_line_reader *reader, const uint8_t *bytes, size_t len)
{
    *reader = (struct zone_line_reader){.bytes = (const char *)bytes, .len = len, .line = 1};
}

void zone_line_close(struct zone_line_reader *reader)
{
    free(reader->word);
    *reader = (struct zone_line_reader){0};
}

static int reader_peek(const struct zone_line_reader *reader)
{
    return reader->at < reader->len ? (unsigned char)reader->bytes[reader->at] : END;
}

static int reader_take(struct zone_line_reader *reader)
{
    int byte = reader_peek(reader);

    reader->at += byte != END;
    reader->line += byte == '\n';
    return byte;
}

static int word_push(struct zone_line_reader *reader, struct zone_line *line,
                     const struct zone_word *word)
{
    if (line->n == reader->capacity) {
        size_t capacity = reader->capacity ? reader->capacity * 2 : 16;
        struct zone_word *grown = realloc(reader->word, capacity * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        reader->word = grown;
        reader->capacity = capacity;
    }
    reader->word[line->n++] = *word;
    return 0;
}

static bool ends_word(int byte)
{
    return byte == END || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' ||
           byte == ';' || byte == '(' || byte == ')' || byte == '"';
}

/* A word, quoted or not; the reader stands at its first byte. */
static struct zone_word word_read(struct zone_line_reader *reader, const char **fault)
{
    struct zone_word word = {.quoted = reader_peek(reader) == '"'};
    size_t start;

    if (word.quoted) {
        (void)reader_take(reader);
    }
    start = reader->at;
    for (int byte = reader_peek(reader); word.quoted ? byte != '"' : !ends_word(byte);
         byte = reader_peek(reader)) {
        if (byte == END) {
            *fault = "the file ends inside quotes";
            break;
        }
        (void)reader_take(reader);
        if (byte == '\\' && reader_take(reader) == END) {
            *fault = "the file ends inside an escape";
        }
    }
    word.text = reader->bytes + start;
    word.len = reader->at - start;
    if (word.quoted) {
        (void)reader_take(reader);
    }
    return word;
}

static void comment_skip(struct zone_line_reader *reader)
{
    for (int byte = reader_peek(reader); byte != END && byte != '\n'; byte = reader_peek(reader)) {
        (void)reader_take(reader);
    }
}

/* One byte that is no word; true when it ends the record. */
static bool mark_take(struct zone_line_reader *reader, bool *open, const char **fault)
{
    int byte = reader_peek(reader);

    if (byte == ';') {
        comment_skip(reader);
        return false;
    }
    if (byte == END) {
        *fault = *open ? "the file ends inside parentheses" : *fault;
        return true;
    }
    (void)reader_take(reader);
    if (byte == '(' || byte == ')') {
        *fault = *open == (byte == '(') ? "parentheses that do not match" : *fault;
        *open = byte == '(';
    }
    return byte == '\n' && !*open;
}

/* One line, parentheses followed; it may have no word at all. */
static int line_read(struct zone_line_reader *reader, struct zone_line *line, const char **fault)
{
    bool open = false;
    bool done = false;
    int err = 0;
    int byte = reader_peek(reader);

    *line = (struct zone_line){.line = reader->line, .starts_blank = byte == ' ' || byte == '\t'};
    while (!done && !err) {
        byte = reader_peek(reader);
        if (byte != '"' && ends_word(byte)) {
            done = mark_take(reader, &open, fault);
        } else {
            struct zone_word word = word_read(reader, fault);

            err = word_push(reader, line, &word);
        }
    }
    line->word = reader->word;
    return err;
}

int zone_line_next(struct zone_line_reader *reader, struct zone_line *ret_line,
                   const char **ret_fault)
{
    *ret_fault = NULL;
    while (reader_peek(reader) != END) {
        int err = line_read(reader, ret_line, ret_fault);

        if (err) {
            return err;
        }
        if (ret_line->n || *ret_fault) {
            return 1;
        }
    }
    return 0;
}
