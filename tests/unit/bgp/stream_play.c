/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stream_play.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define TAG 7
#define ROUNDS 500 /* of a millisecond, if nothing happens */

void stream_play_open(struct stream_play *play, const struct probe_type *type, const void *settings)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    memset(play, 0, sizeof(*play));
    play->connection = -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    play->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(play->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(play->listener, 4), 0);
    cr_assert_eq(getsockname(play->listener, (struct sockaddr *)&address, &len), 0);
    play->check = (struct config_check){.name = "a",
                                        .type = type,
                                        .settings = settings,
                                        .server_is_vip = true,
                                        .timeout_ns = 600 * CLOCK_NS_PER_MS};
    address_parse("127.0.0.1", &play->check.server.address);
    play->check.server.port = ntohs(address.sin_port);
    cr_assert_eq(probe_init(&play->probe, &play->check, epoll_create1(EPOLL_CLOEXEC), TAG), 0);
}

void stream_play_close(struct stream_play *play)
{
    probe_done(&play->probe);
    close(play->probe.epoll_fd);
    if (play->listener >= 0) {
        close(play->listener);
    }
    if (play->connection >= 0) {
        close(play->connection);
    }
}

static bool events_run(struct stream_play *play, int64_t now_ns)
{
    struct epoll_event event;

    /* a probe that is ready again and again does not do what it should */
    for (int i = 0; epoll_wait(play->probe.epoll_fd, &event, 1, 1) == 1; i++) {
        cr_assert_lt(i, 1000);
        if (probe_ready(&play->probe, (int)(event.data.u64 - TAG), event.events, now_ns,
                        &play->outcome)) {
            return true;
        }
    }
    return probe_run(&play->probe, now_ns, &play->outcome);
}

/* True once enough was heard. */
static bool hear(struct stream_play *play, size_t heard_min)
{
    ssize_t len;

    if (play->connection < 0) {
        play->connection = accept4(play->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        return play->connection >= 0 && heard_min == 0;
    }
    len = recv(play->connection, play->heard + play->heard_len,
               sizeof(play->heard) - 1 - play->heard_len, 0);
    play->heard_len += len > 0 ? (size_t)len : 0;
    return play->heard_len >= heard_min;
}

bool stream_play_run(struct stream_play *play, size_t heard_min, const char *bytes, size_t len,
                     bool stays)
{
    size_t at = 0;

    if (probe_start(&play->probe, 0, &play->outcome)) {
        return true;
    }
    for (int i = 0; i < ROUNDS; i++) {
        if (hear(play, heard_min) && at < len) {
            const ssize_t sent = send(play->connection, bytes + at, len - at, MSG_NOSIGNAL);

            at += sent > 0 ? (size_t)sent : 0;
        }
        if (play->heard_len >= heard_min && play->connection >= 0 && at == len && !stays) {
            shutdown(play->connection, SHUT_WR);
        }
        if (events_run(play, i * CLOCK_NS_PER_MS)) {
            return true;
        }
    }
    return false;
}
