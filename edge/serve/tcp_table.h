/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The TCP connections of one worker: which may expire when, and which goes when there are too many.
 * Knows no socket and no clock. Every connection is in one phase, each phase has its own time
 * limit, so that its list is in the order of expiry and both questions are answered at its head.
 */
#ifndef EDGE_TCP_TABLE_H
#define EDGE_TCP_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/address.h"
#include "edge/serve/serve.h"
#include "edge/serve/tcp_clients.h"
#include "edge/serve/tcp_stream.h"

/* What a connection waits for, and since when its time runs. */
enum tcp_phase {
    TCP_IDLE,    /* the next query; since the last answer was sent (RFC 7766 section 3) */
    TCP_WITHIN,  /* the rest of a query; since that began */
    TCP_BLOCKED, /* the client to read; since it last read something */
    TCP_ENDING,  /* the client to close: we have said our last; since then */
    TCP_PHASES,
};

/* Owned by its table. */
struct tcp_connection {
    struct serve_source source; /* first: epoll hands it back */
    struct tcp_stream stream;
    struct address client;
    uint32_t place; /* in the table of clients */
    enum tcp_phase phase;
    bool finished; /* no further query is answered; ends once nothing is pending */
    int64_t opened_ns;
    int64_t since_ns; /* of the phase */
    TAILQ_ENTRY(tcp_connection) by_phase;
    TAILQ_ENTRY(tcp_connection) by_place;
};

TAILQ_HEAD(tcp_list, tcp_connection);

struct tcp_table {
    uint32_t n;
    int64_t limit_ns[TCP_PHASES];
    struct tcp_list phases[TCP_PHASES]; /* first to expire first */
    uint32_t place_n[TCP_CLIENT_PLACES];
    struct tcp_list places[TCP_CLIENT_PLACES]; /* least recently active first */
    struct tcp_list closed; /* events for them may still be on their way in this round */
};

void tcp_table_init(struct tcp_table *table, const int64_t limit_ns[static TCP_PHASES]);

/* `place`, `phase` and `since_ns` are set. */
void tcp_table_add(struct tcp_table *table, struct tcp_connection *connection);

/* Its time starts anew in this phase; `now_ns` never goes back. */
void tcp_table_move(struct tcp_table *table, struct tcp_connection *connection,
                    enum tcp_phase phase, int64_t now_ns);

/* It becomes the most recently active one of its client: for a query answered or a byte taken, not
 * for the start of a query. */
void tcp_table_touch(struct tcp_table *table, struct tcp_connection *connection);

/* To the closed ones, whose memory tcp_table_sweep() frees. */
void tcp_table_remove(struct tcp_table *table, struct tcp_connection *connection);
void tcp_table_sweep(struct tcp_table *table);

/* One whose time is up, or NULL. */
struct tcp_connection *tcp_table_expired(const struct tcp_table *table, int64_t now_ns);

/* How long until there is one, at least 0; -1 if there are no connections. */
int64_t tcp_table_wait(const struct tcp_table *table, int64_t now_ns);

/* Whom to close to make room: the least recently active connection of the client that has most.
 * Whoever opens many pays for it, and a client with few keeps them as long as others have more.
 * When all have one, the least recently active of all. NULL if the table is empty. */
struct tcp_connection *tcp_table_victim(const struct tcp_table *table);

#endif
