/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A growing text that becomes a file. When memory runs out it stays as it was and remembers that:
 * writers need not check each call, whoever uses the text checks once.
 */
#ifndef MAPPER_IMPORT_TEXT_H
#define MAPPER_IMPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes; /* terminated once something was added; NULL before */
    size_t len;
    size_t capacity;
    bool failed; /* out of memory */
};

void text_add(struct text *text, const char *bytes, size_t len);
void text_string(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A character-string of a master file in quotes, odd bytes as \DDD (RFC 1035 section 5.1). */
void text_quote_zone(struct text *text, const uint8_t *bytes, size_t len);

/* A YAML text in double quotes. */
void text_quote_yaml(struct text *text, const char *string);

void text_clear(struct text *text); /* empty again, memory kept */
void text_done(struct text *text);

#endif
