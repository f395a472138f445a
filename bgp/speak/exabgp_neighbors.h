/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `show neighbor configuration` says about the sessions that API processes may announce to,
 * as far as it makes a health-driven route safe. Pure; every byte is hostile.
 */
#ifndef BGP_EXABGP_NEIGHBORS_H
#define BGP_EXABGP_NEIGHBORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct exabgp_neighbors {
    size_t graceful_n; /* with graceful-restart: their routers keep the routes of a dead PoP */
    struct address graceful; /* the first of them */
    size_t tableless_n;      /* with adj-rib-out false: what they hold cannot be read back */
    struct address tableless;
    /* the one being read */
    bool inside;
    struct address peer;
    bool is_graceful, is_tableless, has_process;
};

/* Start, then every line of the output. */
void exabgp_neighbors_start(struct exabgp_neighbors *neighbors);
void exabgp_neighbors_line(struct exabgp_neighbors *neighbors, const char *text, size_t len);

#endif
