/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The side of a hand-over that is being replaced; the conversation stands in replace.h. Control
 * thread.
 */
#ifndef EDGE_PREDECESSOR_H
#define EDGE_PREDECESSOR_H

#include <jansson.h>
#include <stdbool.h>

struct predecessor;
struct server;

/* The control request that starts a hand-over: takes its connection away from the control socket,
 * says hello, and leaves the conversation with the server. Returns what to reply if it is refused,
 * else NULL. A hand-over that has not come to "stop" is given up for the new one. */
json_t *predecessor_begin(struct server *server, const json_t *request);

/* To be watched for input; -1 while there is no hand-over. */
int predecessor_fd(const struct predecessor *predecessor);

/* Continues the conversation: one message, or from "stop" on all of it, for at most a few seconds.
 * True when the server has been replaced: its workers stand still for good and it is to end. When
 * it fails the server serves on, and the log says why. */
bool predecessor_run(struct server *server);

void predecessor_free(struct predecessor *predecessor); /* NULL is allowed */

#endif
