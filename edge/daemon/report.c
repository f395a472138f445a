/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_add(struct report *report, const struct failure *failure)
{
    report_add_text(report, "%s", failure->text);
}

__attribute__((format(printf, 3, 0))) static void report_keep(char **texts, size_t *kept,
                                                              const char *format, va_list arguments)
{
    char *text;

    if (*kept < REPORT_MAX && vasprintf(&text, format, arguments) >= 0) {
        texts[(*kept)++] = text;
    }
}

void report_add_text(struct report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_keep(report->texts, &report->kept, format, arguments);
    va_end(arguments);
    report->count++;
}

void report_warn(struct report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_keep(report->warnings, &report->warning_kept, format, arguments);
    va_end(arguments);
    report->warning_n++;
}

void report_note(struct report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_keep(report->notes, &report->note_kept, format, arguments);
    va_end(arguments);
}

void report_done(struct report *report)
{
    for (size_t i = 0; i < report->kept; i++) {
        free(report->texts[i]);
    }
    for (size_t i = 0; i < report->warning_kept; i++) {
        free(report->warnings[i]);
    }
    for (size_t i = 0; i < report->note_kept; i++) {
        free(report->notes[i]);
    }
    memset(report, 0, sizeof(*report));
}
