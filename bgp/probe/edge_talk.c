/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/edge_talk.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "bgp/probe/unix_socket.h"

bool edge_talk_start(struct edge_talk *talk, const struct probe *probe, const char *path,
                     struct probe_outcome *ret_outcome)
{
    const int fd = unix_socket_connect(path);
    int result;

    if (fd < 0) {
        return unix_socket_outcome(ret_outcome, path, -fd);
    }
    talk->open = true;
    talk->fd = fd;
    talk->len = 0;
    result = probe_watch(probe, fd, EPOLLIN);
    if (result < 0) {
        return outcome_unknown(ret_outcome, "watching a socket: %s", strerror(-result));
    }
    /* a fresh socket has room for it */
    return send(fd, EDGE_HEALTH_REQUEST, sizeof(EDGE_HEALTH_REQUEST) - 1, MSG_NOSIGNAL) !=
               (ssize_t)sizeof(EDGE_HEALTH_REQUEST) - 1 &&
           outcome_errno(ret_outcome, "asking", errno);
}

bool edge_talk_ready(struct edge_talk *talk, int fd, bool *ret_done, struct edge_health *ret_health,
                     struct probe_outcome *ret_outcome)
{
    ssize_t got;
    const char *end;

    *ret_done = false;
    if (!talk->open || fd != talk->fd) {
        return false;
    }
    got = recv(fd, talk->reply + talk->len, sizeof(talk->reply) - talk->len, 0);
    if (got < 0) {
        return errno != EAGAIN && errno != EINTR && outcome_errno(ret_outcome, "asking", errno);
    }
    if (got == 0) {
        return outcome_fail(ret_outcome, PROBE_CAUSE_DEAD, "the server closed without a reply");
    }
    end = memchr(talk->reply + talk->len, '\n', (size_t)got);
    talk->len += (size_t)got;
    if (end) {
        *ret_done = true;
        return edge_health_parse(talk->reply, (size_t)(end - talk->reply), ret_health, ret_outcome);
    }
    return talk->len == sizeof(talk->reply) &&
           outcome_unknown(ret_outcome, "a reply of more than %u bytes", EDGE_HEALTH_REPLY_MAX);
}

void edge_talk_end(struct edge_talk *talk)
{
    if (talk->open) {
        fd_close(&talk->fd);
        talk->open = false;
    }
}
