/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many TCP connections each client has, over all workers. A client is an IPv4 address or an
 * IPv6 /56, since that is what one site gets. Clients are hashed into places; two that meet in one
 * place share their limit, and the seed keeps that from being arranged. Touched when a connection
 * opens or closes, by any worker.
 */
#ifndef EDGE_TCP_CLIENTS_H
#define EDGE_TCP_CLIENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define TCP_CLIENT_PLACES 4096u

struct tcp_clients {
    uint64_t seed;
    uint32_t limit;
    _Atomic uint32_t places[TCP_CLIENT_PLACES];
};

/* Below TCP_CLIENT_PLACES. */
uint32_t tcp_clients_place(const struct tcp_clients *clients, const struct address *client);

/* False, and nothing counted, when the place has its limit already. */
bool tcp_clients_enter(struct tcp_clients *clients, uint32_t place);
void tcp_clients_leave(struct tcp_clients *clients, uint32_t place);

#endif
