/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_zone.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

struct taken {
    char text[4096];
};

static int take(void *context, const struct gdnsd_record *record)
{
    struct taken *taken = context;
    size_t len = strlen(taken->text);

    if (strncmp(record->type, "DYN", 3) == 0) {
        snprintf(taken->text + len, sizeof(taken->text) - len, "%s %u/%u %s %s\n", record->owner,
                 record->ttl_s, record->ttl_min_s, record->type, record->rdata);
    } else {
        snprintf(taken->text + len, sizeof(taken->text) - len, "%s %u %s %s\n", record->owner,
                 record->ttl_s, record->type, record->rdata);
    }
    return 0;
}

static void read_zone(const char *source, struct taken *taken, struct notes *notes)
{
    const struct gdnsd_zone_options options = {
        .default_ttl_s = 86400, .min_ttl_s = 5, .max_ttl_s = 3600000, .max_negative_s = 10800};
    struct domain origin;
    struct failure failure;

    taken->text[0] = '\0';
    cr_assert_eq(domain_parse("example.com.", 12, NULL, &origin), 0);
    cr_assert_eq(gdnsd_zone_read_bytes("zone", (const uint8_t *)source, strlen(source), &origin,
                                       &options, take, taken, notes, &failure),
                 0, "%s", failure.text);
}

Test(import_zone, records)
{
    static const struct {
        const char *source;
        const char *records;
    } cases[] = {
        {"@ A 192.0.2.1", "example.com. 86400 A 192.0.2.1\n"},
        {"$TTL 1H\nwww A 192.0.2.1\n  AAAA 2001:DB8::1",
         "www.example.com. 3600 A 192.0.2.1\nwww.example.com. 3600 AAAA 2001:db8::1\n"},
        {"www 30m IN a 192.0.2.1", "www.example.com. 1800 A 192.0.2.1\n"},
        {"www in 30M a 192.0.2.1", "www.example.com. 1800 A 192.0.2.1\n"},
        {"a 1 A 192.0.2.1", "a.example.com. 5 A 192.0.2.1\n"},
        {"@ SOA ns1 host.example.net. ( 7 ; serial\n 7200 30M 3D\n 1D )",
         "example.com. 10800 SOA ns1.example.com. host.example.net. 7 7200 1800 259200 10800\n"},
        {"@ 600 SOA . . 1 2 3 4 900", "example.com. 600 SOA . . 1 2 3 4 900\n"},
        {"w 600/10 DYNA geoip!www", "w.example.com. 600/10 DYNA geoip!www\n"},
        {"w 10M DYNC geoip!www/d\\c", "w.example.com. 600/300 DYNC geoip!www/dc\n"},
        {"w 6/1 DYNA null", "w.example.com. 6/5 DYNA null\n"},
        {"*.a NS b.@Z", "*.a.example.com. 86400 NS b.example.com.\n"},
        {"$ORIGIN sub\n@ A 192.0.2.1\nx.@F A 192.0.2.2\n@Z A 192.0.2.3",
         "sub.example.com. 86400 A 192.0.2.1\nx.example.com. 86400 A 192.0.2.2\n"
         "example.com. 86400 A 192.0.2.3\n"},
        {"a\\.b\\032c A 192.0.2.1", "a\\046b\\032c.example.com. 86400 A 192.0.2.1\n"},
        {"\"quoted name\" A 192.0.2.1", "quoted\\032name.example.com. 86400 A 192.0.2.1\n"},
        {"t TXT \"a b\" c\\;d \"\"", "t.example.com. 86400 TXT \"a b\" \"c;d\" \"\" \n"},
        {"s SRV 1 2 3 t", "s.example.com. 86400 SRV 1 2 3 t.example.com.\n"},
        {"n NAPTR 1 2 u E2U+sip \"!^.*$!x!\" .",
         "n.example.com. 86400 NAPTR 1 2 \"u\" \"E2U+sip\" \"!^.*$!x!\" .\n"},
        {"c CAA 0 issue \"ca.example\"", "c.example.com. 86400 CAA 0 issue \"ca.example\" \n"},
        {"u TYPE65280 \\# 3 0a 0B0c", "u.example.com. 86400 TYPE65280 \\# 3 0a0B0c\n"},
        {"_acme-challenge.w 60 TXT x", "_acme-challenge.w.example.com. 0 TXT \"x\" \n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct notes notes = {0};
        struct taken taken;

        read_zone(cases[i].source, &taken, &notes);
        cr_assert_str_eq(taken.text, cases[i].records, "%s: %s", cases[i].source, taken.text);
        cr_assert_eq(notes.n, 0, "%s: %s", cases[i].source, notes.n ? notes.item[0].text : "");
        notes_done(&notes);
    }
}

Test(import_zone, what_is_wrong_is_skipped_with_its_line)
{
    static const struct {
        const char *source;
        uint32_t line;
        const char *reason; /* what the note starts with */
    } cases[] = {
        {"\n\na A 192.0.2.300", 3, "not an address \"192.0.2.300\""},
        {"a AAAA 192.0.2.1", 1, "not an address"},
        {"a HINFO b c", 1, "no type of record that gdnsd knows: \"HINFO\""},
        {"a A", 1, "not an address"},
        {"a A 192.0.2.1 x", 1, "more than the record needs: \"x\""},
        {"a.b..c A 192.0.2.1", 1, "not an owner name"},
        {"a.example.net. A 192.0.2.1", 1, "the owner lies outside of the zone:"},
        {"a MX 70000 b", 1, "not a number \"70000\""},
        {"a TXT", 1, "a text is missing"},
        {"a TYPE1234 \\# 2 00", 1, "the length is not that of the data"},
        {"$GENERATE 1-2 a A 192.0.2.$", 1, "no directive of gdnsd 3: \"$GENERATE\""},
        {"$ADDR_LIMIT_V4 3", 1, "no directive of gdnsd 3:"},
        {"$ORIGIN example.net.", 1, "not an origin inside the zone:"},
        {"$TTL x", 1, "not a TTL"},
        {"$INCLUDE x", 1, "cannot include"},
        {"a A ( 192.0.2.1", 1, "the file ends inside parentheses"},
        {"a TXT \"x", 1, "the file ends inside quotes"},
        {"a A ) 192.0.2.1", 1, "parentheses that do not match"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct notes notes = {0};
        struct taken taken;
        char source[256];

        snprintf(source, sizeof(source), "%s\nlast A 192.0.2.9\n", cases[i].source);
        read_zone(source, &taken, &notes);
        cr_assert_geq(notes.n, 1, "%s", cases[i].source);
        cr_assert_eq(notes.item[0].line, cases[i].line, "%s: %u", cases[i].source,
                     notes.item[0].line);
        cr_assert_eq(strncmp(notes.item[0].text, cases[i].reason, strlen(cases[i].reason)), 0,
                     "%s: %s", cases[i].source, notes.item[0].text);
        notes_done(&notes);
    }
}

Test(import_zone, long_texts_are_split)
{
    struct notes notes = {0};
    struct taken taken;
    char source[700] = "t TXT ";
    char *first;

    memset(source + 6, 'x', 600);
    read_zone(source, &taken, &notes);
    first = strchr(taken.text, '"');
    cr_assert_not_null(first);
    cr_assert_eq(strspn(first + 1, "x"), 255);
    cr_assert_eq(strlen(first), 600 + 3 * 3 + 1, "three strings: %s", taken.text);
    cr_assert_eq(notes.n, 0);
}

Test(import_domain, limits)
{
    char label[80];
    char text[DOMAIN_TEXT_MAX];
    struct domain origin;
    struct domain name;

    memset(label, 'a', sizeof(label));
    cr_assert_eq(domain_parse(label, 63, NULL, &name), 0);
    cr_assert_neq(domain_parse(label, 64, NULL, &name), 0);
    cr_assert_eq(domain_parse(".", 1, NULL, &origin), 0);
    cr_assert_str_eq(domain_format(&origin, text), ".");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(domain_parse(label, 63, &origin, &name), 0);
        origin = name;
    }
    cr_assert_eq(domain_parse(label, 61, &origin, &name), 0, "255 bytes are a name");
    cr_assert_neq(domain_parse(label, 62, &origin, &name), 0);
    cr_assert_neq(domain_parse("", 0, NULL, &name), 0);
    cr_assert_neq(domain_parse("a\\", 2, NULL, &name), 0);
    cr_assert_neq(domain_parse("a\\25", 4, NULL, &name), 0);
}
