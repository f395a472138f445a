/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_process.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/number.h"
#include "bgp/probe/unix_socket.h"

#define PID_MAX (1u << 22)  /* PID_MAX_LIMIT of Linux */
#define PID_FILE_LEN_MAX 64 /* bytes */

struct state {
    pid_t pid; /* that is watched; 0: none */
    int pidfd;
};

static const struct probe_process_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

int probe_process_parse_pid(const uint8_t *bytes, size_t len, pid_t *ret_pid)
{
    uint64_t pid;

    while (len > 0 && isspace(bytes[len - 1])) {
        len--;
    }
    if (number_parse_u64((const char *)bytes, len, 1, PID_MAX, &pid) < 0) {
        return -EINVAL;
    }
    *ret_pid = (pid_t)pid;
    return 0;
}

/* --- who it is now --- */

/* Each is true with an outcome, or false with the process. */

static bool pid_of_socket(const char *path, pid_t *ret_pid, struct probe_outcome *outcome)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    int fd = unix_socket_connect(path);

    if (fd < 0) {
        return unix_socket_outcome(outcome, path, -fd);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0) {
        fd_close(&fd);
        return outcome_unknown(outcome, "%s: its process is not of this pid namespace", path);
    }
    fd_close(&fd);
    *ret_pid = peer.pid;
    return false;
}

static bool pid_of_file(const char *path, pid_t *ret_pid, struct probe_outcome *outcome)
{
    struct failure failure;
    uint8_t *bytes;
    size_t len;
    const int code = fd_read_file(path, PID_FILE_LEN_MAX, &bytes, &len, &failure);
    int result;

    if (code == -ENOENT) {
        return outcome_fail(outcome, PROBE_CAUSE_DEAD, "%s does not exist", path);
    }
    if (code < 0) {
        return outcome_unknown(outcome, "%s", failure.text);
    }
    result = probe_process_parse_pid(bytes, len, ret_pid);
    free(bytes);
    return result < 0 && outcome_unknown(outcome, "%s holds no process id", path);
}

/* --- watching it --- */

static void forget(struct state *state)
{
    if (state->pid) {
        fd_close(&state->pidfd);
        state->pid = 0;
    }
}

/* Also of one that nobody has waited for. */
static bool has_ended(int pidfd)
{
    struct pollfd item = {.fd = pidfd, .events = POLLIN};

    return poll(&item, 1, 0) == 1;
}

static bool process_watch(const struct probe *probe, pid_t pid, struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    int pidfd = pidfd_open(pid, 0);
    int result = pidfd < 0 ? -errno : 0;

    if (result == -ESRCH || (pidfd >= 0 && has_ended(pidfd))) {
        fd_close(&pidfd);
        return outcome_fail(outcome, PROBE_CAUSE_DEAD, "process %d has ended", (int)pid);
    }
    if (result == 0) {
        result = probe_watch(probe, pidfd, EPOLLIN);
    }
    if (result < 0) {
        fd_close(&pidfd);
        return outcome_unknown(outcome, "watching process %d: %s", (int)pid, strerror(-result));
    }
    *state = (struct state){.pid = pid, .pidfd = pidfd};
    return false;
}

static bool process_look(const struct probe *probe, struct probe_outcome *outcome)
{
    const struct probe_process_settings *where = settings(probe);
    struct state *state = probe->state;
    const pid_t before = state->pid;
    const bool lives = before && !has_ended(state->pidfd);
    pid_t pid = 0;
    const bool unknown = where->control ? pid_of_socket(where->control, &pid, outcome)
                                        : pid_of_file(where->pidfile, &pid, outcome);

    /* a socket or file that was removed says nothing about the process */
    if (lives && (unknown || pid == before)) {
        return outcome_pass(outcome, "process %d lives", (int)before);
    }
    forget(state);
    if (unknown || process_watch(probe, pid, outcome)) {
        return true;
    }
    return before ? outcome_pass(outcome, "process %d lives, and has taken over from %d", (int)pid,
                                 (int)before)
                  : outcome_pass(outcome, "process %d lives", (int)pid);
}

static bool process_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    const struct state *state = probe->state;
    const bool lived = state->pid != 0;

    (void)now_ns;
    (void)process_look(probe, ret_outcome);
    if (lived && ret_outcome->cause == PROBE_CAUSE_DEAD && probe->trigger) {
        probe->trigger(probe->context, probe, ADDRESS_NONE);
    }
    return true;
}

static bool process_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                          struct probe_outcome *ret_outcome)
{
    const struct state *state = probe->state;

    (void)events;
    return state->pid && fd == state->pidfd && process_start(probe, now_ns, ret_outcome);
}

static void process_end(struct probe *probe)
{
    (void)probe; /* what is watched is watched on */
}

static void process_done(struct probe *probe)
{
    forget(probe->state);
}

const struct probe_type probe_process = {
    .name = "process",
    .state_len = sizeof(struct state),
    .start = process_start,
    .ready = process_ready,
    .end = process_end,
    .done = process_done,
};
