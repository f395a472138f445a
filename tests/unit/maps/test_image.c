/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "maps/image.h"
#include "maps/image_writer.h"

Test(image, smallest_image_reads_back)
{
    static const uint8_t pops[] = {1, 0};
    struct map_record record = {.pops = ~0ULL << 16 | 0x0001, .shed_class = 7};
    struct image_run run = {{0, 0}, 0, 0};
    struct failure failure = {{0}};
    struct image_stats stats;
    struct image_builder *builder = image_builder_new(42, 41);
    const uint8_t *bytes;
    struct image *image = NULL;
    size_t len;

    cr_assert_eq(image_builder_add_pop(builder, "fra", 50110000, 8680000, &failure), 0);
    cr_assert_eq(image_builder_add_pop(builder, "sin", 1350000, 103800000, &failure), 1);
    cr_assert_eq(image_builder_add_map(builder, "web", pops, 2, 1, &failure), 0);
    cr_assert_eq(image_builder_intern(builder, &record), 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(image_builder_add_table(builder, 0, i / 2, i % 2, &run, 1, false, &failure), 0,
                     "%s", failure.text);
    }
    cr_assert_eq(image_builder_finish(builder, &bytes, &len, &stats, &failure), 0, "%s",
                 failure.text);
    cr_assert_eq(image_from_bytes("test", bytes, len, &image, &failure), 0, "%s", failure.text);
    cr_assert_eq(image_header(image)->generation, 42);
    cr_assert_eq(image_find_pop(image, "sin"), 1);
    cr_assert_eq(image_find_map(image, "web"), 0);
    image_unref(image);
    image_builder_free(builder);
}
