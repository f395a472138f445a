/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/successor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"
#include "base/log.h"
#include "edge/daemon/handover.h"
#include "edge/daemon/inheritance.h"
#include "edge/daemon/replace.h"
#include "edge/daemon/server.h"

struct successor {
    struct handover *channel;
    int peer; /* pidfd */
    int control;
    bool control_taken;
    int metrics;
    struct endpoint metrics_endpoint;
    uint64_t watchdog_usec;
    uint64_t reloads; /* of the other one, at hello */
    bool late;
    bool stopped;   /* "stop" has been said: it may serve no more */
    bool replacing; /* it is out of the way */
};

void successor_free(struct successor *successor)
{
    if (!successor) {
        return;
    }
    fd_close(&successor->peer);
    fd_close(&successor->control);
    fd_close(&successor->metrics);
    handover_free(successor->channel);
    free(successor);
}

static int successor_send(struct successor *successor, json_t *message, const int *fds, size_t fd_n)
{
    return handover_send(successor->channel, message, fds, fd_n,
                         clock_monotonic_ns() + REPLACE_NEW_WAIT_NS);
}

/* The other one's next word, which must be `step`: a new reference. */
static int successor_expect(struct successor *successor, const char *step, json_t **ret_message,
                            struct failure *failure)
{
    json_t *message = NULL;
    int code =
        handover_receive(successor->channel, clock_monotonic_ns() + REPLACE_NEW_WAIT_NS, &message);

    if (code < 0) {
        return failure_set(failure, code, "the running server: no '%s': %s", step, strerror(-code));
    }
    if (strcmp(handover_step(message), step) != 0) {
        const char *reason =
            json_string_value(json_array_get(json_object_get(message, "errors"), 0));

        (void)failure_set(failure, -EPROTO, "the running server: %s",
                          reason ? reason : "says what was not asked");
        json_decref(message);
        return -EPROTO;
    }
    *ret_message = message;
    return 0;
}

/* --- hello --- */

/* Whoever listens may be anybody where anybody may make files. */
static int successor_trusts(int fd, uid_t user)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        return -errno;
    }
    return peer.uid == 0 || peer.uid == geteuid() || peer.uid == user ? 0 : -EPERM;
}

static int successor_connect(const char *path, uid_t user, int *ret_fd, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int code = fd < 0 ? -errno : 0;

    if (code == 0 && strlen(path) >= sizeof(address.sun_path)) {
        code = -ENAMETOOLONG;
    }
    if (code == 0) {
        memcpy(address.sun_path, path, strlen(path));
        code = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    }
    if (code == 0) {
        code = successor_trusts(fd, user);
    }
    if (code < 0) {
        fd_close(&fd);
        return failure_set(failure, code, "%s: there is nobody to replace: %s", path,
                           strerror(-code));
    }
    *ret_fd = fd;
    return 0;
}

static int successor_take_hello(struct successor *successor, const json_t *hello,
                                struct failure *failure)
{
    json_int_t protocol = json_integer_value(json_object_get(hello, "protocol"));
    const char *version = json_string_value(json_object_get(hello, "version"));

    if (protocol < REPLACE_PROTOCOL_OLDEST || protocol > REPLACE_PROTOCOL) {
        return failure_set(failure, -EPROTO,
                           "the running server (%s) chose hand-over protocol %lld, this one speaks "
                           "%d to %d",
                           version ? version : "?", (long long)protocol, REPLACE_PROTOCOL_OLDEST,
                           REPLACE_PROTOCOL);
    }
    if (json_is_true(json_object_get(hello, "managed")) && !getenv("NOTIFY_SOCKET")) {
        return failure_set(failure, -EPERM,
                           "the running server belongs to a service manager: let that replace it "
                           "(systemctl reload)");
    }
    successor->peer = handover_take_fd(successor->channel);
    successor->reloads = (uint64_t)json_integer_value(json_object_get(hello, "reloads"));
    successor->watchdog_usec =
        (uint64_t)json_integer_value(json_object_get(hello, "watchdog_usec"));
    log_notice("replacing process %lld (%s)",
               (long long)json_integer_value(json_object_get(hello, "pid")),
               version ? version : "?");
    return 0;
}

int successor_open(const char *path, const char *version, uid_t user,
                   struct successor **ret_successor, struct failure *failure)
{
    struct successor *successor = calloc(1, sizeof(*successor));
    json_t *hello = NULL;
    int fd = -1;
    int code = successor ? successor_connect(path, user, &fd, failure)
                         : failure_set(failure, -ENOMEM, "out of memory");

    if (code < 0) {
        free(successor);
        return code;
    }
    successor->peer = -1;
    successor->control = -1;
    successor->metrics = -1;
    successor->channel = handover_new(fd);
    if (!successor->channel) {
        successor_free(successor);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    /* whoever does not know the verb answers as to any request */
    (void)successor_send(successor,
                         json_pack("{s:s, s:{s:i, s:i, s:s}}", "verb", "replace", "options",
                                   "protocol", REPLACE_PROTOCOL, "oldest", REPLACE_PROTOCOL_OLDEST,
                                   "version", version),
                         NULL, 0);
    code = successor_expect(successor, "hello", &hello, failure);
    if (code == 0) {
        code = successor_take_hello(successor, hello, failure);
    }
    json_decref(hello);
    if (code < 0) {
        successor_free(successor);
        return code;
    }
    *ret_successor = successor;
    return 0;
}

uint64_t successor_watchdog_usec(const struct successor *successor)
{
    return successor->watchdog_usec;
}

/* --- sockets --- */

static int successor_keep_socket(struct successor *successor, struct server *server,
                                 const json_t *item, int fd, struct failure *failure)
{
    const char *role = json_string_value(json_object_get(item, "role"));
    const char *address = json_string_value(json_object_get(item, "address"));

    if (fd < 0 || !role) {
        fd_close(&fd);
        return failure_set(failure, -EPROTO, "the running server: a socket is missing");
    }
    if (strcmp(role, "dns") == 0) {
        return listeners_adopt(&server->listeners, fd,
                               json_string_value(json_object_get(item, "name")), failure);
    }
    if (strcmp(role, "control") == 0 && successor->control < 0) {
        successor->control = fd;
    } else if (strcmp(role, "metrics") == 0 && address && successor->metrics < 0 &&
               endpoint_parse(address, 0, &successor->metrics_endpoint) == 0) {
        successor->metrics = fd;
    } else {
        fd_close(&fd); /* for a purpose we do not know */
    }
    return 0;
}

int successor_sockets(struct successor *successor, struct server *server, struct failure *failure)
{
    int self = pidfd_open(getpid(), 0);
    bool more = true;
    int code = self < 0
                   ? -errno
                   : successor_send(successor, json_pack("{s:s}", "step", "sockets"), &self, 1);

    fd_close(&self);
    if (code < 0) {
        return failure_set(failure, code, "the running server: %s", strerror(-code));
    }
    while (code == 0 && more) {
        json_t *message = NULL;
        const json_t *items;

        code = successor_expect(successor, "sockets", &message, failure);
        more = json_is_true(json_object_get(message, "more"));
        items = json_object_get(message, "sockets");
        for (size_t i = 0; i < json_array_size(items) && code == 0; i++) {
            code = successor_keep_socket(successor, server, json_array_get(items, i),
                                         handover_take_fd(successor->channel), failure);
        }
        json_decref(message);
    }
    return code;
}

int successor_take_control(struct successor *successor)
{
    int fd = successor->control;

    successor->control = -1;
    successor->control_taken = fd >= 0;
    return fd;
}

int successor_take_metrics(struct successor *successor, const struct endpoint *endpoint)
{
    int fd = -1;

    if (successor->metrics >= 0 && endpoint->port == successor->metrics_endpoint.port &&
        address_compare(&endpoint->address, &successor->metrics_endpoint.address) == 0) {
        fd = successor->metrics;
        successor->metrics = -1;
    }
    return fd;
}

/* --- state --- */

static void successor_adopt(struct server *server, const json_t *item, int fd)
{
    struct tcp_passed passed;
    size_t worker;

    if (inheritance_read_connection(item, fd, clock_monotonic_ns(), &passed, &worker) < 0) {
        fd_close(&fd);
        return;
    }
    (void)worker_adopt(server->workers[worker % server->worker_n], &passed);
}

static int successor_take_connections(struct successor *successor, struct server *server,
                                      struct failure *failure)
{
    bool more = true;
    int code = 0;

    while (code == 0 && more) {
        json_t *message = NULL;
        const json_t *items;

        code = successor_expect(successor, "connections", &message, failure);
        more = json_is_true(json_object_get(message, "more"));
        items = json_object_get(message, "connections");
        for (size_t i = 0; i < json_array_size(items) && code == 0; i++) {
            successor_adopt(server, json_array_get(items, i), handover_take_fd(successor->channel));
        }
        json_decref(message);
    }
    return code;
}

static int successor_take_state(struct successor *successor, struct server *server,
                                struct failure *failure)
{
    json_t *message = NULL;
    const json_t *counters;
    const json_t *publisher;
    int code = successor_expect(successor, "state", &message, failure);

    counters = json_object_get(message, "counters");
    for (size_t i = 0; i < json_array_size(counters) && code == 0; i++) {
        struct counters_sum sum = {0};

        inheritance_read_counters(json_array_get(counters, i), &sum);
        worker_inherit(server->workers[i % server->worker_n], &sum);
    }
    publisher = json_object_get(message, "publisher");
    if (code == 0) {
        json_int_t ok = json_integer_value(json_object_get(publisher, "reloads_ok"));
        json_int_t failed = json_integer_value(json_object_get(publisher, "reloads_failed"));

        successor->late = (uint64_t)ok + (uint64_t)failed != successor->reloads;
        code = inheritance_read_publisher(publisher, server->publisher, failure);
    }
    json_decref(message);
    return code;
}

/* Nobody answers now. The other one resumes within its time when it lives; if it does not, we must
 * serve with what we have. 0: it is dead. */
static int successor_survive(struct successor *successor, int code, struct failure *failure)
{
    if (!successor->stopped || (code != -ETIMEDOUT && !replace_is_dead(successor->peer))) {
        return code;
    }
    log_error("%s: it is dead or hangs; this process serves without the rest of its state",
              failure->text);
    if (replace_fence(successor->peer) < 0) {
        return failure_wrap(failure, code, "and cannot be ended");
    }
    successor->replacing = true;
    return 0;
}

int successor_stop(struct successor *successor, struct server *server, struct failure *failure)
{
    int code;

    successor->stopped = true; /* it may have heard us even if sending fails */
    code = successor_send(successor, json_pack("{s:s}", "step", "stop"), NULL, 0);
    if (code < 0) {
        (void)failure_set(failure, code, "the running server: %s", strerror(-code));
    } else {
        code = successor_take_connections(successor, server, failure);
    }
    if (code == 0) {
        code = successor_take_state(successor, server, failure);
    }
    return code < 0 ? successor_survive(successor, code, failure) : 0;
}

int successor_commit(struct successor *successor, struct failure *failure)
{
    json_t *go = NULL;
    int code;

    if (successor->replacing) {
        return 0;
    }
    code = successor_send(
        successor, json_pack("{s:s, s:b}", "step", "ready", "control", successor->control_taken),
        NULL, 0);
    code = code < 0 ? failure_set(failure, code, "the running server: %s", strerror(-code))
                    : successor_expect(successor, "go", &go, failure);
    json_decref(go);
    if (code < 0) {
        return successor_survive(successor, code, failure);
    }
    successor->replacing = true;
    return 0;
}

void successor_serving(struct successor *successor)
{
    (void)successor_send(successor, json_pack("{s:s}", "step", "serving"), NULL, 0);
}

void successor_done(struct successor *successor)
{
    (void)successor_send(successor, json_pack("{s:s}", "step", "done"), NULL, 0);
}

bool successor_is_late(const struct successor *successor)
{
    return successor->late;
}
