/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server's state in a few numbers, for who asks every second: how old what it serves is, what
 * of it is missing, how much it has answered. Always short, however many zones there are. Control
 * thread.
 */
#ifndef EDGE_HEALTH_H
#define EDGE_HEALTH_H

#include <jansson.h>

struct server;

/* The reply to the verb "health". */
json_t *health_reply(struct server *server);

#endif
