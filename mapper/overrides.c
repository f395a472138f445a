/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/overrides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/number.h"
#include "mapper/csv.h"

#define OVERRIDE_SPACES_ALL ((1u << MAP_SPACES) - 1)
#define OVERRIDE_LEN4 24 /* what resolvers send, RFC 7871 section 11.1 */
#define OVERRIDE_LEN6 56

/* Where the columns are; -1 absent. In the short layout every field after the prefix is a PoP. */
struct override_columns {
    bool known;
    bool simple;
    int prefix;
    int map;
    int space;
    int pops;
    int expires;
};

struct override_row {
    const struct config *config;
    const char *file;
    uint64_t line;
    const struct csv_field *fields;
    int n;
};

/* `column` is where in the line, from 1. */
static int row_fail(const struct override_row *row, size_t column, struct failure *failure,
                    const char *reason, const char *what)
{
    return failure_set(failure, -EINVAL, "%s:%llu:%zu: %s%s%.80s%s", row->file,
                       (unsigned long long)row->line, column, reason, what ? " \"" : "",
                       what ? what : "", what ? "\"" : "");
}

/* Where the field of a column starts; 1 if the row has none. */
static size_t row_column(const struct override_row *row, int field)
{
    return field >= 0 && field < row->n ? row->fields[field].column : 1;
}

static int columns_read(const struct override_row *row, struct override_columns *columns,
                        bool *ret_header, struct failure *failure)
{
    static const char *const names[] = {"prefix", "map",   "space",   "pops",
                                        "reason", "owner", "expires", NULL};
    size_t n = (size_t)row->n;

    columns->known = true;
    columns->prefix = csv_find(row->fields, n, "prefix");
    columns->pops = csv_find(row->fields, n, "pops");
    *ret_header = columns->prefix >= 0;
    columns->simple = columns->prefix <= 0 && columns->pops < 0;
    if (columns->simple) { /* no header, or "prefix,pop" */
        columns->prefix = 0;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        bool known = false;

        for (size_t k = 0; names[k]; k++) {
            known = known || strcmp(names[k], row->fields[i].text) == 0;
        }
        if (!known) {
            return row_fail(row, row->fields[i].column, failure, "unknown column",
                            row->fields[i].text);
        }
    }
    if (columns->prefix < 0 || columns->pops < 0) {
        return row_fail(row, 1, failure, "the header needs the columns prefix and pops", NULL);
    }
    columns->map = csv_find(row->fields, n, "map");
    columns->space = csv_find(row->fields, n, "space");
    columns->expires = csv_find(row->fields, n, "expires");
    return 0;
}

static int pop_add(const struct override_row *row, size_t column, const char *name, size_t len,
                   struct override *item, struct failure *failure)
{
    char text[MAP_NAME_SIZE];
    int pop = config_find_pop(row->config, name, len);

    (void)snprintf(text, sizeof(text), "%.*s", (int)(len < MAP_NAME_SIZE ? len : MAP_NAME_SIZE),
                   name);
    if (pop < 0) {
        return row_fail(row, column, failure, "no PoP", text);
    }
    for (unsigned i = 0; i < item->pop_n; i++) {
        if ((uint8_t)(item->pops >> (8 * i)) == pop) {
            return row_fail(row, column, failure, "the row names twice the PoP", text);
        }
    }
    if (item->pop_n == MAP_RECORD_POPS) {
        return row_fail(row, column, failure, "a pin has at most 8 PoPs", NULL);
    }
    item->pops &= ~(UINT64_C(0xff) << (8 * item->pop_n));
    item->pops |= (uint64_t)pop << (8 * item->pop_n);
    item->pop_n++;
    return 0;
}

static int pop_list_read(const struct override_row *row, int field, struct override *item,
                         struct failure *failure)
{
    const char *start = field < row->n ? row->fields[field].text : "";
    const char *text = start;
    int err = 0;

    while (*text && !err) {
        size_t len = strcspn(text, " ;|,");

        if (len) {
            err = pop_add(row, row_column(row, field) + (size_t)(text - start), text, len, item,
                          failure);
        }
        text += len;
        text += strspn(text, " ;|,");
    }
    return err;
}

static bool map_has_pops(const struct config_map *map, const struct override *item)
{
    for (unsigned i = 0; i < item->pop_n; i++) {
        if (!memchr(map->pops, (int)(item->pops >> (8 * i) & 0xff), map->pop_n)) {
            return false;
        }
    }
    return true;
}

static const char *row_text(const struct override_row *row, int column)
{
    bool given = column >= 0 && column < row->n && row->fields[column].len;

    return given ? row->fields[column].text : NULL;
}

/* The named map, or every map that has all the listed PoPs. */
static int maps_find(const struct override_row *row, int field, struct override *item,
                     struct failure *failure)
{
    const char *name = row_text(row, field);
    size_t column = row_column(row, field);
    const struct config *config = row->config;

    for (size_t i = 0; i < config->map_n; i++) {
        if (name && strcmp(config->maps[i].name, name) != 0) {
            continue;
        }
        if (map_has_pops(&config->maps[i], item)) {
            item->maps |= 1u << i;
        } else if (name) {
            return row_fail(row, column, failure, "not all PoPs of the row belong to map", name);
        }
    }
    if (item->maps) {
        return 0;
    }
    return name ? row_fail(row, column, failure, "no map", name)
                : row_fail(row, column, failure, "no map has all PoPs of the row", NULL);
}

static int expiry_parse(const char *text, uint64_t *ret_s)
{
    struct tm when = {0};
    const char *end;
    time_t seconds;

    if (number_parse_u64(text, strlen(text), 0, UINT64_MAX - 1, ret_s) == 0) {
        return 0;
    }
    end = strptime(text, "%Y-%m-%d", &when);
    if (end && *end == 'T') {
        end = strptime(end, "T%H:%M:%SZ", &when);
    }
    if (!end || *end) {
        return -EINVAL;
    }
    seconds = timegm(&when);
    if (seconds < 0) {
        return -EINVAL;
    }
    *ret_s = (uint64_t)seconds;
    return 0;
}

static int row_options(const struct override_row *row, const struct override_columns *columns,
                       struct override *item, struct failure *failure)
{
    const char *space = row_text(row, columns->space);
    const char *expires = row_text(row, columns->expires);

    if (!space || strcmp(space, "any") == 0) {
        item->spaces = OVERRIDE_SPACES_ALL;
    } else if (strcmp(space, "client") == 0) {
        item->spaces = 1u << MAP_SPACE_CLIENT;
    } else if (strcmp(space, "resolver") == 0) {
        item->spaces = 1u << MAP_SPACE_RESOLVER;
    } else {
        return row_fail(row, row_column(row, columns->space), failure,
                        "space is client, resolver or any, not", space);
    }
    if (expires && expiry_parse(expires, &item->expires_s) != 0) {
        return row_fail(row, row_column(row, columns->expires), failure, "not a time:", expires);
    }
    return 0;
}

static int row_read(const struct override_row *row, const struct override_columns *columns,
                    struct override *item, struct failure *failure)
{
    const char *text = row_text(row, columns->prefix);
    struct prefix prefix;
    int err = 0;

    *item = (struct override){.pops = UINT64_MAX,
                              .expires_s = UINT64_MAX,
                              .line = row->line,
                              .spaces = OVERRIDE_SPACES_ALL};
    if (!text || prefix_parse(text, true, &prefix) != 0) {
        return row_fail(row, row_column(row, columns->prefix), failure,
                        "not a prefix without host bits:", text ? text : "");
    }
    item->prefix = key_from_prefix(&prefix);
    if (columns->simple) {
        for (int i = 1; i < row->n && !err; i++) {
            err = row->fields[i].len ? pop_add(row, row->fields[i].column, row->fields[i].text,
                                               row->fields[i].len, item, failure)
                                     : 0;
        }
    } else {
        err = pop_list_read(row, columns->pops, item, failure);
        err = err ? err : row_options(row, columns, item, failure);
    }
    if (!err && item->pop_n == 0) {
        return row_fail(row, row_column(row, columns->pops), failure, "the row names no PoP", NULL);
    }
    return err ? err : maps_find(row, columns->map, item, failure);
}

static void finer_note(struct overrides *overrides, const struct override_row *row,
                       const struct override *item)
{
    unsigned cap = item->prefix.family == MAP_FAMILY_IPV4 ? OVERRIDE_LEN4 : OVERRIDE_LEN6;

    if (item->prefix.len <= cap || !(item->spaces & 1u << MAP_SPACE_CLIENT)) {
        return;
    }
    if (overrides->finer_n++ == 0) {
        (void)failure_set(
            &overrides->finer, 0,
            "%s:%llu: finer than the /%u resolvers send: most answers will not meet it", row->file,
            (unsigned long long)row->line, cap);
    }
}

static int override_push(struct overrides *overrides, const struct override *item,
                         struct failure *failure)
{
    if (overrides->n == overrides->capacity) {
        size_t capacity = overrides->capacity ? overrides->capacity * 2 : 1024;
        struct override *grown = realloc(overrides->item, capacity * sizeof(*grown));

        if (!grown) {
            return failure_set(failure, -ENOMEM, "out of memory");
        }
        overrides->item = grown;
        overrides->capacity = capacity;
    }
    overrides->item[overrides->n++] = *item;
    return 0;
}

static int line_read(struct overrides *overrides, struct override_row *row, uint16_t file,
                     struct override_columns *columns, struct failure *failure)
{
    struct override item;
    bool header = false;
    int err = 0;

    if (!columns->known) {
        err = columns_read(row, columns, &header, failure);
    }
    if (err || header) {
        return err;
    }
    err = row_read(row, columns, &item, failure);
    if (err) {
        return err;
    }
    item.file = file;
    finer_note(overrides, row, &item);
    return override_push(overrides, &item, failure);
}

int overrides_read(struct overrides *overrides, const struct config *config, uint16_t file,
                   struct line_stream *stream, struct failure *failure)
{
    struct override_columns columns = {
        .prefix = -1, .map = -1, .space = -1, .pops = -1, .expires = -1};
    struct csv_field fields[CSV_MAX_FIELDS];
    struct line line;
    int err;

    while ((err = line_stream_next(stream, &line, failure)) == 1) {
        struct override_row row = {.config = config,
                                   .file = line_stream_name(stream),
                                   .line = line.number,
                                   .fields = fields};

        if (line.number == 1) {
            csv_skip_mark(&line.text, &line.len);
        }
        if (!line.too_long && (line.len == 0 || line.text[0] == '#')) {
            continue;
        }
        row.n = line.too_long ? -1 : csv_split(line.text, line.len, fields);
        if (row.n < 0) {
            return row_fail(&row, 1, failure, "not a row of comma-separated values", NULL);
        }
        err = line_read(overrides, &row, file, &columns, failure);
        if (err) {
            return err;
        }
    }
    return err;
}

int overrides_load(const struct config *config, struct overrides *ret_overrides,
                   struct failure *failure)
{
    struct overrides overrides = {0};
    int err = 0;

    for (size_t i = 0; i < config->overrides.n && !err; i++) {
        struct line_stream *stream;

        err = line_stream_open(config->overrides.path[i], &stream, failure);
        if (!err) {
            err = overrides_read(&overrides, config, (uint16_t)i, stream, failure);
            line_stream_close(stream);
        }
    }
    if (err) {
        overrides_done(&overrides);
        return err;
    }
    *ret_overrides = overrides;
    return 0;
}

void overrides_done(struct overrides *overrides)
{
    free(overrides->item);
    *overrides = (struct overrides){0};
}

/* After sorting, equal prefixes stand side by side. */
static int conflict_check(const struct overrides *overrides, const struct config *config,
                          const struct steps_prefix *prefixes, size_t n, struct failure *failure)
{
    for (size_t i = 1; i < n; i++) {
        const struct override *a = &overrides->item[prefixes[i - 1].value];
        const struct override *b = &overrides->item[prefixes[i].value];

        if (prefixes[i].len == prefixes[i - 1].len && a->pops != b->pops &&
            key_compare(prefixes[i].first, prefixes[i - 1].first) == 0) {
            return failure_set(failure, -EINVAL, "%s:%llu:1: pins differently what %s:%llu pins",
                               config->overrides.path[b->file], (unsigned long long)b->line,
                               config->overrides.path[a->file], (unsigned long long)a->line);
        }
    }
    return 0;
}

int overrides_steps(const struct overrides *overrides, const struct config *config, size_t map,
                    enum map_space space, enum map_family family, uint64_t generation,
                    struct steps *ret_steps, struct failure *failure)
{
    struct steps_prefix *prefixes = calloc(overrides->n ? overrides->n : 1, sizeof(*prefixes));
    size_t n = 0;
    int err;

    if (!prefixes) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < overrides->n; i++) {
        const struct override *item = &overrides->item[i];

        if (item->prefix.family == family && (item->maps & 1u << map) &&
            (item->spaces & 1u << space) && item->expires_s > generation) {
            prefixes[n++] = (struct steps_prefix){
                .first = item->prefix.first, .len = item->prefix.len, .value = (uint32_t)i};
        }
    }
    err = steps_from_prefixes(prefixes, n, ret_steps);
    err = err ? failure_set(failure, err, "out of memory")
              : conflict_check(overrides, config, prefixes, n, failure);
    free(prefixes);
    return err;
}
