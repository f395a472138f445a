/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "edge/answer/admission.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "world.h"

#define GOLDEN TEST_SOURCE_DIR "/tests/golden"

static struct world world;
static struct answer_scratch *scratch;
static struct admission_setup limits;
static uint8_t response[ANSWER_RESPONSE_MAX];
static size_t response_len;

static void setup(void)
{
    world_open(&world, GOLDEN);
    scratch = answer_scratch_new();
    memset(&limits, 0, sizeof(limits));
    for (unsigned i = 0; i < ADMIT_QUERIES; i++) {
        limits.rates[i] = 10;
    }
    limits.slip = 2;
    limits.ipv4_bits = 24;
    limits.ipv6_bits = 56;
    limits.size = 1024;
}

static void teardown(void)
{
    answer_scratch_free(scratch);
    world_close(&world);
}

/* Answers one question; `cookie` NULL: no EDNS, "": EDNS without a cookie. */
static struct answer_outcome ask(const char *name, uint16_t type, const char *client,
                                 const char *cookie, size_t cookie_len)
{
    static uint8_t query[512];
    struct answer_request request = {.query = query, .transport = ANSWER_UDP, .now_wall_s = 1000};
    struct answer_outcome outcome;
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    size_t len = WIRE_HEADER_LEN;

    memset(query, 0, sizeof(query));
    query[5] = 1;
    cr_assert_eq(name_from_text(name, wire), 0);
    memcpy(query + len, wire, name_len(wire));
    len += name_len(wire);
    wire_put_u16(query + len, type);
    wire_put_u16(query + len + 2, WIRE_CLASS_IN);
    len += 4;
    if (cookie) {
        query[11] = 1;
        wire_put_u16(query + len + 1, WIRE_TYPE_OPT);
        wire_put_u16(query + len + 3, 1232);
        len += 11;
        if (cookie_len) {
            wire_put_u16(query + len - 2, (uint16_t)(4 + cookie_len));
            wire_put_u16(query + len, 10);
            wire_put_u16(query + len + 2, (uint16_t)cookie_len);
            memcpy(query + len + 4, cookie, cookie_len);
            len += 4 + cookie_len;
        }
    }
    request.query_len = len;
    cr_assert_eq(address_parse(client, &request.client), 0);
    response_len = answer(scratch, world.snapshot, &request, response, sizeof(response), &outcome);
    return outcome;
}

static enum admit_verdict judge(struct admission *admission, const char *name, uint16_t type,
                                const char *client, int64_t now_ns, enum admit_class *ret_class)
{
    struct answer_outcome outcome = ask(name, type, client, NULL, 0);
    struct address address;

    cr_assert_eq(address_parse(client, &address), 0);
    return admission_judge(admission, &address, ANSWER_UDP, &outcome, now_ns, ret_class);
}

/* Whose responses share an account: the lengths of the setup say what one network is. */
Test(admission, networks_are_as_long_as_configured, .init = setup, .fini = teardown)
{
    static const struct {
        const char *first, *second;
        uint8_t ipv4_bits, ipv6_bits;
        bool shared;
    } rows[] = {
        {"192.0.2.1", "192.0.2.254", 24, 56, true},
        {"192.0.2.1", "192.0.3.1", 24, 56, false},
        {"192.0.2.1", "192.0.3.1", 16, 56, true},
        {"192.0.2.1", "192.0.2.2", 32, 56, false},
        {"2001:db8::1", "2001:db8:0:ff::1", 24, 56, true},
        {"2001:db8::1", "2001:db8:0:100::1", 24, 56, false},
        {"2001:db8::1", "2001:db8:0:100::1", 24, 48, true},
        {"2001:db8::1", "2001:db8:0:1::1", 24, 64, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct admission *admission;
        enum admit_class class;

        limits.ipv4_bits = rows[i].ipv4_bits;
        limits.ipv6_bits = rows[i].ipv6_bits;
        admission = admission_new(&limits);
        for (unsigned k = 0; k < 10; k++) {
            cr_expect_eq(
                judge(admission, "mail.example.com.", 1, rows[i].first, CLOCK_NS_PER_S, &class),
                ADMIT_SEND);
        }
        cr_expect_eq(judge(admission, "mail.example.com.", 1, rows[i].second, CLOCK_NS_PER_S,
                           &class) != ADMIT_SEND,
                     rows[i].shared, "%s and %s", rows[i].first, rows[i].second);
        admission_unref(admission);
    }
}

/* Which responses share an account: after 10 of the first question, is the second limited? */
Test(admission, accounts, .init = setup, .fini = teardown)
{
    static const struct {
        const char *first, *second;
        uint16_t first_type, second_type;
        bool shared;
        enum admit_class class;
        const char *why;
    } rows[] = {
        {"mail.example.com.", "mail.example.com.", 1, 1, true, ADMIT_POSITIVE, "the same"},
        {"mail.example.com.", "MAIL.example.COM.", 1, 1, true, ADMIT_POSITIVE, "in capitals"},
        {"mail.example.com.", "two.example.com.", 1, 1, false, ADMIT_POSITIVE, "another name"},
        {"mail.example.com.", "mail.example.com.", 1, 16, false, ADMIT_NODATA, "another class"},
        {"a.wild.example.com.", "b.c.wild.example.com.", 1, 1, true, ADMIT_POSITIVE,
         "one wildcard, random names"},
        {"a.wild.example.com.", "b.wild.example.com.", 16, 28, true, ADMIT_NODATA,
         "nothing of that type at random names of a wildcard"},
        {"q1.example.com.", "q2.mail.example.com.", 1, 28, true, ADMIT_NXDOMAIN,
         "random names of one zone, wherever they are"},
        {"q1.example.com.", "q1.example.net.", 1, 1, false, ADMIT_NXDOMAIN, "two zones"},
        {"q1.sub.example.com.", "q2.q3.sub.example.com.", 1, 1, true, ADMIT_REFERRAL,
         "random names of one delegation"},
        {"q1.sub.example.com.", "q1.sibling.example.com.", 1, 1, false, ADMIT_REFERRAL,
         "two delegations"},
        {"q1.example.org.", "q2.invalid.", 1, 1, true, ADMIT_ERROR, "REFUSED"},
        {"q1.example.org.", "broken.example.", 1, 1, true, ADMIT_ERROR, "and SERVFAIL"},
        {"www.example.com.", "www.example.com.", 1, 28, true, ADMIT_POSITIVE, "a service"},
        {"a.cdn.example.com.", "b.cdn.example.com.", 1, 1, true, ADMIT_POSITIVE,
         "a wildcard service"},
        {"a.cdn.example.com.", "deep.in.services.example.com.", 1, 1, false, ADMIT_POSITIVE,
         "two services"},
        {"x.dname.example.com.", "y.dname.example.com.", 1, 1, true, ADMIT_NXDOMAIN,
         "random names through a DNAME"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct admission *admission = admission_new(&limits);
        enum admit_class class = ADMIT_CLASSES;

        for (unsigned k = 0; k < 10; k++) {
            cr_expect_eq(judge(admission, rows[i].first, rows[i].first_type, "192.0.2.9",
                               CLOCK_NS_PER_S, &class),
                         ADMIT_SEND, "%s", rows[i].why);
        }
        cr_expect_eq(judge(admission, rows[i].second, rows[i].second_type, "192.0.2.200",
                           CLOCK_NS_PER_S, &class) != ADMIT_SEND,
                     rows[i].shared, "%s", rows[i].why);
        cr_expect_eq(class, rows[i].class, "%s: %s", rows[i].why, admit_class_name(class));
        cr_expect_eq(judge(admission, rows[i].second, rows[i].second_type, "192.0.3.1",
                           CLOCK_NS_PER_S, &class),
                     ADMIT_SEND, "another network: %s", rows[i].why);
        admission_unref(admission);
    }
}

Test(admission, who_is_never_limited, .init = setup, .fini = teardown)
{
    struct answer_outcome outcome = ask("mail.example.com.", 1, "192.0.2.1", NULL, 0);
    struct admission *admission;
    struct address client;
    enum admit_class class;

    limits.exempt_n = 1;
    cr_assert_eq(prefix_parse("198.51.100.128/25", true, &limits.exempt[0]), 0);
    admission = admission_new(&limits);
    cr_assert_eq(address_parse("192.0.2.1", &client), 0);
    for (unsigned i = 0; i < 50; i++) {
        struct answer_outcome proven = outcome;

        proven.cookie = COOKIE_VALID;
        cr_expect_eq(
            admission_judge(admission, &client, ANSWER_TCP, &outcome, CLOCK_NS_PER_S, &class),
            ADMIT_SEND, "TCP");
        cr_expect_eq(
            admission_judge(admission, &client, ANSWER_UDP, &proven, CLOCK_NS_PER_S, &class),
            ADMIT_SEND, "a valid cookie");
        cr_expect_eq(
            judge(admission, "mail.example.com.", 1, "198.51.100.130", CLOCK_NS_PER_S, &class),
            ADMIT_SEND, "exempt");
    }
    cr_expect_neq(judge(admission, "mail.example.com.", 1, "198.51.100.1", CLOCK_NS_PER_S, &class),
                  ADMIT_SEND, "its neighbour shares the /24, whose account is spent");
    admission_unref(admission);
}

/* Queries count whatever they are about; those with proof have an account nobody can spend. */
Test(admission, queries_per_network, .init = setup, .fini = teardown)
{
    struct answer_outcome outcome = ask("mail.example.com.", 1, "192.0.2.1", NULL, 0);
    struct admission *admission;
    struct address client;
    enum admit_class class;
    unsigned sent = 0, proven_sent = 0;

    memset(limits.rates, 0, sizeof(limits.rates));
    limits.rates[ADMIT_QUERIES] = limits.rates[ADMIT_PROVEN] = 20;
    admission = admission_new(&limits);
    cr_assert_eq(address_parse("2001:db8::1", &client), 0);
    for (unsigned i = 0; i < 100; i++) {
        outcome.about = i;
        outcome.cookie = COOKIE_NONE;
        sent += admission_judge(admission, &client, ANSWER_UDP, &outcome, CLOCK_NS_PER_S, &class) ==
                ADMIT_SEND;
        outcome.cookie = COOKIE_VALID;
        proven_sent += admission_judge(admission, &client, ANSWER_UDP, &outcome, CLOCK_NS_PER_S,
                                       &class) == ADMIT_SEND;
    }
    cr_expect_eq(sent, 20);
    cr_expect_eq(proven_sent, 20);
    cr_expect_eq(class, ADMIT_PROVEN);
    admission_unref(admission);
}

Test(admission, short_responses, .init = setup, .fini = teardown)
{
    struct answer_outcome outcome = ask("big.example.com.", 1, "192.0.2.1", "", 0);
    size_t len = admission_shorten(response, response_len, &outcome);

    cr_expect_eq(len, WIRE_HEADER_LEN + 17 + 4 + 11, "question and OPT: %zu", len);
    cr_expect_eq(wire_get_u16(response + 2), WIRE_FLAG_QR | WIRE_FLAG_AA | WIRE_FLAG_TC);
    cr_expect_arr_eq(response + 4, "\0\1\0\0\0\0\0\1", 8);
    cr_expect_arr_eq(response + len - 11, "\0\0\51\4\320\0\0\0\0\0\0", 11);
    cr_expect(outcome.truncated);

    outcome = ask("q.example.com.", 1, "192.0.2.1", NULL, 0);
    len = admission_shorten(response, response_len, &outcome);
    cr_expect_eq(len, WIRE_HEADER_LEN + 15 + 4);
    cr_expect_eq(wire_get_u16(response + 2),
                 WIRE_FLAG_QR | WIRE_FLAG_AA | WIRE_FLAG_TC | WIRE_RCODE_NXDOMAIN);
    cr_expect_arr_eq(response + 4, "\0\1\0\0\0\0\0\0", 8);

    outcome = ask("mail.example.com.", 1, "192.0.2.1", "01234567", 8);
    len = admission_shorten(response, response_len, &outcome);
    cr_expect_eq(outcome.rcode, WIRE_RCODE_BADCOOKIE);
    cr_expect_eq(wire_get_u16(response + 2), WIRE_FLAG_QR | 7);
    cr_expect_eq(response[len - 28 - 11 + 5], 1, "the upper bits of BADCOOKIE");
    cr_expect_arr_eq(response + len - 24, "01234567\1", 9, "and a cookie to come back with");

    outcome = (struct answer_outcome){.kind = ANSWER_NOTAUTH, /* of a question of five bytes */
                                      .rcode = WIRE_RCODE_NOTAUTH,
                                      .edns = true,
                                      .question_len = 5,
                                      .opt_len = 11,
                                      .tsig_len = 40};
    memset(response, 0, WIRE_HEADER_LEN + 5 + 11 + 40);
    response[WIRE_HEADER_LEN + 5 + 2] = 41;
    len = admission_shorten(response, WIRE_HEADER_LEN + 5 + 11 + 40, &outcome);
    cr_expect_eq(len, WIRE_HEADER_LEN + 5 + 11, "no TSIG");
    cr_expect_eq(response[WIRE_HEADER_LEN + 5 + 2], 41, "but OPT");
    cr_expect_arr_eq(response + 4, "\0\0\0\0\0\0\0\1", 8);
}

static struct admission *shared;
static struct answer_outcome shared_outcome;

static void *spend(void *sent)
{
    struct address client;
    enum admit_class class;

    (void)address_parse("192.0.2.1", &client);
    for (unsigned i = 0; i < 5000; i++) {
        *(unsigned *)sent += admission_judge(shared, &client, ANSWER_UDP, &shared_outcome,
                                             CLOCK_NS_PER_S, &class) == ADMIT_SEND;
    }
    return NULL;
}

/* However the queries of a network are spread over workers, it gets what it is due. */
Test(admission, workers_share_accounts, .init = setup, .fini = teardown)
{
    pthread_t threads[4];
    unsigned sent[4] = {0};

    limits.rates[ADMIT_POSITIVE] = 1000;
    shared = admission_new(&limits);
    shared_outcome = ask("mail.example.com.", 1, "192.0.2.1", NULL, 0);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, spend, &sent[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect_geq(sent[0] + sent[1] + sent[2] + sent[3], 1000);
    /* who loses four races in a row is let through without paying: not often */
    cr_expect_leq(sent[0] + sent[1] + sent[2] + sent[3], 1020);
    admission_unref(shared);
}
