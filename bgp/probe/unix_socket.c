/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

int unix_socket_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = strlen(path);
    int fd, error;

    if (len >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        error = errno;
        fd_close(&fd);
        return -error;
    }
    return fd;
}

bool unix_socket_outcome(struct probe_outcome *ret_outcome, const char *path, int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return outcome_fail(ret_outcome, PROBE_CAUSE_DEAD, "nobody listens on %s", path);
    case EAGAIN:
        return outcome_fail(ret_outcome, PROBE_CAUSE_SILENT, "%s: connections are not accepted",
                            path);
    default:
        return outcome_unknown(ret_outcome, "%s: %s", path, strerror(error));
    }
}
