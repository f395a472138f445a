/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/asn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"
#include "mapper/csv.h"

#define ASN_UNIT4 24
#define ASN_UNIT6 56

/* Whole units only: the first one that starts in the range, the last one that ends in it. False
 * when there is none. */
static bool range_clip(enum map_family family, struct map_key start, struct map_key end,
                       struct asn_range *range)
{
    unsigned unit = family == MAP_FAMILY_IPV4 ? ASN_UNIT4 : ASN_UNIT6;
    uint64_t below = UINT64_MAX >> unit;

    if (start.hi & below || start.lo) {
        if ((start.hi | below) == UINT64_MAX) {
            return false;
        }
        start.hi = (start.hi | below) + 1;
    }
    if (family == MAP_FAMILY_IPV4) {
        end.hi |= UINT32_MAX; /* the bits behind an IPv4 address */
        end.lo = UINT64_MAX;
    }
    if ((end.hi & below) != below || end.lo != UINT64_MAX) {
        if (end.hi <= below) {
            return false;
        }
        end.hi = (end.hi & ~below) - 1;
    }
    range->first_hi = start.hi;
    range->last_hi = end.hi;
    return start.hi <= end.hi;
}

static int range_push(struct asn_table *table, enum map_family family,
                      const struct asn_range *range)
{
    if (table->range_n[family] == table->range_capacity[family]) {
        size_t capacity = table->range_n[family] ? table->range_n[family] * 2 : 4096;
        struct asn_range *grown = realloc(table->range[family], capacity * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        table->range[family] = grown;
        table->range_capacity[family] = capacity;
    }
    table->range[family][table->range_n[family]++] = *range;
    return 0;
}

static int row_fail(const struct line_stream *stream, uint64_t line, size_t column,
                    struct failure *failure, const char *reason)
{
    return failure_set(failure, -EINVAL, "%s:%" PRIu64 ":%zu: %s", line_stream_name(stream), line,
                       column, reason);
}

/* start and end are addresses of one family. */
static int row_read(struct asn_table *table, const struct line_stream *stream, uint64_t line,
                    const struct csv_field *fields, int n, struct failure *failure)
{
    struct address start;
    struct address end;
    struct map_key first;
    struct map_key last;
    struct asn_range range = {0};
    enum map_family family;
    uint64_t asn;

    if (n < 3) {
        return row_fail(stream, line, 1, failure, "a row is start,end,asn[,name]");
    }
    if (address_parse(fields[0].text, &start) != 0 || address_parse(fields[1].text, &end) != 0 ||
        start.family != end.family || address_compare(&start, &end) > 0) {
        return row_fail(stream, line, 1, failure, "start and end are not a range of addresses");
    }
    if (number_parse_u64(fields[2].text, fields[2].len, 0, UINT32_MAX, &asn) != 0) {
        return row_fail(stream, line, fields[2].column, failure, "asn is not the number of an AS");
    }
    family = start.family == ADDRESS_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6;
    first = key_from_address(&start);
    last = key_from_address(&end);
    range.asn = (uint32_t)asn;
    range.order = (uint32_t)table->range_n[family];
    if (asn == 0 || !range_clip(family, first, last, &range)) {
        return 0; /* AS 0 is nobody (RFC 7607) */
    }
    return range_push(table, family, &range) == 0
               ? 0
               : failure_set(failure, -ENOMEM, "%s: out of memory", line_stream_name(stream));
}

int asn_read(struct asn_table *table, struct line_stream *stream, struct failure *failure)
{
    struct csv_field fields[CSV_MAX_FIELDS];
    bool first = true;
    struct line line;
    int err;

    while ((err = line_stream_next(stream, &line, failure)) == 1) {
        int n;

        if (first) {
            csv_skip_mark(&line.text, &line.len);
        }
        if (!line.too_long && (line.len == 0 || line.text[0] == '#')) {
            continue;
        }
        n = line.too_long ? -1 : csv_split(line.text, line.len, fields);
        if (n < 0) {
            return row_fail(stream, line.number, 1, failure, "not a row of comma-separated values");
        }
        if (!first || strcmp(fields[0].text, "start") != 0) { /* else a header */
            err = row_read(table, stream, line.number, fields, n, failure);
            if (err) {
                return err;
            }
        }
        first = false;
    }
    return err;
}

static int range_order(const void *left, const void *right)
{
    const struct asn_range *a = left;
    const struct asn_range *b = right;

    if (a->first_hi != b->first_hi) {
        return a->first_hi < b->first_hi ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* From sorted ranges to steps; where ranges overlap the later one cuts the earlier one short. */
static int family_finish(struct asn_table *table, enum map_family family)
{
    const struct asn_range *range = table->range[family];
    size_t n = table->range_n[family];

    for (size_t i = 0; i < n; i++) {
        struct map_key start = {range[i].first_hi, 0};
        struct map_key after = {range[i].last_hi, UINT64_MAX};

        table->asn[table->n] = range[i].asn;
        if (steps_append(&table->networks[family], start, (uint32_t)table->n++) != 0) {
            return -ENOMEM;
        }
        if ((i + 1 == n || range[i + 1].first_hi > range[i].last_hi) && key_advance(&after) &&
            steps_append(&table->networks[family], after, STEPS_NONE) != 0) {
            return -ENOMEM;
        }
    }
    steps_trim(&table->networks[family]);
    return 0;
}

int asn_finish(struct asn_table *table)
{
    size_t n = table->range_n[MAP_FAMILY_IPV4] + table->range_n[MAP_FAMILY_IPV6];
    int err = 0;

    table->asn = calloc(n + 1, sizeof(*table->asn));
    if (!table->asn) {
        return -ENOMEM;
    }
    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        if (table->range_n[family]) {
            qsort(table->range[family], table->range_n[family], sizeof(struct asn_range),
                  range_order);
        }
        err = family_finish(table, (enum map_family)family);
        free(table->range[family]);
        table->range[family] = NULL;
        table->range_n[family] = 0;
    }
    return err;
}

int asn_load(const struct config *config, struct asn_table *ret_table, struct failure *failure)
{
    struct asn_table table = {0};
    int err = 0;

    for (size_t i = 0; i < config->asn.n && !err; i++) {
        struct line_stream *stream;

        err = line_stream_open(config->asn.path[i], &stream, failure);
        if (!err) {
            err = asn_read(&table, stream, failure);
            line_stream_close(stream);
        }
    }
    if (!err && asn_finish(&table) != 0) {
        err = failure_set(failure, -ENOMEM, "out of memory");
    }
    if (err) {
        asn_done(&table);
        return err;
    }
    *ret_table = table;
    return 0;
}

void asn_done(struct asn_table *table)
{
    for (int family = 0; family < MAP_FAMILIES; family++) {
        steps_done(&table->networks[family]);
        free(table->range[family]);
    }
    free(table->asn);
    *table = (struct asn_table){0};
}
