/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/exabgp_pipe.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define READ_LEN 16384
#define READS_PER_WAKE 64

static int watch(const struct exabgp_pipe *pipe, int operation, int fd, uint32_t events,
                 uint64_t tag)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};

    return epoll_ctl(pipe->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

int exabgp_pipe_open(struct exabgp_pipe *pipe, int epoll_fd, uint64_t tag, int input, int output,
                     struct failure *failure)
{
    int result = fd_set_nonblocking(input);

    *pipe = (struct exabgp_pipe){
        .epoll_fd = epoll_fd, .output_tag = tag + 1, .input = input, .output = output};
    result = result ? result : fd_set_nonblocking(output);
    result = result ? result : watch(pipe, EPOLL_CTL_ADD, input, EPOLLIN, tag);
    if (result == -EPERM) { /* a file or /dev/null */
        return failure_set(failure, result,
                           "standard input is no pipe: this program is started by ExaBGP (try "
                           "--once or --dry-run)");
    }
    return result ? failure_set(failure, result, "standard input: %s", strerror(-result)) : 0;
}

bool exabgp_pipe_read(struct exabgp_pipe *pipe, struct speaker *speaker)
{
    char bytes[READ_LEN];

    for (int i = 0; i < READS_PER_WAKE; i++) {
        const ssize_t len = read(pipe->input, bytes, sizeof(bytes));

        if (len > 0) {
            speaker_receive(speaker, bytes, (size_t)len, clock_monotonic_ns());
            continue;
        }
        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        log_notice("exabgp: closed our input, stopping");
        return false;
    }
    return true;
}

static bool line_write(struct exabgp_pipe *pipe)
{
    while (pipe->line_at < pipe->line_len) {
        const ssize_t len =
            write(pipe->output, pipe->line + pipe->line_at, pipe->line_len - pipe->line_at);

        if (len >= 0) {
            pipe->line_at += (size_t)len;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            log_notice("exabgp: closed our output (%s), stopping", strerror(errno));
            return false;
        }
    }
    if (exabgp_pipe_idle(pipe) == pipe->output_watched) {
        pipe->output_watched = !pipe->output_watched;
        (void)watch(pipe, pipe->output_watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, pipe->output,
                    EPOLLOUT, pipe->output_tag);
    }
    return true;
}

bool exabgp_pipe_write(struct exabgp_pipe *pipe, struct speaker *speaker)
{
    bool open = line_write(pipe);

    /* the next command only once the last one is out */
    while (open && exabgp_pipe_idle(pipe)) {
        pipe->line_len = speaker_command(speaker, clock_monotonic_ns(), pipe->line);
        pipe->line_at = 0;
        if (pipe->line_len == 0) {
            break;
        }
        log_debug("exabgp: %.*s", (int)pipe->line_len - 1, pipe->line);
        open = line_write(pipe);
    }
    return open;
}

bool exabgp_pipe_idle(const struct exabgp_pipe *pipe)
{
    return pipe->line_at == pipe->line_len;
}
