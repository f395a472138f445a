/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/log.h"

#define JOURNAL_MODE 0640
#define STATE_MODE 0600u
#define RETRY_NS CLOCK_NS_PER_S /* after a failure nothing is tried for so long */

struct queue {
    size_t len;
    uint64_t lines;
    char bytes[DISK_QUEUE_LEN];
};

struct content { /* of the small file */
    char *bytes; /* NULL: nothing to write */
    size_t len;
};

struct disk {
    struct disk_options options;
    pthread_t thread;
    pthread_mutex_t lock; /* never held while the disk is asked */
    pthread_cond_t wake;
    /* under the lock */
    struct queue *filling;
    struct content state;
    struct disk_counters counters;
    bool stop;
    /* the thread's own */
    struct queue *writing;
    int fd;
    bool torn; /* the file ends within a line */
    dev_t device;
    ino_t inode;
    uint64_t size;
    int64_t journal_retry_ns;
    uint64_t lost_since; /* lines, in this row of failures */
    bool journal_failing, state_failing;
};

/* ---- the journal ---- */

/* Whether the path still leads to what is open: others may rotate or remove it too. */
static bool journal_is_open(struct disk *disk)
{
    struct stat status;

    if (disk->fd < 0) {
        return false;
    }
    if (stat(disk->options.journal, &status) == 0 && status.st_dev == disk->device &&
        status.st_ino == disk->inode) {
        return true;
    }
    fd_close(&disk->fd);
    return false;
}

static int journal_open(struct disk *disk)
{
    struct stat status;
    char last = '\n';
    int code = 0;

    disk->fd = open(disk->options.journal,
                    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, JOURNAL_MODE);
    if (disk->fd < 0) {
        return -errno;
    }
    if (fstat(disk->fd, &status) < 0) {
        code = -errno;
    } else if (!S_ISREG(status.st_mode)) {
        code = -EINVAL;
    } else if (status.st_size > 0 && pread(disk->fd, &last, 1, status.st_size - 1) < 0) {
        code = -errno;
    }
    if (code < 0) {
        fd_close(&disk->fd);
        return code;
    }
    disk->torn = last != '\n';
    disk->device = status.st_dev;
    disk->inode = status.st_ino;
    disk->size = (uint64_t)status.st_size;
    return 0;
}

static void journal_name(const struct disk *disk, unsigned number, char ret_path[static PATH_MAX])
{
    if (number == 0) {
        snprintf(ret_path, PATH_MAX, "%s", disk->options.journal);
    } else {
        snprintf(ret_path, PATH_MAX, "%s.%u", disk->options.journal, number);
    }
}

static int journal_rotate(struct disk *disk)
{
    char from[PATH_MAX], to[PATH_MAX];

    fd_close(&disk->fd);
    for (unsigned number = disk->options.journal_keep; number > 0; number--) {
        journal_name(disk, number - 1, from);
        journal_name(disk, number, to);
        if (rename(from, to) < 0 && errno != ENOENT) {
            return -errno;
        }
    }
    if (disk->options.journal_keep == 0 && unlink(disk->options.journal) < 0 && errno != ENOENT) {
        return -errno;
    }
    pthread_mutex_lock(&disk->lock);
    disk->counters.rotations++;
    pthread_mutex_unlock(&disk->lock);
    return journal_open(disk);
}

static int journal_write(struct disk *disk, struct queue *queue)
{
    static char newline[] = "\n";
    struct iovec parts[2];
    int parts_n = 0, code = 0;
    ssize_t len;

    if (!journal_is_open(disk)) {
        code = journal_open(disk);
    }
    if (code == 0 && disk->size > 0 && disk->size + queue->len > disk->options.journal_size) {
        code = journal_rotate(disk);
    }
    if (code < 0) {
        return code;
    }
    if (disk->torn) {
        parts[parts_n++] = (struct iovec){newline, 1};
    }
    parts[parts_n++] = (struct iovec){queue->bytes, queue->len};
    len = writev(disk->fd, parts, parts_n);
    if (len < 0) {
        return -errno;
    }
    disk->size += (uint64_t)len;
    if ((size_t)len < queue->len + (disk->torn ? 1 : 0)) {
        disk->torn = true; /* whatever of it is whole lines will be found */
        return -ENOSPC;
    }
    disk->torn = false;
    return 0;
}

static void journal_put(struct disk *disk, struct queue *queue, int64_t now_ns)
{
    int code = -EAGAIN;

    if (!disk->journal_failing || now_ns >= disk->journal_retry_ns) {
        code = journal_write(disk, queue);
    }
    if (code == 0 && disk->journal_failing) {
        log_notice("journal %s: written again, %" PRIu64 " lines were lost", disk->options.journal,
                   disk->lost_since);
        disk->journal_failing = false;
    } else if (code < 0 && !disk->journal_failing) {
        log_error("journal %s: %s; going on without it", disk->options.journal,
                  code == -EINVAL ? "no regular file" : strerror(-code));
        disk->journal_failing = true;
        disk->lost_since = 0;
    }
    if (code < 0) {
        disk->lost_since += queue->lines;
        if (code != -EAGAIN) {
            disk->journal_retry_ns = now_ns + RETRY_NS;
        }
    }
    pthread_mutex_lock(&disk->lock);
    *(code == 0 ? &disk->counters.lines : &disk->counters.lines_lost) += queue->lines;
    disk->counters.journal_failing = disk->journal_failing;
    pthread_mutex_unlock(&disk->lock);
    queue->len = 0;
    queue->lines = 0;
}

/* ---- the small file ---- */

static void state_put(struct disk *disk, const struct content *content)
{
    struct failure failure;
    const int code =
        fd_replace_file(disk->options.state, content->bytes, content->len, STATE_MODE, &failure);

    if (code < 0 && !disk->state_failing) {
        log_error("%s; going on without it", failure.text);
    } else if (code == 0 && disk->state_failing) {
        log_notice("%s: written again", disk->options.state);
    }
    disk->state_failing = code < 0;
    pthread_mutex_lock(&disk->lock);
    *(code == 0 ? &disk->counters.saves : &disk->counters.saves_failed) += 1;
    disk->counters.state_failing = disk->state_failing;
    pthread_mutex_unlock(&disk->lock);
}

/* ---- the thread ---- */

static void *disk_run(void *context)
{
    struct disk *disk = context;
    bool stop = false;

    while (!stop) {
        struct content state;
        struct queue *queue;

        pthread_mutex_lock(&disk->lock);
        while (!disk->stop && disk->filling->len == 0 && !disk->state.bytes) {
            pthread_cond_wait(&disk->wake, &disk->lock);
        }
        queue = disk->filling;
        disk->filling = disk->writing;
        disk->writing = queue;
        state = disk->state;
        disk->state.bytes = NULL;
        stop = disk->stop;
        pthread_mutex_unlock(&disk->lock);
        if (queue->len > 0) {
            journal_put(disk, queue, clock_monotonic_ns());
        }
        if (state.bytes) {
            state_put(disk, &state);
            free(state.bytes);
        }
    }
    return NULL;
}

/* ---- calls ---- */

static void disk_free(struct disk *disk)
{
    fd_close(&disk->fd);
    free(disk->filling);
    free(disk->writing);
    free(disk->state.bytes);
    pthread_cond_destroy(&disk->wake);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

struct disk *disk_open(const struct disk_options *options)
{
    struct disk *disk = calloc(1, sizeof(*disk));
    sigset_t all, before;
    int code;

    if (!disk) {
        return NULL;
    }
    disk->options = *options;
    disk->fd = -1;
    pthread_mutex_init(&disk->lock, NULL);
    pthread_cond_init(&disk->wake, NULL);
    disk->filling = calloc(1, sizeof(*disk->filling));
    disk->writing = calloc(1, sizeof(*disk->writing));
    if (!disk->filling || !disk->writing) {
        disk_free(disk);
        return NULL;
    }
    /* No signal is this thread's business; a file too large (SIGXFSZ) is an errno. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&disk->thread, NULL, disk_run, disk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        disk_free(disk);
        return NULL;
    }
    return disk;
}

bool disk_append(struct disk *disk, const char *line, size_t len)
{
    struct queue *queue;
    bool fits;

    if (!disk || !disk->options.journal) {
        return false;
    }
    pthread_mutex_lock(&disk->lock);
    queue = disk->filling;
    fits = len <= sizeof(queue->bytes) - queue->len;
    if (fits) {
        memcpy(queue->bytes + queue->len, line, len);
        queue->len += len;
        queue->lines++;
    } else {
        disk->counters.lines_lost++;
    }
    pthread_mutex_unlock(&disk->lock);
    pthread_cond_signal(&disk->wake);
    return fits;
}

void disk_replace(struct disk *disk, const void *bytes, size_t len)
{
    struct content content = {.len = len};
    char *before;

    if (!disk || !disk->options.state || !(content.bytes = malloc(len + 1))) {
        return;
    }
    memcpy(content.bytes, bytes, len);
    pthread_mutex_lock(&disk->lock);
    before = disk->state.bytes;
    disk->state = content;
    pthread_mutex_unlock(&disk->lock);
    pthread_cond_signal(&disk->wake);
    free(before);
}

void disk_counters(struct disk *disk, struct disk_counters *ret_counters)
{
    *ret_counters = (struct disk_counters){0};
    if (disk) {
        pthread_mutex_lock(&disk->lock);
        *ret_counters = disk->counters;
        pthread_mutex_unlock(&disk->lock);
    }
}

void disk_close(struct disk *disk, int64_t patience_ns)
{
    struct timespec until;
    int64_t until_ns;

    if (!disk) {
        return;
    }
    pthread_mutex_lock(&disk->lock);
    disk->stop = true;
    pthread_mutex_unlock(&disk->lock);
    pthread_cond_signal(&disk->wake);
    until_ns = clock_monotonic_ns() + patience_ns;
    until = (struct timespec){until_ns / CLOCK_NS_PER_S, until_ns % CLOCK_NS_PER_S};
    /* A thread that hangs in the disk keeps its memory; the process is about to end. */
    if (pthread_clockjoin_np(disk->thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        disk_free(disk);
    }
}
