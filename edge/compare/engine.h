/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Asks two servers everything a source has, a limited number of questions at a time and at a
 * limited rate, and reports what differs. One thread, one poll() loop.
 *
 * A difference is only believed when it is still there after a pause: while zones are being
 * transferred or states change, two right servers may differ for a moment.
 */
#ifndef EDGE_COMPARE_ENGINE_H
#define EDGE_COMPARE_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "edge/compare/difference.h"
#include "edge/compare/exchange.h"

struct report;
struct source;

#define ENGINE_CONCURRENCY_MAX 1000

struct engine_options {
    struct endpoint old_server;
    struct endpoint new_server;
    struct exchange_limits limits;
    struct difference_rules rules;
    bool fold;                   /* names by value, not by letter */
    unsigned concurrency;        /* questions in flight */
    unsigned confirm;            /* how often a difference is asked again before it is believed */
    int64_t confirm_delay_ns;    /* before asking again */
    uint64_t rate;               /* questions a second to each server; 0: unlimited */
    uint64_t count;              /* stop after so many questions; 0: all */
    volatile sig_atomic_t *stop; /* non-zero: ask nothing new, finish */
};

/* Adds to *report. 0, or negative errno with a reason; what was reported before stays true. What is
 * wrong with single questions is printed on stderr and counted. */
int engine_run(const struct engine_options *options, struct source *source, struct report *report,
               struct failure *failure);

#endif
