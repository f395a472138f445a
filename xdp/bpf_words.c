/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/bpf_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

static char bpf_words_text[256];

static int bpf_words_take(enum libbpf_print_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static int bpf_words_take(enum libbpf_print_level level, const char *format, va_list arguments)
{
    if (level == LIBBPF_WARN) {
        vsnprintf(bpf_words_text, sizeof(bpf_words_text), format, arguments);
        bpf_words_text[strcspn(bpf_words_text, "\n")] = '\0';
    }
    return 0;
}

void bpf_words_keep(void)
{
    bpf_words_text[0] = '\0';
    libbpf_set_print(bpf_words_take);
}

const char *bpf_words_last(void)
{
    return bpf_words_text;
}
