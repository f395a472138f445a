/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The doing: one thread and one epoll around the announcer. Probes, ExaBGP's pipe, signals, the
 * control socket.
 */
#ifndef BGP_LOOP_H
#define BGP_LOOP_H

#include <stdbool.h>

#include "base/failure.h"
#include "bgp/config/config.h"

struct loop_options {
    int input;    /* from ExaBGP; made non-blocking */
    int output;   /* to ExaBGP; made non-blocking */
    bool dry_run; /* no ExaBGP: changes are logged, and taken as done */
};

enum loop_end {
    LOOP_END_STOP,   /* SIGTERM, SIGINT, or ExaBGP is gone */
    LOOP_END_RELOAD, /* SIGHUP, and the configuration file is valid: start anew */
};

/* Runs until told to stop. Nothing is withdrawn at the end: if ExaBGP lives it starts a successor,
 * which takes over; if it does not, the routes are gone with its sessions. */
int loop_run(const struct config *config, const struct loop_options *options,
             enum loop_end *ret_end, struct failure *failure);

#endif
