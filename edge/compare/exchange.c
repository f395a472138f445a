/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "edge/compare/question.h"
#include "edge/wire/wire.h"

#define MESSAGE_MAX 65535u

static const char *const text_timeout = "no answer in time";
static const char *const text_refused = "nobody there";
static const char *const text_closed = "connection closed before the whole answer";
static const char *const text_system = "no socket or memory";

void exchange_init(struct exchange *exchange, const struct endpoint *server,
                   const struct exchange_limits *limits)
{
    *exchange = (struct exchange){.fd = -1, .server = server, .limits = limits};
}

void exchange_done(struct exchange *exchange)
{
    fd_close(&exchange->fd);
    free(exchange->buffer);
    free(exchange->udp.bytes);
    free(exchange->tcp.bytes);
    exchange->buffer = NULL;
    exchange->udp = exchange->tcp = (struct exchange_reply){0};
    exchange->state = EXCHANGE_IDLE;
}

static void finish(struct exchange *exchange, const char *reason)
{
    fd_close(&exchange->fd);
    exchange->reason = reason;
    exchange->state = EXCHANGE_DONE;
}

static int open_socket(struct exchange *exchange, int type)
{
    struct sockaddr_storage address;
    socklen_t len = endpoint_to_sockaddr(exchange->server, &address);

    fd_close(&exchange->fd);
    exchange->fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (exchange->fd < 0) {
        return -errno;
    }
    return connect(exchange->fd, (const struct sockaddr *)&address, len) < 0 ? -errno : 0;
}

/* Is this the answer to what we sent? A server may leave the question out of an error (RFC 8906);
 * otherwise it repeats it, in any case of letters. */
static bool belongs(const struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    const struct question *question = exchange->question;
    size_t question_len;

    if (len < WIRE_HEADER_LEN) {
        return len >= 2 && wire_get_u16(bytes) == exchange->id;
    }
    if (wire_get_u16(bytes) != exchange->id || !(bytes[2] & 0x80)) {
        return false;
    }
    if (question->raw || wire_get_u16(bytes + 4) != 1) {
        return true;
    }
    question_len = name_len(question->name) + 4;
    if (len < WIRE_HEADER_LEN + question_len) {
        return true;
    }
    for (size_t i = 0; i < question_len; i++) {
        uint8_t a = question->wire[WIRE_HEADER_LEN + i];
        uint8_t b = bytes[WIRE_HEADER_LEN + i];

        name_fold(&a, &a, 1);
        name_fold(&b, &b, 1);
        if (a != b) {
            return false;
        }
    }
    return true;
}

static bool keep(struct exchange_reply *reply, const uint8_t *bytes, size_t len)
{
    reply->bytes = malloc(len ? len : 1);
    if (!reply->bytes) {
        return false;
    }
    memcpy(reply->bytes, bytes, len);
    reply->len = len;
    return true;
}

static void udp_send(struct exchange *exchange, int64_t now_ns)
{
    uint8_t wire[QUESTION_WIRE_MAX];
    const size_t len = exchange->question->wire_len;
    int status = exchange->tries == 0 ? open_socket(exchange, SOCK_DGRAM) : 0;

    exchange->tries++;
    exchange->state = EXCHANGE_UDP;
    exchange->deadline_ns = now_ns + exchange->limits->timeout_ns;
    if (status < 0) {
        finish(exchange, status == -ECONNREFUSED ? text_refused : text_system);
        return;
    }
    memcpy(wire, exchange->question->wire, len);
    wire_put_u16(wire, exchange->id);
    /* a refusal of an earlier try is reported here; the next timeout repeats */
    while (send(exchange->fd, wire, len, 0) < 0 && errno == EINTR) {
    }
}

static void tcp_start(struct exchange *exchange, int64_t now_ns)
{
    const struct question *question = exchange->question;
    int status = open_socket(exchange, SOCK_STREAM);

    exchange->deadline_ns = now_ns + exchange->limits->timeout_ns * exchange->limits->tries;
    free(exchange->buffer);
    exchange->buffer = malloc(2 + MESSAGE_MAX);
    if ((status < 0 && status != -EINPROGRESS) || !exchange->buffer) {
        finish(exchange, status == -ECONNREFUSED ? text_refused : text_system);
        return;
    }
    wire_put_u16(exchange->buffer, question->wire_len); /* RFC 7766 section 8 */
    memcpy(exchange->buffer + 2, question->wire, question->wire_len);
    wire_put_u16(exchange->buffer + 2, exchange->id);
    exchange->buffer_len = 2u + question->wire_len;
    exchange->buffer_at = 0;
    exchange->state = EXCHANGE_TCP_CONNECT;
}

void exchange_start(struct exchange *exchange, const struct question *question, uint16_t id,
                    int64_t now_ns)
{
    exchange_done(exchange);
    exchange->question = question;
    exchange->id = id;
    exchange->tries = 0;
    exchange->reason = NULL;
    if (question->tcp) {
        tcp_start(exchange, now_ns);
    } else {
        udp_send(exchange, now_ns);
    }
}

short exchange_events(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_TCP_CONNECT || exchange->state == EXCHANGE_TCP_SEND ? POLLOUT
                                                                                           : POLLIN;
}

static void udp_ready(struct exchange *exchange, int64_t now_ns)
{
    uint8_t bytes[MESSAGE_MAX];

    for (;;) {
        const ssize_t len = recv(exchange->fd, bytes, sizeof(bytes), 0);

        if (len < 0) {
            if (errno == EINTR) {
                continue;
            }
            return; /* nothing more, or nobody there just now: the next try comes with time */
        }
        if (!belongs(exchange, bytes, (size_t)len)) {
            continue;
        }
        if (!keep(&exchange->udp, bytes, (size_t)len)) {
            finish(exchange, text_system);
        } else if (len >= WIRE_HEADER_LEN && wire_get_u16(bytes + 2) & WIRE_FLAG_TC) {
            tcp_start(exchange, now_ns); /* RFC 7766 section 5 */
        } else {
            finish(exchange, NULL);
        }
        return;
    }
}

static void tcp_send(struct exchange *exchange)
{
    const ssize_t sent = send(exchange->fd, exchange->buffer + exchange->buffer_at,
                              exchange->buffer_len - exchange->buffer_at, MSG_NOSIGNAL);

    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            finish(exchange, errno == ECONNREFUSED ? text_refused : text_closed);
        }
        return;
    }
    exchange->state = EXCHANGE_TCP_SEND;
    exchange->buffer_at += (size_t)sent;
    if (exchange->buffer_at == exchange->buffer_len) {
        exchange->state = EXCHANGE_TCP_RECEIVE;
        exchange->buffer_len = 2;
        exchange->buffer_at = 0;
    }
}

static void tcp_receive(struct exchange *exchange)
{
    const ssize_t got = recv(exchange->fd, exchange->buffer + exchange->buffer_at,
                             exchange->buffer_len - exchange->buffer_at, 0);

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            finish(exchange, text_closed);
        }
        return;
    }
    exchange->buffer_at += (size_t)got;
    if (exchange->buffer_at < exchange->buffer_len) {
        return;
    }
    if (exchange->buffer_len == 2 && wire_get_u16(exchange->buffer) > 0) {
        exchange->buffer_len = 2u + wire_get_u16(exchange->buffer);
        return;
    }
    if (!belongs(exchange, exchange->buffer + 2, exchange->buffer_len - 2)) {
        finish(exchange, text_closed);
        return;
    }
    finish(exchange, keep(&exchange->tcp, exchange->buffer + 2, exchange->buffer_len - 2)
                         ? NULL
                         : text_system);
}

void exchange_ready(struct exchange *exchange, int64_t now_ns)
{
    switch (exchange->state) {
    case EXCHANGE_UDP:
        udp_ready(exchange, now_ns);
        break;
    case EXCHANGE_TCP_CONNECT: /* sending says how connecting went */
    case EXCHANGE_TCP_SEND:
        tcp_send(exchange);
        break;
    case EXCHANGE_TCP_RECEIVE:
        tcp_receive(exchange);
        break;
    case EXCHANGE_IDLE:
    case EXCHANGE_DONE:
        break;
    }
}

void exchange_tick(struct exchange *exchange, int64_t now_ns)
{
    if (exchange->state == EXCHANGE_IDLE || exchange->state == EXCHANGE_DONE ||
        now_ns < exchange->deadline_ns) {
        return;
    }
    if (exchange->state == EXCHANGE_UDP && exchange->tries < exchange->limits->tries) {
        udp_send(exchange, now_ns);
    } else {
        finish(exchange, text_timeout);
    }
}
