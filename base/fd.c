/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        int kept = errno;

        (void)close(*fd);
        errno = kept;
    }
    *fd = -1;
}

int fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

/* Reads to the end of the file into `bytes` of `capacity`, which grows up to max_len + 1: a file
 * may be longer than its size said (it grows, or lives in /proc), and one byte more than allowed
 * tells us so. */
static int read_to_end(int fd, size_t max_len, uint8_t **bytes, size_t capacity, size_t *ret_len)
{
    size_t len = 0;

    for (;;) {
        ssize_t got;

        if (len == capacity) {
            size_t wanted = capacity > max_len / 2 ? max_len + 1 : capacity * 2;
            uint8_t *grown;

            if (len > max_len) {
                return -EFBIG;
            }
            grown = realloc(*bytes, wanted + 1);
            if (!grown) {
                return -ENOMEM;
            }
            *bytes = grown;
            capacity = wanted;
        }
        got = read(fd, *bytes + len, capacity - len);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    if (len > max_len) {
        return -EFBIG;
    }
    (*bytes)[len] = 0;
    *ret_len = len;
    return 0;
}

/* `forbidden`: bits of the mode that the file must not have. */
static int read_regular(const char *path, size_t max_len, mode_t forbidden, struct stat *ret_status,
                        uint8_t **ret_bytes, size_t *ret_len, struct failure *failure)
{
    struct stat status;
    uint8_t *bytes = NULL;
    size_t capacity, len = 0;
    /* O_NONBLOCK: a FIFO in the place of a file must not make us wait for a writer */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int err;

    if (max_len > PTRDIFF_MAX - 2) {
        max_len = PTRDIFF_MAX - 2;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        err = failure_set(failure, -errno, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        err = S_ISDIR(status.st_mode)
                  ? failure_set(failure, -EISDIR, "%s: is a folder, not a file", path)
                  : failure_set(failure, -EINVAL, "%s: is not a regular file", path);
        goto out;
    }
    if (status.st_mode & forbidden) {
        err = failure_set(failure, -EPERM,
                          "%s: mode %04o: a secret must be neither readable by everybody nor "
                          "writable by others",
                          path, (unsigned)(status.st_mode & 07777));
        goto out;
    }
    if ((uintmax_t)status.st_size > max_len) {
        err = failure_set(failure, -EFBIG, "%s: longer than %zu bytes", path, max_len);
        goto out;
    }
    capacity = (size_t)status.st_size + 1;
    bytes = malloc(capacity + 1);
    err = bytes ? read_to_end(fd, max_len, &bytes, capacity, &len) : -ENOMEM;
    if (err == -EFBIG) {
        (void)failure_set(failure, err, "%s: longer than %zu bytes", path, max_len);
    } else if (err < 0) {
        (void)failure_set(failure, err, "%s: %s", path, strerror(-err));
    } else {
        *ret_status = status;
        *ret_bytes = bytes;
        *ret_len = len;
        bytes = NULL;
    }
out:
    free(bytes);
    fd_close(&fd);
    return err;
}

int fd_read_file(const char *path, size_t max_len, uint8_t **ret_bytes, size_t *ret_len,
                 struct failure *failure)
{
    struct stat status;

    return read_regular(path, max_len, 0, &status, ret_bytes, ret_len, failure);
}

int fd_read_file_status(const char *path, size_t max_len, struct stat *ret_status,
                        uint8_t **ret_bytes, size_t *ret_len, struct failure *failure)
{
    return read_regular(path, max_len, 0, ret_status, ret_bytes, ret_len, failure);
}

int fd_read_secret(const char *path, size_t max_len, uint8_t **ret_bytes, size_t *ret_len,
                   struct failure *failure)
{
    struct stat status;

    return read_regular(path, max_len, S_IWGRP | S_IRWXO, &status, ret_bytes, ret_len, failure);
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *next = bytes;

    while (len > 0) {
        ssize_t put = write(fd, next, len);

        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        next += put;
        len -= (size_t)put;
    }
    return 0;
}

/* The part of `path` up to and with its last slash. */
static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

static int write_and_sync(int fd, const void *bytes, size_t len, unsigned mode)
{
    int err = fd_write_all(fd, bytes, len);

    if (err < 0) {
        return err;
    }
    if (fchmod(fd, (mode_t)mode) < 0 || fsync(fd) < 0) {
        return -errno;
    }
    return 0;
}

/* Without this the rename may be lost in a power cut although the file's bytes are not. */
static int sync_folder(const char *path)
{
    char *folder = folder_len(path) ? strndup(path, folder_len(path)) : strdup(".");
    int fd, err = 0;

    if (!folder) {
        return -ENOMEM;
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0) {
        return -errno;
    }
    /* some file systems cannot sync a folder and say EINVAL */
    if (fsync(fd) < 0 && errno != EINVAL) {
        err = -errno;
    }
    fd_close(&fd);
    return err;
}

int fd_replace_file(const char *path, const void *bytes, size_t len, unsigned mode,
                    struct failure *failure)
{
    size_t head = folder_len(path);
    char *temporary = NULL;
    int fd = -1, err = 0;

    if (asprintf(&temporary, "%.*s.%s.XXXXXX", (int)head, path, path + head) < 0) {
        return failure_set(failure, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
        goto out;
    }
    err = write_and_sync(fd, bytes, len, mode);
    if (err == 0 && rename(temporary, path) < 0) {
        err = -errno;
    }
    if (err < 0) {
        (void)unlink(temporary);
        goto out;
    }
    err = sync_folder(path);
out:
    if (err < 0) {
        (void)failure_set(failure, err, "%s: cannot be written: %s", path, strerror(-err));
    }
    fd_close(&fd);
    free(temporary);
    return err;
}

char *fd_resolve_path(const char *base_file, const char *path)
{
    size_t head = path[0] == '/' ? 0 : folder_len(base_file);
    char *resolved = NULL;

    if (asprintf(&resolved, "%.*s%s", (int)head, base_file, path) < 0) {
        return NULL;
    }
    return resolved;
}
