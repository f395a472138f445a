/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a comparison says: each difference as it is found, and a table at the end; as text, or as
 * JSON, one object a line, the table last.
 */
#ifndef EDGE_COMPARE_REPORT_H
#define EDGE_COMPARE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "edge/compare/difference.h"

struct question;

struct report {
    FILE *out;
    bool json;
    uint64_t limit; /* differences printed; 0: all */
    uint64_t asked;
    uint64_t equal;
    uint64_t different;
    uint64_t unstable;   /* differed, and no longer when asked again */
    uint64_t unanswered; /* by both */
    uint64_t wrong;      /* lines or records that are no question */
    uint64_t left_out;   /* captured messages that are not asked again */
    uint64_t class_n[DIFFERENCE_CLASS_N];
    char *first[DIFFERENCE_CLASS_N]; /* the first question of that class; owned */
};

/* `number` counts questions from 1, in the order they were read. */
void report_difference(struct report *report, uint64_t number, const struct question *question,
                       const struct difference *difference);

void report_summary(const struct report *report);

/* Nothing differed, everything could be read, and at least something was answered. */
bool report_is_clean(const struct report *report);

void report_done(struct report *report);

#endif
