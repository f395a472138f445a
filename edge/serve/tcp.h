/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP (RFC 7766) for one worker: framing, pipelining in order, limits. An idle connection
 * costs a small struct and no buffer: reading and writing go through the worker's own two buffers,
 * and only what is left over (half a query, or what the client does not take) is kept with the
 * connection. Memory per connection is bounded: nothing is read while responses wait.
 */
#ifndef EDGE_TCP_H
#define EDGE_TCP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "edge/serve/serve.h"

#define TCP_CLIENT_PLACES 4096u

/* Connections per client over all workers, touched when one opens or closes. Two clients that meet
 * in one place share their limit; the seed keeps that from being arranged. */
struct tcp_clients {
    uint64_t seed;
    uint32_t limit;
    _Atomic uint32_t places[TCP_CLIENT_PLACES];
};

struct tcp_connection;
struct tcp;

/* Connections register with `epoll_fd`; their events' data.ptr is a struct serve_source of kind
 * SERVE_TCP_CONNECTION, to be handed to tcp_event(). `clients` is borrowed and shared. NULL when
 * out of memory. */
struct tcp *tcp_new(int epoll_fd, uint32_t connection_max, int64_t idle_ns,
                    struct tcp_clients *clients);
void tcp_free(struct tcp *tcp,
              struct counters *counters); /* closes every connection; NULL is allowed */

/* Takes the waiting connections, a bounded number of them. When there are too many, the least
 * recently active goes. */
void tcp_accept(struct tcp *tcp, int listener, const struct serve_context *context, int64_t now_ns);

void tcp_event(struct tcp *tcp, struct serve_source *source, uint32_t events,
               const struct serve_context *context, int64_t now_ns);

/* Closes idle connections and frees closed ones: after each round of events, never within. Returns
 * the time until the next one may expire, or -1 if there is none. */
int64_t tcp_tidy(struct tcp *tcp, struct counters *counters, int64_t now_ns);

/* Answers what has arrived and closes every connection that has nothing left to send; the others
 * stay until it is sent. Returns how many stay. */
uint32_t tcp_drain(struct tcp *tcp, const struct serve_context *context, int64_t now_ns);

#endif
