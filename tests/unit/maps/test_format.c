/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maps/FORMAT.md shows an image byte by byte. This builds that image and compares every byte the
 * page shows: lines that begin with eight hexadecimal digits are an offset and the bytes from
 * there.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "maps/image_writer.h"

#define SHOWN_BYTES_MIN 600 /* the page really shows the image */

static const struct image_run runs4[] = {
    {{0, 0}, 0, 0},
    {{0xcb00710000000000, 0}, 1, 0}, /* 203.0.113.0/24 */
    {{0xcb00720000000000, 0}, 0, 0},
};
static const struct image_run runs6[] = {
    {{0, 0}, 0, 0},
    {{0x20010db800000000, 0}, 1, 0}, /* 2001:db8::/32 */
    {{0x20010db900000000, 0}, 0, 0},
};
static const struct image_run unlisted = {{0, 0}, MAP_RECORD_FALLBACK, 0};

static void add_table(struct image_builder *builder, enum map_space space, enum map_family family,
                      const struct image_run *runs, size_t run_n)
{
    struct failure failure;

    cr_assert_eq(image_builder_add_table(builder, 0, space, family, runs, run_n, false, &failure),
                 0, "%s", failure.text);
}

static struct image_builder *build_example(void)
{
    static const uint8_t pops[] = {0, 1};
    const struct map_record records[] = {
        {.pops = ~0ULL << 16 | 0x0100, .shed_class = 42, .confidence = 0},
        {.pops = ~0ULL << 16 | 0x0001, .shed_class = 7, .confidence = 90},
    };
    const struct map_row rows[] = {{.source = MAP_SOURCE_GEO, .asn = 0},
                                   {.source = MAP_SOURCE_MEASURED, .estimate_n = 1, .asn = 64500}};
    const struct map_estimate estimate = {
        .pop = 1, .source = MAP_SOURCE_MEASURED, .rtt_ticks = 415, .samples = 212};
    struct image_builder *builder = image_builder_new(1763790000, 1763700000);
    struct image_provenance_range ranges[3] = {
        {0, 0, 0}, {0xcb00710000000000, 0, 0}, {0xcb00720000000000, 0, 0}};
    struct failure failure;

    image_builder_add_pop(builder, "fra", 50110900, 8682100, &failure);
    image_builder_add_pop(builder, "sin", 1352100, 103819800, &failure);
    cr_assert_eq(image_builder_add_map(builder, "web", pops, 2, 1, &failure), 0);
    image_builder_intern(builder, &records[0]);
    image_builder_intern(builder, &records[1]);
    add_table(builder, MAP_SPACE_CLIENT, MAP_FAMILY_IPV4, runs4, 3);
    add_table(builder, MAP_SPACE_CLIENT, MAP_FAMILY_IPV6, runs6, 3);
    add_table(builder, MAP_SPACE_RESOLVER, MAP_FAMILY_IPV4, &unlisted, 1);
    add_table(builder, MAP_SPACE_RESOLVER, MAP_FAMILY_IPV6, &unlisted, 1);
    ranges[0].row = (uint32_t)image_builder_add_row(builder, &rows[0], NULL);
    ranges[1].row = (uint32_t)image_builder_add_row(builder, &rows[1], &estimate);
    ranges[2].row = ranges[0].row;
    cr_assert_eq(image_builder_add_provenance(builder, MAP_SPACE_CLIENT, MAP_FAMILY_IPV4, ranges, 3,
                                              &failure),
                 0);
    return builder;
}

/* "00001000  66 72 61 ...  comment": compares and returns how many bytes. */
static size_t compare_line(const char *line, const uint8_t *bytes, size_t len)
{
    char *at;
    size_t offset = strtoul(line, &at, 16);
    size_t n = 0;

    while (at[0] == ' ' && isxdigit((unsigned char)at[n ? 1 : 2])) {
        char *end;
        unsigned long byte = strtoul(at, &end, 16);

        cr_assert_lt(offset + n, len, "the image ends before %s", line);
        cr_assert_eq(bytes[offset + n], byte, "byte %zu of the line is %02x: %s", n,
                     bytes[offset + n], line);
        at = end;
        n++;
        if (strncmp(at, "  ", 2) == 0) {
            break; /* what follows is words */
        }
    }
    return n;
}

static bool is_hex_line(const char *line)
{
    for (int i = 0; i < 8; i++) {
        if (!isxdigit((unsigned char)line[i])) {
            return false;
        }
    }
    return line[8] == ' ' && line[9] == ' ';
}

Test(format, page_shows_the_real_bytes)
{
    struct image_builder *builder = build_example();
    struct image_stats stats;
    struct failure failure;
    const uint8_t *bytes;
    uint8_t *page;
    size_t len;
    size_t page_len;
    size_t shown = 0;

    cr_assert_eq(image_builder_finish(builder, &bytes, &len, &stats, &failure), 0, "%s",
                 failure.text);
    cr_assert_eq(
        fd_read_file(TEST_SOURCE_DIR "/maps/FORMAT.md", 1 << 20, &page, &page_len, &failure), 0,
        "%s", failure.text);
    for (char *line = strtok((char *)page, "\n"); line; line = strtok(NULL, "\n")) {
        if (is_hex_line(line)) {
            shown += compare_line(line, bytes, len);
        }
    }
    cr_assert_geq(shown, SHOWN_BYTES_MIN, "only %zu bytes are shown", shown);
    free(page);
    image_builder_free(builder);
}
