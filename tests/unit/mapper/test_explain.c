/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/explain.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "mapper/key.h"
#include "scratch.h"

static struct scratch scratch;
static struct image *image;

static void open_world(void)
{
    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml",
                  "pops:\n"
                  "  fra: {location: [50.1, 8.7]}\n"
                  "  sin: {location: [1.3, 103.8]}\n"
                  "  nyc: {location: [40.7, -74.0]}\n"
                  "maps: {web: {default: [nyc, fra]}, video: {pops: [fra, sin]}}\n"
                  "overrides: pins.csv\n"
                  "sources: {measurements: [rows.csv]}\n");
    scratch_write(&scratch, "pins.csv", "198.18.5.0/24,sin\n2001:db8:1::/48,sin,fra\n");
    scratch_write(&scratch, "rows.csv",
                  "time,client,pop,rtt_ms,resolver,count\n"
                  "1763790000,8.8.8.8,fra,12.5,9.9.9.9,100\n"
                  "1763790007,8.8.8.8,sin,180,9.9.9.9,100\n"
                  "1763790007,8.8.9.0/24,sin,20,9.9.9.9,900\n"
                  "1763790007,8.8.9.0/24,fra,200,9.9.9.9,900\n");
    image = scratch_image(&scratch);
}

static void close_world(void)
{
    image_unref(image);
    scratch_close(&scratch);
}

TestSuite(explain, .init = open_world, .fini = close_world);

/* The objects printed for `text`, as an array. */
static json_t *explain_json(const char *text, uint32_t map, bool resolver)
{
    const struct explain_options options = {.map = map, .resolver = resolver, .json = true};
    struct failure failure = {{0}};
    json_t *array = json_array();
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    char *line;
    char *rest;

    cr_assert_eq(explain_text(image, &options, text, out, &failure), 0, "%s", failure.text);
    fclose(out);
    for (line = strtok_r(bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, 0, NULL);

        cr_assert_not_null(object, "%s", line);
        json_array_append_new(array, object);
    }
    free(bytes);
    return array;
}

static void expect(const json_t *object, const char *key, const char *expected)
{
    char *text = json_dumps(json_object_get(object, key), JSON_ENCODE_ANY | JSON_COMPACT);

    cr_assert_str_eq(text, expected, "%s is %s", key, text);
    free(text);
}

Test(explain, a_measured_client_has_every_key_of_the_contract)
{
    json_t *array = explain_json("8.8.8.8", 0, false);
    json_t *object = json_array_get(array, 0);

    cr_assert_eq(json_array_size(array), 1);
    expect(object, "client", "\"8.8.8.8\"");
    expect(object, "map", "\"web\"");
    expect(object, "block", "\"8.8.8.0/24\"");
    expect(object, "scope", "24");
    expect(object, "source", "\"measured\"");
    expect(object, "generation", "1763790007");
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(object, "ranking"), 0)),
                     "fra");
    cr_assert_eq(json_array_size(json_object_get(object, "ranking")), 3);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(object, "samples"), "fra")),
                 100);
    cr_assert_float_eq(json_real_value(json_object_get(json_object_get(object, "rtt_ms"), "fra")),
                       12.5, 8);
    json_decref(array);
}

Test(explain, pins_defaults_and_maps)
{
    static const struct {
        const char *client;
        uint32_t map;
        const char *source;
        const char *scope;
        const char *ranking; /* the head */
    } cases[] = {
        {"198.18.5.1", 0, "\"override\"", "24", "sin"},
        {"198.18.5.1", 1, "\"override\"", "24", "sin"},
        {"2001:db8:1::7", 0, "\"override\"", "48", "sin"},
        {"2002:c612:501::7", 0, "\"override\"", "40", "sin"},
        {"::ffff:198.18.5.1", 0, "\"override\"", "120", "sin"},
        {"1.2.3.4", 0, "\"default\"", "8", "nyc"},
        {"1.2.3.4", 1, "\"default\"", "8", "fra"},
        {"10.2.3.4", 0, "\"default\"", "8",
         "nyc"}, /* special: the resolver's address would decide */
        {"8.8.9.200", 1, "\"measured\"", "24", "sin"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *array = explain_json(cases[i].client, cases[i].map, false);
        json_t *object = json_array_get(array, 0);

        expect(object, "source", cases[i].source);
        expect(object, "scope", cases[i].scope);
        cr_assert_str_eq(json_string_value(json_array_get(json_object_get(object, "ranking"), 0)),
                         cases[i].ranking, "%s", cases[i].client);
        json_decref(array);
    }
}

Test(explain, a_resolver_gets_what_is_best_for_those_behind_it)
{
    json_t *listed = explain_json("9.9.9.9", 0, true);
    json_t *unlisted = explain_json("8.8.8.8", 0, true);

    /* nine in ten of its clients sit at 20 ms from sin */
    cr_assert_str_eq(
        json_string_value(json_array_get(json_object_get(json_array_get(listed, 0), "ranking"), 0)),
        "sin");
    expect(json_array_get(listed, 0), "block", "\"9.9.9.9/32\"");
    expect(json_array_get(listed, 0), "scope", "0");
    expect(json_array_get(unlisted, 0), "block", "\"8.8.8.0/24\"");
    cr_assert_str_eq(json_string_value(json_array_get(
                         json_object_get(json_array_get(unlisted, 0), "ranking"), 0)),
                     "fra");
    json_decref(listed);
    json_decref(unlisted);
}

static struct prefix block_at(const json_t *array, size_t i)
{
    struct prefix prefix;

    cr_assert_eq(prefix_parse(json_string_value(json_object_get(json_array_get(array, i), "block")),
                              true, &prefix),
                 0);
    return prefix;
}

Test(explain, a_prefix_yields_every_block_inside_it_in_order)
{
    static const char *const prefixes[] = {"8.8.0.0/16", "0.0.0.0/0", "198.18.0.0/15",
                                           "2001:db8::/32"};

    for (size_t p = 0; p < 4; p++) {
        json_t *array = explain_json(prefixes[p], 0, p & 1);
        struct prefix whole;
        struct map_key next;
        bool more = true;

        cr_assert_eq(prefix_parse(prefixes[p], true, &whole), 0);
        next = key_from_address(&whole.address);
        cr_assert_gt(json_array_size(array), 1);
        for (size_t i = 0; i < json_array_size(array); i++) {
            struct prefix block = block_at(array, i);

            cr_assert(more);
            cr_assert_eq(key_compare(key_from_address(&block.address), next), 0);
            next = key_last(next, block.len);
            more = key_advance(&next);
        }
        json_decref(array);
    }
}

Test(explain, a_prefix_inside_one_block_yields_it_once)
{
    json_t *array = explain_json("8.8.8.64/26", 0, false);

    cr_assert_eq(json_array_size(array), 1);
    expect(json_array_get(array, 0), "client", "\"8.8.8.64/26\"");
    expect(json_array_get(array, 0), "block", "\"8.8.8.0/24\"");
    json_decref(array);
}

Test(explain, what_is_no_address)
{
    const struct explain_options options = {.json = true};
    struct failure failure;

    cr_assert_eq(explain_text(image, &options, "www.example.com", stdout, &failure), -EINVAL);
    cr_assert_not_null(strstr(failure.text, "www.example.com"));
}
