/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One page of text at http://ADDRESS/metrics, on a thread of its own (libmicrohttpd), for a few
 * clients at a time.
 */
#ifndef BASE_METRICS_SERVER_H
#define BASE_METRICS_SERVER_H

#include <stdio.h>

#include "base/address.h"
#include "base/failure.h"

struct metrics_server;

/* Writes the page. Called on the server's thread. 0, or negative: there is none at the moment
 * (503).
 */
typedef int metrics_server_page(void *context, FILE *out);

/* A listening TCP socket, alone on its endpoint, owned by the caller. 0, or -errno with "ADDRESS:
 * reason". */
int metrics_server_listen(const struct endpoint *endpoint, int *ret_fd, struct failure *failure);

/* Takes over `listener`, on failure too. Nothing is answered until metrics_server_resume(). */
int metrics_server_open(int listener, metrics_server_page *page, void *context,
                        struct metrics_server **ret_server, struct failure *failure);

/* Starts the thread that answers, and stops it: connections then wait in the socket. NULL is
 * allowed. */
int metrics_server_resume(struct metrics_server *server, struct failure *failure);
void metrics_server_pause(struct metrics_server *server);

int metrics_server_listener(const struct metrics_server *server); /* borrowed */

void metrics_server_close(struct metrics_server *server); /* NULL is allowed */

#endif
