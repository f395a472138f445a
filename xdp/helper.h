/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The process that keeps what the daemon gives up: CAP_NET_ADMIN and CAP_BPF, to put a program that
 * is loaded already on interfaces that were named when it started. It can load nothing, and takes
 * requests of fixed size with four verbs from the daemon alone. It ends when the daemon does, and
 * leaves everything attached. Forked before there are threads; one thread asks.
 */
#ifndef XDP_HELPER_H
#define XDP_HELPER_H

#include "base/failure.h"
#include "xdp/links.h"

struct helper;

/* `links` is copied into the new process with all it points to; nothing of it is needed here
 * afterwards. */
int helper_start(const struct links *links, struct helper **ret_helper, struct failure *failure);

/* The verbs, as in links.h. -EPIPE: it is gone, -ETIMEDOUT: it does not answer. */
int helper_attach(struct helper *helper, size_t place, struct xdp_link_status *ret_status);
int helper_claim(struct helper *helper);
int helper_detach(struct helper *helper);

/* Returns after every program that was running has ended. */
int helper_wait_for_programs(struct helper *helper);

/* Waits for its end. NULL is allowed. */
void helper_stop(struct helper *helper);

#endif
