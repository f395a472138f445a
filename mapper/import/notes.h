/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an import has to say about its input: each line that could not be converted, each that
 * behaves differently afterwards, each that has no counterpart. Kept in the order of discovery, so
 * that the operator reads them file by file. One owner; texts are copied.
 */
#ifndef MAPPER_IMPORT_NOTES_H
#define MAPPER_IMPORT_NOTES_H

#include <stddef.h>
#include <stdint.h>

enum note_kind {
    NOTE_LEFT_OUT, /* not converted: somebody has to do it by hand */
    NOTE_DIFFERS,  /* converted; how it behaves then in another way, and when */
    NOTE_IGNORED,  /* has no counterpart and needs none */
};
#define NOTE_KINDS 3

struct note {
    enum note_kind kind;
    uint32_t line; /* from 1; 0 where there is none */
    char *file;
    char *text;
};

struct notes {
    struct note *item;
    size_t n;
    size_t capacity;
    size_t count[NOTE_KINDS]; /* also of those beyond NOTES_MAX, which are counted only */
};

#define NOTES_MAX 100000u

/* Adds one note unless the last one of this file and line says the same. -ENOMEM. */
int notes_add(struct notes *notes, enum note_kind kind, const char *file, uint32_t line,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

const char *note_kind_name(enum note_kind kind); /* "left out", "differs", "ignored" */

void notes_done(struct notes *notes);

#endif
