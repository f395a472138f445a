/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server's state and counters for people and programs: replies of the control socket. Control
 * thread.
 */
#ifndef EDGE_STATUS_H
#define EDGE_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "edge/daemon/states.h"

struct server;

json_t *status_reply(struct server *server);
json_t *status_stats(struct server *server);

/* One line about what an operator said, or took back, and what holds now; the same as an object. */
json_t *status_state(struct server *server, const struct states_entry *entry, bool cleared,
                     FILE *out);

/* "until 2026-11-22T10:00:00Z, alice: reason", whatever of it is known, in parentheses. */
void status_write_origin(FILE *out, const struct states_entry *entry);
json_t *status_entry(const struct states_entry *entry);

#endif
