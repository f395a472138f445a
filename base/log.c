/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_LEN 4096 /* PIPE_BUF: a longer line might be torn by another writer's */

static const char *program_name = "isochrone";
static atomic_int log_threshold = LOG_LEVEL_INFO;
static bool to_journal;

/* systemd.exec(5): JOURNAL_STREAM holds "device:inode" of the socket; a child may have inherited
 * the variable but not the descriptor, so compare. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;
    char *end;

    if (!stream || fstat(STDERR_FILENO, &status) < 0) {
        return false;
    }
    device = strtoumax(stream, &end, 10);
    if (*end != ':') {
        return false;
    }
    inode = strtoumax(end + 1, &end, 10);
    return *end == '\0' && device == (uintmax_t)status.st_dev && inode == (uintmax_t)status.st_ino;
}

void log_open(const char *program, enum log_level threshold)
{
    program_name = program;
    to_journal = stderr_is_journal();
    log_set_threshold(threshold);
}

void log_set_threshold(enum log_level threshold)
{
    atomic_store_explicit(&log_threshold, (int)threshold, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_NOTICE:
        return "notice";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "log";
}

/* Appends `message` with every byte that could end a line, move a cursor or be no UTF-8 written as
 * \xNN, as far as it fits into `size` with room for a newline. Returns the new length. */
static size_t append_escaped(char *line, size_t len, size_t size, const char *message)
{
    for (; *message; message++) {
        unsigned char byte = (unsigned char)*message;

        if (byte >= 0x20 && byte < 0x7f) {
            if (len + 2 > size) {
                break;
            }
            line[len++] = (char)byte;
        } else {
            if (len + 5 > size) {
                break;
            }
            static const char digits[] = "0123456789abcdef";

            line[len++] = '\\';
            line[len++] = 'x';
            line[len++] = digits[byte >> 4];
            line[len++] = digits[byte & 15];
        }
    }
    return len;
}

void log_write(enum log_level level, const char *format, ...)
{
    char message[LINE_MAX_LEN], line[LINE_MAX_LEN], when[24];
    va_list arguments;
    int head;
    size_t len;

    if (!log_enabled(level)) {
        return;
    }
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0) {
        message[0] = '\0';
    }
    va_end(arguments);
    if (to_journal) {
        head = snprintf(line, sizeof(line), "<%d>", (int)level);
    } else {
        clock_format_utc(clock_wall_s(), when);
        head = snprintf(line, sizeof(line), "%s %s %s: ", when, program_name, level_name(level));
    }
    len = head < 0 ? 0 : (size_t)head;
    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }
    len = append_escaped(line, len, sizeof(line), message);
    line[len++] = '\n';
    /* Nobody is left to tell if stderr is gone. */
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}
