/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Prometheus text, served by a thread of its own (base/metrics). Only the loop may look at the
 * announcer, so the thread asks it for the page and waits a second at most; the loop writes one
 * when it is asked and goes on. Names and meanings: deploy/METRICS.md.
 */
#ifndef BGP_METRICS_H
#define BGP_METRICS_H

#include "base/failure.h"
#include "bgp/daemon/announcer.h"
#include "bgp/daemon/books.h"

struct metrics;

/* Binds and serves. */
int metrics_open(const struct endpoint *endpoint, const char *version, struct metrics **ret_metrics,
                 struct failure *failure);

/* To be watched for input; then call metrics_run(). */
int metrics_fd(const struct metrics *metrics);
void metrics_run(struct metrics *metrics, const struct announcer *announcer,
                 const struct books *books, int64_t now_ns);

/* Takes note of what changed: transitions by reason. After each turn; NULL is allowed. */
void metrics_look(struct metrics *metrics, const struct announcer *announcer);

/* What a scrape gets; `metrics` may be NULL. */
void metrics_write(const struct metrics *metrics, const struct announcer *announcer,
                   const struct books *books, int64_t now_ns, FILE *out);

void metrics_close(struct metrics *metrics); /* NULL is allowed */

#endif
