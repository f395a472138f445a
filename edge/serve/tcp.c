/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "edge/serve/tcp_stream.h"
#include "edge/serve/tcp_table.h"

#define TCP_ACCEPTS_PER_EVENT 32
/* for the client to close after us: a round trip and a turn of its loop, no more */
#define TCP_ENDING_NS (2 * CLOCK_NS_PER_S)

struct tcp {
    int epoll_fd;
    int spare_fd; /* given up to take and refuse a connection when there are no descriptors left */
    struct tcp_limits limits;
    struct tcp_clients *clients;
    struct tcp_table table;
    struct tcp_buffers buffers;
};

struct tcp *tcp_new(int epoll_fd, const struct tcp_limits *limits, struct tcp_clients *clients)
{
    struct tcp *tcp = calloc(1, sizeof(*tcp));
    const int64_t limit_ns[TCP_PHASES] = {
        [TCP_IDLE] = limits->idle_ns,
        [TCP_WITHIN] = limits->query_ns,
        [TCP_BLOCKED] = limits->idle_ns,
        [TCP_ENDING] = TCP_ENDING_NS,
    };

    if (!tcp) {
        return NULL;
    }
    tcp->epoll_fd = epoll_fd;
    tcp->spare_fd = fcntl(epoll_fd, F_DUPFD_CLOEXEC, 0);
    tcp->limits = *limits;
    tcp->clients = clients;
    tcp->buffers.kept_max =
        limits->memory_max > TCP_STREAM_KEPT_MAX ? limits->memory_max : TCP_STREAM_KEPT_MAX;
    tcp_table_init(&tcp->table, limit_ns);
    return tcp;
}

/* --- closing --- */

static void tcp_forget(struct tcp *tcp, struct tcp_connection *connection)
{
    tcp_stream_done(&connection->stream, &tcp->buffers);
    tcp_clients_leave(tcp->clients, connection->place);
    tcp_table_remove(&tcp->table, connection);
}

static void tcp_close(struct tcp *tcp, struct tcp_connection *connection, struct counters *counters)
{
    fd_close(&connection->source.fd); /* leaves the epoll set by itself */
    tcp_forget(tcp, connection);
    counter_add(&counters->plain[COUNTER_TCP_CLOSED], 1);
}

/* The kernel sends a reset instead of what is still unsent, and remembers nothing. */
static void tcp_make_abrupt(int fd)
{
    static const struct linger abrupt = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
}

static void tcp_reset(struct tcp *tcp, struct tcp_connection *connection, struct counters *counters,
                      enum counter_plain reason)
{
    counter_add(&counters->plain[reason], 1);
    tcp_make_abrupt(connection->source.fd);
    tcp_close(tcp, connection, counters);
}

/* --- the stream's reading and writing --- */

struct tcp_call {
    const struct serve_context *context;
    const struct tcp_connection *connection;
    size_t sent;
};

static size_t tcp_answer(void *context, const uint8_t *query, size_t query_len, uint8_t *response)
{
    const struct tcp_call *call = context;
    struct answer_request request =
        serve_request(call->context, query, query_len, &call->connection->client, ANSWER_TCP);

    serve_read(call->context, &request, 1);
    return serve_write(call->context, &request, 0, response, ANSWER_RESPONSE_MAX);
}

static ssize_t tcp_send(void *context, const uint8_t *bytes, size_t len)
{
    struct tcp_call *call = context;
    ssize_t sent;

    do {
        sent = send(call->connection->source.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    call->sent += (size_t)sent;
    return sent;
}

static int tcp_watch(const struct tcp *tcp, struct tcp_connection *connection, int operation,
                     uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &connection->source};

    return epoll_ctl(tcp->epoll_fd, operation, connection->source.fd, &event) < 0 ? -errno : 0;
}

/* Whether a limit of its own making ends the connection now. Counted once. */
static void tcp_judge(const struct tcp *tcp, struct tcp_connection *connection,
                      struct counters *counters, int64_t now_ns)
{
    const struct tcp_limits *limits = &tcp->limits;

    if (connection->finished) {
        return;
    }
    if (connection->stream.bad) {
        connection->finished = true;
        counter_add(&counters->plain[COUNTER_TCP_BAD], 1);
    } else if ((limits->query_max && connection->stream.query_n >= limits->query_max) ||
               (limits->lifetime_ns && now_ns - connection->opened_ns >= limits->lifetime_ns)) {
        connection->finished = true;
        counter_add(&counters->plain[COUNTER_TCP_SPENT], 1);
    }
}

/* Says that no more comes from us. What the client had sent before it knew is read and dropped. */
static void tcp_end(struct tcp *tcp, struct tcp_connection *connection, struct counters *counters,
                    int64_t now_ns)
{
    if (shutdown(connection->source.fd, SHUT_WR) < 0) {
        tcp_close(tcp, connection, counters);
    } else {
        tcp_table_move(&tcp->table, connection, TCP_ENDING, now_ns);
    }
}

static enum tcp_phase tcp_phase_of(const struct tcp_stream *stream)
{
    if (tcp_stream_is_blocked(stream)) {
        return TCP_BLOCKED;
    }
    return tcp_stream_is_within(stream) ? TCP_WITHIN : TCP_IDLE;
}

/* After the stream has moved: which phase the connection is in now. `progress`: a query was
 * answered or a byte was taken. */
static void tcp_settle(struct tcp *tcp, struct tcp_connection *connection, int code, bool progress,
                       struct counters *counters, int64_t now_ns)
{
    bool was_blocked = connection->phase == TCP_BLOCKED;
    bool is_blocked = tcp_stream_is_blocked(&connection->stream);
    enum tcp_phase phase = tcp_phase_of(&connection->stream);

    if (code == 0 && was_blocked != is_blocked) {
        code = tcp_watch(tcp, connection, EPOLL_CTL_MOD, is_blocked ? EPOLLOUT : EPOLLIN);
    }
    if (code < 0) {
        tcp_reset(tcp, connection, counters,
                  code == -ENOBUFS ? COUNTER_TCP_MEMORY : COUNTER_TCP_ERRORS);
        return;
    }
    tcp_judge(tcp, connection, counters, now_ns);
    if (progress) {
        tcp_table_touch(&tcp->table, connection);
    }
    if (connection->finished && !is_blocked) {
        tcp_end(tcp, connection, counters, now_ns);
    } else if (progress || phase != connection->phase) {
        tcp_table_move(&tcp->table, connection, phase, now_ns);
    }
}

/* Reads what is there and answers it. Returns how many queries that were. */
static uint64_t tcp_read(struct tcp *tcp, struct tcp_connection *connection,
                         const struct serve_context *context, int64_t now_ns)
{
    struct tcp_call call = {context, connection, 0};
    const struct tcp_io io = {tcp_answer, tcp_send, &call,
                              tcp->limits.query_max ? tcp->limits.query_max : UINT64_MAX};
    uint64_t before = connection->stream.query_n;
    uint64_t answered;
    size_t room;
    uint8_t *at = tcp_stream_room(&connection->stream, &tcp->buffers, &room);
    ssize_t got = recv(connection->source.fd, at, room, MSG_DONTWAIT);
    int code;

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got == 0) { /* RFC 7766 section 6.2.4; all its queries are answered and sent */
        counter_add(&context->counters->plain[COUNTER_TCP_PEER], 1);
        tcp_close(tcp, connection, context->counters);
        return 0;
    }
    code = got < 0 ? -errno : tcp_stream_take(&connection->stream, &tcp->buffers, (size_t)got, &io);
    answered = connection->stream.query_n - before;
    tcp_settle(tcp, connection, code, answered > 0, context->counters, now_ns);
    return answered;
}

/* Sends what is pending, then goes on with what is held. */
static uint64_t tcp_write(struct tcp *tcp, struct tcp_connection *connection,
                          const struct serve_context *context, int64_t now_ns)
{
    struct tcp_call call = {context, connection, 0};
    const struct tcp_io io = {tcp_answer, tcp_send, &call,
                              tcp->limits.query_max ? tcp->limits.query_max : UINT64_MAX};
    uint64_t before = connection->stream.query_n;
    uint64_t answered;
    int code = tcp_stream_push(&connection->stream, &tcp->buffers, &io);

    answered = connection->stream.query_n - before;
    tcp_settle(tcp, connection, code, call.sent > 0, context->counters, now_ns);
    return answered;
}

/* Nothing of what still comes is of interest. */
static void tcp_discard(struct tcp *tcp, struct tcp_connection *connection,
                        struct counters *counters)
{
    ssize_t got =
        recv(connection->source.fd, tcp->buffers.in, sizeof(tcp->buffers.in), MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        tcp_close(tcp, connection, counters);
    }
}

uint64_t tcp_event(struct tcp *tcp, struct serve_source *source, uint32_t events,
                   const struct serve_context *context, int64_t now_ns)
{
    struct tcp_connection *connection = (void *)source; /* its first member */

    if (source->fd < 0) {
        return 0; /* closed earlier in this round */
    }
    switch (connection->phase) {
    case TCP_IDLE:
    case TCP_WITHIN:
        return tcp_read(tcp, connection, context, now_ns);
    case TCP_BLOCKED:
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            return tcp_write(tcp, connection, context, now_ns);
        }
        return 0;
    case TCP_ENDING:
        tcp_discard(tcp, connection, context->counters);
        return 0;
    case TCP_PHASES:
        break;
    }
    return 0;
}

/* --- opening --- */

void tcp_passed_done(struct tcp_passed *passed)
{
    free(passed->stream.held.bytes);
    free(passed->stream.pending.bytes);
    passed->stream = (struct tcp_stream){0};
}

static int tcp_enter(struct tcp *tcp, struct tcp_connection *connection,
                     const struct tcp_passed *passed)
{
    int code = tcp_stream_enter(&passed->stream, &tcp->buffers);

    if (code < 0) {
        return code;
    }
    connection->source = (struct serve_source){SERVE_TCP_CONNECTION, passed->fd};
    connection->stream = passed->stream;
    connection->client = passed->client;
    connection->phase = passed->ending ? TCP_ENDING : tcp_phase_of(&passed->stream);
    connection->finished = passed->finished;
    connection->opened_ns = passed->opened_ns;
    connection->since_ns = passed->since_ns;
    code = tcp_watch(tcp, connection, EPOLL_CTL_ADD,
                     connection->phase == TCP_BLOCKED ? EPOLLOUT : EPOLLIN);
    if (code < 0) {
        tcp_stream_leave(&passed->stream, &tcp->buffers);
    }
    return code;
}

/* All in `passed` is the connection's, or closed and freed; the client has been counted. */
static int tcp_open(struct tcp *tcp, struct tcp_passed *passed, uint32_t place)
{
    struct tcp_connection *connection = calloc(1, sizeof(*connection));
    int code = connection ? tcp_enter(tcp, connection, passed) : -ENOMEM;

    if (code < 0) {
        free(connection);
        fd_close(&passed->fd);
        tcp_passed_done(passed);
        tcp_clients_leave(tcp->clients, place);
        return code;
    }
    connection->place = place;
    tcp_table_add(&tcp->table, connection);
    return 0;
}

static bool tcp_evict(struct tcp *tcp, struct counters *counters)
{
    struct tcp_connection *victim = tcp_table_victim(&tcp->table);

    if (victim) {
        tcp_reset(tcp, victim, counters, COUNTER_TCP_EVICTED);
    }
    return victim != NULL;
}

/* A refused connection is reset: it costs the kernel no minute of TIME_WAIT, and the client a clear
 * word. */
static void tcp_refuse(int fd, struct counters *counters)
{
    counter_add(&counters->plain[COUNTER_TCP_LIMITED], 1);
    tcp_make_abrupt(fd);
    fd_close(&fd);
}

/* No descriptor is left and no connection of ours could give one: the waiting connection has to go,
 * or the listener would wake us for ever. False when none was waiting. */
static bool tcp_refuse_unseen(struct tcp *tcp, int listener, struct counters *counters)
{
    int fd;

    fd_close(&tcp->spare_fd);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        tcp_refuse(fd, counters);
    }
    tcp->spare_fd = fcntl(tcp->epoll_fd, F_DUPFD_CLOEXEC, 0);
    return fd >= 0;
}

static void tcp_admit(struct tcp *tcp, int fd, const struct sockaddr_in6 *peer,
                      struct counters *counters, int64_t now_ns)
{
    struct tcp_passed passed = {.fd = fd, .opened_ns = now_ns, .since_ns = now_ns};
    uint32_t place;

    if (address_from_sockaddr((const struct sockaddr *)peer, &passed.client, NULL) < 0) {
        fd_close(&fd);
        return;
    }
    place = tcp_clients_place(tcp->clients, &passed.client);
    if (!tcp_clients_enter(tcp->clients, place)) {
        tcp_refuse(fd, counters);
        return;
    }
    if (tcp->table.n >= tcp->limits.connection_max) {
        (void)tcp_evict(tcp, counters);
    }
    counter_add(&counters->plain[COUNTER_TCP_OPENED], 1);
    if (tcp_open(tcp, &passed, place) < 0) {
        counter_add(&counters->plain[COUNTER_TCP_ERRORS], 1);
        counter_add(&counters->plain[COUNTER_TCP_CLOSED], 1);
    }
}

void tcp_accept(struct tcp *tcp, int listener, const struct serve_context *context, int64_t now_ns)
{
    struct counters *counters = context->counters;

    for (int i = 0; i < TCP_ACCEPTS_PER_EVENT; i++) {
        struct sockaddr_in6 peer;
        socklen_t peer_len = sizeof(peer);
        int fd =
            accept4(listener, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            tcp_admit(tcp, fd, &peer, counters, now_ns);
        } else if (errno == EAGAIN) {
            return;
        } else if ((errno == EMFILE || errno == ENFILE) && !tcp_evict(tcp, counters) &&
                   !tcp_refuse_unseen(tcp, listener, counters)) {
            return;
        } /* else this one was gone before we took it (ECONNABORTED and what accept(2) lists) */
    }
}

/* --- time --- */

static void tcp_expire(struct tcp *tcp, struct tcp_connection *connection,
                       const struct serve_context *context, int64_t now_ns)
{
    struct counters *counters = context->counters;
    enum tcp_phase phase = connection->phase;

    /* what came in, or was read, while we did other things shall not find the door closed */
    if (phase == TCP_BLOCKED) {
        (void)tcp_write(tcp, connection, context, now_ns);
    } else if (phase != TCP_ENDING) {
        (void)tcp_read(tcp, connection, context, now_ns);
    }
    if (connection->source.fd < 0 || connection->phase != phase ||
        now_ns - connection->since_ns < tcp->table.limit_ns[phase]) {
        return;
    }
    if (phase == TCP_WITHIN || phase == TCP_BLOCKED) {
        tcp_reset(tcp, connection, counters, COUNTER_TCP_SLOW);
        return;
    }
    if (phase == TCP_IDLE) {
        counter_add(&counters->plain[COUNTER_TCP_IDLE], 1);
    }
    tcp_close(tcp, connection, counters);
}

int64_t tcp_tidy(struct tcp *tcp, const struct serve_context *context, int64_t now_ns)
{
    struct tcp_connection *connection;

    while ((connection = tcp_table_expired(&tcp->table, now_ns))) {
        tcp_expire(tcp, connection, context, now_ns);
    }
    tcp_table_sweep(&tcp->table);
    return tcp_table_wait(&tcp->table, now_ns);
}

uint32_t tcp_drain(struct tcp *tcp, const struct serve_context *context, int64_t now_ns)
{
    for (unsigned phase = TCP_IDLE; phase <= TCP_WITHIN; phase++) {
        struct tcp_connection *connection;

        /* each leaves the list: closed, or blocked on what it was just answered */
        while ((connection = TAILQ_FIRST(&tcp->table.phases[phase]))) {
            (void)tcp_read(tcp, connection, context, now_ns);
            if (connection->source.fd >= 0 && connection->phase != TCP_BLOCKED) {
                tcp_close(tcp, connection, context->counters);
            }
        }
    }
    return tcp->table.n;
}

void tcp_free(struct tcp *tcp, struct counters *counters)
{
    if (!tcp) {
        return;
    }
    for (unsigned phase = 0; phase < TCP_PHASES; phase++) {
        struct tcp_connection *connection;

        while ((connection = TAILQ_FIRST(&tcp->table.phases[phase]))) {
            tcp_close(tcp, connection, counters);
        }
    }
    tcp_table_sweep(&tcp->table);
    fd_close(&tcp->spare_fd);
    free(tcp);
}

/* --- from one process to the next --- */

bool tcp_give(struct tcp *tcp, struct tcp_passed *ret_passed)
{
    struct tcp_connection *connection = NULL;

    for (unsigned phase = 0; phase < TCP_PHASES && !connection; phase++) {
        connection = TAILQ_FIRST(&tcp->table.phases[phase]);
    }
    if (!connection) {
        return false;
    }
    *ret_passed = (struct tcp_passed){.fd = connection->source.fd,
                                      .client = connection->client,
                                      .stream = connection->stream,
                                      .finished = connection->finished,
                                      .ending = connection->phase == TCP_ENDING,
                                      .opened_ns = connection->opened_ns,
                                      .since_ns = connection->since_ns};
    /* the descriptor lives on elsewhere, so the epoll set would keep it */
    (void)epoll_ctl(tcp->epoll_fd, EPOLL_CTL_DEL, connection->source.fd, NULL);
    connection->source.fd = -1;
    tcp_stream_leave(&connection->stream, &tcp->buffers);
    connection->stream = (struct tcp_stream){0};
    tcp_forget(tcp, connection);
    return true;
}

int tcp_adopt(struct tcp *tcp, struct tcp_passed *passed)
{
    uint32_t place = tcp_clients_place(tcp->clients, &passed->client);

    if (tcp->table.n >= tcp->limits.connection_max || !tcp_clients_enter(tcp->clients, place)) {
        fd_close(&passed->fd);
        tcp_passed_done(passed);
        return -EUSERS;
    }
    return tcp_open(tcp, passed, place);
}
