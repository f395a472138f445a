/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 by the functions without EVP around them, which takes as long as a small file itself. */
#define OPENSSL_SUPPRESS_DEPRECATED
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

static void file_stamp_hash(const uint8_t *bytes, size_t len, uint8_t digest[static 32])
{
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, bytes, len);
    SHA256_Final(digest, &context);
}

static int file_stamp_digest(const char *path, uint8_t digest[static 32], struct failure *failure)
{
    uint8_t *bytes;
    size_t len;
    int code = fd_read_file(path, FILE_STAMP_MAX, &bytes, &len, failure);

    if (code < 0) {
        return code;
    }
    file_stamp_hash(bytes, len, digest);
    free(bytes);
    return 0;
}

static void file_stamp_set(struct file_stamp *stamp, const struct stat *status, int64_t now_ns)
{
    *stamp = (struct file_stamp){
        .taken = true,
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = (uint64_t)status->st_size,
        .changed_ns = file_stamp_ns(&status->st_mtim),
        .taken_ns = now_ns,
    };
}

static int64_t file_stamp_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return file_stamp_ns(&now);
}

int file_stamp_read(const char *path, struct file_stamp *ret_stamp, uint8_t **ret_bytes,
                    size_t *ret_len, struct failure *failure)
{
    int64_t now_ns = file_stamp_now_ns();
    struct stat status;
    int code = fd_read_file_status(path, FILE_STAMP_MAX, &status, ret_bytes, ret_len, failure);

    if (code < 0) {
        return code;
    }
    file_stamp_set(ret_stamp, &status, now_ns);
    if (now_ns - ret_stamp->changed_ns <= FILE_STAMP_YOUNG_NS) {
        file_stamp_hash(*ret_bytes, *ret_len, ret_stamp->digest);
        ret_stamp->digested = true;
        ret_stamp->size = *ret_len; /* what the digest is of */
    }
    return 0;
}

int file_stamp_take(const char *path, struct file_stamp *ret_stamp, struct failure *failure)
{
    int64_t now_ns = file_stamp_now_ns();
    struct stat status;

    if (stat(path, &status) < 0) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    file_stamp_set(ret_stamp, &status, now_ns);
    return 0;
}

bool file_stamp_holds(const char *path, const struct file_stamp *stamp)
{
    uint8_t digest[32];
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
    return stamp->digested && (uint64_t)status.st_size == stamp->size &&
           file_stamp_digest(path, digest, NULL) == 0 &&
           memcmp(digest, stamp->digest, sizeof(digest)) == 0;
}
