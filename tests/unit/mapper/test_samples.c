/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/samples.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "scratch.h"

static const char two_pops[] = "pops:\n"
                               "  fra: {location: [50.1, 8.7]}\n"
                               "  sin: {location: [1.3, 103.8]}\n"
                               "maps: {web: {}}\n";

struct taken {
    struct sample last;
    unsigned n;
};

static enum sample_fault take(void *context, const struct sample *sample, int *ret_err)
{
    struct taken *taken = context;

    (void)ret_err;
    taken->last = *sample;
    taken->n++;
    return SAMPLE_GOOD;
}

static int read_text(const char *text, struct taken *taken, struct samples_report *report,
                     struct failure *failure)
{
    struct line_stream *stream;
    struct scratch scratch;
    struct config *config;
    int err;

    scratch_open(&scratch);
    scratch_write(&scratch, "mapper.yaml", two_pops);
    config = scratch_config(&scratch);
    *taken = (struct taken){.n = 0};
    *report = (struct samples_report){0};
    cr_assert_eq(
        line_stream_from_bytes("rows", (const uint8_t *)text, strlen(text), &stream, failure), 0);
    err = samples_read(stream, config, take, taken, report, NULL, failure);
    line_stream_close(stream);
    config_free(config);
    scratch_close(&scratch);
    return err;
}

Test(samples, rows_are_good_or_bad_for_a_reason)
{
    static const struct {
        const char *row; /* time,client,pop,rtt_ms,resolver,count */
        enum sample_fault fault;
    } cases[] = {
        {"1763790000,8.8.8.8,fra,12.5,9.9.9.9,3", SAMPLE_GOOD},
        {"1763790000,8.8.8.8,fra,12.5,,", SAMPLE_GOOD},
        {"1763790000,8.8.8.8,fra,12.5", SAMPLE_GOOD},
        {"1763790000.75,8.8.8.8,fra,0.2,,", SAMPLE_GOOD},
        {"1763790000,\"8.8.8.0/24\",\"fra\",12.5,,", SAMPLE_GOOD},
        {"1763790000,203.0.113.9,fra,12.5,,", SAMPLE_GOOD},     /* documentation, but measured */
        {"1763790000,8.8.8.8,fra,12.5,10.0.0.1,", SAMPLE_GOOD}, /* a resolver nobody can see */
        {"1763790000,8.8.8.8", SAMPLE_MISSING},
        {"1763790000,8.8.8.8,,12.5,,", SAMPLE_MISSING},
        {",8.8.8.8,fra,12.5,,", SAMPLE_MISSING},
        {"yesterday,8.8.8.8,fra,12.5,,", SAMPLE_BAD_TIME},
        {"-5,8.8.8.8,fra,12.5,,", SAMPLE_BAD_TIME},
        {"1763790000000,8.8.8.8,fra,12.5,,", SAMPLE_BAD_TIME}, /* milliseconds */
        {"1763790000,8.8.8,fra,12.5,,", SAMPLE_BAD_CLIENT},
        {"1763790000,example.com,fra,12.5,,", SAMPLE_BAD_CLIENT},
        {"1763790000,8.0.0.0/7,fra,12.5,,", SAMPLE_BAD_CLIENT},
        {"1763790000,2a00::/15,fra,12.5,,", SAMPLE_BAD_CLIENT},
        {"1763790000,8.8.8.8/33,fra,12.5,,", SAMPLE_BAD_CLIENT},
        {"1763790000,10.1.2.3,fra,12.5,,", SAMPLE_SPECIAL_CLIENT},
        {"1763790000,127.0.0.1,fra,12.5,,", SAMPLE_SPECIAL_CLIENT},
        {"1763790000,224.0.0.1,fra,12.5,,", SAMPLE_SPECIAL_CLIENT},
        {"1763790000,fe80::1,fra,12.5,,", SAMPLE_SPECIAL_CLIENT},
        {"1763790000,::ffff:10.0.0.1,fra,12.5,,", SAMPLE_SPECIAL_CLIENT},
        {"1763790000,2002:a00:1::1,fra,12.5,,", SAMPLE_SPECIAL_CLIENT}, /* 6to4 of 10.0.0.1 */
        {"1763790000,8.8.8.8,fra,12.5,dns.example,", SAMPLE_BAD_RESOLVER},
        {"1763790000,8.8.8.8,lhr,12.5,,", SAMPLE_UNKNOWN_POP},
        {"1763790000,8.8.8.8,FRA,12.5,,", SAMPLE_UNKNOWN_POP},
        {"1763790000,8.8.8.8,fra,0,,", SAMPLE_BAD_RTT},
        {"1763790000,8.8.8.8,fra,-1,,", SAMPLE_BAD_RTT},
        {"1763790000,8.8.8.8,fra,nan,,", SAMPLE_BAD_RTT},
        {"1763790000,8.8.8.8,fra,60001,,", SAMPLE_BAD_RTT},
        {"1763790000,8.8.8.8,fra,12ms,,", SAMPLE_BAD_RTT},
        {"1763790000,8.8.8.8,fra,12.5,,0", SAMPLE_BAD_COUNT},
        {"1763790000,8.8.8.8,fra,12.5,,1.5", SAMPLE_BAD_COUNT},
        {"1763790000,\"8.8.8.8,fra,12.5,,", SAMPLE_SYNTAX},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct samples_report report;
        struct failure failure;
        struct taken taken;
        char text[512];

        snprintf(text, sizeof(text), "time,client,pop,rtt_ms,resolver,count\n%s\n", cases[i].row);
        cr_assert_eq(read_text(text, &taken, &report, &failure), 0);
        cr_assert_eq(report.rows, 1);
        cr_assert_eq(taken.n, cases[i].fault == SAMPLE_GOOD, "%s", cases[i].row);
        if (cases[i].fault != SAMPLE_GOOD) {
            cr_assert_eq(report.faults[cases[i].fault], 1, "%s: %s", cases[i].row, report.notes[0]);
            cr_assert_not_null(strstr(report.notes[0], "rows:2: "));
        }
        cr_assert_eq(samples_report_bad(&report), cases[i].fault != SAMPLE_GOOD);
    }
}

Test(samples, columns_come_in_any_order_and_unknown_ones_are_let_be)
{
    struct samples_report report;
    struct failure failure;
    struct taken taken;

    cr_assert_eq(read_text("\xef\xbb\xbfrtt_ms,city,pop,count,client,time,resolver\r\n"
                           "41.5,Delhi,sin,7,103.21.125.9,1763790002,9.9.9.9\r\n\r\n",
                           &taken, &report, &failure),
                 0);
    cr_assert_eq(taken.n, 1);
    cr_assert_eq(taken.last.pop, 1);
    cr_assert_eq(taken.last.count, 7);
    cr_assert_eq(taken.last.time_s, 1763790002);
    cr_assert_float_eq(taken.last.rtt_ms, 41.5, 1e-6);
    cr_assert_eq(taken.last.client.hi, UINT64_C(0x67157d00) << 32);
    cr_assert_eq(taken.last.client.len, 24);
    cr_assert(taken.last.has_resolver);
    cr_assert_eq(taken.last.resolver.hi, UINT64_C(0x09090909) << 32);
    cr_assert_eq(taken.last.resolver.len, 32);
    cr_assert_eq(report.newest_s, 1763790002);
}

Test(samples, json_lines_say_the_same)
{
    struct samples_report report;
    struct failure failure;
    struct taken taken;

    cr_assert_eq(read_text("{\"time\": 1763790002, \"client\": \"103.21.125.9\", \"pop\": \"sin\", "
                           "\"rtt_ms\": 41.5, \"count\": 7, \"resolver\": \"9.9.9.9\"}\n"
                           "{\"time\": 1763790003, \"client\": \"2a00:1450::1\", \"pop\": \"fra\", "
                           "\"rtt_ms\": \"9\", \"resolver\": null, \"x\": [1]}\n"
                           "{\"time\": 1763790002, \"client\": \n"
                           "[]\n"
                           "{\"time\": true, \"client\": \"1.1.1.1\", \"pop\": \"fra\", "
                           "\"rtt_ms\": 9}\n"
                           "{\"pop\": \"fra\", \"rtt_ms\": 9}\n",
                           &taken, &report, &failure),
                 0);
    cr_assert_eq(report.rows, 6);
    cr_assert_eq(taken.n, 2);
    cr_assert_eq(taken.last.client.family, MAP_FAMILY_IPV6);
    cr_assert_eq(taken.last.client.hi, UINT64_C(0x2a00145000000000));
    cr_assert_eq(taken.last.client.len, 48);
    cr_assert_eq(report.faults[SAMPLE_SYNTAX], 3);
    cr_assert_eq(report.faults[SAMPLE_MISSING], 1);
    cr_assert_eq(report.newest_s, 1763790003);
}

Test(samples, a_header_without_a_needed_column_fails_the_file)
{
    struct samples_report report;
    struct failure failure;
    struct taken taken;

    cr_assert_eq(read_text("time,client,pop,rtt\n1,1.1.1.1,fra,2\n", &taken, &report, &failure),
                 -EINVAL);
    cr_assert_not_null(strstr(failure.text, "rows:1:1: "));
    cr_assert_not_null(strstr(failure.text, "rtt_ms"));
}

Test(samples, client_units)
{
    static const struct {
        const char *text;
        uint8_t family;
        uint64_t hi;
        uint8_t len;
    } cases[] = {
        {"198.18.7.9", MAP_FAMILY_IPV4, UINT64_C(0xc6120700) << 32, 24},
        {"198.18.7.9/32", MAP_FAMILY_IPV4, UINT64_C(0xc6120700) << 32, 24},
        {"198.18.7.128/25", MAP_FAMILY_IPV4, UINT64_C(0xc6120700) << 32, 24},
        {"198.18.0.0/15", MAP_FAMILY_IPV4, UINT64_C(0xc6120000) << 32, 15},
        {"2a00:1:2:3::9", MAP_FAMILY_IPV6, UINT64_C(0x2a00000100020000), 48},
        {"2a00:1:2:300::/56", MAP_FAMILY_IPV6, UINT64_C(0x2a00000100020300), 56},
        {"2a00:1:2:3::/64", MAP_FAMILY_IPV6, UINT64_C(0x2a00000100020000), 48},
        {"2a00::/16", MAP_FAMILY_IPV6, UINT64_C(0x2a00000000000000), 16},
        {"::ffff:198.18.7.9", MAP_FAMILY_IPV4, UINT64_C(0xc6120700) << 32, 24},
        {"64:ff9b::c612:709", MAP_FAMILY_IPV4, UINT64_C(0xc6120700) << 32, 24},
        {"2002:c612:709::/48", MAP_FAMILY_IPV4, UINT64_C(0xc6120700) << 32, 24},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct block block;

        cr_assert(sample_client_parse(cases[i].text, &block), "%s", cases[i].text);
        cr_assert_eq(block.family, cases[i].family, "%s", cases[i].text);
        cr_assert_eq(block.hi, cases[i].hi, "%s", cases[i].text);
        cr_assert_eq(block.len, cases[i].len, "%s", cases[i].text);
    }
}

Test(samples, reports_add_up)
{
    struct samples_report a = {.rows = 3, .newest_s = 9};
    struct samples_report b = {.rows = 4, .newest_s = 7};

    a.faults[SAMPLE_BAD_RTT] = 1;
    b.faults[SAMPLE_BAD_RTT] = 2;
    strcpy(b.notes[0], "f:1: x");
    b.note_n = 1;
    samples_report_add(&a, &b);
    cr_assert_eq(a.rows, 7);
    cr_assert_eq(a.faults[SAMPLE_BAD_RTT], 3);
    cr_assert_eq(a.newest_s, 9);
    cr_assert_str_eq(a.notes[0], "f:1: x");
}
