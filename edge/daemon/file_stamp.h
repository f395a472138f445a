/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a file is still the one that was read: by device, inode, size and time where these can be
 * trusted. Where the file is so young that it may have changed within the resolution of its time,
 * by SHA-256 of the content, if that is known.
 */
#ifndef EDGE_FILE_STAMP_H
#define EDGE_FILE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"

#define FILE_STAMP_MAX ((size_t)1 << 40) /* longest file that is read */

struct file_stamp {
    bool taken;
    bool digested;
    bool includes; /* set by who knows: other files count too, so it is never unchanged */
    dev_t device;
    ino_t inode;
    uint64_t size;
    int64_t changed_ns; /* modification time */
    int64_t taken_ns;   /* wall clock */
    uint8_t digest[32];
};

/* Reads the file and stamps what was read: a later change, or one meanwhile, is seen next time. The
 * caller frees *ret_bytes with free(). */
int file_stamp_read(const char *path, struct file_stamp *ret_stamp, uint8_t **ret_bytes,
                    size_t *ret_len, struct failure *failure);

/* Without the content; take it before the file is read. */
int file_stamp_take(const char *path, struct file_stamp *ret_stamp, struct failure *failure);

/* The file has the content the stamp was taken of. False in doubt, and when it cannot be read. */
bool file_stamp_holds(const char *path, const struct file_stamp *stamp);

#endif
