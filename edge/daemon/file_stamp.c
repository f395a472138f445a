/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/file_stamp.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"

/* File systems keep times to two seconds at worst; within that a second change would not show. */
#define FILE_STAMP_YOUNG_NS (3 * CLOCK_NS_PER_S)

static int64_t file_stamp_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * CLOCK_NS_PER_S + time->tv_nsec;
}

/* bytes are followed by a NUL, but may hold others */
static bool file_stamp_has_include(const char *bytes, size_t len)
{
    static const char word[] = "$include";

    for (size_t i = 0; i + sizeof(word) - 1 <= len; i++) {
        const char *dollar = memchr(bytes + i, '$', len - i);

        if (!dollar) {
            return false;
        }
        i = (size_t)(dollar - bytes);
        if (strncasecmp(dollar, word, sizeof(word) - 1) == 0) {
            return true;
        }
    }
    return false;
}

int file_stamp_take(const char *path, struct file_stamp *ret_stamp, struct failure *failure)
{
    struct file_stamp stamp = {.taken = true};
    struct timespec now;
    struct stat status;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code;

    clock_gettime(CLOCK_REALTIME, &now);
    stamp.taken_ns = file_stamp_ns(&now);
    if (stat(path, &status) < 0) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    code = fd_read_file(path, FILE_STAMP_MAX, &bytes, &len, failure);
    if (code < 0) {
        return code;
    }
    stamp.device = status.st_dev;
    stamp.inode = status.st_ino;
    stamp.size = (uint64_t)status.st_size;
    stamp.changed_ns = file_stamp_ns(&status.st_mtim);
    SHA256(bytes, len, stamp.digest);
    stamp.includes = file_stamp_has_include((const char *)bytes, len);
    free(bytes);
    *ret_stamp = stamp;
    return 0;
}

bool file_stamp_holds(const char *path, const struct file_stamp *stamp)
{
    struct file_stamp now = {0};
    struct stat status;

    if (!stamp->taken || stamp->includes || stat(path, &status) < 0) {
        return false;
    }
    if (status.st_dev == stamp->device && status.st_ino == stamp->inode &&
        (uint64_t)status.st_size == stamp->size &&
        file_stamp_ns(&status.st_mtim) == stamp->changed_ns &&
        stamp->taken_ns - stamp->changed_ns > FILE_STAMP_YOUNG_NS) {
        return true;
    }
    return file_stamp_take(path, &now, NULL) == 0 && !now.includes &&
           memcmp(now.digest, stamp->digest, sizeof(now.digest)) == 0;
}
