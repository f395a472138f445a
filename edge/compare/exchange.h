/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One question to one server: over UDP with repetition, over TCP when the answer was cut short (TC)
 * or the question says so. A state machine over one non-blocking socket; whoever drives it polls
 * and says what time it is (monotonic nanoseconds).
 *
 * Every try has a socket, thus a port, of its own, and an id; what comes back for another id or
 * another question is not taken for the answer.
 */
#ifndef EDGE_COMPARE_EXCHANGE_H
#define EDGE_COMPARE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct question;

enum exchange_state {
    EXCHANGE_IDLE,
    EXCHANGE_UDP,
    EXCHANGE_TCP_CONNECT,
    EXCHANGE_TCP_SEND,
    EXCHANGE_TCP_RECEIVE,
    EXCHANGE_DONE,
};

struct exchange_limits {
    int64_t timeout_ns; /* of one try; over TCP of the whole connection */
    unsigned tries;
};

struct exchange_reply {
    uint8_t *bytes; /* NULL: none */
    size_t len;
};

struct exchange {
    enum exchange_state state;
    int fd; /* -1: none */
    uint16_t id;
    unsigned tries;
    int64_t deadline_ns;
    const struct question *question; /* borrowed until done */
    const struct endpoint *server;   /* borrowed */
    const struct exchange_limits *limits;
    uint8_t *buffer; /* TCP: length and message, out and in */
    size_t buffer_len;
    size_t buffer_at;
    struct exchange_reply udp; /* both owned by the exchange */
    struct exchange_reply tcp;
    const char *reason; /* why an answer is missing; a constant text */
};

void exchange_init(struct exchange *exchange, const struct endpoint *server,
                   const struct exchange_limits *limits);

/* Forgets what was and sends. It may be done at once, if the system refuses. */
void exchange_start(struct exchange *exchange, const struct question *question, uint16_t id,
                    int64_t now_ns);

/* Events to poll for on `fd`. */
short exchange_events(const struct exchange *exchange);

/* The socket is ready. */
void exchange_ready(struct exchange *exchange, int64_t now_ns);

/* Time has passed. */
void exchange_tick(struct exchange *exchange, int64_t now_ns);

void exchange_done(struct exchange *exchange);

#endif
