/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "scratch.h"

#define POPS "pops: {fra: {location: [50.1, 8.7]}, sin: {location: [1.3, 103.8]}}\n"

Test(config, everything_the_contract_names)
{
    struct scratch scratch;
    struct config *config;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml",
                  "pops:\n"
                  "  fra: {location: [50.11, 8.68], capacity: {rps: 40000}, x-country: DE}\n"
                  "  sin: {location: [1.35, 103.8]}\n"
                  "  nyc: {location: [40.7, -74]}\n"
                  "maps:\n"
                  "  web: {pops: [fra, sin, nyc], default: [sin, fra]}\n"
                  "  video: {pops: [nyc, sin]}\n"
                  "overrides: pins.csv\n"
                  "sources:\n"
                  "  measurements: [\"data/*.csv\", \"/abs/*.csv.zst\"]\n"
                  "  geo: [a.mmdb, b.mmdb]\n"
                  "  asn: [a.csv]\n"
                  "previous: old.isomap\n"
                  "max_bad_rows: 2.5\n"
                  "record_pops: 4\n");
    config = scratch_config(&scratch);
    cr_assert_eq(config->pop_n, 3);
    cr_assert_eq(config_find_pop(config, "nyc", 3), 2);
    cr_assert_eq(config_find_pop(config, "nycx", 3), 2);
    cr_assert_eq(config_find_pop(config, "ny", 2), -ENOENT);
    cr_assert_float_eq(config->pops[2].longitude, -74, 0);
    cr_assert_eq(config->map_n, 2);
    cr_assert_eq(config_find_map(config, "video", 5), 1);
    cr_assert_eq(config->maps[0].pop_n, 3);
    cr_assert_eq(config->maps[0].default_n, 2);
    cr_assert_arr_eq(config->maps[0].pops, ((uint8_t[]){1, 0, 2}), 3);
    cr_assert_arr_eq(config->maps[1].pops, ((uint8_t[]){1, 2}), 2);
    cr_assert_str_eq(config->overrides.path[0], scratch_path(&scratch, "pins.csv"));
    cr_assert_str_eq(config->measurements.path[0], scratch_path(&scratch, "data/*.csv"));
    cr_assert_str_eq(config->measurements.path[1], "/abs/*.csv.zst");
    cr_assert_eq(config->geo.n, 2);
    cr_assert_eq(config->asn.n, 1);
    cr_assert_str_eq(config->previous, scratch_path(&scratch, "old.isomap"));
    cr_assert_float_eq(config->max_bad_percent, 2.5, 0);
    cr_assert_eq(config->record_pops, 4);
    config_free(config);
    scratch_close(&scratch);
}

Test(config, what_is_wrong_is_named_with_its_place)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"maps: {web: {}}\n", "pops is missing"},
        {POPS, "maps is missing"},
        {"pops: {}\nmaps: {web: {}}\n", "at least one PoP"},
        {POPS "maps: {}\n", "at least one map"},
        {POPS "maps: {web: {}}\npop: 1\n", ":3:1: "},
        {"pops: {fra: {}}\nmaps: {web: {}}\n", "needs location"},
        {"pops: {fra: {location: [1]}}\nmaps: {web: {}}\n", "needs location"},
        {"pops: {fra: {location: [91, 0]}}\nmaps: {web: {}}\n", ":1:25: "},
        {"pops: {fra: {location: [1, 1], capacity: {cars: 3}}}\nmaps: {web: {}}\n", "cars"},
        {POPS "maps: {web: {pops: [lhr]}}\n", "no PoP \"lhr\""},
        {POPS "maps: {web: {pops: [fra, fra]}}\n", "twice"},
        {POPS "maps: {web: {pops: [fra], default: [sin]}}\n", "not one of the map's"},
        {POPS "maps: {web: {}}\nsources: {rum: x}\n", "rum"},
        {POPS "maps: {web: {}}\nrecord_pops: 9\n", ":3:14: "},
        {POPS "maps: {web: {}}\nmax_bad_rows: 101\n", ":3:15: "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = NULL;
        struct failure failure = {{0}};
        struct scratch scratch;

        scratch_open(&scratch);
        scratch_write(&scratch, "mapper.yaml", cases[i].text);
        cr_assert_lt(config_load(scratch_path(&scratch, "mapper.yaml"), &config, &failure), 0, "%s",
                     cases[i].text);
        cr_assert_not_null(strstr(failure.text, cases[i].reason), "%s instead of %s", failure.text,
                           cases[i].reason);
        cr_assert_not_null(strstr(failure.text, "mapper.yaml:"));
        scratch_close(&scratch);
    }
}

Test(config, as_many_pops_as_fit)
{
    static char text[32768];
    struct config *config = NULL;
    struct failure failure;
    struct scratch scratch;
    size_t len = 0;

    scratch_open(&scratch);
    len += (size_t)sprintf(text + len, "maps: {web: {}}\npops:\n");
    for (int i = 0; i < 250; i++) {
        len += (size_t)sprintf(text + len, "  pop%d: {location: [0, %d]}\n", i, i - 125);
    }
    scratch_write(&scratch, "mapper.yaml", text);
    config = scratch_config(&scratch);
    for (int i = 0; i < 250; i++) {
        cr_assert_eq(config_find_pop(config, config->pops[i].name, strlen(config->pops[i].name)),
                     i);
    }
    config_free(config);
    sprintf(text + len, "  one-more: {location: [0, 0]}\n");
    scratch_write(&scratch, "mapper.yaml", text);
    cr_assert_eq(config_load(scratch_path(&scratch, "mapper.yaml"), &config, &failure), -EINVAL);
    scratch_close(&scratch);
}
