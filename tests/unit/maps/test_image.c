/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "maps/image.h"
#include "maps/image_writer.h"
#include "random.h"
#include "world.h"

static void finish(struct image_builder *builder, const uint8_t **ret_bytes, size_t *ret_len)
{
    struct image_stats stats;
    struct failure failure = {{0}};

    cr_assert_eq(image_builder_finish(builder, ret_bytes, ret_len, &stats, &failure), 0, "%s",
                 failure.text);
}

Test(image, what_was_written_reads_back)
{
    struct world *world = world_new(3, 200);
    struct image_builder *builder = world_builder(world, 0, 10);
    char path[] = "/tmp/isochrone-image-XXXXXX";
    struct failure failure = {{0}};
    const uint8_t *bytes;
    struct image *image;
    struct image *second;
    int fd = mkstemp(path);
    size_t len;

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(image_builder_write(builder, path, &failure), -EINVAL, "not finished yet");
    finish(builder, &bytes, &len);
    cr_assert_eq(image_builder_write(builder, path, &failure), 0, "%s", failure.text);
    cr_assert_eq(image_open(path, &image, &failure), 0, "%s", failure.text);
    cr_assert_eq(memcmp(image_region(image)->bytes, bytes, len), 0);
    cr_assert_str_eq(image_path(image), path);
    cr_assert_eq(image_header(image)->generation, 1763790000);
    cr_assert_eq(image_header(image)->parent_generation, 1763700000);
    cr_assert_eq(image_pop_count(image), WORLD_POPS);
    cr_assert_eq(image_find_pop(image, "pop-c"), 2);
    cr_assert_eq(image_find_pop(image, "pop-"), -ENOENT);
    cr_assert_eq(image_pop(image, 2)->latitude_e6, 2000000);
    cr_assert_eq(image_map_count(image), WORLD_MAPS);
    cr_assert_eq(image_find_map(image, "video"), 1);
    cr_assert_eq(image_find_map(image, "audio"), -ENOENT);
    cr_assert_eq(image_map(image, 0)->tail_n, WORLD_POPS);
    cr_assert_eq(image_map(image, 0)->default_n, 2);
    cr_assert_eq(memcmp(image_map(image, 0)->tail, "\x07\x03\x00\x01\x02\x04\x05\x06\x08", 9), 0);
    cr_assert_eq(memcmp(image_map(image, 1)->tail, "\x04\x00\x02\x06\x08\x0a\xff", 7), 0);
    second = image_ref(image);
    image_unref(image);
    cr_assert_eq(image_find_map(second, "web"), 0);
    image_unref(second);
    image_unref(NULL);
    unlink(path);
    image_builder_free(builder);
    world_free(world);
}

Test(image, bytes_do_not_depend_on_the_order_of_building)
{
    struct world *world = world_new(4, 400);
    struct image_builder *first = world_builder(world, 0, 300);
    const uint8_t *bytes;
    size_t len;

    finish(first, &bytes, &len);
    for (uint64_t shuffle = 1; shuffle <= 5; shuffle++) {
        struct image_builder *other = world_builder(world, shuffle, 300);
        const uint8_t *other_bytes;
        size_t other_len;

        finish(other, &other_bytes, &other_len);
        cr_assert_eq(other_len, len);
        cr_assert_eq(memcmp(other_bytes, bytes, len), 0, "shuffle %lu", (unsigned long)shuffle);
        image_builder_free(other);
    }
    image_builder_free(first);
    world_free(world);
}

Test(image, files_that_are_no_images)
{
    static const struct {
        const char *why;
        const char *content; /* NULL: a folder; "": empty */
        const char *reason;
    } rows[] = {
        {"empty", "", "0 bytes"},
        {"short", "ISOMAP\x1a\n", "too short"},
        {"folder", NULL, "not a regular file"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[] = "/tmp/isochrone-image-XXXXXX";
        struct failure failure = {{0}};
        struct image *image = NULL;

        if (rows[i].content) {
            int fd = mkstemp(path);

            cr_assert_eq(fd_write_all(fd, rows[i].content, strlen(rows[i].content)), 0);
            close(fd);
        } else {
            cr_assert_not_null(mkdtemp(path));
        }
        cr_assert_eq(image_open(path, &image, &failure), -EINVAL, "%s", rows[i].why);
        cr_assert(strstr(failure.text, rows[i].reason), "%s", failure.text);
        cr_assert_eq(strncmp(failure.text, path, strlen(path)), 0, "%s", failure.text);
        remove(path);
    }
}

Test(image, missing_file_and_fifo)
{
    char path[] = "/tmp/isochrone-image-XXXXXX";
    struct failure failure = {{0}};
    struct image *image = NULL;

    cr_assert_not_null(mkdtemp(path));
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(image_open(path, &image, &failure), -ENOENT);
    cr_assert(strstr(failure.text, "No such file"), "%s", failure.text);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(image_open(path, &image, &failure), -EINVAL); /* and does not wait for a writer */
    unlink(path);
}

Test(image, provenance_of_an_address_is_its_range)
{
    struct world *world = world_new(8, 20);
    struct image_builder *builder = world_builder(world, 0, 50);
    struct failure failure = {{0}};
    const uint8_t *bytes;
    struct image *image;
    size_t len;

    finish(builder, &bytes, &len);
    cr_assert_eq(image_from_bytes("memory", bytes, len, &image, &failure), 0);
    for (uint32_t k = 0; k < 50; k++) {
        for (int inside = 0; inside < 2; inside++) {
            struct map_address address = {
                .key = {((uint64_t)k << 40) + (inside ? 0xff00000000 : 0), inside ? ~0ULL : 0},
                .family = (uint8_t)(k % 2)};
            struct image_provenance provenance;

            cr_assert(image_find_provenance(image, k / 2 % 2, &address, &provenance));
            cr_assert_eq(provenance.from.address.family, k % 2 ? ADDRESS_IPV6 : ADDRESS_IPV4);
            cr_assert_eq(provenance.from.address.bytes[2], k);
            cr_assert_eq(provenance.from.len, k % 2 ? 128 : 32);
            cr_assert_eq(provenance.row->asn, k % 97);
            cr_assert_eq(provenance.row->source, k % 4);
            cr_assert_eq(provenance.row->estimate_n, k % 5);
            for (uint32_t e = 0; e < k % 5; e++) {
                cr_assert_eq(provenance.estimates[e].pop, e);
                cr_assert_eq(provenance.estimates[e].rtt_ticks, k);
            }
        }
    }
    image_unref(image);
    image_builder_free(builder);
    world_free(world);
}

Test(image, without_provenance_none_is_found)
{
    struct world *world = world_new(8, 20);
    struct image *image = world_image(world);
    struct map_address address = {.family = MAP_FAMILY_IPV4};
    struct map_address nothing = {.family = MAP_ADDRESS_NONE};
    struct image_provenance provenance;

    cr_assert_not(image_find_provenance(image, MAP_SPACE_CLIENT, &address, &provenance));
    cr_assert_not(image_find_provenance(image, MAP_SPACE_CLIENT, &nothing, &provenance));
    image_unref(image);
    world_free(world);
}

Test(image, builder_refuses_names_and_places)
{
    static const struct {
        const char *name;
        int32_t latitude_e6;
        int32_t longitude_e6;
        int result;
    } rows[] = {
        {"fra", 50110000, 8680000, 0},
        {"fra", 0, 0, -EINVAL},
        {"", 0, 0, -EINVAL},
        {"a b", 0, 0, -EINVAL},
        {"a/b", 0, 0, -EINVAL},
        {"a*", 0, 0, -EINVAL},
        {"0123456789012345678901234567890123456789012345678901234567890123", 0, 0, -EINVAL},
        {"012345678901234567890123456789012345678901234567890123456789012", 0, 0, 1},
        {"pole", 90000000, 180000000, 2},
        {"beyond", 90000001, 0, -EINVAL},
        {"beyond", 0, -180000001, -EINVAL},
    };
    struct image_builder *builder = image_builder_new(1, 0);
    struct failure failure;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(image_builder_add_pop(builder, rows[i].name, rows[i].latitude_e6,
                                           rows[i].longitude_e6, &failure),
                     rows[i].result, "%s", rows[i].name);
    }
    image_builder_free(builder);
}

Test(image, builder_limits)
{
    struct image_builder *builder = image_builder_new(1, 0);
    struct failure failure;
    char name[MAP_NAME_SIZE];
    uint8_t all[MAP_MAX_POPS];

    for (unsigned i = 0; i < MAP_MAX_POPS; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        all[i] = (uint8_t)i;
        cr_assert_eq(image_builder_add_pop(builder, name, 0, 0, &failure), (int)i);
    }
    cr_assert_eq(image_builder_add_pop(builder, "more", 0, 0, &failure), -ENOSPC);
    for (unsigned i = 0; i < MAP_MAX_MAPS; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        cr_assert_eq(image_builder_add_map(builder, name, all, MAP_MAX_POPS, i, &failure), (int)i);
    }
    cr_assert_eq(image_builder_add_map(builder, "more", all, 1, 0, &failure), -ENOSPC);
    cr_assert_eq(image_builder_add_map(builder, "m0", all, 1, 0, &failure), -EINVAL);
    image_builder_free(builder);
}
