/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/compare/difference.h"
#include "edge/compare/exchange.h"
#include "edge/compare/judge.h"
#include "edge/compare/reply.h"

/* Header without id and flags, question x. A; what follows are the counts' records. */
#define HEAD(answers, authorities, additionals)                                                    \
    "\0\1\0" answers "\0" authorities "\0" additionals "\1x\0\0\1\0\1"
#define NONE "\0"
#define ONE "\1"
#define TWO "\2"
#define OWNER "\300\14"
#define A_1 OWNER "\0\1\0\1\0\0\1\54\0\4\300\0\2\1"
#define A_2 OWNER "\0\1\0\1\0\0\1\54\0\4\300\0\2\2"
#define A_1_TTL OWNER "\0\1\0\1\0\0\0\74\0\4\300\0\2\1"
#define CNAME OWNER "\0\5\0\1\0\0\1\54\0\3\1y\0"
#define CNAME_CAPITAL OWNER "\0\5\0\1\0\0\1\54\0\3\1Y\0"
#define Y_A "\1y\0\0\1\0\1\0\0\1\54\0\4\300\0\2\1"
#define OPT "\0\0\51\4\320\0\0\0\0\0\0"
#define OPT_DO "\0\0\51\4\320\0\0\200\0\0\0"
#define OPT_BADVERS "\0\0\51\4\320\1\0\0\0\0\0"
#define OPT_512 "\0\0\51\2\0\0\0\0\0\0\0"
#define OPT_NSID "\0\0\51\4\320\0\0\0\0\0\5\0\3\0\1q"
#define OPT_ECS(scope) "\0\0\51\4\320\0\0\0\0\0\13\0\10\0\7\0\1\30" scope "\300\0\2"
#define MESSAGE(flags, rest) (const uint8_t *)("\0\0" flags rest), sizeof("\0\0" flags rest) - 1
#define BIT(name) (1u << DIFFERENCE_##name)

static const struct {
    const uint8_t *old_bytes;
    size_t old_len;
    const uint8_t *new_bytes;
    size_t new_len;
    uint32_t classes;
    uint32_t strict; /* besides, when strict */
    const char *why;
} rows[] = {
    {MESSAGE("\204\0", HEAD(TWO, NONE, NONE) A_1 A_2),
     MESSAGE("\204\0", HEAD(TWO, NONE, NONE) A_2 A_1), 0, 0, "records in any order"},
    {MESSAGE("\204\0", HEAD(TWO, NONE, NONE) A_1 A_2), MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1),
     BIT(ANSWER), 0, "a record missing"},
    {MESSAGE("\204\0", HEAD(TWO, NONE, NONE) A_1 A_1), MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1),
     BIT(ANSWER), 0, "a record twice"},
    {MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1), MESSAGE("\204\0", HEAD(NONE, ONE, NONE) A_1),
     BIT(ANSWER) | BIT(AUTHORITY), 0, "another section"},
    {MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1), MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1_TTL),
     BIT(TTL), 0, "TTL"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, NONE)), MESSAGE("\204\3", HEAD(NONE, NONE, NONE)),
     BIT(RCODE), 0, "RCODE"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, NONE)), MESSAGE("\200\0", HEAD(NONE, NONE, NONE)),
     BIT(FLAGS), 0, "AA"},
    {MESSAGE("\204\20", HEAD(NONE, NONE, NONE)), MESSAGE("\204\0", HEAD(NONE, NONE, NONE)),
     BIT(FLAGS), 0, "CD"},
    {MESSAGE("\206\0", HEAD(NONE, NONE, NONE)), MESSAGE("\204\0", HEAD(NONE, NONE, NONE)),
     BIT(TRUNCATION), 0, "TC"},
    {MESSAGE("\204\0", HEAD(TWO, NONE, NONE) CNAME Y_A),
     MESSAGE("\204\0", HEAD(TWO, NONE, NONE) Y_A CNAME), BIT(ORDER), 0, "a chain backwards"},
    {MESSAGE("\204\0", HEAD(ONE, NONE, NONE) CNAME),
     MESSAGE("\204\0", HEAD(ONE, NONE, NONE) CNAME_CAPITAL), 0, BIT(ANSWER), "letters in RDATA"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT), MESSAGE("\204\0", HEAD(NONE, NONE, NONE)),
     BIT(EDNS), BIT(OPTIONS), "no OPT"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT), MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_DO),
     BIT(EDNS), 0, "DO"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT),
     MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_BADVERS), BIT(RCODE), 0, "an RCODE above 15"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT), MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_512),
     0, BIT(OPTIONS), "payload size"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT),
     MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_NSID), 0, BIT(OPTIONS), "NSID"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_ECS("\30")),
     MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_ECS("\20")), BIT(ECS), 0, "scope"},
    {MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT_ECS("\30")),
     MESSAGE("\204\0", HEAD(NONE, NONE, ONE) OPT), BIT(ECS), 0, "no client subnet"},
    {MESSAGE("\204\0", "\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"),
     MESSAGE("\204\0", "\0\1\0\0\0\0\0\0\1X\0\0\1\0\1"), BIT(QUESTION), 0,
     "the question's letters"},
    {MESSAGE("\204\0", "\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"), MESSAGE("\204\0", "\0\0\0\0\0\0\0\0"),
     BIT(QUESTION), 0, "no question"},
    {MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1), MESSAGE("\204\0", HEAD(ONE, NONE, NONE)),
     BIT(MALFORMED), 0, "a record that is not there"},
    {MESSAGE("\204\0", HEAD(ONE, NONE, NONE)), MESSAGE("\204\0", HEAD(ONE, NONE, NONE)), 0, 0,
     "both malformed alike"},
    {MESSAGE("\204", ""), MESSAGE("\204\0", HEAD(NONE, NONE, NONE)), BIT(MALFORMED), 0,
     "less than a header"},
};

static uint32_t found_classes(const struct difference_rules *rules, size_t i, bool swap)
{
    struct reply replies[2] = {{0}};
    struct difference difference = {0};
    uint32_t classes;

    cr_assert_eq(reply_parse(&replies[swap], rows[i].old_bytes, rows[i].old_len, !rules->strict),
                 0);
    cr_assert_eq(reply_parse(&replies[!swap], rows[i].new_bytes, rows[i].new_len, !rules->strict),
                 0);
    difference_find(&difference, rules, &replies[0], &replies[1]);
    classes = difference.classes;
    cr_expect(!difference.failed);
    cr_expect_eq(classes != 0, difference.item_n > 0);
    difference_done(&difference);
    reply_done(&replies[0]);
    reply_done(&replies[1]);
    return classes;
}

Test(difference, classes)
{
    const struct difference_rules lenient = {0};
    const struct difference_rules strict = {.strict = true};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint32_t header = BIT(RCODE) | BIT(FLAGS);

        for (int swap = 0; swap < 2; swap++) {
            const uint32_t found = found_classes(&lenient, i, swap);

            /* of a message without a header nothing more is known */
            cr_expect_eq(rows[i].classes == BIT(MALFORMED) ? found & ~header : found,
                         rows[i].classes, "%s: %#x", rows[i].why, found);
            cr_expect_eq(found_classes(&strict, i, swap) & ~rows[i].strict & ~found, 0, "%s",
                         rows[i].why);
            cr_expect_eq(found_classes(&strict, i, swap) & rows[i].strict, rows[i].strict, "%s",
                         rows[i].why);
        }
    }
}

Test(difference, ignored_classes)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct difference_rules rules = {.ignored =
                                                   rows[i].classes | BIT(RCODE) | BIT(FLAGS)};

        cr_expect_eq(found_classes(&rules, i, false), 0, "%s", rows[i].why);
    }
}

Test(difference, class_names)
{
    for (unsigned i = 0; i < DIFFERENCE_CLASS_N; i++) {
        const char *name = difference_class_name((enum difference_class)i);
        enum difference_class class = DIFFERENCE_CLASS_N;

        cr_expect_eq(difference_class_parse(name, strlen(name), &class), 0);
        cr_expect_eq((unsigned)class, i);
    }
    cr_expect_eq(difference_class_parse("ttls", 4, &(enum difference_class){0}), -ENOENT);
}

Test(difference, texts_say_which_record)
{
    const struct difference_rules rules = {0};
    struct reply replies[2];
    struct difference difference = {0};

    reply_parse(&replies[0], MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_1), true);
    reply_parse(&replies[1], MESSAGE("\204\0", HEAD(ONE, NONE, NONE) A_2), true);
    difference_find(&difference, &rules, &replies[0], &replies[1]);
    cr_assert_eq(difference.item_n, 2);
    cr_expect_eq(strncmp(difference.items[0].old_text, "x. ", 3), 0);
    cr_expect(strstr(difference.items[0].old_text, "192.0.2.1"));
    cr_expect_str_eq(difference.items[0].new_text, "");
    cr_expect(strstr(difference.items[1].new_text, "192.0.2.2"));
    difference_done(&difference);
    reply_done(&replies[0]);
    reply_done(&replies[1]);
}

/* UDP and TCP answers of both sides, told apart by their flags. */
struct sides {
    const char *udp[2];
    const char *tcp[2];
};

static struct exchange_reply reply_of(const char *flags)
{
    uint8_t *bytes = flags ? calloc(1, 12) : NULL;

    if (bytes) {
        memcpy(bytes + 2, flags, 2);
    }
    return (struct exchange_reply){.bytes = bytes, .len = bytes ? 12 : 0};
}

static uint32_t judged(const struct sides *sides, const char *old_reason, const char *new_reason,
                       bool *ret_answered)
{
    const struct difference_rules rules = {0};
    struct difference difference = {0};
    struct exchange exchanges[2] = {{.fd = -1, .reason = old_reason},
                                    {.fd = -1, .reason = new_reason}};
    uint32_t classes;

    for (int i = 0; i < 2; i++) {
        exchanges[i].udp = reply_of(sides->udp[i]);
        exchanges[i].tcp = reply_of(sides->tcp[i]);
    }
    *ret_answered = judge(&difference, &rules, true, &exchanges[0], &exchanges[1]);
    classes = difference.classes;
    difference_done(&difference);
    exchange_done(&exchanges[0]);
    exchange_done(&exchanges[1]);
    return classes;
}

Test(judge, transports)
{
    static const char good[] = "\204\0";
    static const char refused[] = "\204\5";
    static const char cut[] = "\206\0";
    const struct {
        struct sides sides;
        const char *old_reason;
        const char *new_reason;
        uint32_t classes;
        bool answered;
    } judge_rows[] = {
        {{{good, good}, {NULL, NULL}}, NULL, NULL, 0, true},
        {{{cut, cut}, {good, good}}, NULL, NULL, 0, true},
        {{{cut, good}, {good, NULL}}, NULL, NULL, BIT(TRUNCATION), true},
        {{{cut, cut}, {good, refused}}, NULL, NULL, BIT(RCODE), true},
        {{{NULL, NULL}, {good, good}}, NULL, NULL, 0, true},
        {{{NULL, NULL}, {good, refused}}, NULL, NULL, BIT(RCODE), true},
        {{{good, NULL}, {NULL, NULL}}, NULL, "late", BIT(NO_ANSWER), true},
        {{{cut, cut}, {NULL, good}}, "closed", NULL, BIT(NO_ANSWER), true},
        {{{NULL, NULL}, {NULL, NULL}}, "late", "refused", 0, false},
    };

    for (size_t i = 0; i < sizeof(judge_rows) / sizeof(judge_rows[0]); i++) {
        bool answered;

        cr_expect_eq(judged(&judge_rows[i].sides, judge_rows[i].old_reason,
                            judge_rows[i].new_reason, &answered),
                     judge_rows[i].classes, "row %zu", i);
        cr_expect_eq(answered, judge_rows[i].answered, "row %zu", i);
    }
}
