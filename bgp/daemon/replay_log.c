/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/replay_log.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define NS_MAX (INT64_C(1) << 60) /* 36 years: what is added to it still fits */

static int line_compare(const void *left, const void *right)
{
    const struct replay_line *a = left, *b = right;

    if (a->process != b->process) {
        return a->process < b->process ? -1 : 1;
    }
    if (a->ns != b->ns) {
        return a->ns < b->ns ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static int line_add(struct replay_log *log, size_t *room, const char *text, size_t len)
{
    struct journal_record record;
    int code = journal_decode(text, len, &record);

    if (code == 0 &&
        (record.monotonic_ns > NS_MAX || record.until_ns > NS_MAX || record.elapsed_ns > NS_MAX)) {
        code = -EINVAL;
    }
    if (code < 0) {
        *(code == -ENOENT ? &log->unknown_n : &log->bad_n) += 1;
        return 0;
    }
    if (record.kind == JOURNAL_LOST) {
        log->lost_n += (uint64_t)record.count_n;
        return 0;
    }
    if (log->lines_n == *room) {
        const size_t more = *room ? *room * 2 : 1024;
        struct replay_line *lines = reallocarray(log->lines, more, sizeof(*lines));

        if (!lines) {
            return -ENOMEM;
        }
        log->lines = lines;
        *room = more;
    }
    /* A journal that begins in the middle belongs to a process too. */
    if (log->processes_n == 0 || (record.kind == JOURNAL_START && !record.restored)) {
        log->processes_n++;
    }
    log->lines[log->lines_n] = (struct replay_line){log->processes_n - 1, (uint32_t)log->lines_n,
                                                    record.monotonic_ns, text, (uint32_t)len};
    log->lines_n++;
    return 0;
}

/* Takes over `bytes`. */
static int bytes_take(char *bytes, size_t len, struct replay_log *log)
{
    size_t room = 0;
    int code = 0;

    *log = (struct replay_log){.bytes = bytes};
    for (const char *line = bytes, *end; code == 0 && line < bytes + len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(bytes + len - line));
        end = end ? end : bytes + len;
        if (end > line) {
            code = line_add(log, &room, line, (size_t)(end - line));
        }
    }
    if (code < 0) {
        replay_log_done(log);
        return code;
    }
    if (log->lines_n > 0) {
        qsort(log->lines, log->lines_n, sizeof(log->lines[0]), line_compare);
    }
    return 0;
}

int replay_log_parse(const char *bytes, size_t len, struct replay_log *ret_log)
{
    char *copy = malloc(len + 1);

    if (!copy) {
        return -ENOMEM;
    }
    memcpy(copy, bytes, len);
    return bytes_take(copy, len, ret_log);
}

/* Appends a file, and a newline in case its last line has none. */
static int file_append(const char *path, char **bytes, size_t *len, struct failure *failure)
{
    uint8_t *content = NULL;
    size_t content_len = 0;
    char *more;
    int code = fd_read_file(path, REPLAY_LOG_MAX - *len, &content, &content_len, failure);

    if (code < 0) {
        return code;
    }
    more = realloc(*bytes, *len + content_len + 1);
    if (!more) {
        free(content);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    memcpy(more + *len, content, content_len);
    more[*len + content_len] = '\n';
    *bytes = more;
    *len += content_len + 1;
    free(content);
    return 0;
}

int replay_log_load(const char *path, struct replay_log *ret_log, struct failure *failure)
{
    char older[PATH_MAX], *bytes = NULL;
    size_t len = 0;
    int code = 0;

    for (unsigned number = REPLAY_LOG_FILES_MAX - 1; code == 0 && number > 0; number--) {
        if (snprintf(older, sizeof(older), "%s.%u", path, number) < (int)sizeof(older) &&
            access(older, F_OK) == 0) {
            code = file_append(older, &bytes, &len, failure);
        }
    }
    code = code ? code : file_append(path, &bytes, &len, failure);
    if (code < 0) {
        free(bytes);
        return code;
    }
    code = bytes_take(bytes, len, ret_log);
    return code < 0 ? failure_set(failure, code, "%s: %s", path, strerror(-code)) : 0;
}

void replay_log_done(struct replay_log *log)
{
    free(log->lines);
    free(log->bytes);
    *log = (struct replay_log){0};
}
