/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sockets the server listens on, wherever they come from: opened here, inherited from the
 * service manager (sd_listen_fds(3)) or taken over from the process we replace. A socket that came
 * with datagrams or connections in its queue is used as it is, so that nothing in it is lost. Every
 * worker has its own socket of each kind and address where there are enough; with more sockets than
 * workers a worker serves several, since closing one would lose what is in it. Control thread.
 */
#ifndef EDGE_LISTENERS_H
#define EDGE_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/failure.h"
#include "edge/serve/socket.h"
#include "edge/serve/worker.h"

#define LISTENERS_NAME_SIZE 96

struct listener {
    int fd; /* closed by its worker, or at the end of the process */
    bool tcp;
    bool adopted; /* came from elsewhere */
    bool leaving; /* adopted, but of no address we listen on: answered empty, then closed */
    struct endpoint endpoint;
    unsigned place; /* among those of its kind and address */
    unsigned worker;
    char name[LISTENERS_NAME_SIZE]; /* unique; what the service manager knows it as */
};

struct listeners {
    struct socket_tcp_options tcp; /* of those opened or adopted */
    struct listener *items;
    size_t n;
    size_t size;
};

/* Takes over a socket that came from elsewhere, and learns from itself what it is. `name` may be
 * NULL. -EINVAL when it is none we can serve: it is closed. */
int listeners_adopt(struct listeners *listeners, int fd, const char *name, struct failure *failure);

/* Opens one socket per worker for every address nothing was adopted for, and marks those that are
 * no longer wanted. -errno with a reason: the caller gives up. */
int listeners_plan(struct listeners *listeners, const struct endpoint *listen, size_t listen_n,
                   unsigned worker_n, struct failure *failure);

/* Opens what addresses with adopted sockets lack for `worker_n` workers, and deals all sockets out
 * to them. The kernel sends clients to a new socket at once, so this is for the last moment. One
 * that cannot be opened is no fault: others serve its address. Returns how many there were. */
size_t listeners_fill(struct listeners *listeners, unsigned worker_n);

/* What worker `index` serves, without those without a worker; the list is the caller's to free().
 * NULL when out of memory. */
struct worker_listener *listeners_of(const struct listeners *listeners, unsigned index,
                                     size_t *ret_n);

/* The workers have answered what was in the leaving ones and closed them: they are forgotten. */
void listeners_settle(struct listeners *listeners);

void listeners_done(struct listeners *listeners); /* frees the list, closes nothing */

#endif
