/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

struct control_client {
    int fd; /* -1: free place */
    int64_t active_ns;
    size_t in_len;
    char *out; /* what is left of the reply */
    size_t out_start;
    size_t out_len;
    char in[CONTROL_REQUEST_MAX];
};

struct control {
    int epoll_fd;
    int listener;
    char *path;
    control_handler handler;
    void *context;
    struct control_client *current; /* whose request is being handled */
    bool left;                      /* the file is somebody else's now */
    struct control_client *clients[CONTROL_CLIENTS_MAX];
};

json_t *control_text(const char *text)
{
    json_t *string = text ? json_string(text) : json_null();
    char *safe;

    if (string) {
        return string;
    }
    safe = strdup(text);
    for (char *at = safe; at && *at; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    string = safe ? json_string(safe) : NULL;
    free(safe);
    return string;
}

json_t *control_refuse(const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return json_pack("{s:b, s:[o]}", "ok", 0, "errors", control_text(text));
}

static int control_watch(const struct control *control, int operation, int fd, uint32_t events,
                         void *pointer)
{
    struct epoll_event event = {.events = events, .data.ptr = pointer};

    return epoll_ctl(control->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

/* A file nobody answers on is left over from a process that was killed. */
static int control_remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code = 0;

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        code = -EADDRINUSE;
    } else if (errno == ECONNREFUSED && unlink(address->sun_path) < 0) {
        code = -errno;
    }
    fd_close(&fd);
    return code;
}

static int control_listen(struct control *control)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int code;

    if (strlen(control->path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, control->path, strlen(control->path));
    code = control_remove_stale(&address);
    if (code < 0) {
        return code;
    }
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listener < 0) {
        return -errno;
    }
    mask = umask(0117); /* 0660, before anybody can connect; no other thread runs yet */
    code = bind(control->listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
                                                                                           : 0;
    umask(mask);
    if (code < 0) {
        fd_close(&control->listener);
        return code;
    }
    if (listen(control->listener, CONTROL_CLIENTS_MAX) < 0) {
        return -errno;
    }
    return control_watch(control, EPOLL_CTL_ADD, control->listener, EPOLLIN, NULL);
}

/* `listener` -1: none yet. NULL when out of memory. */
static struct control *control_new(const char *path, int listener, control_handler handler,
                                   void *context)
{
    struct control *control = calloc(1, sizeof(*control));

    if (!control) {
        fd_close(&listener);
        return NULL;
    }
    control->listener = listener;
    control->left = listener >= 0; /* until it is ours for good, the file is not ours to remove */
    control->handler = handler;
    control->context = context;
    control->path = strdup(path);
    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!control->path || control->epoll_fd < 0) {
        control_close(control);
        return NULL;
    }
    return control;
}

int control_open(const char *path, control_handler handler, void *context,
                 struct control **ret_control, struct failure *failure)
{
    struct control *control = control_new(path, -1, handler, context);
    int code;

    if (!control) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    code = control_listen(control);
    if (code < 0) {
        control_close(control);
        return failure_set(failure, code, "%s: cannot listen: %s", path, strerror(-code));
    }
    *ret_control = control;
    return 0;
}

int control_adopt(const char *path, int listener, control_handler handler, void *context,
                  struct control **ret_control, struct failure *failure)
{
    struct control *control = control_new(path, listener, handler, context);
    int code;

    if (!control) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    code = control_watch(control, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    if (code == 0) {
        code = fd_set_nonblocking(listener);
    }
    if (code < 0) {
        control_close(control);
        return failure_set(failure, code, "%s: cannot be taken over: %s", path, strerror(-code));
    }
    *ret_control = control;
    return 0;
}

int control_chown(struct control *control, uid_t uid, gid_t gid)
{
    return chown(control->path, uid, gid) < 0 ? -errno : 0;
}

int control_fd(const struct control *control)
{
    return control->epoll_fd;
}

static void control_drop(struct control *control, struct control_client *client)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] == client) {
            control->clients[i] = NULL;
        }
    }
    /* closing does not end the watch while a process that was just forked has a copy */
    (void)epoll_ctl(control->epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
    fd_close(&client->fd);
    free(client->out);
    free(client);
}

static void control_accept(struct control *control, int64_t now_ns)
{
    size_t place = 0;
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct control_client *client;

    if (fd < 0) {
        return;
    }
    while (place < CONTROL_CLIENTS_MAX && control->clients[place]) {
        place++;
    }
    client = place < CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
    if (!client || control_watch(control, EPOLL_CTL_ADD, fd, EPOLLIN, client) < 0) {
        free(client);
        fd_close(&fd);
        return;
    }
    client->fd = fd;
    client->active_ns = now_ns;
    control->clients[place] = client;
}

/* Sends what the client takes. -errno when it is to be closed. */
static int control_send(const struct control *control, struct control_client *client,
                        int64_t now_ns)
{
    while (client->out_start < client->out_len) {
        ssize_t sent = send(client->fd, client->out + client->out_start,
                            client->out_len - client->out_start, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR
                       ? control_watch(control, EPOLL_CTL_MOD, client->fd, EPOLLOUT, client)
                       : -errno;
        }
        client->out_start += (size_t)sent;
        client->active_ns = now_ns;
    }
    free(client->out);
    client->out = NULL;
    return control_watch(control, EPOLL_CTL_MOD, client->fd, EPOLLIN, client);
}

static json_t *control_answer(struct control *control, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    json_t *reply;

    if (!json_is_object(request)) {
        json_decref(request);
        return control_refuse("request is no JSON object: %s", error.text);
    }
    reply = control->handler(control->context, request);
    json_decref(request);
    return reply ? reply : control_refuse("out of memory");
}

/* Answers the first line in the buffer if it is complete. 0: nothing to do, 1: a reply is under
 * way. */
static int control_handle(struct control *control, struct control_client *client)
{
    char *end = memchr(client->in, '\n', client->in_len);
    size_t line_len;
    json_t *reply;
    char *text;

    if (!end) {
        return client->in_len == sizeof(client->in) ? -EMSGSIZE : 0;
    }
    line_len = (size_t)(end - client->in);
    control->current = client;
    reply = control_answer(control, client->in, line_len);
    control->current = NULL;
    if (client->fd < 0) { /* taken by the handler */
        json_decref(reply);
        return -ECONNABORTED;
    }
    text = reply ? json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(reply);
    if (!text) {
        return -ENOMEM;
    }
    client->out_len = strlen(text);
    client->out_start = 0;
    text[client->out_len++] = '\n'; /* in place of the NUL: lengths are counted from here on */
    client->out = text;
    client->in_len -= line_len + 1;
    memmove(client->in, end + 1, client->in_len);
    return 1;
}

static int control_receive(struct control_client *client, int64_t now_ns)
{
    ssize_t got = recv(client->fd, client->in + client->in_len, sizeof(client->in) - client->in_len,
                       MSG_DONTWAIT);

    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    if (got == 0) {
        return -ECONNRESET;
    }
    client->in_len += (size_t)got;
    client->active_ns = now_ns;
    return 0;
}

static void control_event(struct control *control, struct control_client *client, int64_t now_ns)
{
    int code =
        client->out ? control_send(control, client, now_ns) : control_receive(client, now_ns);

    while (code == 0 && !client->out) {
        code = control_handle(control, client);
        if (code <= 0) {
            break;
        }
        code = control_send(control, client, now_ns);
    }
    if (code < 0) {
        control_drop(control, client);
    }
}

static void control_tidy(struct control *control, int64_t now_ns)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *client = control->clients[i];

        if (client && now_ns - client->active_ns >= CONTROL_IDLE_NS) {
            control_drop(control, client);
        }
    }
}

int control_client(const struct control *control)
{
    return control->current ? control->current->fd : -1;
}

int control_take(struct control *control)
{
    int fd = control_client(control);

    if (fd >= 0) {
        (void)epoll_ctl(control->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        control->current->fd = -1;
    }
    return fd;
}

int control_listener(const struct control *control)
{
    return control->listener;
}

void control_leave(struct control *control, bool left)
{
    control->left = left;
    if (!left) { /* SO_PEERCRED names the process that called this last */
        (void)listen(control->listener, CONTROL_CLIENTS_MAX);
    }
}

void control_run(struct control *control, int64_t now_ns)
{
    struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
    int n = epoll_wait(control->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);

    for (int i = 0; i < n; i++) {
        if (!events[i].data.ptr) {
            control_accept(control, now_ns);
        } else {
            control_event(control, events[i].data.ptr, now_ns);
        }
    }
    control_tidy(control, now_ns);
}

int64_t control_deadline_ns(const struct control *control)
{
    int64_t deadline_ns = INT64_MAX;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct control_client *client = control->clients[i];

        if (client && client->active_ns + CONTROL_IDLE_NS < deadline_ns) {
            deadline_ns = client->active_ns + CONTROL_IDLE_NS;
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
        if (control->clients[i]) {
            control_drop(control, control->clients[i]);
        }
    }
    if (control->listener >= 0) {
        fd_close(&control->listener);
        if (!control->left) {
            (void)unlink(control->path);
        }
    }
    fd_close(&control->epoll_fd);
    free(control->path);
    free(control);
}
