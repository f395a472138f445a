/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a server comes to life: who it runs as, what it serves, its workers and its sockets, and
 * whom it takes them from.
 */
#ifndef EDGE_SERVER_OPEN_H
#define EDGE_SERVER_OPEN_H

#include "base/failure.h"
#include "edge/daemon/config.h"

struct server;

/* Everything up to the workers' threads. `replace`: the control socket of a running server whose
 * place this one takes, which has then stopped; NULL for none. Takes the configuration over. On
 * failure that other server goes on. */
int server_open(struct server *server, struct config *config, const char *replace,
                struct failure *failure);

/* Serves from here on; the other one does not. Still to be told: the service manager, then, with
 * successor_done(), the other one. */
int server_start(struct server *server, struct failure *failure);

#endif
