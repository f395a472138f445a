/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/predecessor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/metrics/server.h"
#include "edge/daemon/fast.h"
#include "edge/daemon/handover.h"
#include "edge/daemon/inheritance.h"
#include "edge/daemon/replace.h"
#include "edge/daemon/server.h"

#define PREDECESSOR_PARCEL 64 /* connections in one message */

/* A connection that was taken from its worker, and goes back there if the hand-over fails. */
struct predecessor_connection {
    size_t worker;
    struct tcp_passed passed;
};

struct predecessor {
    struct handover *channel;
    int peer; /* pidfd, -1 until it sent one */
    pid_t peer_pid;
    struct predecessor_connection *connections;
    size_t connection_n;
    size_t connection_size;
    bool gone; /* "go" has been said */
};

void predecessor_free(struct predecessor *predecessor)
{
    if (!predecessor) {
        return;
    }
    for (size_t i = 0; i < predecessor->connection_n; i++) {
        fd_close(&predecessor->connections[i].passed.fd);
        tcp_passed_done(&predecessor->connections[i].passed);
    }
    free(predecessor->connections);
    fd_close(&predecessor->peer);
    handover_free(predecessor->channel);
    free(predecessor);
}

int predecessor_fd(const struct predecessor *predecessor)
{
    return predecessor ? handover_fd(predecessor->channel) : -1;
}

static int64_t predecessor_deadline(void)
{
    return clock_monotonic_ns() + REPLACE_OLD_WAIT_NS;
}

static int predecessor_send(struct predecessor *predecessor, json_t *message, const int *fds,
                            size_t fd_n)
{
    return handover_send(predecessor->channel, message, fds, fd_n, predecessor_deadline());
}

/* --- hello --- */

static bool predecessor_trusts(int fd, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        return false;
    }
    *ret_pid = peer.pid;
    return peer.uid == 0 || peer.uid == geteuid();
}

/* The protocol both speak, 0 for none. */
static int predecessor_protocol(const json_t *options)
{
    json_int_t newest = json_integer_value(json_object_get(options, "protocol"));
    json_int_t oldest = json_integer_value(json_object_get(options, "oldest"));
    json_int_t chosen = newest < REPLACE_PROTOCOL ? newest : REPLACE_PROTOCOL;

    return chosen >= oldest && chosen >= REPLACE_PROTOCOL_OLDEST ? (int)chosen : 0;
}

static json_t *predecessor_hello(const struct server *server, int protocol)
{
    uint64_t reloads = server->publisher->reload_ok_n + server->publisher->reload_failed_n;

    return json_pack("{s:b, s:s, s:i, s:s, s:i, s:b, s:I, s:I}", "ok", 1, "step", "hello",
                     "protocol", protocol, "version", server->version, "pid", (int)getpid(),
                     "managed", server->managed, "watchdog_usec", (json_int_t)server->watchdog_usec,
                     "reloads", (json_int_t)reloads);
}

static void predecessor_drop(struct server *server)
{
    predecessor_free(server->predecessor); /* closing leaves the epoll set by itself */
    server->predecessor = NULL;
}

static int predecessor_greet(struct server *server, int fd, pid_t pid, int protocol)
{
    struct predecessor *predecessor = calloc(1, sizeof(*predecessor));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int self = pidfd_open(getpid(), 0);
    int code = -ENOMEM;

    if (!predecessor) {
        fd_close(&fd);
        fd_close(&self);
        return code;
    }
    predecessor->peer = -1;
    predecessor->peer_pid = pid;
    predecessor->channel = handover_new(fd);
    if (predecessor->channel) {
        code = predecessor_send(predecessor, predecessor_hello(server, protocol), &self,
                                self >= 0 ? 1 : 0);
    }
    fd_close(&self);
    if (code == 0 && epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        code = -errno;
    }
    if (code < 0) {
        predecessor_free(predecessor);
        return code;
    }
    server->predecessor = predecessor;
    return 0;
}

json_t *predecessor_begin(struct server *server, const json_t *request)
{
    const json_t *options = json_object_get(request, "options");
    const char *version = json_string_value(json_object_get(options, "version"));
    int protocol = predecessor_protocol(options);
    pid_t pid = 0;
    int code;

    if (!json_is_integer(json_object_get(options, "protocol"))) {
        return control_refuse("'replace' is what isochrone-edge --replace says");
    }
    if (!predecessor_trusts(control_client(server->control), &pid)) {
        return control_refuse("only root and the user the server runs as may replace it");
    }
    if (protocol == 0) {
        return control_refuse("this server (%s) speaks hand-over protocol %d to %d",
                              server->version, REPLACE_PROTOCOL_OLDEST, REPLACE_PROTOCOL);
    }
    if (server->predecessor) {
        log_notice("replacement by process %d is given up for another",
                   (int)server->predecessor->peer_pid);
        predecessor_drop(server);
    }
    log_notice("process %d (%s) is going to replace this one", (int)pid, version ? version : "?");
    code = predecessor_greet(server, control_take(server->control), pid, protocol);
    if (code < 0) {
        log_warning("replacement by process %d: %s", (int)pid, strerror(-code));
    }
    return NULL;
}

/* --- sockets --- */

/* A part of the list, as it is filled. */
struct predecessor_part {
    struct predecessor *predecessor;
    const char *step;
    json_t *items;
    int fds[HANDOVER_FDS_MAX];
    size_t n;
};

static int predecessor_flush(struct predecessor_part *part, bool more)
{
    json_t *message = json_pack("{s:s, s:o, s:b}", "step", part->step, part->step,
                                part->items ? part->items : json_array(), "more", more);
    int code = predecessor_send(part->predecessor, message, part->fds, part->n);

    part->items = NULL;
    part->n = 0;
    return code;
}

static int predecessor_put(struct predecessor_part *part, json_t *item, int fd, size_t max)
{
    part->items = part->items ? part->items : json_array();
    if (json_array_append_new(part->items, item) < 0) {
        return -ENOMEM;
    }
    part->fds[part->n++] = fd;
    return part->n == max ? predecessor_flush(part, true) : 0;
}

static int predecessor_send_sockets(struct server *server, struct predecessor *predecessor)
{
    const struct endpoint *metrics = &server->publisher->started->metrics;
    struct predecessor_part part = {.predecessor = predecessor, .step = "sockets"};
    int code = 0;

    for (size_t i = 0; i < server->listeners.n && code == 0; i++) {
        code = predecessor_put(
            &part, json_pack("{s:s, s:s}", "role", "dns", "name", server->listeners.items[i].name),
            server->listeners.items[i].fd, HANDOVER_FDS_MAX);
    }
    if (code == 0) {
        code = predecessor_put(&part, json_pack("{s:s}", "role", "control"),
                               control_listener(server->control), HANDOVER_FDS_MAX);
    }
    if (code == 0 && server->metrics) {
        char text[ADDRESS_TEXT_LEN];

        code = predecessor_put(
            &part,
            json_pack("{s:s, s:s}", "role", "metrics", "address", endpoint_format(metrics, text)),
            metrics_server_listener(server->metrics), HANDOVER_FDS_MAX);
    }
    code = code == 0 ? predecessor_flush(&part, false) : code;
    json_decref(part.items);
    return code;
}

/* --- stop and go --- */

static int predecessor_keep(struct predecessor *predecessor, size_t worker,
                            const struct tcp_passed *passed)
{
    if (predecessor->connection_n == predecessor->connection_size) {
        size_t size = predecessor->connection_size ? predecessor->connection_size * 2 : 64;
        struct predecessor_connection *grown =
            realloc(predecessor->connections, size * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        predecessor->connections = grown;
        predecessor->connection_size = size;
    }
    predecessor->connections[predecessor->connection_n++] =
        (struct predecessor_connection){worker, *passed};
    return 0;
}

/* From here on nobody answers: what comes waits in the sockets. */
static int predecessor_freeze(struct server *server, struct predecessor *predecessor)
{
    int code = 0;

    metrics_server_pause(server->metrics);
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_park(server->workers[i]);
    }
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_join(server->workers[i]);
    }
    for (size_t i = 0; i < server->worker_n && code == 0; i++) {
        struct tcp_passed passed;

        while (code == 0 && worker_give(server->workers[i], &passed)) {
            code = predecessor_keep(predecessor, i, &passed);
            if (code < 0) {
                (void)worker_adopt(server->workers[i], &passed);
            }
        }
    }
    return code;
}

/* What we know of a connection is no longer so if the new one has read from it or written to it:
 * one with bytes under way cannot be continued then. */
static void predecessor_return(struct server *server, struct predecessor_connection *connection,
                               bool served)
{
    struct worker *worker = server->workers[connection->worker];
    const struct counters_sum closed = {.plain[COUNTER_TCP_CLOSED] = 1};

    if (!served || !(tcp_stream_is_within(&connection->passed.stream) ||
                     tcp_stream_is_blocked(&connection->passed.stream))) {
        (void)worker_adopt(worker, &connection->passed);
        return;
    }
    fd_close(&connection->passed.fd);
    tcp_passed_done(&connection->passed);
    worker_inherit(worker, &closed);
}

/* Serves on. `served`: the new one has served for a while. */
static void predecessor_thaw(struct server *server, struct predecessor *predecessor, bool served)
{
    struct failure failure;

    for (size_t i = 0; i < predecessor->connection_n; i++) {
        predecessor_return(server, &predecessor->connections[i], served);
    }
    predecessor->connection_n = 0;
    for (size_t i = 0; i < server->worker_n; i++) {
        if (worker_start(server->workers[i], &failure) < 0) {
            log_error("%s", failure.text);
        }
    }
    if (server->fast) {
        fast_resume(server->fast);
    }
    if (metrics_server_resume(server->metrics, &failure) < 0) {
        log_warning("%s", failure.text);
    }
    control_leave(server->control, false);
    predecessor_drop(server);
}

static int predecessor_send_connections(struct predecessor *predecessor)
{
    struct predecessor_part part = {.predecessor = predecessor, .step = "connections"};
    int64_t now_ns = clock_monotonic_ns();
    int code = 0;

    for (size_t i = 0; i < predecessor->connection_n && code == 0; i++) {
        const struct predecessor_connection *connection = &predecessor->connections[i];

        code = predecessor_put(
            &part, inheritance_write_connection(&connection->passed, connection->worker, now_ns),
            connection->passed.fd, PREDECESSOR_PARCEL);
    }
    code = code == 0 ? predecessor_flush(&part, false) : code;
    json_decref(part.items);
    return code;
}

static int predecessor_send_state(const struct server *server, struct predecessor *predecessor)
{
    json_t *counters = json_array();

    for (size_t i = 0; counters && i < server->worker_n; i++) {
        struct counters_sum sum = {0};

        counters_sum_add(&sum, worker_counters(server->workers[i]));
        if (json_array_append_new(counters, inheritance_write_counters(&sum)) < 0) {
            json_decref(counters);
            return -ENOMEM;
        }
    }
    return predecessor_send(predecessor,
                            json_pack("{s:s, s:o, s:o}", "step", "state", "counters", counters,
                                      "publisher", inheritance_write_publisher(server->publisher)),
                            NULL, 0);
}

/* The peer's next word, which must be `step`. What came with it goes to *ret_message unless that is
 * NULL. */
static int predecessor_expect(struct predecessor *predecessor, const char *step,
                              int64_t deadline_ns, json_t **ret_message)
{
    json_t *message = NULL;
    int code = handover_receive(predecessor->channel, deadline_ns, &message);

    if (code == 0 && strcmp(handover_step(message), step) != 0) {
        const char *reason = json_string_value(json_object_get(message, "reason"));

        log_warning("replacement: instead of '%s' came '%s'%s%s", step, handover_step(message),
                    reason ? ": " : "", reason ? reason : "");
        code = -EPROTO;
    }
    if (code == 0 && ret_message) {
        *ret_message = message;
    } else {
        json_decref(message);
    }
    return code;
}

/* Up to the new one's word that it serves. */
static int predecessor_converse(struct server *server, struct predecessor *predecessor,
                                bool *ret_control_taken)
{
    json_t *ready = NULL;
    int code = predecessor_freeze(server, predecessor);

    if (code == 0) {
        code = predecessor_send_connections(predecessor);
    }
    if (code == 0) {
        code = predecessor_send_state(server, predecessor);
    }
    if (code == 0) {
        code = predecessor_expect(predecessor, "ready", predecessor_deadline(), &ready);
    }
    if (code == 0) {
        *ret_control_taken = json_is_true(json_object_get(ready, "control"));
        predecessor->gone = true; /* it may have heard us even if sending fails */
        code = predecessor_send(predecessor, json_pack("{s:s}", "step", "go"), NULL, 0);
    }
    json_decref(ready);
    if (code == 0) {
        code = predecessor_expect(predecessor, "serving", predecessor_deadline(), NULL);
    }
    return code;
}

/* It may be about to serve, or serve: we may only when it is dead. True when it lives on. */
static bool predecessor_fails(struct server *server, struct predecessor *predecessor, int code)
{
    log_warning("replacement by process %d failed (%s): this server goes on",
                (int)predecessor->peer_pid, strerror(-code));
    if (predecessor->gone) {
        code = replace_fence(predecessor->peer);
        if (code < 0) {
            log_error("process %d was told to serve and does not say whether it does: ending (%s)",
                      (int)predecessor->peer_pid, strerror(-code));
            return true;
        }
    }
    predecessor_thaw(server, predecessor, false);
    return false;
}

/* True when this server has been replaced. */
static bool predecessor_stop(struct server *server, struct predecessor *predecessor)
{
    int64_t start_ns = clock_monotonic_ns();
    bool control_taken = false;
    int code = predecessor_converse(server, predecessor, &control_taken);

    if (code < 0) {
        return predecessor_fails(server, predecessor, code);
    }
    log_notice("replaced by process %d in %.1f ms", (int)predecessor->peer_pid,
               (double)(clock_monotonic_ns() - start_ns) / (double)CLOCK_NS_PER_MS);
    code = predecessor_expect(predecessor, "done", clock_monotonic_ns() + REPLACE_MANAGER_WAIT_NS,
                              NULL);
    if (code == -ECONNRESET && replace_is_dead(predecessor->peer)) {
        log_warning("process %d has died: this server goes on", (int)predecessor->peer_pid);
        predecessor_thaw(server, predecessor, true);
        return false;
    }
    control_leave(server->control, control_taken);
    return true;
}

/* --- the conversation --- */

static bool predecessor_step(struct server *server)
{
    struct predecessor *predecessor = server->predecessor;
    json_t *message = NULL;
    const char *step;
    int code = handover_receive(predecessor->channel, predecessor_deadline(), &message);
    bool replaced = false;

    step = handover_step(message);
    if (code == 0 && strcmp(step, "sockets") == 0) {
        fd_close(&predecessor->peer);
        predecessor->peer = handover_take_fd(predecessor->channel);
        code = predecessor_send_sockets(server, predecessor);
    } else if (code == 0 && strcmp(step, "stop") == 0 && predecessor->peer >= 0) {
        replaced = predecessor_stop(server, predecessor);
    } else if (code == 0) {
        const char *reason = json_string_value(json_object_get(message, "reason"));

        log_notice("replacement: process %d gives up%s%s", (int)predecessor->peer_pid,
                   reason ? ": " : "", reason ? reason : "");
        code = -ECANCELED;
    }
    json_decref(message);
    if (code < 0) {
        if (code != -ECANCELED) {
            log_notice("replacement by process %d came to nothing: %s", (int)predecessor->peer_pid,
                       strerror(-code));
        }
        predecessor_drop(server);
    }
    return replaced;
}

bool predecessor_run(struct server *server)
{
    bool replaced;

    do {
        replaced = predecessor_step(server);
    } while (!replaced && server->predecessor && handover_pending(server->predecessor->channel));
    return replaced;
}
