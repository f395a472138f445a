/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/samples.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"
#include "mapper/csv.h"
#include "mapper/key.h"
#include "mapper/special.h"

#define SAMPLE_TIME_MAX_S 253402300799.0 /* end of the year 9999: milliseconds are no seconds */
#define SAMPLE_RTT_MAX_MS 60000.0
#define SAMPLE_COUNT_MAX 1000000000u
#define SAMPLE_PROGRESS_ROWS 4096u

enum sample_column {
    COLUMN_TIME,
    COLUMN_CLIENT,
    COLUMN_POP,
    COLUMN_RTT,
    COLUMN_RESOLVER,
    COLUMN_COUNT,
    COLUMN_BYTES,
    COLUMNS,
};

static const char *const column_names[COLUMNS] = {"time",     "client", "pop",  "rtt_ms",
                                                  "resolver", "count",  "bytes"};

static const char *const fault_texts[SAMPLE_FAULTS] = {
    [SAMPLE_GOOD] = "good",
    [SAMPLE_SYNTAX] = "not a row of the expected form",
    [SAMPLE_TOO_LONG] = "line too long",
    [SAMPLE_MISSING] = "a required value is missing",
    [SAMPLE_BAD_TIME] = "time is not in unix seconds",
    [SAMPLE_BAD_CLIENT] = "client is not an address or a prefix of /8../32 or /16../128",
    [SAMPLE_SPECIAL_CLIENT] = "client is a special-purpose address",
    [SAMPLE_BAD_RESOLVER] = "resolver is not an address",
    [SAMPLE_UNKNOWN_POP] = "PoP is not configured",
    [SAMPLE_BAD_RTT] = "rtt_ms is not a round-trip time",
    [SAMPLE_BAD_COUNT] = "count is not a positive number",
    [SAMPLE_IMPOSSIBLE_RTT] = "faster than light allows from where the client is",
};

const char *sample_fault_text(enum sample_fault fault)
{
    return fault_texts[fault];
}

/* The row's values as text; NULL where absent or empty. */
struct sample_row {
    const char *text[COLUMNS];
    size_t len[COLUMNS];
};

bool sample_client_parse(const char *text, struct block *ret_block)
{
    struct prefix prefix;
    struct key_prefix key;
    unsigned unit;
    unsigned longest;
    unsigned shortest;

    if (prefix_parse(text, false, &prefix) != 0) {
        return false;
    }
    key = key_from_prefix(&prefix);
    unit = key.family == MAP_FAMILY_IPV4 ? 24 : 48;
    longest = key.family == MAP_FAMILY_IPV4 ? 24 : 56;
    shortest = key.family == MAP_FAMILY_IPV4 ? 8 : 16;
    if (key.len < shortest) {
        return false;
    }
    key.len = key.len > longest ? unit : key.len;
    *ret_block = (struct block){.hi = key_first(key.first, key.len).hi,
                                .family = (uint8_t)key.family,
                                .len = (uint8_t)key.len};
    return true;
}

static enum sample_fault client_take(const char *text, struct sample *sample)
{
    struct map_key key = {0, 0};

    if (!sample_client_parse(text, &sample->client)) {
        return SAMPLE_BAD_CLIENT;
    }
    key.hi = sample->client.hi;
    switch (special_find((enum map_family)sample->client.family, key)) {
    case 0:
    case SPECIAL_DOCUMENTATION:
        return SAMPLE_GOOD;
    default:
        return SAMPLE_SPECIAL_CLIENT;
    }
}

/* A resolver nobody on the Internet can see (a private address) says nothing; the row is good
 * without it. */
static enum sample_fault resolver_take(const char *text, struct sample *sample)
{
    struct address address;
    struct map_address folded;
    int special;

    if (address_parse(text, &address) != 0) {
        return SAMPLE_BAD_RESOLVER;
    }
    folded.key = key_from_address(&address);
    folded.family = MAP_FAMILY_IPV4;
    if (address.family == ADDRESS_IPV6) {
        map_address_ipv6(folded.key.hi, folded.key.lo, &folded);
    }
    special = special_find((enum map_family)folded.family, folded.key);
    sample->has_resolver = special == 0 || special == SPECIAL_DOCUMENTATION;
    sample->resolver = (struct block){.hi = folded.key.hi,
                                      .family = folded.family,
                                      .len = folded.family == MAP_FAMILY_IPV4 ? 32 : 64};
    return SAMPLE_GOOD;
}

static enum sample_fault numbers_take(const struct sample_row *row, struct sample *sample)
{
    uint64_t count = 1;
    double time_s;
    double rtt_ms;

    if (number_parse_double(row->text[COLUMN_TIME], row->len[COLUMN_TIME], 1, SAMPLE_TIME_MAX_S,
                            &time_s) != 0) {
        return SAMPLE_BAD_TIME;
    }
    if (number_parse_double(row->text[COLUMN_RTT], row->len[COLUMN_RTT], 0, SAMPLE_RTT_MAX_MS,
                            &rtt_ms) != 0 ||
        rtt_ms <= 0) {
        return SAMPLE_BAD_RTT;
    }
    if (row->text[COLUMN_COUNT] && number_parse_u64(row->text[COLUMN_COUNT], row->len[COLUMN_COUNT],
                                                    1, SAMPLE_COUNT_MAX, &count) != 0) {
        return SAMPLE_BAD_COUNT;
    }
    sample->time_s = (uint64_t)time_s;
    sample->rtt_ms = (float)rtt_ms;
    sample->count = (uint32_t)count;
    return SAMPLE_GOOD;
}

static enum sample_fault row_take(const struct sample_row *row, const struct config *config,
                                  struct sample *ret_sample)
{
    enum sample_fault fault;
    int pop;

    for (int i = COLUMN_TIME; i <= COLUMN_RTT; i++) {
        if (!row->text[i]) {
            return SAMPLE_MISSING;
        }
    }
    *ret_sample = (struct sample){0};
    fault = numbers_take(row, ret_sample);
    if (fault) {
        return fault;
    }
    pop = config_find_pop(config, row->text[COLUMN_POP], row->len[COLUMN_POP]);
    if (pop < 0) {
        return SAMPLE_UNKNOWN_POP;
    }
    ret_sample->pop = (uint8_t)pop;
    fault = client_take(row->text[COLUMN_CLIENT], ret_sample);
    if (!fault && row->text[COLUMN_RESOLVER]) {
        fault = resolver_take(row->text[COLUMN_RESOLVER], ret_sample);
    }
    return fault;
}

struct samples_reader {
    struct line_stream *stream;
    const struct config *config;
    sample_sink sink;
    void *context;
    struct samples_report *report;
    bool json;
    int column[COLUMNS]; /* index of the field, -1 absent */
};

static int header_read(struct samples_reader *reader, struct line *line, struct failure *failure)
{
    const char *name = line_stream_name(reader->stream);
    struct csv_field fields[CSV_MAX_FIELDS];
    int n = line->too_long ? -1 : csv_split(line->text, line->len, fields);

    if (n < 0) {
        return failure_set(failure, -EINVAL, "%s:%" PRIu64 ":1: not a header of column names", name,
                           line->number);
    }
    for (int i = 0; i < COLUMNS; i++) {
        reader->column[i] = csv_find(fields, (size_t)n, column_names[i]);
        if (reader->column[i] < 0 && i <= COLUMN_RTT) {
            return failure_set(failure, -EINVAL,
                               "%s:%" PRIu64 ":1: the header has no column \"%s\"", name,
                               line->number, column_names[i]);
        }
    }
    return 0;
}

static enum sample_fault csv_row(const struct samples_reader *reader, struct line *line,
                                 struct sample *ret_sample)
{
    struct csv_field fields[CSV_MAX_FIELDS];
    struct sample_row row = {0};
    int n = csv_split(line->text, line->len, fields);

    if (n < 0) {
        return SAMPLE_SYNTAX;
    }
    for (int i = 0; i < COLUMNS; i++) {
        int column = reader->column[i];

        if (column >= 0 && column < n && fields[column].len) {
            row.text[i] = fields[column].text;
            row.len[i] = fields[column].len;
        }
    }
    return row_take(&row, reader->config, ret_sample);
}

/* JSON lines are rarer and slower: values are brought into the text form that rows share. */
static enum sample_fault json_row(const struct samples_reader *reader, const struct line *line,
                                  struct sample *ret_sample)
{
    json_t *root = json_loadb(line->text, line->len, JSON_REJECT_DUPLICATES, NULL);
    enum sample_fault fault = SAMPLE_SYNTAX;
    char number[COLUMNS][32];
    struct sample_row row = {0};
    int i;

    for (i = 0; i < COLUMNS && json_is_object(root); i++) {
        const json_t *value = json_object_get(root, column_names[i]);

        if (json_is_string(value)) {
            row.text[i] = json_string_value(value);
            row.len[i] = strlen(row.text[i]);
        } else if (json_is_integer(value)) {
            row.len[i] = (size_t)snprintf(number[i], sizeof(number[i]), "%" JSON_INTEGER_FORMAT,
                                          json_integer_value(value));
            row.text[i] = number[i];
        } else if (json_is_real(value)) {
            row.len[i] =
                (size_t)snprintf(number[i], sizeof(number[i]), "%.17g", json_real_value(value));
            row.text[i] = number[i];
        } else if (value && !json_is_null(value)) {
            break;
        }
        row.text[i] = row.len[i] ? row.text[i] : NULL;
    }
    if (i == COLUMNS) {
        fault = row_take(&row, reader->config, ret_sample);
    }
    json_decref(root);
    return fault;
}

static void fault_note(const struct samples_reader *reader, uint64_t line, enum sample_fault fault)
{
    struct samples_report *report = reader->report;

    report->faults[fault]++;
    if (report->note_n < SAMPLES_NOTES) {
        (void)snprintf(report->notes[report->note_n++], sizeof(report->notes[0]),
                       "%.160s:%" PRIu64 ": %s", line_stream_name(reader->stream), line,
                       sample_fault_text(fault));
    }
}

static int row_read(const struct samples_reader *reader, struct line *line)
{
    struct sample sample;
    enum sample_fault fault = SAMPLE_TOO_LONG;
    int err = 0;

    reader->report->rows++;
    if (!line->too_long) {
        fault = reader->json ? json_row(reader, line, &sample) : csv_row(reader, line, &sample);
    }
    if (fault == SAMPLE_GOOD) {
        fault = reader->sink(reader->context, &sample, &err);
        if (err) {
            return err;
        }
    }
    if (fault != SAMPLE_GOOD) {
        fault_note(reader, line->number, fault);
    } else if (sample.time_s > reader->report->newest_s) {
        reader->report->newest_s = sample.time_s;
    }
    return 0;
}

/* The first line that is not empty tells CSV from JSON lines. */
static int first_line(struct samples_reader *reader, struct line *line, struct failure *failure)
{
    csv_skip_mark(&line->text, &line->len);
    reader->json = !line->too_long && line->text[strspn(line->text, " \t")] == '{';
    return reader->json ? row_read(reader, line) : header_read(reader, line, failure);
}

int samples_read(struct line_stream *stream, const struct config *config, sample_sink sink,
                 void *context, struct samples_report *report, _Atomic uint64_t *read_bytes,
                 struct failure *failure)
{
    struct samples_reader reader = {
        .stream = stream, .config = config, .sink = sink, .context = context, .report = report};
    bool first = true;
    struct line line;
    int err;

    while ((err = line_stream_next(stream, &line, failure)) == 1) {
        if (line.len == 0 && !line.too_long) {
            continue;
        }
        err = first ? first_line(&reader, &line, failure) : row_read(&reader, &line);
        if (err) {
            return err;
        }
        first = false;
        if (read_bytes && report->rows % SAMPLE_PROGRESS_ROWS == 0) {
            atomic_store_explicit(read_bytes, line_stream_offset(stream), memory_order_relaxed);
        }
    }
    if (read_bytes) {
        atomic_store_explicit(read_bytes, line_stream_offset(stream), memory_order_relaxed);
    }
    return err;
}

void samples_report_add(struct samples_report *into, const struct samples_report *from)
{
    into->rows += from->rows;
    for (int i = 0; i < SAMPLE_FAULTS; i++) {
        into->faults[i] += from->faults[i];
    }
    if (from->newest_s > into->newest_s) {
        into->newest_s = from->newest_s;
    }
    for (size_t i = 0; i < from->note_n && into->note_n < SAMPLES_NOTES; i++) {
        memcpy(into->notes[into->note_n++], from->notes[i], sizeof(from->notes[i]));
    }
}

uint64_t samples_report_bad(const struct samples_report *report)
{
    uint64_t bad = 0;

    for (int i = SAMPLE_GOOD + 1; i < SAMPLE_FAULTS; i++) {
        bad += report->faults[i];
    }
    return bad;
}
