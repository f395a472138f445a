/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "edge/wire/query.h"
#include "edge/wire/wire.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/* id 1, RD, one question "a. A IN", no EDNS */
#define HEAD(ar) "\0\1\1\0\0\1\0\0\0\0\0" ar
#define QUESTION "\1a\0\0\1\0\1"
#define TSIG                                                                                       \
    "\1k\0\0\372\0\377\0\0\0\0\0\24"                                                               \
    "\1a\0\0\0\1\2\3\4\1\54\0\1m\0\1\0\0\0\0"
#define OPT(version, options_len) "\0\0\51\4\320\0" version "\0\0\0" options_len

Test(query, verdicts)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
        enum query_verdict verdict;
        const char *why;
    } rows[] = {
        {BYTES(HEAD("\0") QUESTION), QUERY_OK, "the plain case"},
        {BYTES(HEAD("\1") QUESTION OPT("\0", "\0")), QUERY_OK, "with EDNS"},
        {BYTES(HEAD("\1") QUESTION OPT("\1", "\0")), QUERY_BADVERS, "EDNS version 1"},
        {BYTES(HEAD("\1") QUESTION OPT("\1", "\4\0\10\0\4")), QUERY_BADVERS,
         "options of another version are not judged"},
        {BYTES(HEAD("\2") QUESTION OPT("\0", "\0") OPT("\0", "\0")), QUERY_FORMERR, "two OPT"},
        {BYTES(HEAD("\1") QUESTION "\1x" OPT("\0", "\0")), QUERY_FORMERR, "OPT not at the root"},
        {BYTES(HEAD("\1") QUESTION OPT("\0", "\3\0\12\0")), QUERY_FORMERR, "half an option header"},
        {BYTES(HEAD("\1") QUESTION OPT("\0", "\4\0\12\0\1")), QUERY_FORMERR,
         "an option past the end"},
        {BYTES(HEAD("\1") QUESTION OPT("\0", "\1")), QUERY_FORMERR, "RDLENGTH past the end"},
        {BYTES(HEAD("\1") QUESTION OPT("\0", "\10\0\12\0\4abcd")), QUERY_OK, "an unknown option"},
        {BYTES(HEAD("\1") QUESTION TSIG), QUERY_NOTAUTH, "TSIG"},
        {BYTES(HEAD("\2") QUESTION OPT("\0", "\0") TSIG), QUERY_NOTAUTH, "TSIG after OPT"},
        {BYTES(HEAD("\2") QUESTION OPT("\1", "\0") TSIG), QUERY_BADVERS, "EDNS version 1, signed"},
        {BYTES(HEAD("\2") QUESTION TSIG OPT("\0", "\0")), QUERY_FORMERR, "TSIG before OPT"},
        {BYTES("\0\1\1\0\0\0\0\0\0\0\0\1" TSIG), QUERY_FORMERR, "TSIG without a question"},
        {BYTES(HEAD("\1") QUESTION "\1k\0\0\372\0\377\0\0\0\0\0\0"), QUERY_FORMERR,
         "TSIG without anything in it"},
        {BYTES(HEAD("\1") QUESTION "\300\14\0\1\0\1\0\0\0\0\0\0"), QUERY_OK, "a compressed owner"},
        {BYTES(HEAD("\1") QUESTION "\300"), QUERY_FORMERR, "half a pointer"},
        {BYTES(HEAD("\1") QUESTION "\100\0\1\0\1\0\0\0\0\0\0"), QUERY_FORMERR, "a reserved label"},
        {BYTES(HEAD("\0") QUESTION "\0"), QUERY_FORMERR, "a byte too many"},
        {BYTES(HEAD("\0") "\1a\0\0\1\0"), QUERY_FORMERR, "a question cut short"},
        {BYTES(HEAD("\0")), QUERY_FORMERR, "no question at all"},
        {BYTES("\0\1\1\0\0\0\0\0\0\0\0\0"), QUERY_NO_QUESTION, "QDCOUNT 0"},
        {BYTES("\0\1\1\0\0\2\0\0\0\0\0\0" QUESTION QUESTION), QUERY_FORMERR, "QDCOUNT 2"},
        {BYTES("\0\1\1\0\0\1\0\1\0\0\0\0" QUESTION "\0\0\1\0\1\0\0\0\0\0\0"), QUERY_FORMERR,
         "an answer section"},
        {BYTES("\0\1\1\0\0\1\0\0\0\1\0\0" QUESTION "\0\0\1\0\1\0\0\0\0\0\0"), QUERY_FORMERR,
         "an authority section without IXFR"},
        {BYTES("\0\1\1\0\0\1\0\0\0\1\0\0\1a\0\0\373\0\1\0\0\6\0\1\0\0\0\0\0\0"), QUERY_OK, "IXFR"},
        {BYTES("\0\1\1\0\0\1\0\0\0\1\0\0\1a\0\0\373\0\1" OPT("\0", "\0")), QUERY_FORMERR,
         "OPT in the authority section"},
        {BYTES("\0\1\201\0\0\1\0\0\0\0\0\0" QUESTION), QUERY_DROP, "QR set"},
        {BYTES("\0\1\1\0\0\1\0\0\0\0\0"), QUERY_DROP, "eleven bytes"},
        {BYTES(""), QUERY_DROP, "nothing"},
        {BYTES("\0\1\40\0\0\1\0\0\0\0\0\0" QUESTION), QUERY_NOTIMP, "NOTIFY"},
        {BYTES("\0\1\170\0\0\377\0\0\0\0\0\0"), QUERY_NOTIMP, "opcode 15, whatever follows"},
        {BYTES("\0\1\370\0\0\0\0\0\0\0\0\0"), QUERY_DROP, "QR goes before the opcode"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct query query;

        memset(&query, 0xa5, sizeof(query)); /* nothing may be left from the query before */
        cr_expect_eq(query_parse(&query, rows[i].bytes, rows[i].len), rows[i].verdict, "%s",
                     rows[i].why);
    }
}

Test(query, fields)
{
    struct query query;
    static const uint8_t bytes[] = "\22\64\1\20\0\1\0\0\0\0\0\1"
                                   "\3WwW\1a\0\0\34\0\3"
                                   "\0\0\51\20\0\0\0\200\0\0\4\0\3\0\0";

    cr_assert_eq(query_parse(&query, bytes, sizeof(bytes) - 1), QUERY_OK);
    cr_expect_eq(query.id, 0x1234);
    cr_expect_eq(query.flags, WIRE_FLAG_RD | WIRE_FLAG_CD);
    cr_expect_eq(query.qtype, WIRE_TYPE_AAAA);
    cr_expect_eq(query.qclass, WIRE_CLASS_CH);
    cr_expect_eq(query.question_len, 11);
    cr_expect_eq(query.question, bytes + 12);
    cr_expect_arr_eq(query.name.bytes, "\3www\1a", 7);
    cr_expect_eq(query.name.label_n, 2);
    cr_expect(query.edns.present && query.edns.dnssec_ok && query.edns.nsid && !query.edns.has_ecs);
    cr_expect_eq(query.edns.udp_size, 4096);
}

/* Every cut of a good query is refused or dropped, and no byte past the end is read (the sanitizer
 * watches). */
Test(query, no_prefix_of_a_query_passes)
{
    static const uint8_t whole[] = HEAD("\1") QUESTION OPT("\0", "\13\0\10\0\7\0\1\30\0\12\13\14");
    size_t whole_len = sizeof(whole) - 1;
    struct query query;

    cr_assert_eq(query_parse(&query, whole, whole_len), QUERY_OK);
    cr_assert(query.edns.has_ecs);
    for (size_t len = 0; len < whole_len; len++) {
        uint8_t *exact = malloc(len ? len : 1);
        enum query_verdict verdict;

        memcpy(exact, whole, len);
        verdict = query_parse(&query, exact, len);
        cr_expect_eq(verdict, len < 12 ? QUERY_DROP : QUERY_FORMERR, "%zu bytes", len);
        free(exact);
    }
}

/* Who sends OPT gets it back, whatever is wrong; but not what only looks like it. */
Test(query, opt_is_found_in_what_is_wrong)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
        bool present;
        const char *why;
    } rows[] = {
        {BYTES("\0\1\40\0\0\1\0\0\0\0\0\1" QUESTION OPT("\0", "\0")), true, "NOTIFY"},
        {BYTES("\0\1\40\0\0\1\0\0\0\0\0\1" QUESTION OPT("\0", "\0") "\0"), false, "a rest"},
        {BYTES("\0\1\40\0\0\1\0\0\0\0\0\2" QUESTION OPT("\0", "\0")), false, "cut"},
        {BYTES("\0\1\40\0\0\1\0\1\0\0\0\0" QUESTION OPT("\0", "\0")), false, "no place for it"},
        {BYTES("\0\1\1\0\0\2\0\0\0\0\0\1" QUESTION QUESTION OPT("\0", "\0")), true, "QDCOUNT 2"},
        {BYTES("\0\1\1\0\0\1\0\1\0\0\0\1" QUESTION "\0\0\1\0\1\0\0\0\0\0\0" OPT("\0", "\0")), true,
         "an answer section"},
        {BYTES(HEAD("\3") QUESTION TSIG TSIG OPT("\0", "\0")), true, "two TSIG before it"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct query query;
        enum query_verdict verdict = query_parse(&query, rows[i].bytes, rows[i].len);

        cr_expect(verdict == QUERY_FORMERR || verdict == QUERY_NOTIMP, "%s", rows[i].why);
        cr_expect_eq(query.edns.present, rows[i].present, "%s", rows[i].why);
    }
}
