/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/tinydns_line.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

struct taken {
    char text[4096];
};

static int take_record(void *context, const struct tinydns_record *record)
{
    struct taken *taken = context;
    size_t len = strlen(taken->text);
    char owner[DOMAIN_TEXT_MAX];

    snprintf(taken->text + len, sizeof(taken->text) - len, "%s %u %s %s%s%s\n",
             domain_format(&record->owner, owner), record->ttl_s, record->type, record->rdata,
             record->location[0] ? " @" : "", record->location);
    return 0;
}

static int take_location(void *context, const struct tinydns_location *location)
{
    struct taken *taken = context;
    size_t len = strlen(taken->text);
    char prefix[ADDRESS_TEXT_LEN];

    snprintf(taken->text + len, sizeof(taken->text) - len, "%%%s %s\n", location->name,
             prefix_format(&location->prefix, prefix));
    return 0;
}

static void read_lines(const char *text, struct taken *taken, struct notes *notes)
{
    const struct tinydns_source source = {.name = "data", .serial = 7, .now_s = 1700000000};
    const struct tinydns_sink sink = {
        .record = take_record, .location = take_location, .context = taken};

    taken->text[0] = '\0';
    cr_assert_eq(tinydns_lines_read(&source, (const uint8_t *)text, strlen(text), &sink, notes), 0);
}

Test(import_tinydns, lines)
{
    static const struct {
        const char *line;
        const char *records;
    } cases[] = {
        {"# no\n\n-www:1.2.3.4\n", ""},
        {"+www.a:1.2.3.4", "www.a. 86400 A 1.2.3.4\n"},
        {"+www.a.:1.2.3.4:60 \t", "www.a. 60 A 1.2.3.4\n"},
        {"+www.a:1.2.3.4:60::in", "www.a. 60 A 1.2.3.4 @in\n"},
        {"=www.a:1.2.3.4", "www.a. 86400 A 1.2.3.4\n4.3.2.1.in-addr.arpa. 86400 PTR www.a.\n"},
        {".a:1.2.3.4:x:60", "a. 2560 SOA x.ns.a. hostmaster.a. 7 16384 2048 1048576 2560\n"
                            "a. 60 NS x.ns.a.\nx.ns.a. 60 A 1.2.3.4\n"},
        {"&a::ns.b", "a. 259200 NS ns.b.\n"},
        {"&a::", "a. 259200 NS ns.a.\n"},
        {"@a:1.2.3.4:x:5", "a. 86400 MX 5 x.mx.a.\nx.mx.a. 86400 A 1.2.3.4\n"},
        {"@a::m.b", "a. 86400 MX 0 m.b.\n"},
        {"'a:x\\072y\\134:9", "a. 9 TXT \"x:y\\\\\" \n"},
        {"^a:b", "a. 86400 PTR b.\n"},
        {"Ca:b:5", "a. 5 CNAME b.\n"},
        {"Za:b:c:1:2:3:4:5:6", "a. 6 SOA b. c. 1 2 3 4 5\n"},
        {"Za:b:c", "a. 2560 SOA b. c. 7 16384 2048 1048576 2560\n"},
        {":a:65280:\\001b", "a. 86400 TYPE65280 \\# 2 0162\n"},
        {"+\\052.a:1.2.3.4", "*.a. 86400 A 1.2.3.4\n"},
        {"3a:20010db8000000000000000000000001", "a. 86400 AAAA 2001:db8::1\n"},
        {"6a:20010db8000000000000000000000001", "a. 86400 AAAA 2001:db8::1\n"
                                                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8."
                                                "b.d.0.1.0.0.2.ip6.arpa. 86400 PTR a.\n"},
        {"%in:192.168", "%in 192.168.0.0/16\n"},
        {"%ex", "%ex 0.0.0.0/0\n"},
        {"%lo:1.2.3.4", "%lo 1.2.3.4/32\n"},
        {"+a:1.2.3.4:5:4000000038af1379", "a. 5 A 1.2.3.4\n"}, /* has begun */
        {"+a:1.2.3.4:0:4000000038af1379", ""},                 /* is over */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct notes notes = {0};
        struct taken taken;

        read_lines(cases[i].line, &taken, &notes);
        cr_assert_str_eq(taken.text, cases[i].records, "%s: %s", cases[i].line, taken.text);
        cr_assert_eq(notes.n, 0, "%s: %s", cases[i].line, notes.n ? notes.item[0].text : "");
        notes_done(&notes);
    }
}

Test(import_tinydns, what_is_wrong_is_skipped_with_its_line)
{
    static const struct {
        const char *line;
        const char *reason; /* what the note starts with */
    } cases[] = {
        {"+a:1.2.3", "not an IPv4 address: \"1.2.3\""},
        {"+a:::", "not an IPv4 address:"},
        {"+a:1.2.3.4:x", "not a number: \"x\""},
        {"+a:1.2.3.4:5:40000000", "not a time stamp"},
        {"+a:1.2.3.4:5:4fffffff38af1379", "begins later"},
        {"+a:1.2.3.4:0:4fffffff38af1379", "ends at a time"},
        {":a:2:x", "no type for a generic record: \"2\""},
        {":a::x", "no type for a generic record:"},
        {"3a:2001", "not 32 hexadecimal digits:"},
        {"%in:300", "not the start of an IPv4 address: \"300\""},
        {"%in:1.2.3.4.5", "not the start of an IPv4 address:"},
        {"%:1", "a location without a name:"},
        {"/a", "no kind of line of tinydns-data: \"/\""},
        {"@a::x:70000", "not a number: \"70000\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct notes notes = {0};
        struct taken taken;
        char text[256];

        snprintf(text, sizeof(text), "\n%s\n+last:1.2.3.4\n", cases[i].line);
        read_lines(text, &taken, &notes);
        cr_assert_str_eq(taken.text, "last. 86400 A 1.2.3.4\n", "%s", cases[i].line);
        cr_assert_eq(notes.n, 1, "%s", cases[i].line);
        cr_assert_eq(notes.item[0].line, 2);
        cr_assert_eq(strncmp(notes.item[0].text, cases[i].reason, strlen(cases[i].reason)), 0,
                     "%s: %s", cases[i].line, notes.item[0].text);
        notes_done(&notes);
    }
}
