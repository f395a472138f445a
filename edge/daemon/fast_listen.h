/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The addresses to listen on as the kernel knows them: it has no wildcards, so all addresses of the
 * host stand for one. Pure.
 */
#ifndef EDGE_FAST_LISTEN_H
#define EDGE_FAST_LISTEN_H

#include <stddef.h>

#include "base/address.h"
#include "xdp/listener_core.h"
#include "xdp/xdp_publish.h"

/* IPv4 as ::ffff:a.b.c.d. */
struct fast_address fast_listen_key(const struct address *address);

/* Fills the policy's listeners, which must be empty. `own` are the host's addresses. Returns how
 * many found no place: queries to those are passed up. */
size_t fast_listen(const struct endpoint *listen, size_t listen_n, const struct address *own,
                   size_t own_n, struct fast_policy *policy);

/* Whether the host's addresses matter. */
bool fast_listen_is_wild(const struct endpoint *listen, size_t listen_n);

#endif
