/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

struct client {
    int fd; /* -1: free */
    int64_t deadline_ns;
    char *reply; /* once the request was read */
    size_t reply_len, reply_at;
    size_t request_len;
    char request[CONTROL_REQUEST_LEN];
};

struct control {
    int epoll_fd;
    int listener;
    control_handler *handler;
    void *context;
    struct sockaddr_un address;
    struct client clients[CONTROL_CLIENTS_MAX];
};

static int listener_remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = 0;

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        result = -EADDRINUSE;
    } else if (errno == ECONNREFUSED && unlink(address->sun_path) < 0) {
        result = -errno;
    }
    fd_close(&fd);
    return result;
}

static int listener_open(const struct sockaddr_un *address, int *ret_fd)
{
    int fd, result = listener_remove_stale(address);
    mode_t mask;

    if (result < 0) {
        return result;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    mask = umask(0117); /* no moment in which others could connect */
    result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    umask(mask);
    if (result == 0 && listen(fd, CONTROL_CLIENTS_MAX) < 0) {
        result = -errno;
    }
    if (result < 0) {
        fd_close(&fd);
        return result;
    }
    *ret_fd = fd;
    return 0;
}

static int watch(const struct control *control, int operation, int fd, uint32_t events,
                 uint64_t tag)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};

    return epoll_ctl(control->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

int control_open(const char *path, control_handler *handler, void *context,
                 struct control **ret_control, struct failure *failure)
{
    struct control *control = calloc(1, sizeof(*control));
    int result;

    if (!control) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    control->handler = handler;
    control->context = context;
    control->listener = -1;
    control->address.sun_family = AF_UNIX;
    snprintf(control->address.sun_path, sizeof(control->address.sun_path), "%s", path);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        control->clients[i].fd = -1;
    }
    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    result = control->epoll_fd < 0 ? -errno : listener_open(&control->address, &control->listener);
    if (result == 0) {
        result = watch(control, EPOLL_CTL_ADD, control->listener, EPOLLIN, CONTROL_CLIENTS_MAX);
    }
    if (result < 0) {
        fd_close(&control->listener);
        fd_close(&control->epoll_fd);
        free(control);
        return failure_set(failure, result, "control socket %s: %s", path, strerror(-result));
    }
    *ret_control = control;
    return 0;
}

int control_fd(const struct control *control)
{
    return control->epoll_fd;
}

static void client_close(struct client *client)
{
    fd_close(&client->fd);
    free(client->reply);
    client->reply = NULL;
}

static void client_accept(struct control *control, int64_t now_ns)
{
    struct client *client = NULL;
    size_t place = 0;
    int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        return;
    }
    for (; place < CONTROL_CLIENTS_MAX; place++) {
        if (control->clients[place].fd < 0) {
            client = &control->clients[place];
            break;
        }
    }
    if (!client || watch(control, EPOLL_CTL_ADD, fd, EPOLLIN, place) < 0) {
        fd_close(&fd);
        return;
    }
    *client = (struct client){.fd = fd, .deadline_ns = now_ns + CONTROL_IDLE_NS};
}

/* False when the client must be closed. */
static bool client_answer(struct control *control, struct client *client, size_t len)
{
    json_t *request = json_loadb(client->request, len, JSON_REJECT_DUPLICATES, NULL), *reply;
    char *text;

    if (json_is_object(request)) {
        reply = control->handler(control->context, request);
    } else {
        reply = json_pack("{s:b, s:[s]}", "ok", 0, "errors", "a request is one JSON object");
    }
    json_decref(request);
    text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    json_decref(reply);
    if (!text) {
        return false;
    }
    client->reply = text;
    client->reply_len = strlen(text);
    text[client->reply_len++] = '\n'; /* in the place of the NUL */
    return true;
}

static bool client_read(struct control *control, struct client *client)
{
    const ssize_t len = recv(client->fd, client->request + client->request_len,
                             sizeof(client->request) - client->request_len, 0);
    const char *end;

    if (len < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (len == 0) {
        return false;
    }
    client->request_len += (size_t)len;
    end = memchr(client->request, '\n', client->request_len);
    if (!end) {
        return client->request_len < sizeof(client->request);
    }
    return client_answer(control, client, (size_t)(end - client->request)) &&
           watch(control, EPOLL_CTL_MOD, client->fd, EPOLLOUT,
                 (uint64_t)(client - control->clients)) == 0;
}

/* One request per connection: closed once the reply is out. */
static bool client_write(struct client *client)
{
    const ssize_t len = send(client->fd, client->reply + client->reply_at,
                             client->reply_len - client->reply_at, MSG_NOSIGNAL);

    if (len < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    client->reply_at += (size_t)len;
    return client->reply_at < client->reply_len;
}

void control_run(struct control *control, int64_t now_ns)
{
    struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
    const int count = epoll_wait(control->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);

    for (int i = 0; i < count; i++) {
        struct client *client;

        if (events[i].data.u64 == CONTROL_CLIENTS_MAX) {
            client_accept(control, now_ns);
            continue;
        }
        client = &control->clients[events[i].data.u64];
        if (client->fd >= 0 &&
            !(client->reply ? client_write(client) : client_read(control, client))) {
            client_close(client);
        }
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0 && now_ns >= control->clients[i].deadline_ns) {
            client_close(&control->clients[i]);
        }
    }
}

int64_t control_deadline_ns(const struct control *control)
{
    int64_t deadline_ns = INT64_MAX;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0 && control->clients[i].deadline_ns < deadline_ns) {
            deadline_ns = control->clients[i].deadline_ns;
        }
    }
    return deadline_ns;
}

void control_close(struct control *control)
{
    if (!control) {
        return;
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        client_close(&control->clients[i]);
    }
    unlink(control->address.sun_path);
    fd_close(&control->listener);
    fd_close(&control->epoll_fd);
    free(control);
}
