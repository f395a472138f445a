/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One line per event on stderr. Under systemd (JOURNAL_STREAM names our stderr) each line carries
 * its priority as "<3>"; elsewhere it carries time and level. Every byte of a message that is no
 * printable ASCII is written as \xNN, so that none from the network can forge a line. Thread-safe:
 * one write(2) per line. Programs log, libraries do not.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/* syslog severities */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* Call once, before threads start. Lines less urgent than `threshold` are dropped. `program` is
 * borrowed. */
void log_open(const char *program, enum log_level threshold);

void log_set_threshold(enum log_level threshold);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
