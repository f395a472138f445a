/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the server's process lives. It is found by its control socket (whoever listens there) or
 * its pid file, and watched between probes: when it ends, that is known at once, and all checks are
 * made anew. A process that takes the socket over is the server from then on; that is no death.
 * Needs no privileges, but to be allowed to connect to the socket, and the same pid namespace.
 */
#ifndef BGP_PROBE_PROCESS_H
#define BGP_PROBE_PROCESS_H

#include <sys/types.h>

#include "bgp/probe/probe.h"

struct probe_process_settings {
    const char *control; /* path of a Unix stream socket, or NULL */
    const char *pidfile; /* or this one */
};

extern const struct probe_type probe_process;

/* What a pid file holds: a number, and perhaps white space after it. 0 or -EINVAL. */
int probe_process_parse_pid(const uint8_t *bytes, size_t len, pid_t *ret_pid);

#endif
