/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/journal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/control.h"

#define WALL_MS_MAX INT64_C(253402300799999) /* 9999-12-31 */

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG };

/* A key of a line of this kind, and where its value is kept. */
struct field {
    enum journal_kind kind;
    const char *key;
    bool required; /* else it is left out when it is empty, zero or false */
    enum field_type type;
    size_t offset;
    size_t size; /* of a text */
};

#define AT(member) offsetof(struct journal_record, member)
#define TEXT(kind, key, required, member)                                                          \
    {                                                                                              \
        kind, key, required, FIELD_TEXT, AT(member), sizeof(((struct journal_record *)0)->member)  \
    }
#define NUMBER(kind, key, required, member)                                                        \
    {                                                                                              \
        kind, key, required, FIELD_NUMBER, AT(member), 0                                           \
    }
#define FLAG(kind, key, member)                                                                    \
    {                                                                                              \
        kind, key, false, FIELD_FLAG, AT(member), 0                                                \
    }

static const struct field fields[] = {
    TEXT(JOURNAL_START, "version", true, text),
    TEXT(JOURNAL_START, "config", false, detail),
    NUMBER(JOURNAL_START, "seed", false, count_n),
    FLAG(JOURNAL_START, "continued", restored),
    TEXT(JOURNAL_CHECK, "check", true, subject),
    TEXT(JOURNAL_CHECK, "saw", true, word),
    TEXT(JOURNAL_CHECK, "cause", false, code),
    TEXT(JOURNAL_CHECK, "evidence", false, text),
    NUMBER(JOURNAL_CHECK, "elapsed_ns", false, elapsed_ns),
    NUMBER(JOURNAL_CHECK, "count", true, count_n),
    NUMBER(JOURNAL_CHECK, "until_ns", false, until_ns),
    TEXT(JOURNAL_REQUEST, "vip", true, subject),
    TEXT(JOURNAL_REQUEST, "verb", true, word),
    TEXT(JOURNAL_REQUEST, "owner", false, owner),
    TEXT(JOURNAL_REQUEST, "reason", false, text),
    NUMBER(JOURNAL_REQUEST, "expires_s", false, expires_s),
    NUMBER(JOURNAL_REQUEST, "until_ns", false, until_ns),
    FLAG(JOURNAL_REQUEST, "force", force),
    FLAG(JOURNAL_REQUEST, "restored", restored),
    NUMBER(JOURNAL_REQUEST, "elapsed_ns", false, elapsed_ns),
    TEXT(JOURNAL_MEMORY, "vip", true, subject),
    NUMBER(JOURNAL_MEMORY, "penalty", true, count_n),
    FLAG(JOURNAL_MEMORY, "suppressed", restored),
    NUMBER(JOURNAL_MEMORY, "elapsed_ns", false, elapsed_ns),
    TEXT(JOURNAL_SESSION, "peer", true, subject),
    TEXT(JOURNAL_SESSION, "state", true, word),
    TEXT(JOURNAL_SESSION, "detail", false, text),
    TEXT(JOURNAL_ROUTE, "vip", true, subject),
    TEXT(JOURNAL_ROUTE, "event", true, word),
    NUMBER(JOURNAL_ROUTE, "elapsed_ns", false, elapsed_ns),
    TEXT(JOURNAL_SPEAKER, "event", true, word),
    NUMBER(JOURNAL_SPEAKER, "count", true, count_n),
    TEXT(JOURNAL_VERDICT, "vip", true, subject),
    TEXT(JOURNAL_VERDICT, "wish", true, word),
    TEXT(JOURNAL_VERDICT, "code", false, code),
    TEXT(JOURNAL_VERDICT, "reason", true, text),
    TEXT(JOURNAL_VERDICT, "attributes", false, detail),
    NUMBER(JOURNAL_LOST, "count", true, count_n),
};

static const char *const kind_names[JOURNAL_KINDS] = {
    [JOURNAL_START] = "start",     [JOURNAL_CHECK] = "check",     [JOURNAL_REQUEST] = "request",
    [JOURNAL_MEMORY] = "memory",   [JOURNAL_SESSION] = "session", [JOURNAL_ROUTE] = "route",
    [JOURNAL_SPEAKER] = "speaker", [JOURNAL_VERDICT] = "verdict", [JOURNAL_LOST] = "lost",
};

void journal_set_text(char *field, size_t size, const char *text)
{
    const size_t whole = strlen(text);
    const size_t len = whole < size ? whole : size - 1;

    memcpy(field, text, len);
    memset(field + len, 0, size - len);
}

/* ---- time ---- */

const char *journal_time_format(int64_t wall_ms, char ret_text[static JOURNAL_TIME_LEN])
{
    const int64_t ms = wall_ms < 0 ? 0 : wall_ms;
    char seconds[24];

    clock_format_utc(ms / 1000, seconds);
    seconds[19] = '\0'; /* the Z comes after the milliseconds */
    snprintf(ret_text, JOURNAL_TIME_LEN, "%s.%03dZ", seconds, (int)(ms % 1000));
    return ret_text;
}

int journal_time_parse(const char *text, int64_t *ret_wall_ms)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int64_t ms = 0;
    time_t seconds;

    if (!rest) {
        return -EINVAL;
    }
    if (rest[0] == '.') {
        for (int i = 1; i <= 3; i++) {
            if (rest[i] < '0' || rest[i] > '9') {
                return -EINVAL;
            }
            ms = ms * 10 + (rest[i] - '0');
        }
        rest += 4;
    }
    seconds = timegm(&parts);
    if (strcmp(rest, "Z") != 0 || seconds < 0 || seconds > WALL_MS_MAX / 1000) {
        return -EINVAL;
    }
    *ret_wall_ms = (int64_t)seconds * 1000 + ms;
    return 0;
}

/* ---- writing ---- */

static json_t *field_json(const struct field *field, const struct journal_record *record)
{
    const char *at = (const char *)record + field->offset;
    int64_t number;
    bool flag;

    switch (field->type) {
    case FIELD_TEXT:
        return field->required || *at ? control_text(at) : NULL;
    case FIELD_NUMBER:
        memcpy(&number, at, sizeof(number));
        return field->required || number ? json_integer(number) : NULL;
    case FIELD_FLAG:
        memcpy(&flag, at, sizeof(flag));
        return flag ? json_true() : NULL;
    }
    return NULL;
}

static size_t record_dump(const struct journal_record *record, char line[static JOURNAL_LINE_LEN])
{
    char time[JOURNAL_TIME_LEN];
    json_t *object =
        json_pack("{s:s, s:I, s:s}", "time", journal_time_format(record->wall_ms, time), "ns",
                  (json_int_t)record->monotonic_ns, "kind", kind_names[record->kind]);
    size_t len = 0;

    for (size_t i = 0; object && i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].kind == record->kind) {
            json_object_set_new(object, fields[i].key, field_json(&fields[i], record));
        }
    }
    if (object) {
        len = json_dumpb(object, line, JOURNAL_LINE_LEN - 1, JSON_COMPACT);
        json_decref(object);
    }
    return len;
}

size_t journal_encode(const struct journal_record *record, char ret_line[static JOURNAL_LINE_LEN])
{
    size_t len = record_dump(record, ret_line);

    if (len >= JOURNAL_LINE_LEN) {
        /* Only texts full of what JSON has to escape are so long; the rest of the line is worth
         * more than they are. */
        struct journal_record shorter = *record;

        shorter.text[JOURNAL_TEXT_LEN / 8] = '\0';
        shorter.subject[JOURNAL_SUBJECT_LEN / 2] = '\0';
        shorter.detail[JOURNAL_ATTRIBUTES_LEN / 4] = '\0';
        len = record_dump(&shorter, ret_line);
    }
    if (len == 0 || len >= JOURNAL_LINE_LEN) {
        return 0;
    }
    ret_line[len] = '\n';
    return len + 1;
}

/* ---- reading ---- */

static int field_read(const struct field *field, const json_t *object,
                      struct journal_record *record)
{
    const json_t *value = json_object_get(object, field->key);
    char *at = (char *)record + field->offset;
    int64_t number;
    bool flag;

    if (!value) {
        return field->required ? -EINVAL : 0;
    }
    switch (field->type) {
    case FIELD_TEXT:
        if (!json_is_string(value)) {
            return -EINVAL;
        }
        journal_set_text(at, field->size, json_string_value(value));
        return 0;
    case FIELD_NUMBER:
        number = json_integer_value(value);
        if (!json_is_integer(value) || number < 0) {
            return -EINVAL;
        }
        memcpy(at, &number, sizeof(number));
        return 0;
    case FIELD_FLAG:
        if (!json_is_boolean(value)) {
            return -EINVAL;
        }
        flag = json_is_true(value);
        memcpy(at, &flag, sizeof(flag));
        return 0;
    }
    return -EINVAL;
}

static int kind_read(const json_t *object, enum journal_kind *ret_kind)
{
    const char *name = json_string_value(json_object_get(object, "kind"));

    if (!name) {
        return -EINVAL;
    }
    for (unsigned kind = 0; kind < JOURNAL_KINDS; kind++) {
        if (strcmp(name, kind_names[kind]) == 0) {
            *ret_kind = (enum journal_kind)kind;
            return 0;
        }
    }
    return -ENOENT;
}

static int record_read(const json_t *object, struct journal_record *record)
{
    const char *time = json_string_value(json_object_get(object, "time"));
    const json_t *ns = json_object_get(object, "ns");
    int code = kind_read(object, &record->kind);

    if (code < 0) {
        return code;
    }
    if (!time || journal_time_parse(time, &record->wall_ms) < 0 || !json_is_integer(ns) ||
        json_integer_value(ns) < 0) {
        return -EINVAL;
    }
    record->monotonic_ns = json_integer_value(ns);
    for (size_t i = 0; code == 0 && i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].kind == record->kind) {
            code = field_read(&fields[i], object, record);
        }
    }
    return code;
}

int journal_decode(const char *line, size_t len, struct journal_record *ret_record)
{
    json_t *object;
    int code;

    *ret_record = (struct journal_record){0};
    if (len >= JOURNAL_LINE_LEN) {
        return -EINVAL;
    }
    object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return -EINVAL;
    }
    code = record_read(object, ret_record);
    json_decref(object);
    return code;
}
