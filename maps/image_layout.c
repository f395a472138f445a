/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lays the collected parts out in one order. Whatever depends on the order in which parts came
 * (temporary ids of records, offsets of provenance rows) is renumbered to the order of first use in
 * the finished image, so that equal content gives equal bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/image_builder.h"
#include "maps/image_check.h"
#include "maps/image_digest.h"

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
                              (uint64_t)layout->rows.n * IMAGE_UNIT_SIZE, row_n);
        section->flags = MAP_SECTION_OPTIONAL;
    }
}

/* Renumbers in place and returns how many rows are used. */
static uint64_t renumber_ranges(struct layout *layout)
{
    struct image_builder *builder = layout->builder;
    uint64_t row_n = 0;

    for (uint32_t i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
        struct image_ranges *ranges = &builder->ranges[i / MAP_FAMILIES][i % MAP_FAMILIES];

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

static void fill_ranges(const struct image_ranges *ranges, uint32_t family, uint8_t *place)
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
            memcpy(place + (size_t)layout->rows.final[row] * IMAGE_UNIT_SIZE, &builder->rows[row],
                   row_units(&builder->rows[row]) * IMAGE_UNIT_SIZE);
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
    int error = image_builder_check_open(builder, failure);

    if (error < 0) {
        return error;
    }
    error = plan(&layout, failure);
    if (error == 0) {
        error = fill(&layout, failure);
    }
    free(layout.records.final);
    free(layout.rows.final);
    image_builder_drop_parts(builder);
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
