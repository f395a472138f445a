/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pipelined queries over a few connections that stay open (RFC 7766 section 6.2.1.1). One the
 * server closes is opened again and counted; what was awaited on it is lost.
 */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_SIZE 131072u /* more than the largest message with its length */
#define SEND_SIZE (LOAD_BATCH * (QUERY_WIRE_MAX + 2u))

struct connection {
    int fd;
    unsigned awaited;
    size_t received;  /* bytes in `in` */
    size_t put, sent; /* bytes in `out`, and of them sent */
    uint8_t in[RECEIVE_SIZE];
    uint8_t out[SEND_SIZE];
};

static void connection_open(struct connection *connection, const struct sockaddr_in *server,
                            int epoll, unsigned index)
{
    int one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->fd < 0)
        load_die("socket");
    if (connect(connection->fd, (const struct sockaddr *)server, sizeof *server) != 0)
        load_die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        load_die("epoll_ctl");
    connection->awaited = 0;
    connection->received = connection->put = connection->sent = 0;
}

/* Fills the out buffer up to this connection's share of the window. */
static void connection_fill(struct connection *connection, struct load *load, unsigned share)
{
    uint64_t now = load_now_ns();
    connection->put = connection->sent = 0;
    for (unsigned i = 0; i < LOAD_BATCH && connection->awaited < share; i++) {
        if (load->sent >= load->query_max || load->awaited >= load->window)
            return;
        const struct query *query = load_next(load, now);
        uint8_t *at = connection->out + connection->put;
        at[0] = (uint8_t)(query->wire_len >> 8);
        at[1] = (uint8_t)query->wire_len;
        memcpy(at + 2, load->file.wire + query->wire_at, query->wire_len);
        connection->put += 2u + query->wire_len;
        connection->awaited++;
    }
}

/* Returns whether anything was sent; -1 when the connection is gone. */
static int connection_send(struct connection *connection)
{
    if (connection->sent == connection->put)
        return 0;
    ssize_t n = send(connection->fd, connection->out + connection->sent,
                     connection->put - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        connection->sent += (size_t)n;
    return n > 0 ? 1 : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* -1 when the connection is gone. */
static int connection_receive(struct connection *connection, struct load *load)
{
    ssize_t n = recv(connection->fd, connection->in + connection->received,
                     sizeof connection->in - connection->received, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    connection->received += (size_t)n;
    load->received_ns = load_now_ns();
    size_t at = 0;
    while (connection->received - at >= 2) {
        size_t len = (size_t)connection->in[at] << 8 | connection->in[at + 1];
        if (connection->received - at - 2 < len)
            break;
        load_answer(load, connection->in + at + 2, len);
        connection->awaited -= connection->awaited > 0;
        at += 2 + len;
    }
    memmove(connection->in, connection->in + at, connection->received - at);
    connection->received -= at;
    return 0;
}

static bool connections_send(struct connection *connections, unsigned connection_n,
                             struct load *load, int epoll, bool fill)
{
    bool any = false;
    for (unsigned i = 0; i < connection_n; i++) {
        struct connection *connection = &connections[i];
        if (fill && connection->sent == connection->put)
            connection_fill(connection, load, load->window / connection_n);
        int done = connection_send(connection);
        if (done < 0) {
            load->closed++;
            close(connection->fd);
            connection_open(connection, &load->server, epoll, i);
        }
        any |= done != 0;
    }
    return any;
}

static void connections_receive(struct connection *connections, struct load *load, int epoll,
                                int timeout_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct connection *connection = &connections[events[i].data.u32];
        if (connection_receive(connection, load) == 0)
            continue;
        load->closed++;
        close(connection->fd);
        connection_open(connection, &load->server, epoll, events[i].data.u32);
    }
}

double load_run_tcp(struct load *load, double seconds, unsigned connection_n)
{
    int epoll = epoll_create1(0);
    struct connection *connections = calloc(connection_n, sizeof *connections);
    if (epoll < 0 || connections == NULL)
        load_die("epoll");
    for (unsigned i = 0; i < connection_n; i++)
        connection_open(&connections[i], &load->server, epoll, i);
    uint64_t start = load_now_ns();
    uint64_t end = start + (uint64_t)(seconds * 1e9);
    for (;;) {
        uint64_t now = load_now_ns();
        bool over = load_over(load, now, end);
        if (over && load->awaited == 0 && now < end)
            end = now;
        if (over && (load->awaited == 0 || now > end + LOAD_LOSS_NS))
            break;
        load_reap(load, now);
        bool sent = connections_send(connections, connection_n, load, epoll, !over);
        connections_receive(connections, load, epoll, sent ? 0 : 1);
    }
    for (unsigned i = 0; i < connection_n; i++)
        close(connections[i].fd);
    close(epoll);
    free(connections);
    return (double)(end - start) / 1e9;
}
