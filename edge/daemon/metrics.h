/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Prometheus text over HTTP, on a thread of its own (libmicrohttpd). Names and meanings:
 * deploy/METRICS.md.
 */
#ifndef EDGE_METRICS_H
#define EDGE_METRICS_H

#include <stdio.h>

#include "base/address.h"
#include "base/failure.h"

struct metrics;
struct server;

/* Starts the thread; `server` is borrowed and must have its workers. After privileges were dropped.
 */
int metrics_open(struct server *server, const struct endpoint *endpoint,
                 struct metrics **ret_metrics, struct failure *failure);
void metrics_close(struct metrics *metrics); /* NULL is allowed */

/* What a scrape gets; takes the publisher's lock. Any thread. */
void metrics_write(struct server *server, FILE *out);

#endif
