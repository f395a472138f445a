/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"

#define SHOWN_MAX 40 /* bytes of what came instead */

struct state {
    bool open;
    int fd; /* while open */
    bool connected, listening;
    size_t sent;
    size_t got;
    char bytes[PROBE_TCP_EXPECT_WITHIN];
};

static const struct probe_tcp_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

static bool tcp_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    const int fd = probe_connect(probe, &probe->check->server, probe->check->server_is_vip,
                                 SOCK_STREAM, EPOLLOUT, ret_outcome);

    (void)now_ns;
    if (fd < 0) {
        return true;
    }
    state->open = true;
    state->fd = fd;
    state->connected = state->listening = false;
    state->sent = state->got = 0;
    return false;
}

/* Everything is said: what is left is to listen, if anything is to be heard. */
static bool said(struct probe *probe, struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    int result;

    if (!settings(probe)->expect) {
        return outcome_pass(outcome, state->sent ? "connected, sent" : "connected");
    }
    state->listening = true;
    result = probe_watch(probe, state->fd, EPOLLIN);
    return result < 0 && outcome_unknown(outcome, "watching a socket: %s", strerror(-result));
}

static bool say(struct probe *probe, struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    const size_t left = settings(probe)->send_len - state->sent;
    const ssize_t len =
        left ? send(state->fd, settings(probe)->send + state->sent, left, MSG_NOSIGNAL) : 0;

    if (len < 0) {
        return errno != EAGAIN && errno != EINTR && outcome_errno(outcome, "sending", errno);
    }
    state->sent += (size_t)len;
    return state->sent == settings(probe)->send_len && said(probe, outcome);
}

static bool heard_too_little(const struct state *state, struct probe_outcome *outcome)
{
    const int shown = state->got < SHOWN_MAX ? (int)state->got : SHOWN_MAX;

    if (state->got == sizeof(state->bytes)) {
        return outcome_fail(outcome, PROBE_CAUSE_WRONG, "not as expected in %zu bytes: \"%.*s\"",
                            state->got, shown, state->bytes);
    }
    return outcome_fail(outcome, PROBE_CAUSE_WRONG, "closed after %zu bytes%s%.*s%s", state->got,
                        shown ? ": \"" : "", shown, state->bytes, shown ? "\"" : "");
}

static bool hear(struct probe *probe, struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    const ssize_t len =
        recv(state->fd, state->bytes + state->got, sizeof(state->bytes) - state->got, 0);

    if (len < 0) {
        return errno != EAGAIN && errno != EINTR && outcome_errno(outcome, "receiving", errno);
    }
    state->got += (size_t)len;
    if (memmem(state->bytes, state->got, settings(probe)->expect, settings(probe)->expect_len)) {
        return outcome_pass(outcome, "as expected in %zu bytes", state->got);
    }
    return (len == 0 || state->got == sizeof(state->bytes)) && heard_too_little(state, outcome);
}

static bool tcp_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                      struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    (void)events;
    (void)now_ns;
    if (!state->open || state->fd != fd) {
        return false;
    }
    if (!state->connected) {
        if (!probe_connected(fd, ret_outcome)) {
            return true;
        }
        state->connected = true;
    }
    return state->listening ? hear(probe, ret_outcome) : say(probe, ret_outcome);
}

static void tcp_end(struct probe *probe)
{
    struct state *state = probe->state;

    if (state->open) {
        fd_close(&state->fd);
        state->open = false;
    }
}

const struct probe_type probe_tcp = {
    .name = "tcp",
    .state_len = sizeof(struct state),
    .start = tcp_start,
    .ready = tcp_ready,
    .end = tcp_end,
};
