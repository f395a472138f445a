/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/journal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define HEAD "{\"time\":\"2026-11-22T17:40:01.123Z\",\"ns\":91123456789,"
#define WALL_MS INT64_C(1795369201123)

static struct journal_record blank(enum journal_kind kind)
{
    return (struct journal_record){
        .kind = kind, .wall_ms = WALL_MS, .monotonic_ns = INT64_C(91123456789)};
}

static void line_is(const struct journal_record *record, const char *wanted)
{
    char line[JOURNAL_LINE_LEN];
    struct journal_record again;
    const size_t len = journal_encode(record, line);

    cr_assert_gt(len, 1);
    cr_assert_eq(line[len - 1], '\n');
    cr_expect(strlen(wanted) == len - 1 && memcmp(line, wanted, len - 1) == 0, "%.*s", (int)len,
              line);
    cr_assert_eq(journal_decode(line, len - 1, &again), 0);
    cr_expect_eq(memcmp(record, &again, sizeof(again)), 0, "%.*s", (int)len, line);
}

Test(journal, lines)
{
    struct journal_record record = blank(JOURNAL_CHECK);

    journal_set(record.subject, "answers");
    journal_set(record.word, "fail");
    journal_set(record.code, "silent");
    journal_set(record.text, "no answer in 500 ms");
    record.elapsed_ns = 500000000;
    record.count_n = 7;
    record.until_ns = INT64_C(97123456789);
    line_is(&record,
            HEAD "\"kind\":\"check\",\"check\":\"answers\",\"saw\":\"fail\",\"cause\":"
                 "\"silent\",\"evidence\":\"no answer in 500 ms\",\"elapsed_ns\":500000000,"
                 "\"count\":7,\"until_ns\":97123456789}");

    record = blank(JOURNAL_REQUEST);
    journal_set(record.subject, "192.0.2.53/32");
    journal_set(record.word, "drain");
    journal_set(record.owner, "noc");
    journal_set(record.text, "router \"r1\"\nupgrade");
    record.expires_s = 1795376401;
    record.force = true;
    line_is(&record, HEAD "\"kind\":\"request\",\"vip\":\"192.0.2.53/32\",\"verb\":\"drain\","
                          "\"owner\":\"noc\",\"reason\":\"router \\\"r1\\\"\\nupgrade\","
                          "\"expires_s\":1795376401,\"force\":true}");

    record = blank(JOURNAL_START);
    journal_set(record.text, "0.1.0");
    record.count_n = 77;
    record.restored = true;
    line_is(&record, HEAD "\"kind\":\"start\",\"version\":\"0.1.0\",\"seed\":77,"
                          "\"continued\":true}");

    record = blank(JOURNAL_LOST);
    record.count_n = 3;
    line_is(&record, HEAD "\"kind\":\"lost\",\"count\":3}");
}

Test(journal, texts_from_the_network)
{
    struct journal_record record = blank(JOURNAL_SESSION), again;
    char line[JOURNAL_LINE_LEN];
    size_t len;

    journal_set(record.subject, "10.99.0.2");
    journal_set(record.word, "down");
    memset(record.text, 1, sizeof(record.text) - 1); /* \u0001: six bytes each */
    memset(record.subject, 1, sizeof(record.subject) - 1);
    memset(record.detail, 1, sizeof(record.detail) - 1);
    len = journal_encode(&record, line);
    cr_assert_gt(len, 0, "no line is lost over how it is written");
    cr_assert_eq(journal_decode(line, len - 1, &again), 0);
    cr_assert_eq(again.text[0], 1);

    journal_set(record.text, "caf\xe9 \xff");
    len = journal_encode(&record, line);
    cr_assert_gt(len, 0, "nor is one that is no UTF-8");
    cr_assert_eq(journal_decode(line, len - 1, &again), 0);
    cr_assert_str_eq(again.text, "caf? ?");
}

Test(journal, bad_lines)
{
    static const struct {
        const char *line;
        int code;
    } rows[] = {
        {"", -EINVAL},
        {"{", -EINVAL},
        {"[]", -EINVAL},
        {"3", -EINVAL},
        {HEAD "\"kind\":\"check\",\"check\":\"a\",\"saw\":\"pass\",\"count\":1}", 0},
        {HEAD "\"kind\":\"check\",\"check\":\"a\",\"saw\":\"pass\",\"count\":1,\"new\":[{}]}", 0},
        {HEAD "\"kind\":\"check\",\"check\":\"a\",\"saw\":\"pass\"}", -EINVAL},
        {HEAD "\"kind\":\"check\",\"check\":\"a\",\"saw\":true,\"count\":1}", -EINVAL},
        {HEAD "\"kind\":\"check\",\"check\":\"a\",\"saw\":\"pass\",\"count\":-1}", -EINVAL},
        {HEAD "\"kind\":\"check\",\"check\":\"a\",\"saw\":\"pass\",\"count\":1.5}", -EINVAL},
        {HEAD "\"kind\":\"request\",\"vip\":\"a\",\"verb\":\"b\",\"force\":1}", -EINVAL},
        {HEAD "\"kind\":\"later\"}", -ENOENT},
        {HEAD "\"kind\":7}", -EINVAL},
        {"{\"time\":\"yesterday\",\"ns\":1,\"kind\":\"lost\",\"count\":1}", -EINVAL},
        {"{\"time\":\"2026-11-22T17:40:01Z\",\"ns\":1,\"kind\":\"lost\",\"count\":1}", 0},
        {"{\"time\":\"2026-11-22T17:40:01Z\",\"ns\":-1,\"kind\":\"lost\",\"count\":1}", -EINVAL},
        {"{\"time\":\"2026-11-22T17:40:01.1Z\",\"ns\":1,\"kind\":\"lost\",\"count\":1}", -EINVAL},
        {"{\"time\":\"2026-11-22T17:40:01.123\",\"ns\":1,\"kind\":\"lost\",\"count\":1}", -EINVAL},
        {"{\"ns\":1,\"kind\":\"lost\",\"count\":1}", -EINVAL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct journal_record record;

        cr_expect_eq(journal_decode(rows[i].line, strlen(rows[i].line), &record), rows[i].code,
                     "%s", rows[i].line);
    }
}

Test(journal, time)
{
    char text[JOURNAL_TIME_LEN];
    int64_t wall_ms = 0;

    cr_expect_str_eq(journal_time_format(WALL_MS, text), "2026-11-22T17:40:01.123Z");
    cr_expect_eq(journal_time_parse(text, &wall_ms), 0);
    cr_expect_eq(wall_ms, WALL_MS);
    cr_expect_str_eq(journal_time_format(-5, text), "1970-01-01T00:00:00.000Z");
}
