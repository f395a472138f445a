/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The faults one load or reload found: all are counted, the first REPORT_MAX are kept in words. One
 * thread.
 */
#ifndef EDGE_REPORT_H
#define EDGE_REPORT_H

#include <stddef.h>

#include "base/failure.h"

#define REPORT_MAX 100

struct report {
    size_t count; /* faults, kept or not */
    size_t kept;
    char *texts[REPORT_MAX]; /* owned */
    size_t warning_n;        /* things that were accepted, but should be looked at */
    size_t warning_kept;
    char *warnings[REPORT_MAX];
    size_t note_kept; /* what happened, and is as it should be */
    char *notes[REPORT_MAX];
};

void report_add(struct report *report, const struct failure *failure);
void report_add_text(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void report_warn(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void report_note(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees the texts and empties it. */
void report_done(struct report *report);

#endif
