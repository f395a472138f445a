/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void text_init(struct text *text)
{
    *text = (struct text){.bytes = malloc(TEXT_LEN)};
    if (text->bytes) {
        text->bytes[0] = '\0';
    }
}

void text_add(struct text *text, const char *format, ...)
{
    const size_t room = TEXT_LEN - text->len;
    va_list arguments;
    int len;

    if (!text->bytes) {
        return;
    }
    va_start(arguments, format);
    len = vsnprintf(text->bytes + text->len, room, format, arguments);
    va_end(arguments);
    if (len > 0) {
        text->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

const char *text_get(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}

void text_done(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}
