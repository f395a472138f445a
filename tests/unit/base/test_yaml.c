/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct yaml_document *load(const char *text)
{
    struct yaml_document *document = NULL;
    struct failure failure = {.text = ""};
    int err =
        yaml_load_bytes("dir/f.yaml", (const uint8_t *)text, strlen(text), &document, &failure);

    cr_assert_eq(err, 0, "%s", failure.text);
    return document;
}

Test(yaml, the_tree_keeps_order_and_places)
{
    struct yaml_document *document = load("# comment\n"
                                          "listen: [192.0.2.1, \"\"]\n"
                                          "zones:\n"
                                          "  - origin: example.\n"
                                          "    file: 'a b'\n");
    const struct yaml_node *root = yaml_root(document), *zones, *zone;

    cr_assert_eq(yaml_kind(root), YAML_KIND_MAP);
    cr_assert_eq(yaml_count(root), 2);
    cr_assert_null(yaml_key(root));
    cr_assert_str_eq(yaml_key(yaml_item(root, 0)), "listen");
    cr_assert_eq(yaml_kind(yaml_item(root, 0)), YAML_KIND_LIST);
    cr_assert_eq(yaml_count(yaml_item(root, 0)), 2);
    cr_assert_null(yaml_key(yaml_item(yaml_item(root, 0), 0)));
    cr_assert_null(yaml_item(root, 2));

    zones = yaml_get(root, "zones");
    zone = yaml_item(zones, 0);
    cr_assert_eq(zones, yaml_item(root, 1));
    cr_assert_eq(yaml_line(zones), 4);
    cr_assert_eq(yaml_column(zones), 3);
    cr_assert_eq(yaml_line(yaml_get(zone, "file")), 5);
    cr_assert_eq(yaml_column(yaml_get(zone, "file")), 11);
    cr_assert_str_eq(yaml_file(zone), "dir/f.yaml");
    yaml_unload(document);
}

Test(yaml, get_finds_keys_of_maps_only)
{
    struct yaml_document *document = load("{b: 1, a: 2, c: {}, d: []}");
    const struct yaml_node *root = yaml_root(document);

    for (const char *key = "abcd"; *key; key++) {
        char name[2] = {*key, '\0'};

        cr_assert_str_eq(yaml_key(yaml_get(root, name)), name);
    }
    cr_assert_null(yaml_get(root, "e"));
    cr_assert_null(yaml_get(root, ""));
    cr_assert_null(yaml_get(yaml_get(root, "a"), "x"));
    cr_assert_null(yaml_get(yaml_get(root, "c"), "x"));
    cr_assert_null(yaml_get(yaml_get(root, "d"), "x"));
    cr_assert_null(yaml_get(NULL, "x"));
    cr_assert_eq(yaml_count(yaml_get(root, "a")), 0);
    cr_assert_null(yaml_item(yaml_get(root, "a"), 0));
    yaml_unload(document);
}

Test(yaml, nothing_is_an_empty_map)
{
    static const char *const texts[] = {"", "\n\n", "# only this\n", "---\n", "---\n...\n", "{}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct yaml_document *document = load(texts[i]);

        cr_expect_eq(yaml_kind(yaml_root(document)), YAML_KIND_MAP, "\"%s\"", texts[i]);
        cr_expect_eq(yaml_count(yaml_root(document)), 0);
        cr_expect_null(yaml_get(yaml_root(document), "x"));
        cr_expect_eq(yaml_line(yaml_root(document)), 1);
        yaml_unload(document);
    }
}

Test(yaml, a_document_may_be_a_list_or_text)
{
    struct yaml_document *document = load("- a\n- b\n");

    cr_assert_eq(yaml_kind(yaml_root(document)), YAML_KIND_LIST);
    yaml_unload(document);
    document = load("\"\"");
    cr_assert_eq(yaml_kind(yaml_root(document)), YAML_KIND_SCALAR);
    yaml_unload(document);
}

Test(yaml, what_is_refused_is_refused_at_its_place)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"a: &x 1\n", "1:4: anchors are not supported"},
        {"a: &x [1]\n", "1:4: anchors are not supported"},
        {"a: &x {b: 1}\n", "1:4: anchors are not supported"},
        {"&x a: 1\n", "1:1: anchors are not supported"},
        {"a: 1\nb: *a\n", "2:4: aliases are not supported"},
        {"a: !!str 1\n", "1:4: tags are not supported"},
        {"a: !x [1]\n", "1:4: tags are not supported"},
        {"a: !x {b: 1}\n", "1:4: tags are not supported"},
        {"a: ! x\n", "1:4: tags are not supported"},
        {"%TAG ! tag:x,2000:\n---\na: 1\n", "1:1: tags are not supported"},
        {"a: 1\nb: 2\na: 3\n", "3:1: the key \"a\" is already in line 1"},
        {"{a: 1, \"a\": 2}", "1:8: the key \"a\" is already in line 1"},
        {"x: {a: {b: 1, c: 1, b: 1}}", "1:21: the key \"b\" is already in line 1"},
        {"a: 1\n---\nb: 1\n", "2:1: more than one document in a file"},
        {"---\n---\n", "2:1: more than one document in a file"},
        {"[a]: 1\n", "1:1: a key must be text, not a list or map"},
        {"? {a: 1}\n: 1\n", "1:3: a key must be text, not a list or map"},
        {"? \n: 1\n", "1:2: a key is missing"},
        {"\"\": 1\n", "1:1: a key is missing"},
        {"a: \"b\\0c\"\n", "1:4: text with a NUL character in it"},
        {"\"b\\0c\": a\n", "1:1: text with a NUL character in it"},
        {"a: [1, 2\n", "2:1: did not find expected ',' or ']' (while parsing a flow sequence that "
                       "starts in line 1)"},
        {"a: b\n c: d\n", "2:3: mapping values are not allowed in this context"},
        {"a: b\n\tc: d\n", "2:1: found a tab character that violates indentation (while scanning a "
                           "plain scalar that starts in line 1)"},
        {"a: 1\nb: \xff\n", "2:4: invalid leading UTF-8 octet"},
        {"a: 1\n\xc3\xa9: \x01\n", "2:4: control characters are not allowed"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct yaml_document *document = NULL;
        struct failure failure = {.text = ""};
        char wanted[256];
        int err = yaml_load_bytes("f", (const uint8_t *)rows[i].text, strlen(rows[i].text),
                                  &document, &failure);

        snprintf(wanted, sizeof(wanted), "f:%s", rows[i].reason);
        cr_expect_eq(err, -EINVAL, "\"%s\"", rows[i].text);
        cr_expect_null(document);
        cr_expect_str_eq(failure.text, wanted, "got  %s\nnot  %s", failure.text, wanted);
    }
}

/* `depth` lists inside each other */
static int load_nested(size_t depth, struct failure *failure)
{
    struct yaml_document *document = NULL;
    char text[256];
    int err;

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    err = yaml_load_bytes("f", (const uint8_t *)text, 2 * depth, &document, failure);
    yaml_unload(document);
    return err;
}

Test(yaml, nesting_has_a_bound)
{
    struct failure failure;

    cr_assert_eq(load_nested(32, &failure), 0);
    cr_assert_eq(load_nested(33, &failure), -EINVAL);
    cr_assert_str_eq(failure.text, "f:1:33: nested too deeply");
}

Test(yaml, size_has_a_bound)
{
    size_t len = ((size_t)64 << 20) + 1;
    uint8_t *bytes = malloc(len);
    struct yaml_document *document = NULL;
    struct failure failure;

    memset(bytes, '\n', len);
    cr_assert_eq(yaml_load_bytes("f", bytes, len, &document, &failure), -EFBIG);
    cr_assert_str_eq(failure.text, "f: longer than 67108864 bytes");
    cr_assert_null(document);
    free(bytes);
}

Test(yaml, the_number_of_values_has_a_bound)
{
    size_t excess = (size_t)4 << 20, len = 0; /* the list itself is a value too */
    uint8_t *bytes = malloc(2 * excess + 1);
    struct yaml_document *document = NULL;
    struct failure failure = {.text = ""};

    bytes[len++] = '[';
    for (size_t i = 0; i < excess; i++) {
        bytes[len++] = 'a';
        bytes[len++] = ',';
    }
    bytes[len - 1] = ']';
    cr_assert_eq(yaml_load_bytes("f", bytes, len, &document, &failure), -E2BIG);
    cr_assert_not_null(strstr(failure.text, "too many values"));
    cr_assert_null(document);
    free(bytes);
}

Test(yaml, a_byte_order_mark_is_no_text)
{
    struct yaml_document *document = load("\xef\xbb\xbf"
                                          "a: 1\n");

    cr_assert_not_null(yaml_get(yaml_root(document), "a"));
    yaml_unload(document);
}

Test(yaml, many_keys_are_all_found)
{
    enum { KEYS = 5000 };
    char *text = malloc(KEYS * 16), *end = text;
    struct yaml_document *document;

    for (unsigned i = 0; i < KEYS; i++) {
        end += sprintf(end, "k%u: %u\n", i * 7919U % KEYS, i);
    }
    document = load(text);
    cr_assert_eq(yaml_count(yaml_root(document)), KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        const struct yaml_node *node;

        snprintf(key, sizeof(key), "k%u", i);
        node = yaml_get(yaml_root(document), key);
        cr_assert_str_eq(yaml_key(node), key);
    }
    yaml_unload(document);
    free(text);
}

Test(yaml, files_are_read_and_missing_ones_said)
{
    struct yaml_document *document;
    struct failure failure;

    cr_assert_eq(yaml_load_file("/nonexistent/f.yaml", &document, &failure), -ENOENT);
    cr_assert_str_eq(failure.text, "/nonexistent/f.yaml: No such file or directory");
    cr_assert_eq(
        yaml_load_file(TEST_SOURCE_DIR "/tests/fuzz/base/yaml/edge.yaml", &document, &failure), 0,
        "%s", failure.text);
    cr_assert_not_null(yaml_get(yaml_root(document), "listen"));
    cr_assert_str_eq(yaml_file(yaml_root(document)),
                     TEST_SOURCE_DIR "/tests/fuzz/base/yaml/edge.yaml");
    yaml_unload(document);
}

Test(yaml, unload_takes_null)
{
    yaml_unload(NULL);
}
