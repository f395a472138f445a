/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/fd.h"

/* RFC 1035 section 4.2.2: two bytes of length, then the message */
#define TCP_FRAME_MAX ((size_t)2 + 65535)
#define TCP_IN_SIZE (2 * TCP_FRAME_MAX)
#define TCP_OUT_SIZE (2 * TCP_FRAME_MAX)
#define TCP_ACCEPTS_PER_EVENT 32

/* Bytes kept for later: [start, len) of an allocation. */
struct tcp_rest {
    uint8_t *bytes;
    size_t start;
    size_t len;
};

struct tcp_connection {
    struct serve_source source; /* first: epoll hands it back */
    TAILQ_ENTRY(tcp_connection) link;
    struct address client;
    uint32_t place;          /* in the table of clients */
    bool closing;            /* nothing more is read; closed once `pending` is sent */
    int64_t active_ns;       /* last complete query or sent byte */
    struct tcp_rest held;    /* read, not yet answered */
    struct tcp_rest pending; /* answered, not yet sent */
};

TAILQ_HEAD(tcp_list, tcp_connection);

struct tcp {
    int epoll_fd;
    uint32_t connection_max;
    uint32_t connection_n;
    int64_t idle_ns;
    struct tcp_clients *clients;
    struct tcp_list active; /* least recently active first */
    struct tcp_list closed; /* events for them may still be on their way in this round */
    uint8_t in[TCP_IN_SIZE];
    uint8_t out[TCP_OUT_SIZE];
};

struct tcp *tcp_new(int epoll_fd, uint32_t connection_max, int64_t idle_ns,
                    struct tcp_clients *clients)
{
    struct tcp *tcp = calloc(1, sizeof(*tcp));

    if (!tcp) {
        return NULL;
    }
    tcp->epoll_fd = epoll_fd;
    tcp->connection_max = connection_max;
    tcp->idle_ns = idle_ns;
    tcp->clients = clients;
    TAILQ_INIT(&tcp->active);
    TAILQ_INIT(&tcp->closed);
    return tcp;
}

/* Which place of the table a client counts in: an IPv4 address, or an IPv6 /56 since that is what
 * one site gets. */
static uint32_t tcp_client_place(const struct tcp_clients *clients, const struct address *client)
{
    uint64_t key = 0;

    memcpy(&key, client->bytes, client->family == ADDRESS_IPV6 ? 7 : 4);
    key ^= clients->seed + client->family;
    /* finalizer of splitmix64 */
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((key ^ (key >> 31)) & (TCP_CLIENT_PLACES - 1));
}

static void tcp_rest_drop(struct tcp_rest *rest)
{
    free(rest->bytes);
    *rest = (struct tcp_rest){0};
}

static int tcp_rest_keep(struct tcp_rest *rest, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = NULL;

    if (len) {
        copy = malloc(len);
        if (!copy) {
            return -ENOMEM;
        }
        memcpy(copy, bytes, len);
    }
    free(rest->bytes);
    *rest = (struct tcp_rest){copy, 0, len};
    return 0;
}

static void tcp_close(struct tcp *tcp, struct tcp_connection *connection, struct counters *counters)
{
    if (connection->source.fd < 0) {
        return;
    }
    fd_close(&connection->source.fd); /* leaves the epoll set by itself */
    tcp_rest_drop(&connection->held);
    tcp_rest_drop(&connection->pending);
    atomic_fetch_sub_explicit(&tcp->clients->places[connection->place], 1, memory_order_relaxed);
    TAILQ_REMOVE(&tcp->active, connection, link);
    TAILQ_INSERT_TAIL(&tcp->closed, connection, link);
    tcp->connection_n--;
    counter_add(&counters->plain[COUNTER_TCP_CLOSED], 1);
}

static void tcp_close_for(struct tcp *tcp, struct tcp_connection *connection,
                          struct counters *counters, enum counter_plain reason)
{
    counter_add(&counters->plain[reason], 1);
    tcp_close(tcp, connection, counters);
}

static void tcp_touch(struct tcp *tcp, struct tcp_connection *connection, int64_t now_ns)
{
    connection->active_ns = now_ns;
    TAILQ_REMOVE(&tcp->active, connection, link);
    TAILQ_INSERT_TAIL(&tcp->active, connection, link);
}

static int tcp_watch(struct tcp *tcp, struct tcp_connection *connection, int operation,
                     uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &connection->source};

    return epoll_ctl(tcp->epoll_fd, operation, connection->source.fd, &event) < 0 ? -errno : 0;
}

/* Sends what it can; how much that was, or -errno when the connection is of no use any more. */
static ssize_t tcp_send(int fd, const uint8_t *bytes, size_t len)
{
    ssize_t sent;

    do {
        sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    return sent;
}

/* Sends the first `len` bytes of the worker's out buffer, keeping with the connection what does not
 * go. */
static int tcp_flush(struct tcp *tcp, struct tcp_connection *connection, size_t len)
{
    ssize_t sent;
    int code;

    if (len == 0) {
        return 0;
    }
    sent = tcp_send(connection->source.fd, tcp->out, len);
    if (sent < 0) {
        return (int)sent;
    }
    if ((size_t)sent == len) {
        return 0;
    }
    code = tcp_rest_keep(&connection->pending, tcp->out + sent, len - (size_t)sent);
    return code < 0 ? code : tcp_watch(tcp, connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static size_t tcp_frame_len(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

/* Answers the complete queries among `len` bytes of the in buffer, in order, and keeps the rest.
 * Stops early when the client does not take the responses. */
static int tcp_process(struct tcp *tcp, struct tcp_connection *connection, size_t len,
                       const struct serve_context *context, int64_t now_ns)
{
    size_t pos = 0;
    size_t out_len = 0;
    int code = 0;

    while (len - pos >= 2 && len - pos - 2 >= tcp_frame_len(tcp->in + pos)) {
        size_t query_len = tcp_frame_len(tcp->in + pos);
        size_t response_len;

        if (TCP_OUT_SIZE - out_len < TCP_FRAME_MAX) {
            code = tcp_flush(tcp, connection, out_len);
            out_len = 0;
            if (code < 0 || connection->pending.bytes) {
                break;
            }
        }
        response_len = serve_query(context, tcp->in + pos + 2, query_len, &connection->client,
                                   ANSWER_TCP, tcp->out + out_len + 2, ANSWER_RESPONSE_MAX);
        pos += 2 + query_len;
        if (response_len == 0) {
            /* no DNS query: whoever sends this does not speak the protocol, nothing after it can be
             * trusted */
            counter_add(&context->counters->plain[COUNTER_TCP_BAD], 1);
            connection->closing = true;
            pos = len;
            break;
        }
        tcp->out[out_len] = (uint8_t)(response_len >> 8);
        tcp->out[out_len + 1] = (uint8_t)response_len;
        out_len += 2 + response_len;
    }
    if (pos) {
        tcp_touch(tcp, connection, now_ns);
    }
    if (code == 0) {
        code = tcp_flush(tcp, connection, out_len);
    }
    return code < 0 ? code : tcp_rest_keep(&connection->held, tcp->in + pos, len - pos);
}

/* Puts what is held in front of the in buffer; returns how much. */
static size_t tcp_unhold(struct tcp *tcp, struct tcp_connection *connection)
{
    size_t len = connection->held.len;

    if (len) {
        memcpy(tcp->in, connection->held.bytes, len);
        tcp_rest_drop(&connection->held);
    }
    return len;
}

/* After processing: an error or a finished connection is closed. */
static void tcp_settle(struct tcp *tcp, struct tcp_connection *connection, int code,
                       struct counters *counters)
{
    if (code < 0) {
        tcp_close_for(tcp, connection, counters, COUNTER_TCP_ERRORS);
    } else if (connection->closing && !connection->pending.bytes) {
        tcp_close(tcp, connection, counters);
    }
}

static void tcp_read(struct tcp *tcp, struct tcp_connection *connection,
                     const struct serve_context *context, int64_t now_ns)
{
    size_t held = connection->held.len;
    ssize_t got = recv(connection->source.fd, tcp->in + held, TCP_IN_SIZE - held, MSG_DONTWAIT);
    int code = 0;

    if (got > 0) {
        (void)tcp_unhold(tcp, connection);
        code = tcp_process(tcp, connection, held + (size_t)got, context, now_ns);
    } else if (got == 0) {
        connection->closing = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        code = -errno;
    }
    tcp_settle(tcp, connection, code, context->counters);
}

static void tcp_write(struct tcp *tcp, struct tcp_connection *connection,
                      const struct serve_context *context, int64_t now_ns)
{
    struct tcp_rest *pending = &connection->pending;
    ssize_t sent = tcp_send(connection->source.fd, pending->bytes + pending->start,
                            pending->len - pending->start);
    int code = sent < 0 ? (int)sent : 0;

    if (sent > 0) {
        tcp_touch(tcp, connection, now_ns);
        pending->start += (size_t)sent;
        if (pending->start == pending->len) {
            tcp_rest_drop(pending);
            code = tcp_watch(tcp, connection, EPOLL_CTL_MOD, EPOLLIN);
            if (code == 0) {
                code = tcp_process(tcp, connection, tcp_unhold(tcp, connection), context, now_ns);
            }
        }
    }
    tcp_settle(tcp, connection, code, context->counters);
}

void tcp_event(struct tcp *tcp, struct serve_source *source, uint32_t events,
               const struct serve_context *context, int64_t now_ns)
{
    struct tcp_connection *connection = (void *)source; /* its first member */

    if (source->fd < 0) {
        return; /* closed earlier in this round */
    }
    if (connection->pending.bytes) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            tcp_write(tcp, connection, context, now_ns);
        }
    } else {
        tcp_read(tcp, connection, context, now_ns);
    }
}

static void tcp_open(struct tcp *tcp, int fd, const struct address *client, uint32_t place,
                     const struct serve_context *context, int64_t now_ns)
{
    struct tcp_connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        fd_close(&fd);
        atomic_fetch_sub_explicit(&tcp->clients->places[place], 1, memory_order_relaxed);
        return;
    }
    connection->source = (struct serve_source){SERVE_TCP_CONNECTION, fd};
    connection->client = *client;
    connection->place = place;
    connection->active_ns = now_ns;
    TAILQ_INSERT_TAIL(&tcp->active, connection, link);
    tcp->connection_n++;
    counter_add(&context->counters->plain[COUNTER_TCP_OPENED], 1);
    if (tcp_watch(tcp, connection, EPOLL_CTL_ADD, EPOLLIN) < 0) {
        tcp_close_for(tcp, connection, context->counters, COUNTER_TCP_ERRORS);
    }
}

static void tcp_evict(struct tcp *tcp, struct counters *counters)
{
    struct tcp_connection *oldest = TAILQ_FIRST(&tcp->active);

    if (oldest) {
        tcp_close_for(tcp, oldest, counters, COUNTER_TCP_EVICTED);
    }
}

void tcp_accept(struct tcp *tcp, int listener, const struct serve_context *context, int64_t now_ns)
{
    for (int i = 0; i < TCP_ACCEPTS_PER_EVENT; i++) {
        struct sockaddr_in6 peer;
        socklen_t peer_len = sizeof(peer);
        struct address client;
        uint32_t place;
        int fd =
            accept4(listener, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) {
                tcp_evict(tcp, context->counters); /* else the listener would wake us for ever */
            }
            return;
        }
        if (address_from_sockaddr((const struct sockaddr *)&peer, &client, NULL) < 0) {
            fd_close(&fd);
            continue;
        }
        place = tcp_client_place(tcp->clients, &client);
        if (atomic_fetch_add_explicit(&tcp->clients->places[place], 1, memory_order_relaxed) >=
            tcp->clients->limit) {
            atomic_fetch_sub_explicit(&tcp->clients->places[place], 1, memory_order_relaxed);
            counter_add(&context->counters->plain[COUNTER_TCP_LIMITED], 1);
            fd_close(&fd);
            continue;
        }
        if (tcp->connection_n >= tcp->connection_max) {
            tcp_evict(tcp, context->counters);
        }
        tcp_open(tcp, fd, &client, place, context, now_ns);
    }
}

int64_t tcp_tidy(struct tcp *tcp, struct counters *counters, int64_t now_ns)
{
    struct tcp_connection *connection;

    while ((connection = TAILQ_FIRST(&tcp->active)) &&
           now_ns - connection->active_ns >= tcp->idle_ns) {
        tcp_close_for(tcp, connection, counters, COUNTER_TCP_IDLE);
    }
    while ((connection = TAILQ_FIRST(&tcp->closed))) {
        TAILQ_REMOVE(&tcp->closed, connection, link);
        free(connection);
    }
    connection = TAILQ_FIRST(&tcp->active);
    return connection ? connection->active_ns + tcp->idle_ns - now_ns : -1;
}

uint32_t tcp_drain(struct tcp *tcp, const struct serve_context *context, int64_t now_ns)
{
    struct tcp_connection *connection = TAILQ_FIRST(&tcp->active);
    uint32_t left = tcp->connection_n;

    /* reading moves a connection to the end of the list, so each is met once by counting */
    for (uint32_t i = 0; i < left && connection; i++) {
        struct tcp_connection *next = TAILQ_NEXT(connection, link);

        if (!connection->closing && !connection->pending.bytes) {
            tcp_read(tcp, connection, context, now_ns);
        }
        if (connection->source.fd >= 0) {
            connection->closing = true;
            tcp_settle(tcp, connection, 0, context->counters);
        }
        connection = next;
    }
    return tcp->connection_n;
}

void tcp_free(struct tcp *tcp, struct counters *counters)
{
    struct tcp_connection *connection;

    if (!tcp) {
        return;
    }
    while ((connection = TAILQ_FIRST(&tcp->active))) {
        tcp_close(tcp, connection, counters);
    }
    (void)tcp_tidy(tcp, counters, 0);
    free(tcp);
}
