/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/brain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* In the child: ExaBGP's pipe is not for it, and must be closed when the holder is gone. */
static void become(const char *program, char *const arguments[], int link, pid_t holder)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != holder || nothing < 0 ||
        dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0 ||
        (link == LINK_FD ? fcntl(link, F_SETFD, 0) : dup2(link, LINK_FD)) < 0) {
        _exit(126);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program, arguments);
    _exit(127);
}

int brain_start(struct brain *brain, const char *program, char *const arguments[], int64_t now_ns,
                struct failure *failure)
{
    const pid_t holder = getpid();
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        return failure_set(failure, -errno, "a link: %s", strerror(errno));
    }
    pid = fork();
    if (pid == 0) {
        become(program, arguments, ends[1], holder);
    }
    if (pid < 0) {
        failure_set(failure, -errno, "fork: %s", strerror(errno));
        fd_close(&ends[0]);
        fd_close(&ends[1]);
        return -EAGAIN;
    }
    fd_close(&ends[1]);
    *brain = (struct brain){.pid = pid, .link = ends[0], .started_ns = now_ns};
    return 0;
}

bool brain_send(const struct brain *brain, const uint8_t *bytes, size_t len)
{
    return send(brain->link, bytes, len, MSG_NOSIGNAL) >= 0 || errno == EAGAIN || errno == ENOBUFS;
}

ssize_t brain_receive(const struct brain *brain, uint8_t *ret_bytes)
{
    const ssize_t len = recv(brain->link, ret_bytes, LINK_MESSAGE_MAX, 0);

    if (len > 0) {
        return len;
    }
    return len < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -EPIPE;
}

void brain_end(struct brain *brain, int64_t now_ns)
{
    if (brain->pid > 0 && brain->ending_ns == 0) {
        brain->ending_ns = now_ns;
        (void)kill(brain->pid, SIGTERM);
    }
}

void brain_drop(struct brain *brain)
{
    if (brain->pid > 0) {
        (void)kill(brain->pid, SIGKILL);
    }
    fd_close(&brain->link);
    *brain = (struct brain){.link = -1};
}
