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

/* Binds the address, or takes over `listener` that is bound to it already (-1: none). `server` is
 * borrowed. Nothing is answered until metrics_resume(). */
int metrics_open(struct server *server, const struct endpoint *endpoint, int listener,
                 struct metrics **ret_metrics, struct failure *failure);

/* Starts the thread that answers, and stops it: connections then wait in the socket. The server
 * must have its workers, and have dropped its privileges. NULL is allowed. */
int metrics_resume(struct metrics *metrics, struct failure *failure);
void metrics_pause(struct metrics *metrics);

int metrics_listener(const struct metrics *metrics); /* borrowed */

void metrics_close(struct metrics *metrics); /* NULL is allowed */

/* What a scrape gets; takes the publisher's lock. Any thread. */
void metrics_write(struct server *server, FILE *out);

#endif
