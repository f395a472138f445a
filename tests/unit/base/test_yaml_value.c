/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct yaml_document *document;
static struct failure failure;

/* The value of `text` as it stands in a file after "key: ". */
static const struct yaml_node *value_of(const char *text)
{
    char line[256];

    snprintf(line, sizeof(line), "key: %s\n", text);
    yaml_unload(document);
    document = NULL;
    failure.text[0] = '\0';
    cr_assert_eq(yaml_load_bytes("dir/f", (const uint8_t *)line, strlen(line), &document, &failure),
                 0, "%s", failure.text);
    return yaml_get(yaml_root(document), "key");
}

static void forget(void)
{
    yaml_unload(document);
    document = NULL;
}

TestSuite(yaml_value, .fini = forget);

/* Checks code and message of a failed read, the message without its place "dir/f:1:6: ". */
static void expect_failure(int err, int wanted_err, const char *wanted)
{
    cr_expect_eq(err, wanted_err, "%d, not %d (%s)", err, wanted_err, wanted);
    cr_expect_eq(strncmp(failure.text, "dir/f:1:6: ", 11), 0, "%s", failure.text);
    cr_expect_str_eq(failure.text + 11, wanted);
}

Test(yaml_value, text)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        {"plain words", "plain words"},
        {"\"\"", ""},
        {"''", ""},
        {"\"a\\nb\"", "a\nb"},
        {"'it''s'", "it's"},
        {"12", "12"},
        {"null", "null"},
        {"~", "~"},
        {"\"\\u00e9\"", "\xc3\xa9"},
        {"a # comment", "a"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *value = NULL;

        cr_expect_eq(yaml_text(value_of(rows[i].text), &value, &failure), 0);
        cr_expect_str_eq(value, rows[i].value);
    }
}

Test(yaml_value, what_is_no_scalar_is_said)
{
    const char *text = "untouched";
    uint64_t number;
    double real;
    bool truth;
    int64_t ns;
    struct address address;
    struct endpoint endpoint;
    char *path;

    expect_failure(yaml_text(value_of("[a]"), &text, &failure), -EINVAL, "must be text, is a list");
    expect_failure(yaml_text(value_of("{a: b}"), &text, &failure), -EINVAL,
                   "must be text, is a map");
    expect_failure(yaml_u64(value_of("[a]"), 1, 9, &number, &failure), -EINVAL,
                   "must be a whole number from 1 to 9, is a list");
    expect_failure(yaml_double(value_of("[a]"), -90, 90.5, &real, &failure), -EINVAL,
                   "must be a number from -90 to 90.5, is a list");
    expect_failure(yaml_bool(value_of("[a]"), &truth, &failure), -EINVAL,
                   "must be true or false, is a list");
    expect_failure(yaml_duration_ns(value_of("[a]"), 0, INT64_C(90000000000), &ns, &failure),
                   -EINVAL,
                   "must be a time from 0 to 90s (such as 500ms, 1.5s, 10m, 2h), is a list");
    expect_failure(yaml_address(value_of("[a]"), &address, &failure), -EINVAL,
                   "must be an IP address, is a list");
    expect_failure(yaml_endpoint(value_of("[a]"), 53, &endpoint, &failure), -EINVAL,
                   "must be an IP address with or without a port (192.0.2.1:53, [::1]:53), is a "
                   "list");
    expect_failure(yaml_path(value_of("[a]"), &path, &failure), -EINVAL,
                   "must be a path, is a list");
    cr_assert_str_eq(text, "untouched");
}

Test(yaml_value, a_value_that_is_not_there_is_missing)
{
    const char *text;
    struct yaml_document *empty;

    cr_assert_eq(yaml_load_bytes("f", (const uint8_t *)"a:\nb: 1\n", 8, &empty, &failure), 0);
    cr_assert_eq(yaml_text(yaml_get(yaml_root(empty), "a"), &text, &failure), -EINVAL);
    cr_assert_str_eq(failure.text, "f:1:3: must be text, is missing");
    yaml_unload(empty);
}

Test(yaml_value, whole_numbers)
{
    uint64_t value = 77;

    cr_assert_eq(yaml_u64(value_of("53"), 1, 65535, &value, &failure), 0);
    cr_assert_eq(value, 53);
    cr_assert_eq(yaml_u64(value_of("'54'"), 1, 65535, &value, &failure), 0);
    cr_assert_eq(value, 54);
    expect_failure(yaml_u64(value_of("65536"), 1, 65535, &value, &failure), -ERANGE,
                   "must be a whole number from 1 to 65535, is \"65536\"");
    expect_failure(yaml_u64(value_of("many"), 1, 65535, &value, &failure), -EINVAL,
                   "must be a whole number from 1 to 65535, is \"many\"");
    cr_assert_eq(value, 54);
}

Test(yaml_value, real_numbers)
{
    double value = 77;

    cr_assert_eq(yaml_double(value_of("-8.68"), -180, 180, &value, &failure), 0);
    cr_assert(value == -8.68);
    expect_failure(yaml_double(value_of("181"), -180, 180, &value, &failure), -ERANGE,
                   "must be a number from -180 to 180, is \"181\"");
    expect_failure(yaml_double(value_of(".nan"), -180, 180, &value, &failure), -EINVAL,
                   "must be a number from -180 to 180, is \".nan\"");
}

Test(yaml_value, truth_and_off)
{
    static const struct {
        const char *text;
        int truth; /* -1: neither */
        bool off;
    } rows[] = {
        {"true", 1, false},  {"yes", 1, false},   {"on", 1, false},   {"false", 0, true},
        {"no", 0, true},     {"off", 0, true},    {"'off'", 0, true}, {"maybe", -1, false},
        {"1", -1, false},    {"True", -1, false}, {"[]", -1, false},  {"{}", -1, false},
        {"\"\"", -1, false}, {"", -1, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct yaml_node *node = value_of(rows[i].text);
        bool truth = rows[i].truth != 1;
        int err = yaml_bool(node, &truth, &failure);

        cr_expect_eq(yaml_is_off(node), rows[i].off, "%s", rows[i].text);
        cr_expect_eq(err, rows[i].truth < 0 ? -EINVAL : 0, "%s", rows[i].text);
        cr_expect(rows[i].truth < 0 || truth == (rows[i].truth == 1), "%s", rows[i].text);
    }
    expect_failure(yaml_bool(value_of("maybe"), &(bool){0}, &failure), -EINVAL,
                   "must be true or false, is \"maybe\"");
}

Test(yaml_value, durations)
{
    const int64_t ms = 1000000, day = INT64_C(86400000) * ms;
    int64_t ns = 77;

    cr_assert_eq(yaml_duration_ns(value_of("1.5s"), ms, day, &ns, &failure), 0);
    cr_assert_eq(ns, 1500 * ms);
    cr_assert_eq(yaml_duration_ns(value_of("1d"), ms, day, &ns, &failure), 0);
    expect_failure(yaml_duration_ns(value_of("25h"), ms, day, &ns, &failure), -ERANGE,
                   "must be a time from 1ms to 1d (such as 500ms, 1.5s, 10m, 2h), is \"25h\"");
    expect_failure(yaml_duration_ns(value_of("1us"), ms, 1500 * ms, &ns, &failure), -ERANGE,
                   "must be a time from 1ms to 1500ms (such as 500ms, 1.5s, 10m, 2h), is \"1us\"");
    expect_failure(yaml_duration_ns(value_of("soon"), 1, 1000, &ns, &failure), -EINVAL,
                   "must be a time from 1ns to 1us (such as 500ms, 1.5s, 10m, 2h), is \"soon\"");
    cr_assert_eq(ns, day);
}

Test(yaml_value, addresses)
{
    struct address address;
    struct endpoint endpoint;
    char text[ADDRESS_TEXT_LEN];

    cr_assert_eq(yaml_address(value_of("2001:db8::1"), &address, &failure), 0);
    cr_assert_str_eq(address_format(&address, text), "2001:db8::1");
    expect_failure(yaml_address(value_of("192.0.2.0/24"), &address, &failure), -EINVAL,
                   "must be an IP address, is \"192.0.2.0/24\"");
    cr_assert_eq(yaml_endpoint(value_of("\"192.0.2.1\""), 53, &endpoint, &failure), 0);
    cr_assert_str_eq(endpoint_format(&endpoint, text), "192.0.2.1:53");
    cr_assert_eq(yaml_endpoint(value_of("192.0.2.1@5300"), 53, &endpoint, &failure), 0);
    cr_assert_str_eq(endpoint_format(&endpoint, text), "192.0.2.1:5300");
    expect_failure(yaml_endpoint(value_of("ns1"), 53, &endpoint, &failure), -EINVAL,
                   "must be an IP address with or without a port (192.0.2.1:53, [::1]:53), is "
                   "\"ns1\"");
}

Test(yaml_value, paths)
{
    char *path = NULL;

    cr_assert_eq(yaml_path(value_of("zones/a"), &path, &failure), 0);
    cr_assert_str_eq(path, "dir/zones/a");
    free(path);
    cr_assert_eq(yaml_path(value_of("/zones/a"), &path, &failure), 0);
    cr_assert_str_eq(path, "/zones/a");
    free(path);
    expect_failure(yaml_path(value_of("''"), &path, &failure), -EINVAL, "must be a path, is \"\"");
}

Test(yaml_value, long_values_are_cut_in_messages)
{
    char text[201], wanted[300];
    struct address address;

    memset(text, 'x', 200);
    text[200] = '\0';
    snprintf(wanted, sizeof(wanted), "must be an IP address, is \"%.64s\"", text);
    expect_failure(yaml_address(value_of(text), &address, &failure), -EINVAL, wanted);
}

Test(yaml_value, known_keys_and_private_ones_pass)
{
    static const char *const known[] = {"listen", "zones", NULL};

    cr_assert_eq(
        yaml_check_keys(value_of("{zones: 1, x-note: 2, listen: 3, x-: 4}"), known, &failure), 0);
    cr_assert_eq(yaml_check_keys(value_of("{}"), known, &failure), 0);
}

Test(yaml_value, unknown_keys_are_named_with_the_nearest_known_one)
{
    static const char *const known[] = {"listen", "zones",   "workers", "map",
                                        "ttl",    "ttl_min", NULL};
    static const struct {
        const char *key, *nearest;
    } rows[] = {
        {"listne", "listen"}, {"Listen", "listen"}, {"zone", "zones"},     {"wokrers", "workers"},
        {"mpa", "map"},       {"tll", "ttl"},       {"ttlmin", "ttl_min"}, {"x", "map"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[64], wanted[128];

        snprintf(text, sizeof(text), "{listen: 1, %s: 1}", rows[i].key);
        snprintf(wanted, sizeof(wanted),
                 "dir/f:1:18: unknown key \"%s\"; the nearest known one is \"%s\"", rows[i].key,
                 rows[i].nearest);
        cr_expect_eq(yaml_check_keys(value_of(text), known, &failure), -EINVAL);
        cr_expect_str_eq(failure.text, wanted, "%s", failure.text);
    }
}

Test(yaml_value, long_keys_do_no_harm)
{
    static const char *const known[] = {"listen", NULL}, *const none[] = {NULL};
    char text[210];

    memset(text, 'k', sizeof(text));
    memcpy(text, "{", 1);
    memcpy(text + 200, ": 1}", 5);
    cr_assert_eq(yaml_check_keys(value_of(text), known, &failure), -EINVAL);
    cr_assert_not_null(strstr(failure.text, "\"; the nearest known one is \"listen\""));
    cr_assert_eq(yaml_check_keys(value_of(text), none, &failure), -EINVAL);
    cr_assert_not_null(strstr(failure.text, "dir/f:1:7: unknown key \"kkk"));
}

Test(yaml_value, keys_are_asked_of_maps_only)
{
    static const char *const known[] = {"listen", NULL};

    expect_failure(yaml_check_keys(value_of("[listen]"), known, &failure), -EINVAL,
                   "must be a map (key: value)");
    expect_failure(yaml_check_keys(value_of("listen"), known, &failure), -EINVAL,
                   "must be a map (key: value)");
}

Test(yaml_value, a_callers_own_failure_names_the_place)
{
    expect_failure(yaml_fail(value_of("x"), -ERANGE, &failure, "too %s by %d", "big", 3), -ERANGE,
                   "too big by 3");
    cr_assert_eq(yaml_fail(value_of("x"), -ERANGE, NULL, "nobody listens"), -ERANGE);
}
