/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_check.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ID 0x1234
#define WALL_S INT64_C(1795000000)

static struct dns_check check_make(const char *name, const char *type)
{
    struct dns_check check = {0};

    cr_assert_eq(dns_check_parse_name(name, check.qname), 0);
    cr_assert_eq(dns_check_parse_type(type, &check.qtype), 0);
    return check;
}

Test(dns_check, names_types_rcodes)
{
    struct dns_check check;
    uint16_t value;

    cr_assert_eq(dns_check_parse_name("www.example.com.", check.qname), 0);
    cr_assert_eq(memcmp(check.qname, "\3www\7example\3com", 17), 0);
    cr_assert_eq(dns_check_parse_name(".", check.qname), 0);
    cr_assert_eq(dns_check_parse_name("a..b", check.qname), -EINVAL);
    cr_assert_eq(dns_check_parse_name("", check.qname), -EINVAL);
    cr_assert_eq(dns_check_parse_type("AAAA", &value), 0);
    cr_assert_eq(value, 28);
    cr_assert_eq(dns_check_parse_type("TYPE65", &value), 0);
    cr_assert_eq(value, 65);
    cr_assert_eq(dns_check_parse_type("OPT", &value), -EINVAL);
    cr_assert_eq(dns_check_parse_type("ANY", &value), -EINVAL);
    cr_assert_eq(dns_check_parse_type("TYPE0", &value), -EINVAL);
    cr_assert_eq(dns_check_parse_rcode("nxdomain", &value), 0);
    cr_assert_eq(value, 3);
    cr_assert_eq(dns_check_parse_rcode("BADCOOKIE", &value), -EINVAL);
}

Test(dns_check, query_bytes)
{
    struct dns_check check = check_make("a.example.", "A");
    uint8_t query[DNS_CHECK_QUERY_LEN];
    static const uint8_t plain[] = {0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 'a', 7, 'e', 'x',
                                    'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1,
                                    /* OPT, 1232 octets */
                                    0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
    static const uint8_t subnet[] = {/* RFC 7871 section 6: code 8, length 7, IPv4, /24, scope 0 */
                                     0, 8, 0, 7, 0, 1, 24, 0, 203, 0, 113};
    int len = dns_check_query(&check, ID, query);

    cr_assert_eq(len, (int)sizeof(plain));
    cr_assert_eq(memcmp(query, plain, sizeof(plain)), 0);

    check.has_subnet = true;
    prefix_parse("203.0.113.0/24", true, &check.subnet);
    len = dns_check_query(&check, ID, query);
    cr_assert_eq(len, (int)(sizeof(plain) + sizeof(subnet)));
    cr_assert_eq(memcmp(query + sizeof(plain), subnet, sizeof(subnet)), 0);
}

Test(dns_check, the_longest_query_fits)
{
    struct dns_check check = {.qtype = 1, .has_subnet = true};
    uint8_t query[DNS_CHECK_QUERY_LEN];

    for (size_t i = 0; i < 254; i += 2) {
        check.qname[i] = 1;
        check.qname[i + 1] = 'x';
    }
    prefix_parse("2001:db8::1/128", true, &check.subnet);
    cr_assert_gt(dns_check_query(&check, ID, query), 0);
}

/* ---- judging: answers are written by hand, so that nothing here leans on the library under test
 * ---- */

struct answer {
    uint8_t bytes[DNS_CHECK_ANSWER_LEN + 1];
    size_t len;
};

static void put(struct answer *answer, const void *bytes, size_t len)
{
    memcpy(answer->bytes + answer->len, bytes, len);
    answer->len += len;
}

static void put_a(struct answer *answer, const char *address)
{
    static const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4};
    struct address value;

    address_parse(address, &value);
    put(answer, head, sizeof(head));
    put(answer, value.bytes, 4);
    answer->bytes[7]++; /* ANCOUNT */
}

static struct answer answer_make(const uint8_t *query, unsigned rcode)
{
    struct answer answer = {0};

    put(&answer, query, 12 + 16 - 1); /* header and question of a.example. */
    answer.bytes[2] = 0x84;           /* QR AA */
    answer.bytes[3] = (uint8_t)rcode;
    answer.bytes[11] = 0; /* no OPT */
    return answer;
}

static enum dns_check_result judge_at(const struct dns_check *check, const struct answer *answer,
                                      int64_t wall_s, struct probe_outcome *outcome)
{
    uint8_t query[DNS_CHECK_QUERY_LEN], bytes[DNS_CHECK_ANSWER_LEN + 1];
    const int len = dns_check_query(check, ID, query);
    uint32_t serial;

    *outcome = (struct probe_outcome){0};
    memcpy(bytes, answer->bytes, answer->len);
    return dns_check_judge(check, query, (size_t)len, bytes, answer->len, wall_s, &serial, outcome);
}

/* Is it taken for an answer at all? */
static bool judge(const struct dns_check *check, const struct answer *answer,
                  struct probe_outcome *outcome)
{
    const enum dns_check_result result = judge_at(check, answer, WALL_S, outcome);

    cr_assert_neq(result, DNS_CHECK_TRUNCATED);
    return result == DNS_CHECK_JUDGED;
}

Test(dns_check, verdicts)
{
    static const struct {
        const char *expect; /* NULL, an RCODE or one address */
        unsigned rcode;
        const char *addresses[3];
        enum probe_cause cause;
        const char *evidence;
    } rows[] = {
        {NULL, 0, {"192.0.2.1"}, PROBE_CAUSE_NONE, "NOERROR, 1 records, 192.0.2.1"},
        {NULL, 0, {NULL}, PROBE_CAUSE_WRONG, "without a record"},
        {NULL, 2, {NULL}, PROBE_CAUSE_WRONG, "SERVFAIL"},
        {NULL, 5, {"192.0.2.1"}, PROBE_CAUSE_WRONG, "REFUSED"},
        {"NXDOMAIN", 3, {NULL}, PROBE_CAUSE_NONE, "NXDOMAIN"},
        {"NXDOMAIN", 0, {"192.0.2.1"}, PROBE_CAUSE_WRONG, "NOERROR instead of NXDOMAIN"},
        {"NOERROR", 0, {NULL}, PROBE_CAUSE_NONE, "NOERROR"},
        {"192.0.2.1", 0, {"192.0.2.1"}, PROBE_CAUSE_NONE, "192.0.2.1"},
        {"192.0.2.1", 0, {"192.0.2.1", "192.0.2.2"}, PROBE_CAUSE_WRONG, "192.0.2.2, which is not"},
        {"192.0.2.1", 0, {NULL}, PROBE_CAUSE_WRONG, "without a record"},
        {"192.0.2.1", 3, {NULL}, PROBE_CAUSE_WRONG, "NXDOMAIN"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dns_check check = check_make("a.example.", "A");
        uint8_t query[DNS_CHECK_QUERY_LEN];
        struct probe_outcome outcome;
        struct answer answer;

        if (rows[i].expect && address_parse(rows[i].expect, &check.addresses[0]) == 0) {
            check.expect = DNS_CHECK_EXPECT_ADDRESSES;
            check.addresses_n = 1;
        } else if (rows[i].expect) {
            check.expect = DNS_CHECK_EXPECT_RCODE;
            dns_check_parse_rcode(rows[i].expect, &check.rcode);
        }
        dns_check_query(&check, ID, query);
        answer = answer_make(query, rows[i].rcode);
        for (size_t k = 0; k < COUNT(rows[i].addresses) && rows[i].addresses[k]; k++) {
            put_a(&answer, rows[i].addresses[k]);
        }
        cr_expect(judge(&check, &answer, &outcome));
        cr_expect_eq(outcome.cause, rows[i].cause, "row %zu: %s", i, outcome.evidence);
        cr_expect_eq(outcome.observation, rows[i].cause ? HEALTH_FAIL : HEALTH_PASS, "row %zu", i);
        cr_expect(strstr(outcome.evidence, rows[i].evidence), "row %zu: %s", i, outcome.evidence);
    }
}

Test(dns_check, answers_to_something_else_are_ignored)
{
    struct dns_check check = check_make("a.example.", "A");
    uint8_t query[DNS_CHECK_QUERY_LEN];
    struct probe_outcome outcome;
    struct answer good, bad;

    dns_check_query(&check, ID, query);
    good = answer_make(query, 0);
    put_a(&good, "192.0.2.1");
    cr_assert(judge(&check, &good, &outcome) && outcome.observation == HEALTH_PASS);

    bad = good;
    bad.bytes[1] ^= 1; /* id */
    cr_assert_not(judge(&check, &bad, &outcome));
    bad = good;
    bad.bytes[2] &= 0x7f; /* a query */
    cr_assert_not(judge(&check, &bad, &outcome));
    bad = good;
    bad.bytes[13] = 'b'; /* another name */
    cr_assert_not(judge(&check, &bad, &outcome));
    bad = good;
    bad.bytes[24] = 28; /* another type */
    cr_assert_not(judge(&check, &bad, &outcome));
    bad = good;
    bad.bytes[5] = 0; /* no question */
    cr_assert_not(judge(&check, &bad, &outcome));
    bad = good;
    bad.bytes[13] = 'A'; /* the same name in another case */
    cr_assert(judge(&check, &bad, &outcome) && outcome.observation == HEALTH_PASS);
    bad = good;
    bad.len = 11;
    cr_assert_not(judge(&check, &bad, &outcome));
    bad.len = DNS_CHECK_ANSWER_LEN + 1;
    cr_assert_not(judge(&check, &bad, &outcome));
}

/* Cut or flipped anywhere behind the question, an answer is judged or refused, never believed
 * blindly or crashed on. */
Test(dns_check, damaged_answers)
{
    struct dns_check check = check_make("a.example.", "A");
    uint8_t query[DNS_CHECK_QUERY_LEN];
    struct probe_outcome outcome;
    struct answer good;

    dns_check_query(&check, ID, query);
    good = answer_make(query, 0);
    put_a(&good, "192.0.2.1");
    for (size_t len = 27; len < good.len; len++) {
        struct answer bad = good;

        bad.len = len;
        cr_assert(judge(&check, &bad, &outcome) && outcome.cause == PROBE_CAUSE_WRONG, "cut at %zu",
                  len);
        cr_assert(strstr(outcome.evidence, "malformed"), "%s", outcome.evidence);
    }
    srandom(3);
    for (int i = 0; i < 20000; i++) {
        struct answer bad = good;

        for (int k = 0; k < 3; k++) {
            bad.bytes[(size_t)random() % bad.len] ^= (uint8_t)(1 << (random() % 8));
        }
        (void)judge_at(&check, &bad, WALL_S, &outcome);
    }
}

/* ---- chains, serials, signatures ---- */

enum { ANSWER = 7, AUTHORITY = 9 }; /* where the header counts a section's records */

static void put_name(struct answer *answer, const char *text)
{
    uint8_t name[DNS_CHECK_NAME_LEN];
    size_t len = 0;

    cr_assert_eq(dns_check_parse_name(text, name), 0);
    while (name[len]) {
        len += 1 + name[len];
    }
    put(answer, name, len + 1);
}

static void put_u16(struct answer *answer, unsigned value)
{
    put(answer, (const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_u32(struct answer *answer, uint32_t value)
{
    put_u16(answer, value >> 16);
    put_u16(answer, value & 0xffff);
}

/* Opens a record; its RDATA follows, and record_end() says how long that became. */
static size_t record_begin(struct answer *answer, int section, const char *owner, unsigned type)
{
    put_name(answer, owner);
    put_u16(answer, type);
    put_u16(answer, 1);
    put_u32(answer, 30);
    put_u16(answer, 0);
    answer->bytes[section]++;
    return answer->len;
}

static void record_end(struct answer *answer, size_t begin)
{
    answer->bytes[begin - 1] = (uint8_t)(answer->len - begin);
}

static void put_alias(struct answer *answer, const char *owner, unsigned type, const char *target)
{
    const size_t begin = record_begin(answer, ANSWER, owner, type);

    put_name(answer, target);
    record_end(answer, begin);
}

static void put_address(struct answer *answer, const char *owner, const char *text)
{
    const size_t begin = record_begin(answer, ANSWER, owner, 1);
    struct address address;

    address_parse(text, &address);
    put(answer, address.bytes, 4);
    record_end(answer, begin);
}

static void put_soa(struct answer *answer, int section, const char *owner, uint32_t serial)
{
    const size_t begin = record_begin(answer, section, owner, 6);

    put_name(answer, "ns.example.");
    put_name(answer, ".");
    put_u32(answer, serial);
    for (int i = 0; i < 4; i++) {
        put_u32(answer, 1);
    }
    record_end(answer, begin);
}

static void put_signature(struct answer *answer, int section, const char *owner, unsigned type,
                          int64_t inception_s, int64_t expiration_s)
{
    const size_t begin = record_begin(answer, section, owner, 46);

    put_u16(answer, type);
    put_u16(answer, 13 << 8 | 2);
    put_u32(answer, 30);
    put_u32(answer, (uint32_t)expiration_s);
    put_u32(answer, (uint32_t)inception_s);
    put_u16(answer, 4711);
    put_name(answer, "example.");
    put(answer, "signature", 9);
    record_end(answer, begin);
}

static struct answer answer_to(const struct dns_check *check)
{
    uint8_t query[DNS_CHECK_QUERY_LEN];

    dns_check_query(check, ID, query);
    return answer_make(query, 0);
}

Test(dns_check, only_what_the_chain_leads_to_is_an_answer)
{
    struct dns_check check = check_make("A.example.", "A");
    struct probe_outcome outcome;
    struct answer answer;

    check.expect = DNS_CHECK_EXPECT_ADDRESSES;
    check.addresses_n = 1;
    address_parse("192.0.2.1", &check.addresses[0]);
    answer = answer_to(&check);
    put_alias(&answer, "b.example.", 5, "c.example.");
    put_alias(&answer, "a.example.", 5, "B.example.");
    put_address(&answer, "c.example.", "192.0.2.1");
    put_address(&answer, "d.example.", "192.0.2.9");
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_str_eq(outcome.evidence, "NOERROR, 1 records, 192.0.2.1");
    cr_assert_eq(outcome.cause, PROBE_CAUSE_NONE);

    answer = answer_to(&check);
    put_alias(&answer, "a.example.", 5, "b.example.");
    put_address(&answer, "a.example.", "192.0.2.1"); /* beside an alias, and so not what it says */
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_eq(outcome.cause, PROBE_CAUSE_WRONG);

    answer = answer_to(&check);
    put_alias(&answer, "a.example.", 5, "b.example.");
    put_alias(&answer, "b.example.", 5, "a.example.");
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_eq(outcome.cause, PROBE_CAUSE_WRONG, "a loop");

    check = check_make("a.example.", "CNAME");
    answer = answer_to(&check);
    put_alias(&answer, "a.example.", 5, "b.example.");
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_eq(outcome.cause, PROBE_CAUSE_NONE, "asked for the alias itself");
}

Test(dns_check, serials)
{
    static const struct {
        uint32_t serial, min;
        enum probe_cause cause;
        const char *evidence;
    } rows[] = {
        {44, 44, PROBE_CAUSE_NONE, "serial 44"},
        {45, 44, PROBE_CAUSE_NONE, "serial 45"},
        {41, 44, PROBE_CAUSE_STALE, "serial 41, needed is 44 or later"},
        /* RFC 1982: 1 comes after 4294967295 */
        {1, UINT32_MAX, PROBE_CAUSE_NONE, "serial 1"},
        {UINT32_MAX, 1, PROBE_CAUSE_STALE, "serial 4294967295, needed is 1 or later"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dns_check check = check_make("a.example.", "SOA");
        struct probe_outcome outcome;
        struct answer answer;

        check.has_serial_min = true;
        check.serial_min = rows[i].min;
        answer = answer_to(&check);
        put_soa(&answer, ANSWER, "a.example.", rows[i].serial);
        cr_expect(judge(&check, &answer, &outcome));
        cr_expect_eq(outcome.cause, rows[i].cause, "row %zu: %s", i, outcome.evidence);
        cr_expect_str_eq(outcome.evidence, rows[i].evidence);
    }
}

Test(dns_check, a_soa_without_a_serial_is_malformed)
{
    struct dns_check check = check_make("a.example.", "SOA");
    struct probe_outcome outcome;
    struct answer answer = answer_to(&check);

    record_begin(&answer, ANSWER, "a.example.", 6);
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_eq(outcome.cause, PROBE_CAUSE_WRONG);
    cr_assert(strstr(outcome.evidence, "malformed"), "%s", outcome.evidence);
}

#define HOUR 3600
#define DAY (24 * HOUR)

Test(dns_check, signatures)
{
    static const struct {
        int64_t inception_s, expiration_s; /* from now; both 0: no signature */
        enum probe_cause cause;
        const char *evidence;
    } rows[] = {
        {-DAY, 9 * DAY, PROBE_CAUSE_NONE, "NOERROR, 1 records, 192.0.2.1, signed for 9 d"},
        {-DAY, DAY, PROBE_CAUSE_NONE, "NOERROR, 1 records, 192.0.2.1, signed for 24 h"},
        {-DAY, DAY - 1, PROBE_CAUSE_STALE, "signature of a.example. A ends in 23 h"},
        {-DAY, 3 * HOUR, PROBE_CAUSE_STALE, "signature of a.example. A ends in 3 h"},
        {-DAY, 0, PROBE_CAUSE_STALE, "signature of a.example. A ended 0 s ago"},
        {-DAY, -300, PROBE_CAUSE_STALE, "signature of a.example. A ended 5 min ago"},
        {HOUR, 9 * DAY, PROBE_CAUSE_WRONG, "signature of a.example. A is not valid yet"},
        {0, 0, PROBE_CAUSE_WRONG, "no signature of a.example. A"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        /* the second time across the end of the 32 bits of RFC 4034 section 3.1.5 */
        const int64_t walls_s[] = {WALL_S, (INT64_C(1) << 32) - 10};

        for (size_t k = 0; k < COUNT(walls_s); k++) {
            struct dns_check check = check_make("a.example.", "A");
            struct probe_outcome outcome;
            struct answer answer;

            check.signature_s = DAY;
            answer = answer_to(&check);
            put_address(&answer, "a.example.", "192.0.2.1");
            if (rows[i].inception_s || rows[i].expiration_s) {
                put_signature(&answer, ANSWER, "a.example.", 1, walls_s[k] + rows[i].inception_s,
                              walls_s[k] + rows[i].expiration_s);
            }
            cr_expect_eq(judge_at(&check, &answer, walls_s[k], &outcome), DNS_CHECK_JUDGED);
            cr_expect_eq(outcome.cause, rows[i].cause, "row %zu: %s", i, outcome.evidence);
            cr_expect_str_eq(outcome.evidence, rows[i].evidence);
        }
    }
}

Test(dns_check, each_set_needs_a_signature_and_the_longest_of_a_set_counts)
{
    struct dns_check check = check_make("a.example.", "A");
    struct probe_outcome outcome;
    struct answer answer;

    check.signature_s = DAY;
    answer = answer_to(&check);
    put_alias(&answer, "a.example.", 5, "b.example.");
    put_signature(&answer, ANSWER, "a.example.", 5, WALL_S - 1, WALL_S + 5 * DAY);
    put_address(&answer, "b.example.", "192.0.2.1");
    put_address(&answer, "b.example.", "192.0.2.2");
    put_signature(&answer, ANSWER, "b.example.", 1, WALL_S - DAY, WALL_S + 2 * DAY);
    put_signature(&answer, ANSWER, "b.example.", 1, WALL_S - DAY, WALL_S + HOUR);
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_str_eq(outcome.evidence, "NOERROR, 2 records, 192.0.2.1, signed for 2 d");

    answer = answer_to(&check);
    put_alias(&answer, "a.example.", 5, "b.example.");
    put_signature(&answer, ANSWER, "b.example.", 5, WALL_S - 1, WALL_S + 5 * DAY);
    put_address(&answer, "b.example.", "192.0.2.1");
    put_signature(&answer, ANSWER, "b.example.", 1, WALL_S - DAY, WALL_S + 2 * DAY);
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_str_eq(outcome.evidence, "no signature of a.example. CNAME");

    /* the alias that a DNAME made has none, RFC 6672 section 5.3.1 */
    answer = answer_to(&check);
    put_alias(&answer, "example.", 39, "example.net.");
    put_signature(&answer, ANSWER, "example.", 39, WALL_S - 1, WALL_S + 5 * DAY);
    put_alias(&answer, "a.example.", 5, "a.example.net.");
    put_address(&answer, "a.example.net.", "192.0.2.1");
    put_signature(&answer, ANSWER, "a.example.net.", 1, WALL_S - DAY, WALL_S + 2 * DAY);
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_eq(outcome.cause, PROBE_CAUSE_NONE, "%s", outcome.evidence);
}

Test(dns_check, a_denial_is_signed_in_the_authority_section)
{
    struct dns_check check = check_make("a.example.", "A");
    struct probe_outcome outcome;
    struct answer answer;

    check.signature_s = DAY;
    check.expect = DNS_CHECK_EXPECT_RCODE;
    check.rcode = 3;
    answer = answer_to(&check);
    answer.bytes[3] = 3;
    put_soa(&answer, AUTHORITY, "example.", 1);
    put_signature(&answer, AUTHORITY, "example.", 6, WALL_S - 1, WALL_S + 2 * DAY);
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_str_eq(outcome.evidence, "NXDOMAIN, signed for 2 d");

    answer = answer_to(&check);
    answer.bytes[3] = 3;
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_str_eq(outcome.evidence, "nothing that could be signed");
    cr_assert_eq(outcome.cause, PROBE_CAUSE_WRONG);
}

Test(dns_check, the_do_bit_is_sent_with_signatures_only)
{
    struct dns_check check = check_make("a.example.", "A");
    uint8_t query[DNS_CHECK_QUERY_LEN];
    int len = dns_check_query(&check, ID, query);

    cr_assert_eq(query[len - 4] & 0x80, 0);
    check.signature_s = 1;
    len = dns_check_query(&check, ID, query);
    cr_assert_eq(query[len - 4] & 0x80, 0x80);
}

Test(dns_check, truncation_leads_to_tcp_where_it_matters)
{
    struct dns_check check = check_make("a.example.", "A");
    struct probe_outcome outcome;
    struct answer answer = answer_to(&check);

    answer.bytes[2] |= 2;
    cr_assert_eq(judge_at(&check, &answer, WALL_S, &outcome), DNS_CHECK_TRUNCATED);
    answer.bytes[3] = 2;
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_str_eq(outcome.evidence, "SERVFAIL");
    check.expect = DNS_CHECK_EXPECT_RCODE;
    answer.bytes[3] = 0;
    cr_assert(judge(&check, &answer, &outcome));
    cr_assert_eq(outcome.cause, PROBE_CAUSE_NONE);
}
