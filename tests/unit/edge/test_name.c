/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/wire/name.h"

#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"

struct text_row {
    const char *text;
    const char *wire; /* NULL: refused */
    size_t wire_len;
    const char *back; /* NULL: the text itself */
    const char *why;
};

static const struct text_row text_rows[] = {
    {".", "", 1, NULL, "the root"},
    {"com.", "\3com", 5, NULL, "one label"},
    {"www.Example.com", "\3www\7Example\3com", 17, "www.Example.com.", "no final dot, case kept"},
    {"a\\.b.c.", "\3a.b\1c", 7, NULL, "an escaped dot is no separator"},
    {"\\065.", "\1A", 3, "A.", "a decimal escape"},
    {"\\001\\255.", "\2\1\xff", 4, NULL, "bytes that need an escape keep it"},
    {"*.x.", "\1*\1x", 5, NULL, "a wildcard is a name"},
    {LABEL63 ".", "\77" LABEL63, 65, NULL, "the longest label"},
    {LABEL63 "x.", NULL, 0, NULL, "a label of 64 bytes"},
    {LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".", NULL, 0, NULL, "257 bytes"},
    {"", NULL, 0, NULL, "nothing"},
    {"a..b.", NULL, 0, NULL, "an empty label"},
    {".a.", NULL, 0, NULL, "an empty label in front"},
    {"a\\", NULL, 0, NULL, "an escape of nothing"},
    {"\\25", NULL, 0, NULL, "half a decimal escape"},
    {"\\256.", NULL, 0, NULL, "a decimal escape over 255"},
};

Test(name, text_to_wire_and_back)
{
    for (size_t i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++) {
        const struct text_row *row = &text_rows[i];
        uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
        char text[NAME_TEXT_LEN];

        if (!row->wire) {
            cr_expect_lt(name_from_text(row->text, wire), 0, "%s", row->why);
            continue;
        }
        cr_assert_eq(name_from_text(row->text, wire), 0, "%s", row->why);
        cr_expect_eq(name_len(wire), row->wire_len, "%s", row->why);
        cr_expect_arr_eq(wire, row->wire, row->wire_len, "%s", row->why);
        cr_expect_str_eq(name_to_text(wire, text), row->back ? row->back : row->text, "%s",
                         row->why);
    }
}

Test(name, longest_name_passes_one_more_byte_does_not)
{
    char text[300];
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    struct name_key key;

    strcpy(text, LABEL63 "." LABEL63 "." LABEL63 ".");
    strncat(text, LABEL63, 61);
    cr_assert_eq(name_from_text(text, wire), 0);
    cr_expect_eq(name_len(wire), NAME_LEN_MAX);
    cr_expect_eq(name_key_parse(&key, wire, sizeof(wire)), NAME_LEN_MAX);
    strcat(text, "x");
    cr_expect_lt(name_from_text(text, wire), 0);
}

Test(name, most_labels_pass)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1] = {0};
    struct name_key key;

    for (unsigned i = 0; i < NAME_LABELS_MAX; i++) {
        wire[2 * i] = 1;
        wire[2 * i + 1] = 'a';
    }
    cr_assert_eq(name_key_parse(&key, wire, sizeof(wire)), NAME_LEN_MAX);
    cr_expect_eq(key.label_n, NAME_LABELS_MAX);
}

Test(name, hostile_bytes_are_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } rows[] = {
        {"", 0, "nothing"},
        {"\3ww", 3, "a label cut short"},
        {"\3www", 4, "no root"},
        {"\300\14", 2, "a compression pointer"},
        {"\1a\300\14", 4, "a compression pointer after a label"},
        {"\100aaaa", 5, "a reserved label type"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct name_key key;

        cr_expect_eq(name_key_parse(&key, (const uint8_t *)rows[i].bytes, rows[i].len), 0, "%s",
                     rows[i].why);
        cr_expect_eq(name_check((const uint8_t *)rows[i].bytes, rows[i].len), 0, "%s", rows[i].why);
    }
}

Test(name, key_folds_letters_only)
{
    uint8_t wire[2 + 255] = {0};
    struct name_key key;

    /* every byte value, 63 at a time */
    for (unsigned first = 0; first < 256; first += 63) {
        wire[0] = 63;
        wire[64] = 0;
        for (unsigned i = 0; i < 63; i++) {
            wire[1 + i] = (uint8_t)(first + i);
        }
        cr_assert_eq(name_key_parse(&key, wire, 65), 65);
        for (unsigned i = 0; i < 63; i++) {
            uint8_t byte = (uint8_t)(first + i);
            uint8_t folded = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;

            cr_expect_eq(key.bytes[1 + i], folded, "byte %u became %u", byte, key.bytes[1 + i]);
        }
    }
}

Test(name, suffix_hashes_are_those_of_the_suffixes)
{
    static const char *const texts[] = {"www.a-label-of-20-bytes.Example.com.",
                                        "a-label-of-20-bytes.exaMple.com.", "example.com.", "com.",
                                        "."};
    struct name_key whole, part;
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];

    name_from_text(texts[0], wire);
    name_key_parse(&whole, wire, sizeof(wire));
    for (unsigned i = 0; i <= whole.label_n; i++) {
        name_from_text(texts[i], wire);
        name_key_parse(&part, wire, sizeof(wire));
        cr_expect_eq(name_key_hash(&part), whole.hashes[whole.label_n - i], "%s", texts[i]);
        cr_expect_eq(name_suffix_len(&whole, whole.label_n - i), part.len, "%s", texts[i]);
    }
}

Test(name, neighbours_have_different_hashes)
{
    static const char *const pairs[][2] = {
        {"a.b.", "b.a."}, {"ab.c.", "a.bc."},        {"aaaaaaaa.", "aaaaaaa."},
        {"a.", "a.a."},   {"\\000.", "\\000\\000."}, {"12345678.x.", "12345678x."},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
        struct name_key a, b;

        name_from_text(pairs[i][0], wire);
        name_key_parse(&a, wire, sizeof(wire));
        name_from_text(pairs[i][1], wire);
        name_key_parse(&b, wire, sizeof(wire));
        cr_expect_neq(name_key_hash(&a), name_key_hash(&b), "%s and %s", pairs[i][0], pairs[i][1]);
    }
}

/* Tables take the lower bits: names that differ in their last bytes only must not crowd there. At
 * random, 10,000 names would take about 8,620 of 32,768 places. */
Test(name, numbered_names_spread_over_a_table)
{
    enum { NAMES = 10000, PLACES = 32768 };
    static bool taken[PLACES];
    unsigned taken_n = 0;

    for (unsigned i = 0; i < NAMES; i++) {
        uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
        char text[32];
        struct name_key key;

        snprintf(text, sizeof(text), "h%05u.example.", i);
        name_from_text(text, wire);
        name_key_parse(&key, wire, sizeof(wire));
        taken_n += !taken[name_key_hash(&key) % PLACES];
        taken[name_key_hash(&key) % PLACES] = true;
    }
    cr_expect_gt(taken_n, 8400, "%u", taken_n);
}

Test(name, under)
{
    static const struct {
        const char *name, *origin;
        bool under;
    } rows[] = {
        {"www.example.com.", "example.com.", true},
        {"example.com.", "EXAMPLE.com.", true},
        {"com.", "example.com.", false},
        {"badexample.com.", "example.com.", false},
        {"example.com.", ".", true},
        {"example.org.", "example.com.", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1], origin[NAME_LEN_MAX + NAME_SLACK + 1];

        name_from_text(rows[i].name, name);
        name_from_text(rows[i].origin, origin);
        cr_expect_eq(name_is_under(name, origin), rows[i].under, "%s under %s", rows[i].name,
                     rows[i].origin);
    }
}

Test(name, same_looks_at_every_byte_and_none_beyond)
{
    uint8_t a[40 + NAME_SLACK], b[40 + NAME_SLACK];

    for (size_t len = 1; len <= 40; len++) {
        memset(a, 'a', sizeof(a));
        memset(b, 'a', sizeof(b));
        memset(b + len, 'x', NAME_SLACK);
        cr_expect(name_same(a, b, len), "%zu bytes", len);
        for (size_t i = 0; i < len; i++) {
            b[i] ^= 0x80;
            cr_expect_not(name_same(a, b, len), "byte %zu of %zu", i, len);
            b[i] ^= 0x80;
        }
    }
}

Test(name, the_seed_changes_hashes)
{
    struct name_key before, after;
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];

    name_from_text("www.example.com.", wire);
    name_key_make(&before, wire);
    name_hash_seed(0x123456789abcdef0);
    name_key_make(&after, wire);
    for (unsigned i = 0; i <= before.label_n; i++) {
        cr_expect_neq(before.hashes[i], after.hashes[i]);
    }
}
