/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * File descriptors and whole files. Errors are negative errno values with the path in the failure.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

struct stat;

/* Closes *fd if it is not negative and sets it to -1. Keeps errno. */
void fd_close(int *fd);

int fd_set_nonblocking(int fd);

/* Reads a whole regular file of at most `max_len` bytes into a new buffer (one extra NUL byte
 * follows the content, not counted). The caller frees *ret_bytes with free(). -EFBIG when longer,
 * -EISDIR, -ENOENT and so on. */
int fd_read_file(const char *path, size_t max_len, uint8_t **ret_bytes, size_t *ret_len,
                 struct failure *failure);

/* The same, with what fstat() said of the file before it was read. */
int fd_read_file_status(const char *path, size_t max_len, struct stat *ret_status,
                        uint8_t **ret_bytes, size_t *ret_len, struct failure *failure);

/* fd_read_file() for a file that holds a secret: -EPERM if everybody may read it, or anybody but
 * its owner may write it. Its group may read it: that is how root hands it to a service, and what
 * the files of systemd's credentials look like. Wipe the bytes before they are freed. */
int fd_read_secret(const char *path, size_t max_len, uint8_t **ret_bytes, size_t *ret_len,
                   struct failure *failure);

/* Writes all bytes, retrying short writes and EINTR. */
int fd_write_all(int fd, const void *bytes, size_t len);

/* Replaces `path` in one step: temporary file in the same folder, fsync, rename, fsync of the
 * folder. A reader sees the old file or the new one. */
int fd_replace_file(const char *path, const void *bytes, size_t len, unsigned mode,
                    struct failure *failure);

/* `path` itself if absolute, else relative to the folder of `base_file`. New string, the caller
 * frees. */
char *fd_resolve_path(const char *base_file, const char *path);

#endif
