/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *text, size_t len)
{
    size_t capacity = text->capacity ? text->capacity : 256;
    char *grown;

    if (text->failed || len >= SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    while (capacity < text->len + len + 1) {
        capacity *= 2;
    }
    if (capacity == text->capacity) {
        return true;
    }
    grown = realloc(text->bytes, capacity);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
    if (!text_reserve(text, len)) {
        return;
    }
    if (len) {
        memcpy(text->bytes + text->len, bytes, len);
    }
    text->len += len;
    text->bytes[text->len] = '\0';
}

void text_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof(line)) {
        text->failed = true; /* long texts go through text_string() */
        return;
    }
    text_add(text, line, (size_t)len);
}

void text_quote_zone(struct text *text, const uint8_t *bytes, size_t len)
{
    text_add(text, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        char escaped[5] = {(char)bytes[i]};
        size_t n = 1;

        if (bytes[i] < 0x20 || bytes[i] > 0x7e) {
            n = (size_t)snprintf(escaped, sizeof(escaped), "\\%03u", (unsigned)bytes[i]);
        } else if (bytes[i] == '"' || bytes[i] == '\\') {
            n = (size_t)snprintf(escaped, sizeof(escaped), "\\%c", bytes[i]);
        }
        text_add(text, escaped, n);
    }
    text_add(text, "\"", 1);
}

void text_quote_yaml(struct text *text, const char *string)
{
    text_add(text, "\"", 1);
    for (const unsigned char *byte = (const unsigned char *)string; *byte; byte++) {
        if (*byte == '"' || *byte == '\\') {
            text_format(text, "\\%c", *byte);
        } else if (*byte < 0x20 || *byte == 0x7f) {
            text_format(text, "\\x%02x", *byte);
        } else {
            text_add(text, (const char *)byte, 1);
        }
    }
    text_add(text, "\"", 1);
}

void text_clear(struct text *text)
{
    text->len = 0;
    if (text->bytes) {
        text->bytes[0] = '\0';
    }
}

void text_done(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}
