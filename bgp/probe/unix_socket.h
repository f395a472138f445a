/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connecting to a daemon's control socket without waiting, and what it means if that fails.
 */
#ifndef BGP_UNIX_SOCKET_H
#define BGP_UNIX_SOCKET_H

#include "bgp/probe/outcome.h"

/* A connected non-blocking descriptor, the caller closes it; or a negative errno value: -EAGAIN if
 * its queue of connections is full. */
int unix_socket_connect(const char *path);

/* Nobody there is evidence about the server; not being allowed to is ours. Always true. */
bool unix_socket_outcome(struct probe_outcome *ret_outcome, const char *path, int error);

#endif
