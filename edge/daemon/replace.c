/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/replace.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>

#define REPLACE_DYING_MS 500
#define REPLACE_DEATH_MS 2000 /* for the kernel to tear a killed process down */

/* A pidfd becomes readable when its process ends (pidfd_open(2)). */
static bool replace_ended(int pidfd, int wait_ms)
{
    struct pollfd pollfd = {pidfd, POLLIN, 0};

    return pidfd >= 0 && poll(&pollfd, 1, wait_ms) == 1 && (pollfd.revents & POLLIN);
}

/* A dying process closes its sockets a moment before it has ended. */
bool replace_is_dead(int pidfd)
{
    return replace_ended(pidfd, REPLACE_DYING_MS);
}

int replace_fence(int pidfd)
{
    if (replace_ended(pidfd, 0)) {
        return 0;
    }
    if (pidfd < 0 || pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0) {
        return pidfd < 0 ? -EBADF : -errno;
    }
    return replace_ended(pidfd, REPLACE_DEATH_MS) ? 0 : -ETIMEDOUT;
}
