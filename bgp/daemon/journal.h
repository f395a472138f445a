/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One line of the journal: what came in (observations, operator's requests, what ExaBGP told) and
 * what was decided, as JSON, so that `--replay` can play it again and people can read and grep it:
 *
 *   {"time":"2026-11-22T17:40:01.123Z","ns":91123456789,"kind":"verdict","vip":"192.0.2.53/32",
 *    "wish":"withdraw","code":"hard","reason":"hard check answers down after 2 failures (...)"}
 *
 * Every line has `time` (wall clock, for people and other machines), `ns` (monotonic, what is
 * played by) and `kind`, which says what else it has. Pure; a journal that is read is hostile
 * input: unknown keys and kinds are skipped, what is missing or of a wrong type makes the line bad.
 */
#ifndef BGP_JOURNAL_H
#define BGP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_LINE_LEN 4096 /* longest line with its newline; longer ones are bad */
#define JOURNAL_SUBJECT_LEN 128
#define JOURNAL_WORD_LEN 32
#define JOURNAL_TEXT_LEN 512
#define JOURNAL_ATTRIBUTES_LEN 256

/* What the fields of a record mean for each kind is listed beside it, with their keys. */
enum journal_kind {
    JOURNAL_START,   /* a process begins: text "version", detail "config", count_n "seed"; restored
                        "continued": only this file does, and how things stand follows */
    JOURNAL_CHECK,   /* subject "check", word "saw" (pass, fail, unknown), code "cause", text
                        "evidence", elapsed_ns; count_n times alike from monotonic_ns to until_ns */
    JOURNAL_REQUEST, /* subject "vip", word "verb" (drain, withdraw, announce, auto), owner, text
                        "reason", expires_s, until_ns (the same, monotonic), force; restored:
                        given elapsed_ns before */
    JOURNAL_MEMORY,  /* subject "vip", count_n "penalty" of flaps; restored "suppressed" for
                        elapsed_ns already */
    JOURNAL_SESSION, /* subject "peer", word "state" (down, connected, up), text "detail" */
    JOURNAL_ROUTE, /* subject "vip", word "event" (found, absent, acknowledged, refused, mismatch),
                      code "wish", elapsed_ns */
    JOURNAL_SPEAKER, /* word "event" (timeout, shutdown, ...), text "detail" */
    JOURNAL_VERDICT, /* subject "vip", word "wish", code, text "reason", detail "attributes" as
                        ExaBGP is told them */
    JOURNAL_LOST,    /* count_n lines were lost before this one */
    JOURNAL_KINDS
};

struct journal_record {
    enum journal_kind kind;
    int64_t wall_ms;
    int64_t monotonic_ns;
    char subject[JOURNAL_SUBJECT_LEN];
    char word[JOURNAL_WORD_LEN];
    char code[JOURNAL_WORD_LEN];
    char owner[JOURNAL_WORD_LEN * 2];
    char text[JOURNAL_TEXT_LEN];
    char detail[JOURNAL_ATTRIBUTES_LEN];
    int64_t elapsed_ns;
    int64_t until_ns;
    int64_t expires_s; /* wall clock; 0: never */
    int64_t count_n;
    bool force;
    bool restored; /* or continued, or suppressed */
};

/* Copies `text` into a field, cut if it is too long. */
#define journal_set(field, text) journal_set_text((field), sizeof(field), (text))
void journal_set_text(char *field, size_t size, const char *text);

/* One line with its newline; its length, or 0 without memory. */
size_t journal_encode(const struct journal_record *record, char ret_line[static JOURNAL_LINE_LEN]);

/* A line without its newline, any bytes. 0; -EINVAL: no line of a journal; -ENOENT: of a kind this
 * version does not know. */
int journal_decode(const char *line, size_t len, struct journal_record *ret_record);

/* "2026-11-22T17:40:01.123Z" and back (-EINVAL). */
#define JOURNAL_TIME_LEN 32
const char *journal_time_format(int64_t wall_ms, char ret_text[static JOURNAL_TIME_LEN]);
int journal_time_parse(const char *text, int64_t *ret_wall_ms);

#endif
