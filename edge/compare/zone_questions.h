/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Queries that a zone suggests, one after another and always the same ones: each name with each of
 * its types and with types it lacks, in other letters, names below and beside it that do not exist
 * (which finds wildcards, delegations and DNAMEs from below), and the names above its apex.
 */
#ifndef EDGE_COMPARE_ZONE_QUESTIONS_H
#define EDGE_COMPARE_ZONE_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct question;
struct zone;

struct zone_questions {
    const struct zone *zone; /* borrowed */
    uint32_t node;
    uint32_t step;
};

void zone_questions_init(struct zone_questions *ret_questions, const struct zone *zone);

/* The next one, not recursive, not yet rendered; false at the end. */
bool zone_questions_next(struct zone_questions *questions, struct question *ret_question);

#endif
