/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_denial.h"
#include "edge/zone/zone_loader.h"

/* Signatures need not be true to be served. */
#define SIG(type) " RRSIG " type " 13 2 300 20900101000000 20260101000000 1 example.com. AAAA\n"
#define ZONE                                                                                       \
    "$TTL 300\n@ IN SOA ns h 1 2 3 4 5\n@" SIG("SOA") "@ NS ns\n@" SIG(                            \
        "NS") "@ DNSKEY 257 3 13 AAAA\n@" SIG("DNSKEY")
#define NSEC                                                                                       \
    ZONE "@ NSEC ns NS SOA RRSIG NSEC DNSKEY\n@" SIG("NSEC") "ns A 192.0.2.1\nns" SIG(             \
        "A") "ns NSEC *.w A RRSIG NSEC\nns" SIG("NSEC") "*.w A 192.0.2.2\n*.w" SIG("A") "*.w "     \
                                                                                        "NSEC "    \
                                                                                        "example." \
                                                                                        "com. A "  \
                                                                                        "RRSIG "   \
                                                                                        "NSEC\n*." \
                                                                                        "w" SIG(   \
                                                                                            "NSE"  \
                                                                                            "C")

static struct zone *load(const char *text, struct zone_report *ret_report, struct failure *failure)
{
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    struct zone *zone = NULL;

    name_from_text("example.com.", origin);
    failure->text[0] = '\0';
    return zone_load_bytes("z", text, strlen(text), origin, &zone, ret_report, failure) ? NULL
                                                                                        : zone;
}

static const uint8_t *wire(const char *text)
{
    static uint8_t names[2][NAME_LEN_MAX + NAME_SLACK + 1];
    static unsigned turn;
    uint8_t *name = names[turn++ % 2];

    cr_assert_eq(name_from_text(text, name), 0, "%s", text);
    return name;
}

/* RFC 4034 section 6.1, with its own example. */
Test(zone_denial, names_sort_canonically)
{
    static const char *const names[] = {"example.",
                                        "a.example.",
                                        "yljkjljk.a.example.",
                                        "z.a.example.",
                                        "zabc.a.example.",
                                        "z.example.",
                                        "\\000.z.example.",
                                        "\\001.z.example.",
                                        "\\001\\000.z.example.",
                                        "*.z.example.",
                                        "\\200.z.example.",
                                        "z\\000.example.",
                                        "z\\000\\000.example.",
                                        "z\\000\\001.example.",
                                        "z\\001.example.",
                                        "za.example."};
    size_t count = sizeof(names) / sizeof(names[0]);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            const uint8_t *a = wire(names[i]);
            const uint8_t *b = wire(names[k]);
            int order = zone_denial_compare(a, b);
            uint64_t left = zone_denial_prefix(a, 1);
            uint64_t right = zone_denial_prefix(b, 1);

            cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k), "%s %s", names[i], names[k]);
            cr_expect(i < k ? left <= right : left >= right, "keys of %s %s", names[i], names[k]);
        }
    }
}

/* RFC 5155 appendix A: 12 iterations, salt AABBCCDD. */
Test(zone_denial, names_are_hashed_as_the_rfc_has_them)
{
    static const struct nsec3_params params = {12, 4, {0xaa, 0xbb, 0xcc, 0xdd}};
    static const struct {
        const char *name;
        const char *hash;
    } rows[] = {
        {"example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
        {"a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
        {"*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
        {"x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t hash[NSEC3_HASH_LEN], back[NSEC3_HASH_LEN], label[NSEC3_LABEL_LEN];
        const uint8_t *name = wire(rows[i].name);

        nsec3_hash(&params, name, name_len(name), hash);
        nsec3_to_label(hash, label);
        cr_expect_eq(label[0], 32);
        cr_expect_arr_eq(label + 1, rows[i].hash, 32, "%s", rows[i].name);
        cr_expect(nsec3_from_label(label, back));
        cr_expect_arr_eq(back, hash, NSEC3_HASH_LEN);
        label[5] = 'w';
        cr_expect_not(nsec3_from_label(label, back));
    }
}

Test(zone_denial, a_broken_chain_is_no_zone)
{
    static const struct {
        const char *text;
        const char *failure;
    } rows[] = {
        {ZONE "ns A 192.0.2.1\n", "z:1: the zone is signed, but has neither NSEC nor NSEC3PARAM"},
        {ZONE "@ NSEC ns NS\nns A 192.0.2.1\n", "z:9: no NSEC record at this name"},
        {ZONE "@ NSEC ns NS\n@ NSEC a NS\nns A 192.0.2.1\nns NSEC @ A\n",
         "z:4: more than one NSEC record at a name"},
        {ZONE "@ NSEC ns NS\nns A 192.0.2.1\nns NSEC ns A\n",
         "z:10: NSEC chain is broken: the next name of the zone is example.com."},
        {ZONE "@ NSEC ns NS\nns A 192.0.2.1\nns NSEC @ A\na.b A 192.0.2.1\na.b NSEC ns A\n",
         "z:8: NSEC chain is broken: the next name of the zone is a.b.example.com."},
        {ZONE "@ NSEC3PARAM 1 0 151 -\n", "z:8: NSEC3 has 151 iterations, at most 150 are served"},
        {ZONE "@ NSEC3PARAM 1 0 0 -\n", "z:8: no NSEC3 record for this NSEC3PARAM record"},
        {ZONE "x NSEC3 1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom\n",
         "z:8: owner of an NSEC3 record is no hash right below the zone's origin"},
        {ZONE "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.x NSEC3 1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom\n",
         "z:8: owner of an NSEC3 record is no hash"},
        {ZONE "@ NSEC3PARAM 1 0 0 -\n0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - "
              "0p9mhaveqvm6t7vbl5lop2u3t2rp3ton\n",
         "z:9: NSEC3 chain is broken: the next hash of the zone is another"},
        {ZONE "@ NSEC3PARAM 1 0 0 -\n0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - "
              "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom\n",
         "z:4: no NSEC3 record for this name"},
        {ZONE "@ NSEC \\# 4 00000200\n", "z:8: malformed RDATA"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct failure failure;
        struct zone *zone = load(rows[i].text, NULL, &failure);

        cr_expect_null(zone, "loaded, not failed: %s", rows[i].failure);
        cr_expect(strstr(failure.text, rows[i].failure), "expected \"%s\", got \"%s\"",
                  rows[i].failure, failure.text);
        zone_unref(zone);
    }
}

Test(zone_denial, what_is_odd_is_served_and_told)
{
    static const struct {
        const char *text;
        const char *warning; /* NULL: there is none */
    } rows[] = {
        {NSEC, NULL},
        {NSEC "w TXT x\n", "no such row"},
        {NSEC "@ TXT x\n", "z:18: no RRSIG record over this set of a signed zone"},
        {NSEC "@" SIG("TXT"), "z:18: RRSIG record over a set that does not exist"},
        {NSEC "@ 60 RRSIG NS 13 2 300 20900101000000 20260101000000 2 example.com. BBBB\n",
         "z:18: TTL of an RRSIG record is not that of its set"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone_report report;
        struct failure failure;
        struct zone *zone = load(rows[i].text, &report, &failure);

        if (i == 1) { /* "w" has data now, and no NSEC record */
            cr_expect_null(zone);
            continue;
        }
        cr_assert_not_null(zone, "%s", failure.text);
        cr_expect_not_null(zone->denial);
        cr_expect_eq(report.warning_n == 0, rows[i].warning == NULL, "%s", report.first_warning);
        cr_expect(!rows[i].warning || strstr(report.first_warning, rows[i].warning), "\"%s\"",
                  report.first_warning);
        zone_unref(zone);
    }
}

/* Every signature of a set goes along, of every key and every age; DNSKEY alone signs nothing. */
Test(zone_denial, signatures_stand_with_their_set)
{
    struct failure failure;
    struct zone *zone =
        load(NSEC "ns RRSIG A 8 3 300 20250101000000 20000101000000 2 . BBBB\n", NULL, &failure);
    const struct zone_rrset *rrset;
    struct name_key key;
    bool exact;

    cr_assert_not_null(zone, "%s", failure.text);
    name_key_make(&key, wire("ns.example.com."));
    rrset = zone_node_rrset(zone_find(zone, &key, &exact), WIRE_TYPE_A);
    cr_assert_not_null(rrset);
    cr_expect_eq(rrset->rr_n, 1);
    cr_expect_eq(rrset->sig_n, 2);
    cr_expect_eq(rrset->wire_len, 16);
    cr_expect_eq(rrset->sig_len, 12 + 18 + 1 + 3 + 12 + 18 + 13 + 3);
    cr_expect_eq(zone->soa_negative->sig_n, 1);
    cr_expect_eq(zone->signed_until, 1735689600); /* 2025, the one that ends first */
    cr_expect_eq(zone_signature_time(zone->signed_until, 2000000000), 1735689600);
    cr_expect_eq(zone_signature_time(5, INT64_C(0xfffffff0)), INT64_C(0x100000005)); /* 2106 */
    cr_expect_eq(wire_get_u32(zone->soa_negative->wire + zone->soa_negative->wire_len + 6), 5);
    cr_expect_null(zone_node_rrset(zone->apex, WIRE_TYPE_RRSIG));
    zone_unref(zone);
    zone = load("$TTL 300\n@ IN SOA ns h 1 2 3 4 5\n@ NS ns\n@ DNSKEY 257 3 13 AAAA\n", NULL,
                &failure);
    cr_assert_not_null(zone, "%s", failure.text);
    cr_expect_null(zone->denial);
    zone_unref(zone);
}

Test(zone_denial, the_record_that_covers_a_name_is_found)
{
    static const struct {
        const char *name;
        const char *owner;
    } rows[] = {
        {"example.com.", "example.com."},         {"*.example.com.", "example.com."},
        {"nr.example.com.", "example.com."},      {"ns.example.com.", "ns.example.com."},
        {"x.ns.example.com.", "ns.example.com."}, {"w.example.com.", "ns.example.com."},
        {"*.w.example.com.", "*.w.example.com."}, {"zz.w.example.com.", "*.w.example.com."},
        {"zz.example.com.", "*.w.example.com."},
    };
    struct failure failure;
    struct zone *zone = load(NSEC, NULL, &failure);

    cr_assert_not_null(zone, "%s", failure.text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[NAME_TEXT_LEN];

        cr_expect_str_eq(name_to_text(zone_denial_nsec(zone, wire(rows[i].name))->name, text),
                         rows[i].owner, "%s", rows[i].name);
    }
    zone_unref(zone);
}
