/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The host's own addresses, and the news that interfaces or addresses have come or gone
 * (rtnetlink(7)). Opened before system calls are confined: later only what is open is used. Control
 * thread.
 */
#ifndef EDGE_NETWORK_H
#define EDGE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/failure.h"

struct network;

int network_open(struct network **ret_network, struct failure *failure);

/* To be watched for input; then call network_changed(). */
int network_fd(const struct network *network);

/* Reads the news; whether there was any. */
bool network_changed(struct network *network);

/* The addresses others may send to: none of loopback or of one link alone, none that is not the
 * host's yet (RFC 4862 section 5.4). In order, each once. The list is the caller's to free(). */
int network_addresses(struct network *network, struct address **ret_addresses, size_t *ret_n,
                      struct failure *failure);

void network_free(struct network *network); /* NULL is allowed */

#endif
