/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/tcp_clients.h"

#include <string.h>

uint32_t tcp_clients_place(const struct tcp_clients *clients, const struct address *client)
{
    uint64_t key = 0;

    memcpy(&key, client->bytes, client->family == ADDRESS_IPV6 ? 7 : 4);
    key ^= clients->seed + client->family;
    /* finalizer of splitmix64 */
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((key ^ (key >> 31)) & (TCP_CLIENT_PLACES - 1));
}

bool tcp_clients_enter(struct tcp_clients *clients, uint32_t place)
{
    if (atomic_fetch_add_explicit(&clients->places[place], 1, memory_order_relaxed) <
        clients->limit) {
        return true;
    }
    tcp_clients_leave(clients, place);
    return false;
}

void tcp_clients_leave(struct tcp_clients *clients, uint32_t place)
{
    atomic_fetch_sub_explicit(&clients->places[place], 1, memory_order_relaxed);
}
