/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_check.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ID 0x1234

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

/* Is it taken for an answer at all? */
static bool judge(const struct dns_check *check, const struct answer *answer,
                  struct probe_outcome *outcome)
{
    uint8_t query[DNS_CHECK_QUERY_LEN];
    const int len = dns_check_query(check, ID, query);

    *outcome = (struct probe_outcome){0};
    return dns_check_judge(check, query, (size_t)len, answer->bytes, answer->len, outcome);
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
        (void)judge(&check, &bad, &outcome);
    }
}
