/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/notes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_TEXT_MAX 600

static bool is_repeated(const struct notes *notes, enum note_kind kind, const char *file,
                        uint32_t line, const char *text)
{
    const struct note *last = notes->n ? &notes->item[notes->n - 1] : NULL;

    return last && last->kind == kind && last->line == line && strcmp(last->file, file) == 0 &&
           strcmp(last->text, text) == 0;
}

static int notes_grow(struct notes *notes)
{
    size_t capacity = notes->capacity ? notes->capacity * 2 : 64;
    struct note *item = realloc(notes->item, capacity * sizeof(*item));

    if (!item) {
        return -ENOMEM;
    }
    notes->item = item;
    notes->capacity = capacity;
    return 0;
}

int notes_add(struct notes *notes, enum note_kind kind, const char *file, uint32_t line,
              const char *format, ...)
{
    char text[NOTE_TEXT_MAX];
    struct note *note;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (is_repeated(notes, kind, file, line, text)) {
        return 0;
    }
    notes->count[kind]++;
    if (notes->n >= NOTES_MAX) {
        return 0;
    }
    if (notes->n == notes->capacity && notes_grow(notes) != 0) {
        return -ENOMEM;
    }
    note = &notes->item[notes->n];
    *note = (struct note){.kind = kind, .line = line, .file = strdup(file), .text = strdup(text)};
    if (!note->file || !note->text) {
        free(note->file);
        free(note->text);
        return -ENOMEM;
    }
    notes->n++;
    return 0;
}

const char *note_kind_name(enum note_kind kind)
{
    static const char *const names[NOTE_KINDS] = {
        [NOTE_LEFT_OUT] = "left out", [NOTE_DIFFERS] = "differs", [NOTE_IGNORED] = "ignored"};

    return names[kind];
}

void notes_done(struct notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) {
        free(notes->item[i].file);
        free(notes->item[i].text);
    }
    free(notes->item);
    *notes = (struct notes){0};
}
