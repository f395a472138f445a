/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The side of a hand-over that replaces a running server; the conversation stands in replace.h.
 * The functions are called in this order by whoever starts a server. Control thread.
 */
#ifndef EDGE_SUCCESSOR_H
#define EDGE_SUCCESSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "edge/daemon/config.h"

struct server;
struct successor;

/* Says hello to the server behind the control socket. `user` is one whose socket is believed beside
 * root's and our own. -errno with the reason: it is not there, not one we may trust or speaks no
 * protocol we speak. */
int successor_open(const char *path, const char *version, uid_t user,
                   struct successor **ret_successor, struct failure *failure);
void successor_free(struct successor *successor); /* NULL is allowed; gives up if not done */

/* Asks for the sockets: listeners go to server->listeners, the others are kept here. */
int successor_sockets(struct successor *successor, struct server *server, struct failure *failure);

/* The single ones among them, the caller's from here on; -1: there is none for this purpose. */
int successor_take_control(struct successor *successor);
int successor_take_metrics(struct successor *successor, const struct endpoint *endpoint);

/* Stops the other server and takes its connections and state into this one, whose workers are open
 * and not started. */
int successor_stop(struct successor *successor, struct server *server, struct failure *failure);

/* The word to go. 0: this process serves from now on, the other does not. On failure the other one
 * does, and this process must end without touching what it was given. */
int successor_commit(struct successor *successor, struct failure *failure);

/* The workers have started. */
void successor_serving(struct successor *successor);

/* The service manager knows. The other server ends. */
void successor_done(struct successor *successor);

/* The other server read its files again since we said hello: ours may be older. After
 * successor_stop(). */
bool successor_is_late(const struct successor *successor);

/* What the service manager told the other one: 0 for no watchdog. */
uint64_t successor_watchdog_usec(const struct successor *successor);

#endif
