/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a scrape gets. Names and meanings: deploy/METRICS.md.
 */
#ifndef EDGE_METRICS_H
#define EDGE_METRICS_H

#include <stdio.h>

/* A metrics_server_page of a struct server, which must have its workers, and have dropped its
 * privileges; takes the publisher's lock. Any thread. Always 0. */
int metrics_write(void *server, FILE *out);

#endif
