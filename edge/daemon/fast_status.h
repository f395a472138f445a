/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The kernel path for people and programs: `isochronectl xdp`, a line of status, metrics. Control
 * thread, but for the metrics.
 */
#ifndef EDGE_FAST_STATUS_H
#define EDGE_FAST_STATUS_H

#include <jansson.h>
#include <stdio.h>

struct fast;
struct server;

/* `isochronectl xdp [on|off|tap]`. */
json_t *fast_status_reply(struct server *server, const json_t *request);

/* One line about it, and a short object; "off" for NULL. */
json_t *fast_status_line(struct fast *fast, FILE *out);

/* Nothing for NULL. Any thread. */
void fast_status_metrics(struct fast *fast, FILE *out);

#endif
