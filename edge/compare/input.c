/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int input_open(struct input *ret_input, const char *path, bool follow, struct failure *failure)
{
    const bool standard = strcmp(path, "-") == 0;
    struct stat status;

    *ret_input = (struct input){.path = path, .follow = follow && !standard};
    ret_input->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (ret_input->fd < 0 || fstat(ret_input->fd, &status) < 0) {
        const int code = -errno;

        fd_close(&ret_input->fd);
        return failure_set(failure, code, "%s: %s", path, strerror(-code));
    }
    if (S_ISDIR(status.st_mode)) {
        fd_close(&ret_input->fd);
        return failure_set(failure, -EISDIR, "%s: %s", path, strerror(EISDIR));
    }
    ret_input->bytes = malloc(INPUT_MAX);
    if (!ret_input->bytes) {
        fd_close(&ret_input->fd);
        return failure_set(failure, -ENOMEM, "%s: out of memory", path);
    }
    return 0;
}

/* At the end of a file that is followed: has another file taken its name, or was it cut? */
static bool reopen_replaced(struct input *input)
{
    struct stat ours;
    struct stat named;
    int fd;

    if (fstat(input->fd, &ours) < 0 || stat(input->path, &named) < 0) {
        return false; /* between two files, perhaps */
    }
    if (ours.st_dev == named.st_dev && ours.st_ino == named.st_ino &&
        lseek(input->fd, 0, SEEK_CUR) <= named.st_size) {
        return false;
    }
    fd = open(input->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    fd_close(&input->fd);
    input->fd = fd;
    input->start = input->end = 0;
    input->replaced = true;
    return true;
}

enum input_status input_fill(struct input *input, struct failure *failure)
{
    struct pollfd ready = {.fd = input->fd, .events = POLLIN};
    ssize_t got;

    if (input->start > 0) {
        memmove(input->bytes, input->bytes + input->start, input->end - input->start);
        input->end -= input->start;
        input->start = 0;
    }
    if (input->end == INPUT_MAX) {
        failure_set(failure, -EMSGSIZE, "%s: a line or record is too long", input->path);
        return INPUT_FAILED;
    }
    if (poll(&ready, 1, 0) == 0) {
        return INPUT_WAIT;
    }
    got = read(input->fd, input->bytes + input->end, INPUT_MAX - input->end);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return INPUT_WAIT;
        }
        failure_set(failure, -errno, "%s: %s", input->path, strerror(errno));
        return INPUT_FAILED;
    }
    if (got == 0) {
        if (!input->follow) {
            return INPUT_END;
        }
        reopen_replaced(input);
        return INPUT_WAIT;
    }
    input->end += (size_t)got;
    return INPUT_MORE;
}

void input_close(struct input *input)
{
    fd_close(&input->fd);
    free(input->bytes);
    input->bytes = NULL;
}
