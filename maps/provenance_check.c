/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "maps/image_check.h"

#define UNIT_SIZE 8u

struct rows {
    const uint8_t *bytes;
    uint64_t unit_n;
    uint8_t *starts; /* per unit: 1 where a row starts */
};

static int check_row(const struct map_row *row, uint32_t pop_n, struct failure *failure)
{
    const struct map_estimate *estimates = (const struct map_estimate *)(row + 1);
    uint64_t seen[4] = {0};

    if (row->source > MAP_SOURCE_MEASURED || row->reserved) {
        return failure_set(failure, -EINVAL, "a provenance row has an unknown source");
    }
    for (uint32_t i = 0; i < row->estimate_n; i++) {
        const struct map_estimate *estimate = &estimates[i];
        uint64_t bit = 1ULL << (estimate->pop % 64);

        if (estimate->pop >= pop_n || (seen[estimate->pop / 64] & bit)) {
            return failure_set(failure, -EINVAL,
                               "a provenance row estimates PoP %u of %u, or twice", estimate->pop,
                               pop_n);
        }
        seen[estimate->pop / 64] |= bit;
        if (estimate->source > MAP_SOURCE_MEASURED) {
            return failure_set(failure, -EINVAL, "a provenance estimate has an unknown source");
        }
    }
    return 0;
}

static int check_rows(const struct map_section *section, struct rows *rows, uint32_t pop_n,
                      struct failure *failure)
{
    uint64_t row_n = 0;

    for (uint64_t unit = 0; unit < rows->unit_n;) {
        const struct map_row *row =
            (const struct map_row *)(const void *)(rows->bytes + unit * UNIT_SIZE);
        int error;

        if (row->estimate_n >= rows->unit_n - unit) {
            return failure_set(failure, -EINVAL, "a provenance row reaches past its section");
        }
        error = check_row(row, pop_n, failure);
        if (error < 0) {
            return error;
        }
        rows->starts[unit] = 1;
        unit += 1u + row->estimate_n;
        row_n++;
    }
    if (row_n != section->item_n) {
        return failure_set(failure, -EINVAL, "provenance has %llu rows, its section says %llu",
                           (unsigned long long)row_n, (unsigned long long)section->item_n);
    }
    return 0;
}

static int check_range(const struct rows *rows, uint64_t index, uint64_t start, uint64_t previous,
                       uint32_t row, struct failure *failure)
{
    if (index ? start <= previous : start != 0) {
        return failure_set(failure, -EINVAL,
                           "provenance ranges do not start at 0 or do not rise (range %llu)",
                           (unsigned long long)index);
    }
    if (row >= rows->unit_n || !rows->starts[row]) {
        return failure_set(failure, -EINVAL,
                           "provenance range %llu refers to a row that does not exist",
                           (unsigned long long)index);
    }
    return 0;
}

static int check_ranges(const uint8_t *image, const struct map_section *section,
                        const struct rows *rows, struct failure *failure)
{
    const struct map_range4 *ranges4 = section_bytes(image, section);
    const struct map_range6 *ranges6 = section_bytes(image, section);
    bool ipv4 = section->family == MAP_FAMILY_IPV4;
    uint64_t size = ipv4 ? sizeof(*ranges4) : sizeof(*ranges6);
    uint64_t previous = 0;

    if (!section->item_n || section->len % size || section->len / size != section->item_n) {
        return failure_set(failure, -EINVAL,
                           "the number of provenance ranges does not fit their section");
    }
    for (uint64_t i = 0; i < section->item_n; i++) {
        uint64_t start = ipv4 ? ranges4[i].start : ranges6[i].start;
        int error =
            check_range(rows, i, start, previous, ipv4 ? ranges4[i].row : ranges6[i].row, failure);

        if (error < 0) {
            return error;
        }
        if (!ipv4 && ranges6[i].reserved) {
            return failure_set(failure, -EINVAL, "a reserved field of provenance is not zero");
        }
        previous = start;
    }
    return 0;
}

int provenance_check(const uint8_t *image,
                     const struct map_section *ranges[MAP_SPACES][MAP_FAMILIES],
                     const struct map_section *rows_section, uint32_t pop_n,
                     struct failure *failure)
{
    struct rows rows = {0};
    int error = 0;

    if (rows_section) {
        if (rows_section->len % UNIT_SIZE) {
            return failure_set(failure, -EINVAL, "provenance rows have an impossible length");
        }
        rows.bytes = section_bytes(image, rows_section);
        rows.unit_n = rows_section->len / UNIT_SIZE;
        rows.starts = calloc(rows.unit_n + 1, 1);
        if (!rows.starts) {
            return failure_set(failure, -ENOMEM, "out of memory while checking provenance");
        }
        error = check_rows(rows_section, &rows, pop_n, failure);
    }
    for (int i = 0; error == 0 && i < MAP_SPACES * MAP_FAMILIES; i++) {
        const struct map_section *section = ranges[i / MAP_FAMILIES][i % MAP_FAMILIES];

        if (section) {
            error = check_ranges(image, section, &rows, failure);
        }
    }
    free(rows.starts);
    return error;
}
