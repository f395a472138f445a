/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Collects parts in any order, then lays them out in one. Whatever depends on the order in which
 * parts came (temporary ids of records, offsets of provenance rows) is renumbered to the order of
 * first use in the finished image, so that equal content gives equal bytes.
 */
#include "maps/image_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "maps/content_index.h"
#include "maps/image_check.h"
#include "maps/image_digest.h"
#include "maps/table_builder.h"
#include "maps/wide_key.h"

#define UNIT_SIZE ((size_t)8)

struct ranges {
    struct image_provenance_range *items;
    size_t n;
};

struct image_builder {
    uint64_t generation;
    uint64_t parent_generation;
    struct map_pop pops[MAP_MAX_POPS];
    uint32_t pop_n;
    struct map_entry maps[MAP_MAX_MAPS];
    uint32_t map_n;
    struct map_record *records; /* by temporary id */
    uint32_t record_n;
    uint32_t record_max;
    struct content_index record_index;
    struct table tables[MAP_MAX_MAPS][MAP_SPACES][MAP_FAMILIES];
    uint64_t *rows; /* by temporary offset */
    uint32_t row_units;
    uint32_t row_units_max;
    struct content_index row_index;
    struct ranges ranges[MAP_SPACES][MAP_FAMILIES];
    uint8_t *bytes; /* set by finish */
    size_t len;
    struct image_stats stats;
};

struct image_builder *image_builder_new(uint64_t generation, uint64_t parent_generation)
{
    struct image_builder *builder = calloc(1, sizeof(*builder));

    if (builder) {
        builder->generation = generation;
        builder->parent_generation = parent_generation;
    }
    return builder;
}

/* What only serves building; the finished bytes stay. */
static void builder_drop_parts(struct image_builder *builder)
{
    free(builder->records);
    free(builder->record_index.slots);
    free(builder->rows);
    free(builder->row_index.slots);
    builder->records = NULL;
    builder->record_index = (struct content_index){0};
    builder->rows = NULL;
    builder->row_index = (struct content_index){0};
    for (uint32_t i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
        struct ranges *ranges = &builder->ranges[i / MAP_FAMILIES][i % MAP_FAMILIES];

        free(ranges->items);
        *ranges = (struct ranges){0};
    }
    for (uint32_t i = 0; i < MAP_MAX_MAPS * MAP_SPACES * MAP_FAMILIES; i++) {
        table_done(&builder->tables[i / (MAP_SPACES * MAP_FAMILIES)][i / MAP_FAMILIES % MAP_SPACES]
                                   [i % MAP_FAMILIES]);
    }
}

void image_builder_free(struct image_builder *builder)
{
    if (builder) {
        builder_drop_parts(builder);
        free(builder->bytes);
        free(builder);
    }
}

static int check_open(const struct image_builder *builder, struct failure *failure)
{
    return builder->bytes ? failure_set(failure, -EINVAL, "the image is finished already") : 0;
}

static int put_name(const char *name, char ret_name[static MAP_NAME_SIZE], struct failure *failure)
{
    size_t len = strlen(name);

    memset(ret_name, 0, MAP_NAME_SIZE);
    memcpy(ret_name, name, len < MAP_NAME_SIZE ? len : MAP_NAME_SIZE);
    if (!image_name_is_clean(ret_name)) {
        return failure_set(failure, -EINVAL,
                           "\"%s\": a name has 1 to %u of the characters A-Z a-z 0-9 . _ -", name,
                           MAP_NAME_SIZE - 1);
    }
    return 0;
}

int image_builder_add_pop(struct image_builder *builder, const char *name, int32_t latitude_e6,
                          int32_t longitude_e6, struct failure *failure)
{
    struct map_pop pop = {.latitude_e6 = latitude_e6, .longitude_e6 = longitude_e6};
    int error = check_open(builder, failure);

    if (error == 0) {
        error = put_name(name, pop.name, failure);
    }
    if (error < 0) {
        return error;
    }
    if (latitude_e6 < -90000000 || latitude_e6 > 90000000 || longitude_e6 < -180000000 ||
        longitude_e6 > 180000000) {
        return failure_set(failure, -EINVAL, "PoP %s lies outside of the world", name);
    }
    for (uint32_t i = 0; i < builder->pop_n; i++) {
        if (strcmp(builder->pops[i].name, name) == 0) {
            return failure_set(failure, -EINVAL, "two PoPs are named %s", name);
        }
    }
    if (builder->pop_n == MAP_MAX_POPS) {
        return failure_set(failure, -ENOSPC, "more than %u PoPs", MAP_MAX_POPS);
    }
    builder->pops[builder->pop_n] = pop;
    return (int)builder->pop_n++;
}

/* The default in the given order, then the others by id. */
static int put_tail(const struct image_builder *builder, struct map_entry *map, const uint8_t *pops,
                    size_t pop_n, size_t default_n, struct failure *failure)
{
    bool rest[MAP_TAIL_SIZE] = {false};
    bool seen[MAP_TAIL_SIZE] = {false};
    uint16_t n = 0;

    memset(map->tail, MAP_POP_NONE, sizeof(map->tail));
    if (!pop_n || pop_n > builder->pop_n || default_n > pop_n) {
        return failure_set(failure, -EINVAL, "map %s: %zu PoPs, %zu of them the default, of %u",
                           map->name, pop_n, default_n, builder->pop_n);
    }
    for (size_t i = 0; i < pop_n; i++) {
        if (pops[i] >= builder->pop_n || seen[pops[i]]) {
            return failure_set(failure, -EINVAL, "map %s: PoP %u twice, or there is no such PoP",
                               map->name, pops[i]);
        }
        seen[pops[i]] = true;
        rest[pops[i]] = i >= default_n;
        if (i < default_n) {
            map->tail[n++] = pops[i];
        }
    }
    for (uint32_t pop = 0; pop < builder->pop_n; pop++) {
        if (rest[pop]) {
            map->tail[n++] = (uint8_t)pop;
        }
    }
    map->tail_n = n;
    map->default_n = (uint16_t)default_n;
    return 0;
}

int image_builder_add_map(struct image_builder *builder, const char *name, const uint8_t *pops,
                          size_t pop_n, size_t default_n, struct failure *failure)
{
    struct map_entry map = {0};
    int error = check_open(builder, failure);

    if (error == 0) {
        error = put_name(name, map.name, failure);
    }
    if (error == 0) {
        error = put_tail(builder, &map, pops, pop_n, default_n, failure);
    }
    if (error < 0) {
        return error;
    }
    for (uint32_t i = 0; i < builder->map_n; i++) {
        if (strcmp(builder->maps[i].name, name) == 0) {
            return failure_set(failure, -EINVAL, "two maps are named %s", name);
        }
    }
    if (builder->map_n == MAP_MAX_MAPS) {
        return failure_set(failure, -ENOSPC, "more than %u maps", MAP_MAX_MAPS);
    }
    builder->maps[builder->map_n] = map;
    return (int)builder->map_n++;
}

int64_t image_builder_intern(struct image_builder *builder, const struct map_record *record)
{
    uint64_t words[2];
    uint32_t hash;
    uint64_t place;
    uint32_t id;

    memcpy(words, record, sizeof(words));
    hash = content_hash(words, 2);
    place = content_index_start(&builder->record_index, hash);
    while (content_index_next(&builder->record_index, hash, &place, &id)) {
        if (memcmp(&builder->records[id], record, sizeof(*record)) == 0) {
            return id;
        }
    }
    if (builder->bytes) {
        return -EINVAL;
    }
    if (builder->record_n == MAP_RECORD_MAX) {
        return -ENOSPC;
    }
    if (builder->record_n == builder->record_max) {
        uint32_t record_max = builder->record_max ? builder->record_max * 2 : 256;
        struct map_record *grown = realloc(builder->records, record_max * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        builder->records = grown;
        builder->record_max = record_max;
    }
    builder->records[builder->record_n] = *record;
    if (content_index_add(&builder->record_index, hash, builder->record_n) < 0) {
        return -ENOMEM;
    }
    return builder->record_n++;
}

static int check_runs(const struct image_builder *builder, enum map_space space,
                      enum map_family family, const struct image_run *runs, size_t run_n,
                      struct failure *failure)
{
    for (size_t i = 0; i < run_n; i++) {
        wide_key start = wide_key_from(&runs[i].start);
        uint32_t record = runs[i].record;

        if (i ? start <= wide_key_from(&runs[i - 1].start) : start != 0) {
            return failure_set(failure, -EINVAL, "runs do not start at 0 or do not rise (run %zu)",
                               i);
        }
        if (family == MAP_FAMILY_IPV4 && (start & wide_key_host_mask(32))) {
            return failure_set(failure, -EINVAL, "run %zu starts inside an IPv4 address", i);
        }
        if (record >= builder->record_n && record != MAP_RECORD_SPECIAL &&
            !(record == MAP_RECORD_FALLBACK && space == MAP_SPACE_RESOLVER)) {
            return failure_set(failure, -EINVAL, "run %zu: record %u cannot stand in this table", i,
                               record);
        }
    }
    return run_n ? 0 : failure_set(failure, -EINVAL, "a table needs at least one run");
}

int image_builder_add_table(struct image_builder *builder, uint32_t map, enum map_space space,
                            enum map_family family, const struct image_run *runs, size_t run_n,
                            bool whole, struct failure *failure)
{
    struct table *table;
    int error = check_open(builder, failure);

    if (error < 0) {
        return error;
    }
    if (map >= builder->map_n || space >= MAP_SPACES || family >= MAP_FAMILIES) {
        return failure_set(failure, -EINVAL, "there is no such table");
    }
    table = &builder->tables[map][space][family];
    if (table->bytes) {
        return failure_set(failure, -EINVAL, "map %s has this table already",
                           builder->maps[map].name);
    }
    error = check_runs(builder, space, family, runs, run_n, failure);
    if (error == 0) {
        error = table_build(runs, run_n, family, whole, table);
        if (error < 0) {
            failure_set(failure, error, "cannot build a lookup table: %s", strerror(-error));
        } else if (whole && table->run_n != 1) {
            table_done(table);
            error =
                failure_set(failure, -EINVAL, "a table for every client has more than one record");
        }
    }
    return error < 0 ? failure_wrap(failure, error, "map %s", builder->maps[map].name) : 0;
}

static int rows_reserve(struct image_builder *builder, uint32_t unit_n)
{
    uint64_t *grown;
    uint32_t max = builder->row_units_max;

    if (unit_n > UINT32_MAX / 2 - builder->row_units) {
        return -ENOSPC;
    }
    while (max < builder->row_units + unit_n) {
        max = max ? max * 2 : 4096;
    }
    if (max == builder->row_units_max) {
        return 0;
    }
    grown = realloc(builder->rows, (size_t)max * UNIT_SIZE);
    if (!grown) {
        return -ENOMEM;
    }
    builder->rows = grown;
    builder->row_units_max = max;
    return 0;
}

int64_t image_builder_add_row(struct image_builder *builder, const struct map_row *row,
                              const struct map_estimate *estimates)
{
    uint32_t unit_n = 1u + row->estimate_n;
    uint32_t offset = builder->row_units;
    uint32_t found;
    uint64_t place;
    uint32_t hash;
    int error = builder->bytes ? -EINVAL : rows_reserve(builder, unit_n);

    if (error < 0) {
        return error;
    }
    memcpy(&builder->rows[offset], row, sizeof(*row));
    if (row->estimate_n) {
        memcpy(&builder->rows[offset + 1], estimates, row->estimate_n * sizeof(*estimates));
    }
    hash = content_hash(&builder->rows[offset], unit_n);
    place = content_index_start(&builder->row_index, hash);
    while (content_index_next(&builder->row_index, hash, &place, &found)) {
        /* the row's own first unit tells its length; never past what is stored */
        if (unit_n <= offset - found &&
            memcmp(&builder->rows[found], &builder->rows[offset], unit_n * UNIT_SIZE) == 0) {
            return found;
        }
    }
    error = content_index_add(&builder->row_index, hash, offset);
    if (error < 0) {
        return error;
    }
    builder->row_units += unit_n;
    return offset;
}

int image_builder_add_provenance(struct image_builder *builder, enum map_space space,
                                 enum map_family family,
                                 const struct image_provenance_range *ranges, size_t range_n,
                                 struct failure *failure)
{
    struct ranges *place;
    int error = check_open(builder, failure);

    if (error < 0) {
        return error;
    }
    if (space >= MAP_SPACES || family >= MAP_FAMILIES || builder->ranges[space][family].items) {
        return failure_set(failure, -EINVAL,
                           "provenance of this space and family is there already");
    }
    for (size_t i = 0; i < range_n; i++) {
        uint64_t start = ranges[i].start_hi;

        if ((i ? start <= ranges[i - 1].start_hi : start != 0) ||
            (family == MAP_FAMILY_IPV4 && (uint32_t)start) || ranges[i].row >= builder->row_units) {
            return failure_set(failure, -EINVAL,
                               "provenance ranges do not start at 0, do not rise or have no row "
                               "(range %zu)",
                               i);
        }
    }
    if (!range_n) {
        return failure_set(failure, -EINVAL, "provenance needs at least one range");
    }
    place = &builder->ranges[space][family];
    place->items = malloc(range_n * sizeof(*ranges));
    if (!place->items) {
        return failure_set(failure, -ENOMEM, "out of memory for provenance");
    }
    memcpy(place->items, ranges, range_n * sizeof(*ranges));
    place->n = range_n;
    return 0;
}

/* Temporary number -> final number, given out in the order of asking. */
struct renumber {
    uint32_t *final;      /* UINT32_MAX: not asked for yet */
    uint32_t n;           /* given out */
    const uint64_t *rows; /* for rows: where their lengths stand */
};

static int renumber_init(struct renumber *renumber, size_t n)
{
    renumber->final = malloc((n + 1) * sizeof(uint32_t));
    if (!renumber->final) {
        return -ENOMEM;
    }
    memset(renumber->final, 0xff, (n + 1) * sizeof(uint32_t));
    renumber->n = 0;
    return 0;
}

static uint32_t renumber_record(void *context, uint32_t record)
{
    struct renumber *renumber = context;

    if (renumber->final[record] == UINT32_MAX) {
        renumber->final[record] = renumber->n++;
    }
    return renumber->final[record];
}

static uint32_t row_units(const uint64_t *row)
{
    return 1u + ((const struct map_row *)(const void *)row)->estimate_n;
}

static uint32_t renumber_row(struct renumber *renumber, uint32_t row)
{
    if (renumber->final[row] == UINT32_MAX) {
        renumber->final[row] = renumber->n;
        renumber->n += row_units(&renumber->rows[row]);
    }
    return renumber->final[row];
}

/* Where the sections go; first counted, then filled. */
struct layout {
    struct image_builder *builder;
    struct map_header header;
    uint64_t block_n;
    struct renumber records;
    struct renumber rows;
};

static struct map_section *add_section(struct layout *layout, enum map_section_type type,
                                       uint64_t len, uint64_t item_n)
{
    struct map_section *section = &layout->header.sections[layout->header.section_n++];
    uint64_t block_n = (len + MAP_BLOCK_SIZE - 1) / MAP_BLOCK_SIZE;

    block_n = block_n ? block_n : 1;
    *section = (struct map_section){
        .type = (uint16_t)type,
        .first_block = (uint32_t)layout->block_n,
        .block_n = (uint32_t)block_n,
        .len = len,
        .item_n = item_n,
    };
    layout->block_n += block_n;
    return section;
}

static void plan_tables(struct layout *layout)
{
    struct image_builder *builder = layout->builder;

    for (uint32_t i = 0; i < builder->map_n * MAP_SPACES * MAP_FAMILIES; i++) {
        uint32_t map = i / (MAP_SPACES * MAP_FAMILIES);
        uint32_t space = i / MAP_FAMILIES % MAP_SPACES;
        uint32_t family = i % MAP_FAMILIES;
        const struct table *table = &builder->tables[map][space][family];
        struct map_section *section =
            add_section(layout, MAP_SECTION_TABLE, table->len, table->item_n);

        section->map = (uint8_t)map;
        section->space = (uint8_t)space;
        section->family = (uint8_t)family;
        builder->maps[map].tables[space][family] =
            (struct map_table_ref){section->first_block, section->block_n};
        builder->stats.blocks[space][family] += table->item_n;
        builder->stats.table_bytes[space][family] += table->len;
    }
}

static void plan_provenance(struct layout *layout, uint64_t row_n)
{
    struct image_builder *builder = layout->builder;
    struct map_section *section;

    for (uint32_t i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
        uint32_t space = i / MAP_FAMILIES;
        uint32_t family = i % MAP_FAMILIES;
        size_t n = builder->ranges[space][family].n;

        if (n) {
            section = add_section(layout, MAP_SECTION_PROVENANCE_RANGES,
                                  n * (family == MAP_FAMILY_IPV4 ? sizeof(struct map_range4)
                                                                 : sizeof(struct map_range6)),
                                  n);
            section->space = (uint8_t)space;
            section->family = (uint8_t)family;
            section->flags = MAP_SECTION_OPTIONAL;
        }
    }
    if (row_n) {
        section = add_section(layout, MAP_SECTION_PROVENANCE_ROWS,
                              (uint64_t)layout->rows.n * UNIT_SIZE, row_n);
        section->flags = MAP_SECTION_OPTIONAL;
    }
}

/* Renumbers in place and returns how many rows are used. */
static uint64_t renumber_ranges(struct layout *layout)
{
    struct image_builder *builder = layout->builder;
    uint64_t row_n = 0;

    for (uint32_t i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
        struct ranges *ranges = &builder->ranges[i / MAP_FAMILIES][i % MAP_FAMILIES];

        for (size_t k = 0; k < ranges->n; k++) {
            row_n += layout->rows.final[ranges->items[k].row] == UINT32_MAX;
            ranges->items[k].row = renumber_row(&layout->rows, ranges->items[k].row);
        }
    }
    return row_n;
}

static int plan(struct layout *layout, struct failure *failure)
{
    struct image_builder *builder = layout->builder;
    uint64_t row_n;

    if (!builder->pop_n || !builder->map_n) {
        return failure_set(failure, -EINVAL, "an image needs at least one PoP and one map");
    }
    if (renumber_init(&layout->records, builder->record_n) < 0 ||
        renumber_init(&layout->rows, builder->row_units) < 0) {
        return failure_set(failure, -ENOMEM, "out of memory for the image");
    }
    layout->rows.rows = builder->rows;
    for (uint32_t i = 0; i < builder->map_n * MAP_SPACES * MAP_FAMILIES; i++) {
        uint32_t map = i / (MAP_SPACES * MAP_FAMILIES);
        struct table *table =
            &builder->tables[map][i / MAP_FAMILIES % MAP_SPACES][i % MAP_FAMILIES];

        if (!table->bytes) {
            return failure_set(failure, -EINVAL, "map %s lacks a lookup table",
                               builder->maps[map].name);
        }
        table_remap(table, renumber_record, &layout->records);
    }
    row_n = renumber_ranges(layout);
    layout->block_n = 1;
    add_section(layout, MAP_SECTION_POPS, builder->pop_n * sizeof(struct map_pop), builder->pop_n);
    add_section(layout, MAP_SECTION_MAPS, builder->map_n * sizeof(struct map_entry),
                builder->map_n);
    add_section(layout, MAP_SECTION_RECORDS, layout->records.n * sizeof(struct map_record),
                layout->records.n);
    plan_tables(layout);
    plan_provenance(layout, row_n);
    if (layout->block_n > UINT32_MAX / 2) {
        return failure_set(failure, -EFBIG, "the image is too large");
    }
    return 0;
}

static void fill_records(const struct layout *layout, uint8_t *place)
{
    struct map_record *records = (struct map_record *)(void *)place;

    for (uint32_t id = 0; id < layout->builder->record_n; id++) {
        if (layout->records.final[id] != UINT32_MAX) {
            records[layout->records.final[id]] = layout->builder->records[id];
        }
    }
}

static void fill_ranges(const struct ranges *ranges, uint32_t family, uint8_t *place)
{
    struct map_range4 *ranges4 = (struct map_range4 *)(void *)place;
    struct map_range6 *ranges6 = (struct map_range6 *)(void *)place;

    for (size_t i = 0; i < ranges->n; i++) {
        if (family == MAP_FAMILY_IPV4) {
            ranges4[i].start = (uint32_t)(ranges->items[i].start_hi >> 32);
            ranges4[i].row = ranges->items[i].row;
        } else {
            ranges6[i].start = ranges->items[i].start_hi;
            ranges6[i].row = ranges->items[i].row;
        }
    }
}

static void fill_rows(const struct layout *layout, uint8_t *place)
{
    const struct image_builder *builder = layout->builder;

    for (uint32_t row = 0; row < builder->row_units; row += row_units(&builder->rows[row])) {
        if (layout->rows.final[row] != UINT32_MAX) {
            memcpy(place + (size_t)layout->rows.final[row] * UNIT_SIZE, &builder->rows[row],
                   row_units(&builder->rows[row]) * UNIT_SIZE);
        }
    }
}

static void fill_section(const struct layout *layout, const struct map_section *section,
                         uint8_t *place)
{
    struct image_builder *builder = layout->builder;

    switch ((enum map_section_type)section->type) {
    case MAP_SECTION_POPS:
        memcpy(place, builder->pops, section->len);
        break;
    case MAP_SECTION_MAPS:
        memcpy(place, builder->maps, section->len);
        break;
    case MAP_SECTION_RECORDS:
        fill_records(layout, place);
        break;
    case MAP_SECTION_TABLE: {
        struct table *table = &builder->tables[section->map][section->space][section->family];

        memcpy(place, table->bytes, section->len);
        table_done(table); /* both copies of a large table are not needed at once */
        break;
    }
    case MAP_SECTION_PROVENANCE_RANGES:
        fill_ranges(&builder->ranges[section->space][section->family], section->family, place);
        break;
    case MAP_SECTION_PROVENANCE_ROWS:
        fill_rows(layout, place);
        break;
    }
}

static int fill(struct layout *layout, struct failure *failure)
{
    struct image_builder *builder = layout->builder;
    struct map_header *header = &layout->header;
    uint8_t *bytes;
    int error;

    memcpy(header->magic, MAP_MAGIC, sizeof(header->magic));
    header->version = MAP_FORMAT_VERSION;
    header->generation = builder->generation;
    header->parent_generation = builder->parent_generation;
    header->total_size = layout->block_n * MAP_BLOCK_SIZE;
    header->pop_n = builder->pop_n;
    header->map_n = builder->map_n;
    header->record_n = layout->records.n;
    bytes = calloc(layout->block_n, MAP_BLOCK_SIZE);
    if (!bytes) {
        return failure_set(failure, -ENOMEM, "out of memory for the image");
    }
    memcpy(bytes, header, sizeof(*header));
    for (uint32_t i = 0; i < header->section_n; i++) {
        const struct map_section *section = &header->sections[i];

        fill_section(layout, section, bytes + (size_t)section->first_block * MAP_BLOCK_SIZE);
    }
    /* the reader's own check: what we write is what every reader accepts */
    error = image_check(bytes, header->total_size, false, failure);
    if (error == 0 && image_digest(bytes, header->total_size, header->sha256) < 0) {
        error = failure_set(failure, -ENOMEM, "cannot compute a checksum");
    }
    if (error < 0) {
        free(bytes);
        return error;
    }
    memcpy(bytes, header, sizeof(*header));
    builder->bytes = bytes;
    builder->len = header->total_size;
    return 0;
}

int image_builder_finish(struct image_builder *builder, const uint8_t **ret_bytes, size_t *ret_len,
                         struct image_stats *ret_stats, struct failure *failure)
{
    struct layout layout = {.builder = builder};
    int error = check_open(builder, failure);

    if (error < 0) {
        return error;
    }
    error = plan(&layout, failure);
    if (error == 0) {
        error = fill(&layout, failure);
    }
    free(layout.records.final);
    free(layout.rows.final);
    builder_drop_parts(builder);
    if (error < 0) {
        return error;
    }
    builder->stats.records = layout.records.n;
    builder->stats.total_bytes = builder->len;
    *ret_bytes = builder->bytes;
    *ret_len = builder->len;
    *ret_stats = builder->stats;
    return 0;
}

int image_builder_write(struct image_builder *builder, const char *path, struct failure *failure)
{
    if (!builder->bytes) {
        return failure_set(failure, -EINVAL, "%s: the image is not finished", path);
    }
    return fd_replace_file(path, builder->bytes, builder->len, 0644, failure);
}
