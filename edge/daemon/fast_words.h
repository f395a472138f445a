/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the kernel path's numbers mean, in words for people and as labels for programs.
 */
#ifndef EDGE_FAST_WORDS_H
#define EDGE_FAST_WORDS_H

#include "xdp/xdp_publish.h"

/* snake_case, stable: metrics, JSON. */
const char *fast_reason_name(enum fast_reason reason);
const char *fast_answer_name(enum fast_answer answer);
const char *fast_link_state_name(enum xdp_link_state state);

/* A clause that follows "passed up:". */
const char *fast_reason_text(enum fast_reason reason);

/* The numbers of counters that are no classes; name and meaning. `index` < FAST_EXTRAS. */
#define FAST_EXTRAS 10u

uint64_t fast_extra(const struct fast_counters *counters, unsigned index);
const char *fast_extra_name(unsigned index);
const char *fast_extra_help(unsigned index);

/* Queries that could have been answered: those for our addresses. */
uint64_t fast_answered(const struct fast_counters *counters);
uint64_t fast_passed(const struct fast_counters *counters);

#endif
