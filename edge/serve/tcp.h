/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP (RFC 7766, RFC 9210) for one worker: sockets and time. What the bytes mean is
 * tcp_stream's part, who has to go tcp_table's. An idle connection costs a small struct and no
 * buffer.
 *
 * Every whole query that one receive call brought is answered by one send call; the epoll set is
 * only touched when a connection opens and when a client does not read.
 *
 * What we close ourselves: after a time limit, for room, for what is no DNS, and at the limits of
 * queries and lifetime. Where answers may be under way (the last two, and no DNS) we say that no
 * more comes and wait for the client to close, since closing with unread bytes would make the
 * kernel reset the connection and the client lose the answers before it has read them. Where the
 * client is the fault or there is no room the connection is reset, which frees what the kernel
 * holds of it at once.
 */
#ifndef EDGE_TCP_H
#define EDGE_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/serve/serve.h"
#include "edge/serve/tcp_clients.h"
#include "edge/serve/tcp_stream.h"

struct tcp;

/* Of one worker, as the operator wishes (RFC 7766 sections 6.2.2 and 6.2.3, RFC 9210 section 4). */
struct tcp_limits {
    uint32_t connection_max;
    int64_t idle_ns;     /* without a query, or without progress in sending */
    int64_t query_ns;    /* from the first byte of a query to its last */
    int64_t lifetime_ns; /* 0: none */
    uint64_t query_max;  /* of a connection; 0: none */
    size_t memory_max; /* what half queries and unsent answers may take, all together; at least one
                        * connection's worth */
};

/* A connection without its worker, as it was between two rounds of events. */
struct tcp_passed {
    int fd;
    struct address client;
    struct tcp_stream stream; /* with what it keeps, owned */
    bool finished;            /* see struct tcp_connection */
    bool ending;              /* in TCP_ENDING */
    int64_t opened_ns;        /* monotonic */
    int64_t since_ns;         /* of the phase */
};

void tcp_passed_done(struct tcp_passed *passed); /* frees what it keeps; the descriptor stays */

/* Connections register with `epoll_fd`; their events' data.ptr is a struct serve_source of kind
 * SERVE_TCP_CONNECTION, to be handed to tcp_event(). `clients` is borrowed and shared. NULL when
 * out of memory. */
struct tcp *tcp_new(int epoll_fd, const struct tcp_limits *limits, struct tcp_clients *clients);
void tcp_free(struct tcp *tcp,
              struct counters *counters); /* closes every connection; NULL is allowed */

/* Takes the waiting connections, a bounded number of them. A client that has too many gets no more;
 * when all together are too many, tcp_table_victim() goes. */
void tcp_accept(struct tcp *tcp, int listener, const struct serve_context *context, int64_t now_ns);

/* Returns how many queries were answered. */
uint64_t tcp_event(struct tcp *tcp, struct serve_source *source, uint32_t events,
                   const struct serve_context *context, int64_t now_ns);

/* Closes connections whose time is up and frees closed ones: after each round of events, never
 * within. Returns the time until the next one may expire, or -1 if there is none. */
int64_t tcp_tidy(struct tcp *tcp, const struct serve_context *context, int64_t now_ns);

/* Answers what has arrived and closes every connection that has nothing left to send; the others
 * stay until it is sent. Returns how many stay. */
uint32_t tcp_drain(struct tcp *tcp, const struct serve_context *context, int64_t now_ns);

/* Gives a connection away, of each phase the one that is in it for longest first: it is this
 * worker's no more, all in *ret_passed the caller's. False when there is none left. Not within a
 * round of events. Not counted as closed, nor as opened where it is adopted: who passes connections
 * passes the counters too. */
bool tcp_give(struct tcp *tcp, struct tcp_passed *ret_passed);

/* Takes one over with its descriptor and what it keeps, within the limits that hold here; -EUSERS
 * when there is no room, -EINVAL for what no connection of ours can be like, -ENOMEM, -ENOBUFS, or
 * what epoll says, and then all of it is closed and freed. Best in the order of `since_ns`. */
int tcp_adopt(struct tcp *tcp, struct tcp_passed *passed);

#endif
