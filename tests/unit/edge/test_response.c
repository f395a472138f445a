/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/answer/response.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"
#include "message.h"

/* The question "deep.sub.example.com. A IN". */
static const uint8_t question[] = "\4deep\3sub\7example\3com\0\0\1\0\1";
#define QUESTION_LEN (sizeof(question) - 1)

static struct zone *zone;
static uint8_t bytes[65535];
static struct response response;
static struct message message;

static void load(const char *records)
{
    char text[8192];
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    struct failure failure = {{0}};

    snprintf(text, sizeof(text),
             "@ 9 IN SOA ns hostmaster 1 2 3 4 5\n@ 9 NS ns\nns 9 A 192.0.2.1\n%s", records);
    name_from_text("example.com.", origin);
    cr_assert_eq(zone_load_bytes("z", text, strlen(text), origin, &zone, NULL, &failure), 0, "%s",
                 failure.text);
}

static void unload(void)
{
    zone_unref(zone);
}

static const struct zone_rrset *rrset(const char *name, uint16_t type)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    struct name_key key;
    bool exact;
    const struct zone_rrset *found;

    name_from_text(name, wire);
    name_key_make(&key, wire);
    found = zone_node_rrset(zone_find(zone, &key, &exact), type);
    cr_assert_not_null(found, "%s", name);
    return found;
}

static void start(size_t limit)
{
    memset(bytes, 0, WIRE_HEADER_LEN);
    response_init(&response, bytes, limit, question, QUESTION_LEN);
}

static const struct message *finish(void)
{
    const char *wrong;

    bytes[5] = 1;
    for (unsigned s = 0; s < RESPONSE_SECTIONS; s++) {
        wire_put_u16(bytes + 6 + 2 * s, response.counts[s]);
    }
    wrong = message_parse(bytes, response.at, &message);
    cr_assert_null(wrong, "%s", wrong);
    return &message;
}

static void expect_owner(const struct table_record *record, const char *owner)
{
    char text[NAME_TEXT_LEN];

    cr_expect_str_eq(name_to_text(record->owner, text), owner);
}

Test(response, owners_above_the_question_are_pointers_into_it, .fini = unload)
{
    const struct message *parsed;
    size_t negative_len;

    load("sub 9 NS ns\n");
    start(512);
    cr_expect(response_add(&response, RESPONSE_AUTHORITY, rrset("sub.example.com.", WIRE_TYPE_NS),
                           UINT32_MAX));
    cr_expect(response_add(&response, RESPONSE_AUTHORITY, zone->soa_negative, UINT32_MAX));
    negative_len = 2 + 10 + 5 + 13 + 20; /* "ns" and "hostmaster" with a pointer each */
    cr_expect_eq(zone->soa_negative->wire_len, negative_len);
    parsed = finish();
    cr_assert_eq(parsed->sections[TABLE_AUTHORITY].count, 2);
    expect_owner(&parsed->sections[TABLE_AUTHORITY].records[0], "sub.example.com.");
    expect_owner(&parsed->sections[TABLE_AUTHORITY].records[1], "example.com.");
    cr_expect_arr_eq(parsed->sections[TABLE_AUTHORITY].records[0].rdata, "\2ns\7example\3com", 16);
    cr_expect_arr_eq(parsed->sections[TABLE_AUTHORITY].records[1].rdata,
                     "\2ns\7example\3com\0\12hostmaster\7example\3com", 40);
}

Test(response, a_chain_points_into_the_names_before, .fini = unload)
{
    const struct zone_rrset *cname;
    const struct message *parsed;

    load("deep.sub 9 CNAME a.b.sub\na.b.sub 9 CNAME c.b.sub\nc.b.sub 9 CNAME www.example.org.\n");
    start(512);
    cname = rrset("deep.sub.example.com.", WIRE_TYPE_CNAME);
    response_add(&response, RESPONSE_ANSWER, cname, UINT32_MAX);
    cr_assert(response_follow(&response, cname, name_len(cname->target)));
    cname = rrset("a.b.sub.example.com.", WIRE_TYPE_CNAME);
    response_add(&response, RESPONSE_ANSWER, cname, UINT32_MAX);
    cr_assert(response_follow(&response, cname, name_len(cname->target)));
    cname = rrset("c.b.sub.example.com.", WIRE_TYPE_CNAME);
    response_add(&response, RESPONSE_ANSWER, cname, UINT32_MAX);
    cr_assert(response_follow(&response, cname, name_len(cname->target)));
    cr_assert(response_add_addresses(&response, 7, (const uint8_t *)"\1\2\3\4", 4, 1));
    parsed = finish();
    cr_assert_eq(parsed->sections[TABLE_ANSWER].count, 4);
    expect_owner(&parsed->sections[TABLE_ANSWER].records[1], "a.b.sub.example.com.");
    expect_owner(&parsed->sections[TABLE_ANSWER].records[2], "c.b.sub.example.com.");
    expect_owner(&parsed->sections[TABLE_ANSWER].records[3], "www.example.org.");
    cr_expect_arr_eq(parsed->sections[TABLE_ANSWER].records[1].rdata, "\1c\1b\3sub\7example\3com",
                     21);
}

Test(response, chains_are_bounded, .fini = unload)
{
    const struct zone_rrset *cname;
    unsigned followed = 0;

    load("deep.sub 9 CNAME deep.sub.example.org.\n");
    cname = rrset("deep.sub.example.com.", WIRE_TYPE_CNAME);
    start(65535);
    do {
        response_add(&response, RESPONSE_ANSWER, cname, UINT32_MAX);
        followed++;
    } while (followed < 100 && response_follow(&response, cname, name_len(cname->target)));
    cr_expect_eq(followed, RESPONSE_STAGES);
}

/* Long signatures before it can push a target past what pointers reach (RFC 1035 section 4.1.4). */
Test(response, chains_end_where_pointers_do, .fini = unload)
{
    static const uint8_t filler[200];
    const struct zone_rrset *cname;
    const struct message *parsed;
    bool followed;

    load("deep.sub 9 CNAME a.b.sub\na.b.sub 9 A 192.0.2.1\n");
    cname = rrset("deep.sub.example.com.", WIRE_TYPE_CNAME);
    for (unsigned filler_n = 0; filler_n < 100; filler_n++) {
        start(65535);
        for (unsigned i = 0; i < filler_n; i++) {
            response_add_record(&response, RESPONSE_ANSWER, WIRE_TYPE_TXT, 1, 1, filler,
                                sizeof(filler));
        }
        response_add(&response, RESPONSE_ANSWER, cname, UINT32_MAX);
        followed = response_follow(&response, cname, name_len(cname->target));
        cr_expect(followed || response.at > 0x4000 - 64, "%u", filler_n);
        if (followed) {
            response_add(&response, RESPONSE_ANSWER, rrset("a.b.sub.example.com.", WIRE_TYPE_A),
                         UINT32_MAX);
            parsed = finish();
            expect_owner(&parsed->sections[TABLE_ANSWER].records[filler_n + 1],
                         "a.b.sub.example.com.");
        }
    }
    cr_expect_not(followed);
}

Test(response, nothing_after_what_did_not_fit, .fini = unload)
{
    size_t at;

    load("deep.sub 9 A 192.0.2.1\ndeep.sub 9 A 192.0.2.2\ndeep.sub 9 TXT x\n");
    start(WIRE_HEADER_LEN + QUESTION_LEN + 31); /* two addresses take 32 */
    at = response.at;
    cr_expect_not(response_add(&response, RESPONSE_ANSWER,
                               rrset("deep.sub.example.com.", WIRE_TYPE_A), UINT32_MAX));
    cr_expect(response.truncated);
    cr_expect_not(response_add(&response, RESPONSE_ANSWER,
                               rrset("deep.sub.example.com.", WIRE_TYPE_TXT), UINT32_MAX));
    cr_expect_not(response_add_record(&response, RESPONSE_ANSWER, 1, 1, 1, bytes, 1));
    cr_expect_not(response_add_addresses(&response, 1, bytes, 4, 1));
    cr_expect_eq(response.at, at);
    cr_expect_eq(response.counts[RESPONSE_ANSWER], 0);

    start(WIRE_HEADER_LEN + QUESTION_LEN + 32);
    cr_expect(response_add(&response, RESPONSE_ANSWER, rrset("deep.sub.example.com.", WIRE_TYPE_A),
                           UINT32_MAX));
}

Test(response, ttls_are_capped, .fini = unload)
{
    const struct message *parsed;

    load("deep.sub 9 A 192.0.2.1\ndeep.sub 9 A 192.0.2.2\n");
    start(512);
    response_add(&response, RESPONSE_ANSWER, rrset("deep.sub.example.com.", WIRE_TYPE_A), 4);
    response_add(&response, RESPONSE_ANSWER, rrset("deep.sub.example.com.", WIRE_TYPE_A), 10);
    parsed = finish();
    cr_expect_eq(parsed->sections[TABLE_ANSWER].records[0].ttl, 4);
    cr_expect_eq(parsed->sections[TABLE_ANSWER].records[1].ttl, 4);
    cr_expect_eq(parsed->sections[TABLE_ANSWER].records[2].ttl, 9);
}

static bool skip_all(const void *context, const struct zone_node *node)
{
    (void)context;
    (void)node;
    return true;
}

/* In a long response names lie beyond the reach of a pointer (RFC 1035 section 4.1.4). */
Test(response, names_out_of_reach_are_written_out, .fini = unload)
{
    const struct zone_rrset *ns;
    const struct message *parsed;

    load("deep.sub 9 TXT x\nns.sub 9 A 192.0.2.9\nsub 9 NS ns.sub\n");
    ns = rrset("sub.example.com.", WIRE_TYPE_NS);
    for (int beyond = 0; beyond < 2; beyond++) {
        size_t at;

        start(65535);
        while (beyond && response.at <= 0x4000) {
            static const uint8_t filler[1000];

            response_add_record(&response, RESPONSE_ANSWER, WIRE_TYPE_TXT, 1, 1, filler,
                                sizeof(filler));
        }
        at = response.at;
        response_add(&response, RESPONSE_AUTHORITY, ns, UINT32_MAX);
        response_add_additional(&response, ns, at, NULL, NULL);
        parsed = finish();
        cr_assert_eq(parsed->sections[TABLE_ADDITIONAL].count, 1);
        expect_owner(&parsed->sections[TABLE_ADDITIONAL].records[0], "ns.sub.example.com.");
        cr_expect_arr_eq(parsed->sections[TABLE_ADDITIONAL].records[0].rdata, "\300\0\2\11", 4);
    }
    start(512);
    response_add(&response, RESPONSE_AUTHORITY, ns, UINT32_MAX);
    response_add_additional(&response, ns, WIRE_HEADER_LEN + QUESTION_LEN, skip_all, NULL);
    cr_expect_eq(response.counts[RESPONSE_ADDITIONAL], 0);
}

#define SIG(type) " 9 RRSIG " type " 13 4 9 20900101000000 20260101000000 1 example.com. AAAA\n"
#define SIG_LEN (12 + 18 + 13 + 3)

/* RFC 4035 section 3.1.1: a set and its signatures go together or not at all. */
Test(response, signatures_go_with_their_set, .fini = unload)
{
    const struct zone_rrset *a;
    const struct message *parsed;
    size_t room = WIRE_HEADER_LEN + QUESTION_LEN + 16 + SIG_LEN;

    load("deep.sub 9 A 192.0.2.1\ndeep.sub" SIG("A"));
    a = rrset("deep.sub.example.com.", WIRE_TYPE_A);
    start(room);
    response.dnssec = true;
    cr_expect(response_add(&response, RESPONSE_ANSWER, a, 4));
    parsed = finish();
    cr_assert_eq(parsed->sections[TABLE_ANSWER].count, 2);
    for (unsigned i = 0; i < 2; i++) {
        expect_owner(&parsed->sections[TABLE_ANSWER].records[i], "deep.sub.example.com.");
        cr_expect_eq(parsed->sections[TABLE_ANSWER].records[i].ttl, 4);
    }
    cr_expect_eq(parsed->sections[TABLE_ANSWER].records[1].type, WIRE_TYPE_RRSIG);
    start(room - 1);
    cr_expect_not(response_add(&response, RESPONSE_ANSWER, a, 4));
    cr_expect(response.truncated);
    cr_expect_eq(response.counts[RESPONSE_ANSWER], 0);
    start(512);
    cr_expect(response_add_signatures(&response, RESPONSE_ANSWER, a));
    parsed = finish();
    cr_assert_eq(parsed->sections[TABLE_ANSWER].count, 1);
    expect_owner(&parsed->sections[TABLE_ANSWER].records[0], "deep.sub.example.com.");
    response.dnssec = false;
    start(room - 1);
    cr_expect(response_add(&response, RESPONSE_ANSWER, a, 4));
    cr_expect_eq(response.counts[RESPONSE_ANSWER], 1);
}

/* What is only additional is left out without a word. */
Test(response, additional_signatures_never_truncate, .fini = unload)
{
    const struct zone_rrset *mx;
    size_t at = WIRE_HEADER_LEN + QUESTION_LEN;

    load("deep.sub 9 MX 1 a.deep.sub\na.deep.sub 9 A 192.0.2.1\na.deep.sub" SIG("A"));
    mx = rrset("deep.sub.example.com.", WIRE_TYPE_MX);
    for (size_t missing = 0; missing < 2; missing++) {
        start(at + mx->wire_len + 16 + SIG_LEN - missing);
        response.dnssec = true;
        response_add(&response, RESPONSE_ANSWER, mx, UINT32_MAX);
        response_add_additional(&response, mx, at, NULL, NULL);
        cr_expect_eq(response.counts[RESPONSE_ADDITIONAL], missing ? 0 : 2);
        cr_expect_not(response.truncated);
        (void)finish();
    }
    response.dnssec = false;
}

/* The owner of a proof is a name of its own: written once, or each time when it is out of reach. */
Test(response, foreign_owners_are_written, .fini = unload)
{
    static const uint8_t filler[1000];
    const struct zone_rrset *nsec;
    const struct message *parsed;

    load("q 9 NSEC ns A NSEC\nq" SIG("NSEC"));
    nsec = rrset("q.example.com.", WIRE_TYPE_NSEC);
    for (int beyond = 0; beyond < 2; beyond++) {
        size_t at;

        start(65535);
        response.dnssec = true;
        while (beyond && response.at <= 0x4000) {
            response_add_record(&response, RESPONSE_ANSWER, WIRE_TYPE_TXT, 1, 1, filler,
                                sizeof(filler));
        }
        at = response.at;
        cr_expect(response_add_foreign(&response, RESPONSE_AUTHORITY, nsec, (const uint8_t *)"\1q",
                                       2, 0, 13));
        cr_expect_eq(response.at - at, nsec->wire_len + nsec->sig_len + (beyond ? 4 : 2));
        parsed = finish();
        cr_assert_eq(parsed->sections[TABLE_AUTHORITY].count, 2);
        expect_owner(&parsed->sections[TABLE_AUTHORITY].records[0], "q.example.com.");
        expect_owner(&parsed->sections[TABLE_AUTHORITY].records[1], "q.example.com.");
    }
    start(WIRE_HEADER_LEN + QUESTION_LEN + nsec->wire_len + nsec->sig_len + 1);
    cr_expect_not(response_add_foreign(&response, RESPONSE_AUTHORITY, nsec, (const uint8_t *)"\1q",
                                       2, 0, 13));
    cr_expect(response.truncated);
    response.dnssec = false;
}
