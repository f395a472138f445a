/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Collects the parts of an image in any order; image_layout.c makes one of them.
 */
#include "maps/image_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "maps/image_builder.h"
#include "maps/image_check.h"
#include "maps/wide_key.h"

struct image_builder *image_builder_new(uint64_t generation, uint64_t parent_generation)
{
    struct image_builder *builder = calloc(1, sizeof(*builder));

    if (builder) {
        builder->generation = generation;
        builder->parent_generation = parent_generation;
    }
    return builder;
}

void image_builder_drop_parts(struct image_builder *builder)
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
        struct image_ranges *ranges = &builder->ranges[i / MAP_FAMILIES][i % MAP_FAMILIES];

        free(ranges->items);
        *ranges = (struct image_ranges){0};
    }
    for (uint32_t i = 0; i < MAP_MAX_MAPS * MAP_SPACES * MAP_FAMILIES; i++) {
        table_done(&builder->tables[i / (MAP_SPACES * MAP_FAMILIES)][i / MAP_FAMILIES % MAP_SPACES]
                                   [i % MAP_FAMILIES]);
    }
}

void image_builder_free(struct image_builder *builder)
{
    if (builder) {
        image_builder_drop_parts(builder);
        free(builder->bytes);
        free(builder);
    }
}

int image_builder_check_open(const struct image_builder *builder, struct failure *failure)
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
    int error = image_builder_check_open(builder, failure);

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
    int error = image_builder_check_open(builder, failure);

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
    int error = image_builder_check_open(builder, failure);

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
    grown = realloc(builder->rows, (size_t)max * IMAGE_UNIT_SIZE);
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
            memcmp(&builder->rows[found], &builder->rows[offset], unit_n * IMAGE_UNIT_SIZE) == 0) {
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
    struct image_ranges *place;
    int error = image_builder_check_open(builder, failure);

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

int image_builder_write(struct image_builder *builder, const char *path, struct failure *failure)
{
    if (!builder->bytes) {
        return failure_set(failure, -EINVAL, "%s: the image is not finished", path);
    }
    return fd_replace_file(path, builder->bytes, builder->len, 0644, failure);
}
