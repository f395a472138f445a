/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A journal in memory, in the order in which things happened: a line about probes alike is written
 * when they end, so the lines of one process are sorted by its monotonic clock. Hostile input: what
 * is no line of a journal is counted and left out.
 */
#ifndef BGP_REPLAY_LOG_H
#define BGP_REPLAY_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "bgp/daemon/journal.h"

#define REPLAY_LOG_FILES_MAX 100 /* LOG.99 to LOG */
#define REPLAY_LOG_MAX ((size_t)1 << 30)

struct replay_line {
    uint32_t process; /* which of those in the log wrote it */
    uint32_t order;   /* in the log */
    int64_t ns;
    const char *text;
    uint32_t len;
};

struct replay_log {
    size_t lines_n;
    struct replay_line *lines;
    uint32_t processes_n;
    uint64_t bad_n;     /* lines left out */
    uint64_t unknown_n; /* of a later version */
    uint64_t lost_n;    /* lines that were never written, as the journal itself says */
    char *bytes;
};

/* The file and those that were rotated before it: PATH.N to PATH.1. The caller calls
 * replay_log_done(). */
int replay_log_load(const char *path, struct replay_log *ret_log, struct failure *failure);

/* The same of bytes; they are copied. -ENOMEM or 0. */
int replay_log_parse(const char *bytes, size_t len, struct replay_log *ret_log);

void replay_log_done(struct replay_log *log);

#endif
