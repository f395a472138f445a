/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The brain's doing: one thread and one epoll around the announcer. Probes, the link to the holder,
 * signals, the control socket.
 */
#ifndef BGP_LOOP_H
#define BGP_LOOP_H

#include <stdbool.h>

#include "base/failure.h"
#include "bgp/config/config.h"

struct loop_options {
    int link;     /* to the holder, non-blocking */
    bool dry_run; /* no holder: changes are logged, and taken as done */
    const char *version;
};

/* Runs until told to stop, or the holder is gone. Routes stay as they are at the end. */
int loop_run(const struct config *config, const struct loop_options *options,
             struct failure *failure);

#endif
