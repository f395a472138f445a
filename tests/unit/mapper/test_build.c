/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole way, on worlds of a few lines.
 */
#include "mapper/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "scratch.h"

#define POPS                                                                                       \
    "pops:\n"                                                                                      \
    "  fra: {location: [50.1, 8.7]}\n"                                                             \
    "  sin: {location: [1.3, 103.8]}\n"                                                            \
    "  nyc: {location: [40.7, -74.0]}\n"                                                           \
    "maps: {web: {default: [nyc]}}\n"

Test(build, layers_win_in_their_order)
{
    static const struct {
        const char *client;
        const char *first;
        unsigned scope;
    } cases[] = {
        {"8.8.8.8", "sin", 24},    /* measured */
        {"8.8.9.9", "fra", 24},    /* measured, and pinned */
        {"8.8.10.129", "fra", 25}, /* half of a measured block is pinned */
        {"8.8.10.1", "sin", 25},      {"203.0.113.1", "sin", 24}, /* documentation, but measured */
        {"10.1.2.3", "fra", 16},                                  /* private, but pinned */
        {"10.2.2.3", "nyc", 15},                                  /* private: special */
        {"2001:db8:7::1", "fra", 48},                             /* documentation, pinned */
        {"20.0.0.1", "sin", 12},                                  /* a /12 was measured as one */
        {"20.1.0.1", "sin", 12},      {"2002:808:909::", "fra", 40}, /* 6to4 of 8.8.9.9 */
    };
    struct scratch scratch;
    struct image *image;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml",
                  POPS "overrides: pins.csv\nsources: {measurements: [rows.csv]}\n");
    scratch_write(&scratch, "pins.csv",
                  "prefix,pop\n8.8.9.0/24,fra\n8.8.10.128/25,fra\n10.1.0.0/16,fra\n"
                  "2001:db8:7::/48,fra\n");
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms,count\n1,8.8.8.1,sin,5,99\n1,8.8.9.1,sin,5,99\n"
                  "1,8.8.10.1,sin,5,99\n1,203.0.113.1,sin,5,99\n1,20.0.0.0/12,sin,5,99\n");
    image = scratch_image(&scratch);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned scope;
        const char *ranking = scratch_ranking(image, "web", cases[i].client, &scope);

        cr_assert_eq(strncmp(ranking, cases[i].first, 3), 0, "%s: %s", cases[i].client, ranking);
        cr_assert_eq(scope, cases[i].scope, "%s: /%u", cases[i].client, scope);
    }
    image_unref(image);
    scratch_close(&scratch);
}

Test(build, one_answer_for_everybody_has_scope_zero)
{
    struct scratch scratch;
    struct image *image;
    unsigned scope;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml", POPS);
    image = scratch_image(&scratch);
    cr_assert_str_eq(scratch_ranking(image, "web", "8.8.8.8", &scope), "nyc fra sin");
    cr_assert_eq(scope, 0);
    cr_assert_str_eq(scratch_ranking(image, "web", "2a00::1", &scope), "nyc fra sin");
    cr_assert_eq(scope, 0);
    cr_assert_eq(image_header(image)->generation, 1);
    image_unref(image);
    /* one pin, and nobody has scope 0 any more */
    scratch_write(&scratch, "mapper.yaml", POPS "overrides: pins.csv\n");
    scratch_write(&scratch, "pins.csv", "8.8.8.0/24,sin\n");
    image = scratch_image(&scratch);
    cr_assert_str_eq(scratch_ranking(image, "web", "2a00::1", &scope), "nyc fra sin");
    cr_assert_gt(scope, 0);
    image_unref(image);
    scratch_close(&scratch);
}

Test(build, one_pin_for_everybody_has_scope_zero)
{
    static const char *const clients[] = {"8.8.8.8", "10.1.2.3", "2001:db8::1", "fd00::1"};
    struct scratch scratch;
    struct image *image;
    unsigned scope;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml", POPS "overrides: pins.csv\n");
    scratch_write(&scratch, "pins.csv", "prefix,pop\n0.0.0.0/0,sin,fra\n::/0,sin,fra\n");
    image = scratch_image(&scratch);
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        cr_assert_eq(strncmp(scratch_ranking(image, "web", clients[i], &scope), "sin fra", 7), 0);
        cr_assert_eq(scope, 0, "%s: /%u", clients[i], scope);
    }
    (void)scratch_ranking(image, "web", "2002:808:909::", &scope);
    cr_assert_eq(scope, 16, "6to4 keeps its own length: /%u", scope);
    image_unref(image);

    /* a family without a pin has special blocks, and is ranked otherwise */
    scratch_write(&scratch, "pins.csv", "prefix,pop\n0.0.0.0/0,sin,fra\n2000::/3,sin,fra\n");
    image = scratch_image(&scratch);
    (void)scratch_ranking(image, "web", "8.8.8.8", &scope);
    cr_assert_gt(scope, 0);
    image_unref(image);
    scratch_close(&scratch);
}

Test(build, pins_keep_the_blocks_own_ranking_behind_them)
{
    struct scratch scratch;
    struct image *image;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml",
                  POPS "overrides: pins.csv\nsources: {measurements: [rows.csv]}\n");
    scratch_write(&scratch, "pins.csv", "8.8.8.0/24,fra\n8.8.9.0/24,fra,nyc\n");
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms,count\n"
                  "1,8.8.8.1,sin,5,99\n1,8.8.8.1,nyc,50,99\n1,8.8.8.1,fra,90,99\n"
                  "1,8.8.9.1,sin,5,99\n1,8.8.9.1,nyc,50,99\n1,8.8.9.1,fra,90,99\n");
    image = scratch_image(&scratch);
    cr_assert_str_eq(scratch_ranking(image, "web", "8.8.8.8", NULL), "fra sin nyc");
    cr_assert_str_eq(scratch_ranking(image, "web", "8.8.9.9", NULL), "fra nyc sin");
    image_unref(image);
    scratch_close(&scratch);
}

Test(build, the_generation_comes_from_the_data_never_from_a_clock)
{
    struct build_report report;
    struct failure failure = {{0}};
    struct scratch scratch;
    struct image *image;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml", POPS "sources: {measurements: [rows.csv]}\n");
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms\n1763790000,8.8.8.1,sin,5\n1763790009,8.8.8.2,sin,6\n"
                  "1763790004,8.8.8.2,sin,6\n");
    image = scratch_image(&scratch);
    cr_assert_eq(image_header(image)->generation, 1763790009);
    cr_assert_eq(image_header(image)->parent_generation, 0);
    image_unref(image);
    /* no rows: one more than the previous image's */
    cr_assert_eq(rename(scratch_path(&scratch, "out.isomap"), scratch_path(&scratch, "old")), 0);
    scratch_write(&scratch, "mapper.yaml", POPS "previous: old\n");
    image = scratch_image(&scratch);
    cr_assert_eq(image_header(image)->generation, 1763790010);
    cr_assert_eq(image_header(image)->parent_generation, 1763790009);
    image_unref(image);
    /* the first build has no previous image; a broken one is an error */
    scratch_write(&scratch, "mapper.yaml", POPS "previous: missing\n");
    cr_assert_eq(scratch_build(&scratch, &report, &failure), 0);
    cr_assert_eq(report.generation, 1);
    scratch_write(&scratch, "missing", "no image");
    cr_assert_eq(scratch_build(&scratch, &report, &failure), -EINVAL);
    scratch_close(&scratch);
}

Test(build, too_many_bad_rows_refuse_the_build_and_leave_the_old_image)
{
    struct build_report report;
    struct failure failure = {{0}};
    struct scratch scratch;
    uint8_t *before;
    uint8_t *after;
    size_t before_len;
    size_t after_len;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml",
                  POPS "sources: {measurements: [rows.csv]}\nmax_bad_rows: 30\n");
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms\n5,8.8.8.1,sin,5\n6,8.8.8.1,sin,6\n7,10.0.0.1,sin,5\n"
                  "7,8.8.8.1,sin,5\n");
    cr_assert_eq(scratch_build(&scratch, &report, &failure), 0, "%s", failure.text);
    cr_assert_eq(report.samples.rows, 4);
    cr_assert_eq(samples_report_bad(&report.samples), 1);
    cr_assert_eq(fd_read_file(scratch_path(&scratch, "out.isomap"), 1u << 30, &before, &before_len,
                              &failure),
                 0);
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms\n5,8.8.8.1,fra,5\n6,8.8.8.1,fra,x\n7,10.0.0.1,sin,5\n"
                  "8,8.8.8.1,fra,5\n");
    cr_assert_eq(scratch_build(&scratch, &report, &failure), -EINVAL);
    cr_assert_not_null(strstr(failure.text, "rows.csv:3: rtt_ms"), "%s", failure.text);
    cr_assert_not_null(strstr(failure.text, "50.0 %"));
    cr_assert_eq(
        fd_read_file(scratch_path(&scratch, "out.isomap"), 1u << 30, &after, &after_len, &failure),
        0);
    cr_assert_eq(before_len, after_len);
    cr_assert_arr_eq(before, after, before_len);
    free(before);
    free(after);
    scratch_close(&scratch);
}

Test(build, missing_inputs_are_named)
{
    static const struct {
        const char *source;
        const char *reason;
    } cases[] = {
        {"sources: {measurements: [\"none-*.csv\"]}\n", "none-*.csv: no such file"},
        {"sources: {geo: [none.mmdb]}\n", "none.mmdb: No such file"},
        {"sources: {asn: [none.csv]}\n", "none.csv: No such file"},
        {"overrides: none.csv\n", "none.csv: No such file"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build_report report;
        struct failure failure = {{0}};
        struct scratch scratch;
        char text[512];

        scratch_open(&scratch);
        snprintf(text, sizeof(text), POPS "%s", cases[i].source);
        scratch_write(&scratch, "mapper.yaml", text);
        cr_assert_eq(scratch_build(&scratch, &report, &failure), -ENOENT);
        cr_assert_not_null(strstr(failure.text, cases[i].reason), "%s", failure.text);
        scratch_close(&scratch);
    }
}

/* Writes the rows of a world in some order into some files. */
static void rows_write(const struct scratch *scratch, unsigned files, unsigned stride)
{
    const unsigned n = 5003; /* prime: any stride is a permutation */
    static const char *const pops[] = {"fra", "sin", "nyc"};
    char name[32];

    for (unsigned file = 0; file < files; file++) {
        char *text = malloc(n * 80);
        size_t len = (size_t)sprintf(text, "time,client,pop,rtt_ms,resolver,count\n");

        for (unsigned k = 0; k < n; k++) {
            unsigned i = k * stride % n;
            unsigned x = i * 2654435761u;

            if (k % files == file) {
                len +=
                    (size_t)sprintf(text + len, "%u,%u.%u.%u.9,%s,%u.%u,9.%u.9.9,%u\n", 1000000 + i,
                                    20 + x % 3, x / 7 % 5, x / 99 % 200, pops[x / 11 % 3],
                                    3 + x % 200, x % 10, x / 5 % 50, 1 + x % 4);
            }
        }
        sprintf(name, "rows-%u.csv", file);
        scratch_write_bytes(scratch, name, text, len);
        free(text);
    }
}

Test(build, equal_rows_give_equal_bytes_in_any_order_and_number_of_files)
{
    static const struct {
        unsigned files;
        unsigned stride;
    } cases[] = {{1, 1}, {1, 2777}, {4, 13}, {2, 5002}};
    uint8_t *first = NULL;
    size_t first_len = 0;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build_report report;
        struct failure failure = {{0}};
        struct scratch scratch;
        uint8_t *bytes;
        size_t len;

        scratch_open(&scratch);
        scratch_write(&scratch, "mapper.yaml", POPS "sources: {measurements: [\"rows-*.csv\"]}\n");
        rows_write(&scratch, cases[i].files, cases[i].stride);
        cr_assert_eq(scratch_build(&scratch, &report, &failure), 0, "%s", failure.text);
        cr_assert_gt(report.block_n, 500);
        cr_assert_gt(report.compile.resolvers, 40);
        cr_assert_eq(
            fd_read_file(scratch_path(&scratch, "out.isomap"), 1u << 30, &bytes, &len, &failure),
            0);
        if (first) {
            cr_assert_eq(len, first_len);
            cr_assert(memcmp(bytes, first, len) == 0, "case %zu differs", i);
            free(bytes);
        } else {
            first = bytes;
            first_len = len;
        }
        scratch_close(&scratch);
    }
    free(first);
}

/* Two PoPs in one place measure the same: each gets half of the networks, whole ones, and the image
 * is the same whatever the threads. */
Test(build, pops_in_one_place_share_the_networks)
{
    const unsigned n = 4096;
    char *text = malloc(n * 160);
    size_t len = (size_t)sprintf(text, "time,client,pop,rtt_ms,count\n");
    struct build_report report;
    struct failure failure = {{0}};
    struct scratch scratch;
    struct image *image;
    unsigned first_n = 0;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml",
                  "pops:\n  fra1: {location: [50.1, 8.7]}\n  fra2: {location: [50.1, 8.7]}\n"
                  "  nyc: {location: [40.7, -74.0]}\nmaps: {web: {default: [nyc]}}\n"
                  "sources: {measurements: [rows.csv]}\n");
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < 2; k++) {
            len += (size_t)sprintf(text + len, "1,%u.%u.%u.9,fra1,5,9\n1,%u.%u.%u.9,fra2,5,9\n",
                                   20 + i / 256, i % 256, 7 * k, 20 + i / 256, i % 256, 7 * k);
        }
    }
    scratch_write_bytes(&scratch, "rows.csv", text, len);
    free(text);
    cr_assert_eq(scratch_build(&scratch, &report, &failure), 0, "%s", failure.text);
    image = scratch_image(&scratch);
    for (unsigned i = 0; i < n; i++) {
        char client[20];
        char ranking[64];

        sprintf(client, "%u.%u.0.1", 20 + i / 256, i % 256);
        snprintf(ranking, sizeof(ranking), "%s", scratch_ranking(image, "web", client, NULL));
        first_n += strcmp(ranking, "fra1 fra2 nyc") == 0;
        cr_assert(strcmp(ranking, "fra1 fra2 nyc") == 0 || strcmp(ranking, "fra2 fra1 nyc") == 0,
                  "%s: %s", client, ranking);
        sprintf(client, "%u.%u.7.1", 20 + i / 256, i % 256);
        cr_assert_str_eq(scratch_ranking(image, "web", client, NULL), ranking, "%s", client);
    }
    cr_assert(first_n > n / 2 * 97 / 100 && first_n < n / 2 * 103 / 100, "%u", first_n);
    image_unref(image);
    scratch_close(&scratch);
}

Test(build, rows_faster_than_light_are_bad)
{
    struct build_report report;
    struct failure failure = {{0}};
    struct scratch scratch;

    scratch_open(&scratch);
    cr_assert_eq(symlink(TEST_SOURCE_DIR "/tests/fuzz/mapper/mmdb/GeoIP2-City-Test.mmdb",
                         scratch_path(&scratch, "city.mmdb")),
                 0);
    scratch_write(&scratch, "mapper.yaml",
                  POPS "sources: {measurements: [rows.csv], geo: [city.mmdb]}\nmax_bad_rows: 60\n");
    /* 81.2.69.142 is in London: 10,800 km from Singapore */
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms\n5,81.2.69.142,sin,0.4\n6,81.2.69.142,sin,160\n"
                  "7,81.2.69.142,fra,0.9\n");
    cr_assert_eq(scratch_build(&scratch, &report, &failure), 0, "%s", failure.text);
    cr_assert_eq(report.samples.faults[SAMPLE_IMPOSSIBLE_RTT], 1);
    cr_assert_not_null(strstr(report.samples.notes[0], "rows.csv:2: "));
    scratch_close(&scratch);
}

Test(build, a_measurement_that_light_forbids_moves_the_block_not_the_truth)
{
    struct scratch scratch;
    struct image *image;

    scratch_open(&scratch);
    cr_assert_eq(symlink(TEST_SOURCE_DIR "/tests/fuzz/mapper/mmdb/GeoIP2-City-Test.mmdb",
                         scratch_path(&scratch, "city.mmdb")),
                 0);
    scratch_write(&scratch, "mapper.yaml",
                  POPS "sources: {measurements: [rows.csv], geo: [city.mmdb]}\n");
    /* the database says London; 20 ms from Singapore says it errs. The others were not measured. */
    scratch_write(&scratch, "rows.csv", "time,client,pop,rtt_ms,count\n5,81.2.69.142,sin,20,3\n");
    image = scratch_image(&scratch);
    cr_assert_str_eq(scratch_ranking(image, "web", "81.2.69.142", NULL), "sin fra nyc");
    image_unref(image);
    scratch_close(&scratch);
}
