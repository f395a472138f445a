/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/compare/question.h"
#include "edge/compare/question_text.h"
#include "edge/wire/query.h"
#include "edge/wire/wire.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/* Each line, and what comes out when the question it makes is written again. */
Test(question, lines)
{
    static const struct {
        const char *line;
        const char *text; /* NULL: refused; "": no question */
        const char *why;
    } rows[] = {
        {"www.example.com A", "www.example.com. A", "a line of dnsperf's"},
        {"  wWw.example.com.\tAAAA\r", "wWw.example.com. AAAA", "letters stay, spaces go"},
        {". SOA +norec", ". SOA +norec", "the root"},
        {"a\\.b\\032c.example. TXT", "a\\.b\\032c.example. TXT", "escapes"},
        {"x. TYPE65280 CH", "x. TYPE65280 CH", "unknown type, a class"},
        {"x. A CLASS7 +cd +ad", "x. A CLASS7 +ad +cd", "flags of the header"},
        {"x. A +do", "x. A +bufsize=1232 +do", "DO needs EDNS"},
        {"x. A +bufsize=512 +edns=1", "x. A +edns=1 +bufsize=512", "EDNS version"},
        {"x. A +subnet=192.0.2.77/24", "x. A +bufsize=1232 +subnet=192.0.2.0/24", "host bits go"},
        {"x. A +subnet=2001:db8::/56 +tcp", "x. A +bufsize=1232 +subnet=2001:db8::/56 +tcp", ""},
        {"x. A +subnet=0.0.0.0/0", "x. A +bufsize=1232 +subnet=0.0.0.0/0", "SOURCE 0"},
        {"x. A +nsid +cookie=0102030405060708",
         "x. A +bufsize=1232 +opt=3 +opt=10:0102030405060708", "options by number"},
        {"x. A +opt=65001:00ff +opt=65001:00ff",
         "x. A +bufsize=1232 +opt=65001:00ff +opt=65001:00ff", "an option twice"},
        {"x. A +opcode=4 +qr +rcode=3 +aa +tc +ra +z", "x. A +aa +tc +ra +z +qr +opcode=4 +rcode=3",
         "every bit of the header"},
        {"\\# 4 0001 0203 +tcp", "\\# 4 00000203 +tcp", "any bytes; the id is ours"},
        {"", "", "empty"},
        {"   ; comment", "", "comment"},
        {"x.", NULL, "no type"},
        {"x. NOTYPE", NULL, "unknown mnemonic"},
        {"a..b A", NULL, "empty label"},
        {"x. A do", NULL, "a flag without +"},
        {"x. A +nonsense", NULL, "unknown flag"},
        {"x. A +do=1", NULL, "a value too many"},
        {"x. A +bufsize", NULL, "a value missing"},
        {"x. A +bufsize=65536", NULL, "too big"},
        {"x. A +edns=256", NULL, "too big"},
        {"x. A +subnet=192.0.2.0/33", NULL, "no prefix"},
        {"x. A +opt=1:0", NULL, "half an octet"},
        {"x. A +opt=65536", NULL, "no option code"},
        {"x. A +cookie=xy", NULL, "not hexadecimal"},
        {"\\# 4 000102", NULL, "fewer bytes than said"},
        {"\\# 2 000102", NULL, "more"},
        {"\\# 1 00", NULL, "not even an id"},
        {"\\# 2 0001 +do", NULL, "bytes have no flags"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct question question;
        struct question again;
        struct failure failure = {{0}};
        char text[QUESTION_TEXT_MAX];
        const int status =
            question_text_parse(&question, rows[i].line, strlen(rows[i].line), "f", 7, &failure);

        if (!rows[i].text) {
            cr_expect_eq(status, -EINVAL, "%s (%s)", rows[i].line, rows[i].why);
            cr_expect_eq(strncmp(failure.text, "f:7:", 4), 0, "%s", failure.text);
            continue;
        }
        cr_expect_eq(status, *rows[i].text ? 1 : 0, "%s (%s): %s", rows[i].line, rows[i].why,
                     failure.text);
        if (status != 1) {
            continue;
        }
        cr_expect_str_eq(question_format(&question, text), rows[i].text, "%s", rows[i].why);
        cr_assert_eq(question_text_parse(&again, text, strlen(text), "f", 1, &failure), 1);
        cr_expect_eq(question.wire_len, again.wire_len);
        cr_expect_arr_eq(question.wire, again.wire, question.wire_len);
    }
}

Test(question, names_the_column)
{
    struct question question;
    struct failure failure;
    const char *line = "www.example.com  A +do  +wrong";

    question_text_parse(&question, line, strlen(line), "queries", 12, &failure);
    cr_expect_str_eq(failure.text, "queries:12:25: \"+wrong\": not a flag, or its value is wrong");
    cr_expect_eq(question_text_parse(&question, "x\0 A", 4, "queries", 1, &failure), -EINVAL);
}

/* What the server's own parser makes of the bytes. */
Test(question, bytes)
{
    const char *line = "wWw.example. AAAA +do +cd +norec +subnet=192.0.2.0/24 +nsid";
    struct question question;
    struct query query;
    struct failure failure;

    cr_assert_eq(question_text_parse(&question, line, strlen(line), "f", 1, &failure), 1);
    cr_assert_eq(query_parse(&query, question.wire, question.wire_len), QUERY_OK);
    cr_expect_eq(query.qtype, WIRE_TYPE_AAAA);
    cr_expect_eq(query.flags, WIRE_FLAG_CD);
    cr_expect(query.edns.present && query.edns.dnssec_ok && query.edns.nsid);
    cr_expect_eq(query.edns.udp_size, 1232);
    cr_expect(query.edns.has_ecs && query.edns.ecs.source == 24 && query.edns.ecs.address[2] == 2);
    cr_expect_arr_eq(query.question, BYTES("\3wWw\7example"));
}

Test(question, caught_queries)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
        int status;
        const char *text;
        const char *why;
    } rows[] = {
        {BYTES("\x12\x34\1\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"), 0, "x. A", "plain"},
        {BYTES("\x12\x34\0\0\0\1\0\0\0\0\0\1\1x\0\0\1\0\1\0\0\51\4\xd0\0\0\x80\0\0\0"), 0,
         "x. A +norec +bufsize=1232 +do", "EDNS"},
        {BYTES("\0\0\1\0\0\1\0\0\0\0\0\1\1x\0\0\1\0\1\0\0\51\4\xd0\0\0\0\0\0\24\0\12\0\20"
               "12345678abcdefgh"),
         0, "x. A +bufsize=1232 +opt=10:3132333435363738", "the server's part of a cookie goes"},
        {BYTES("\0\0\1\0\0\2\0\0\0\0\0\0\1x\0\0\1\0\1\1y\0\0\1\0\1"), 0,
         "\\# 26 000001000002000000000000017800000100010179000001"
         "0001",
         "two questions: asked as they are"},
        {BYTES("\x12\x34\x81\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"), -EPERM, "", "a response"},
        {BYTES("\x12\x34\x28\0\0\1\0\0\0\0\0\0\1x\0\0\6\0\1"), -EPERM, "", "an UPDATE"},
        {BYTES("\x12\x34\0\0\0\1\0\0\0\0\0\0\1x\0\0\xfc\0\1"), -EPERM, "", "a transfer"},
        {BYTES("\x12\x34\0\0"), -EPERM, "", "no header"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct question question;
        char text[QUESTION_TEXT_MAX];

        cr_expect_eq(question_from_query(&question, rows[i].bytes, rows[i].len, false),
                     rows[i].status, "%s", rows[i].why);
        if (rows[i].status == 0) {
            cr_expect_str_eq(question_format(&question, text), rows[i].text, "%s", rows[i].why);
        }
    }
}
