/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The process that ExaBGP starts, and that does next to nothing so that it need not be replaced: it
 * owns ExaBGP's pipe and the conversation on it, and keeps a brain: a child that decides, and says
 * what it wants at least once per lease.
 *
 * A brain that ends is replaced at once, one that goes on ending more and more slowly; one that
 * says nothing for several leases is killed. Nothing of that reaches ExaBGP: what was wanted last
 * stays. Without a brain for a lease the holder probes each VIP itself and withdraws one that
 * provably does not answer; it never announces what no brain wants.
 *
 * SIGHUP starts another brain from the program and the configuration on disk. It takes over when it
 * has shown what it plans; if it cannot, the old one just goes on.
 *
 * It ends with ExaBGP, and its brain with it, and withdraws nothing then: if ExaBGP lives it starts
 * a successor, which takes over; if not, the routes are gone with its sessions.
 */
#ifndef BGP_HOLDER_H
#define BGP_HOLDER_H

#include "base/failure.h"

struct holder_options {
    int input, output;      /* ExaBGP's pipe; made non-blocking */
    const char *program;    /* the brain's, on disk */
    char *const *arguments; /* its argv */
};

int holder_run(const struct holder_options *options, struct failure *failure);

#endif
