/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/history.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"

#define TAIL_LEN ((off_t)1 << 20)

void history_add(struct history *history, const struct journal_record *record)
{
    if (record->kind == JOURNAL_CHECK || record->kind == JOURNAL_MEMORY || record->restored) {
        return;
    }
    history->records[history->next] = *record;
    history->next = (history->next + 1) % HISTORY_LEN;
    history->count += history->count < HISTORY_LEN;
}

const struct journal_record *history_get(const struct history *history, size_t index)
{
    if (index >= history->count) {
        return NULL;
    }
    return &history->records[(history->next + HISTORY_LEN - history->count + index) % HISTORY_LEN];
}

/* ---- the end of a journal ---- */

static void lines_add(struct history *history, const char *bytes, size_t len)
{
    struct journal_record record;

    for (const char *line = bytes, *end; line < bytes + len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(bytes + len - line));
        if (!end) {
            return; /* still being written */
        }
        if (journal_decode(line, (size_t)(end - line), &record) == 0) {
            history_add(history, &record);
        }
    }
}

/* The bytes read, from a place that may lie within a line; whether the file has no more. */
static bool tail_add(struct history *history, const char *path)
{
    struct stat status;
    char *bytes = malloc((size_t)TAIL_LEN);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool whole = true;

    if (bytes && fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        const off_t start = status.st_size > TAIL_LEN ? status.st_size - TAIL_LEN : 0;
        const ssize_t len = pread(fd, bytes, (size_t)TAIL_LEN, start);
        const char *first = len <= 0 ? NULL : start == 0 ? bytes : memchr(bytes, '\n', (size_t)len);

        if (first) {
            lines_add(history, first, (size_t)(bytes + len - first));
        }
        whole = start == 0;
    }
    fd_close(&fd);
    free(bytes);
    return whole;
}

void history_seed(struct history *history, const char *path)
{
    char before[PATH_MAX];
    struct stat status;

    if (snprintf(before, sizeof(before), "%s.1", path) < (int)sizeof(before) &&
        (stat(path, &status) < 0 || status.st_size < TAIL_LEN)) {
        (void)tail_add(history, before);
    }
    (void)tail_add(history, path);
}

/* ---- showing ---- */

static void request_describe(const struct journal_record *record, char *text, size_t size)
{
    char until[24] = "";

    if (record->expires_s) {
        clock_format_utc(record->expires_s, until);
    }
    snprintf(text, size, "%s: operator%s%s: %s%s%s%s%s%s%s", record->subject,
             record->owner[0] ? " " : "", record->owner, record->word,
             record->force ? ", forced" : "", until[0] ? ", until " : "", until,
             record->restored ? ", restored" : "", record->text[0] ? ": " : "", record->text);
}

void history_describe(const struct journal_record *record, char *ret_text, size_t size)
{
    switch (record->kind) {
    case JOURNAL_START:
        snprintf(ret_text, size, "isochrone-bgp %s starts%s%s", record->text,
                 record->detail[0] ? " with " : "", record->detail);
        return;
    case JOURNAL_REQUEST:
        request_describe(record, ret_text, size);
        return;
    case JOURNAL_SESSION:
        snprintf(ret_text, size, "session %s: %s%s%s", record->subject, record->word,
                 record->text[0] ? ": " : "", record->text);
        return;
    case JOURNAL_ROUTE:
        snprintf(ret_text, size, "%s: exabgp: %s", record->subject, record->word);
        if (record->elapsed_ns > 0 && strlen(ret_text) + 1 < size) {
            snprintf(ret_text + strlen(ret_text), size - strlen(ret_text), " after %.1f ms",
                     (double)record->elapsed_ns / (double)CLOCK_NS_PER_MS);
        }
        return;
    case JOURNAL_SPEAKER:
        snprintf(ret_text, size, "exabgp: %s, %lld so far", record->word,
                 (long long)record->count_n);
        return;
    case JOURNAL_VERDICT:
        snprintf(ret_text, size, "%s: %s%s%s: %s", record->subject, record->word,
                 record->code[0] ? ", " : "", record->code, record->text);
        return;
    case JOURNAL_LOST:
        snprintf(ret_text, size, "%lld lines were lost", (long long)record->count_n);
        return;
    case JOURNAL_CHECK:
    case JOURNAL_MEMORY:
    case JOURNAL_KINDS:
        break;
    }
    snprintf(ret_text, size, "%s: %s", record->subject, record->word);
}

json_t *history_json(const struct journal_record *record)
{
    char line[JOURNAL_LINE_LEN];
    const size_t len = journal_encode(record, line);

    return len ? json_loadb(line, len - 1, 0, NULL) : NULL;
}
