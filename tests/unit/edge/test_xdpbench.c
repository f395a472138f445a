/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/compare/packet.h"
#include "edge/xdpbench/frame.h"
#include "edge/xdpbench/mix.h"
#include "edge/xdpbench/queries.h"

#define PACKETS 4000u

static char path[] = "/tmp/isochrone-xdpbench-XXXXXX";

static void write_file(const void *bytes, size_t len)
{
    int fd = mkstemp(strcpy(path, "/tmp/isochrone-xdpbench-XXXXXX"));

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static int read_file(const void *bytes, size_t len, const char *flags, struct queries *queries,
                     struct failure *failure)
{
    const struct queries_options options = {
        .path = path, .flags = flags, .port = 53, .max = 1000000};
    int status;

    write_file(bytes, len);
    status = queries_read(&options, queries, failure);
    unlink(path);
    return status;
}

static int read_text(const char *text, const char *flags, struct queries *queries,
                     struct failure *failure)
{
    return read_file(text, strlen(text), flags, queries, failure);
}

static struct endpoint endpoint(const char *text)
{
    struct endpoint parsed;

    cr_assert_eq(endpoint_parse(text, 0, &parsed), 0, "%s", text);
    return parsed;
}

/* --- query files --- */

Test(xdpbench, reads_query_files_of_both_kinds)
{
    struct failure failure = {{0}};
    struct queries queries;

    cr_assert_eq(read_text("; a comment\n\nwww.example.com A\nwww.example.com. AAAA +do\n"
                           "geo.test A ecs=198.51.100.0/24 from=203.0.113.9\n"
                           "geo.test A +subnet=198.51.100.0/24\nover.test A +tcp",
                           NULL, &queries, &failure),
                 0, "%s", failure.text);
    cr_assert_eq(queries.n, 4);
    cr_assert_eq(queries.left_out_n, 1, "TCP never comes here");
    cr_assert_eq(queries.list[0].source.address.family, ADDRESS_NONE);
    cr_assert_eq(queries.list[2].source.address.family, ADDRESS_IPV4);
    cr_assert_eq(queries.list[2].len, queries.list[3].len, "ecs= is +subnet=");
    cr_assert_arr_eq(queries.bytes + queries.list[2].at, queries.bytes + queries.list[3].at,
                     queries.list[2].len);
    cr_assert_eq(queries.ranking_n, 4, "the same query from two clients is two");
    queries_done(&queries);
}

Test(xdpbench, flags_are_for_every_line)
{
    struct failure failure = {{0}};
    struct queries plain;
    struct queries edns;

    cr_assert_eq(read_text("a.test A\n", NULL, &plain, &failure), 0);
    cr_assert_eq(read_text("a.test A\n", "+edns=0", &edns, &failure), 0);
    cr_assert_eq(edns.list[0].len, plain.list[0].len + 11, "an OPT record");
    queries_done(&plain);
    queries_done(&edns);
}

Test(xdpbench, says_where_a_query_file_is_wrong)
{
    static const struct {
        const char *text;
        const char *place;
    } rows[] = {
        {"a.test A\nb.test NOTYPE\n", ":2:8: "},
        {"a.test A from=nowhere\n", ":1:1: "},
        {"a.test A ecs=1.2.3.4/99\n", ":1:10: "},
        {"; nothing\n", "no queries"},
        {"", "no queries"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct failure failure = {{0}};
        struct queries queries;

        cr_assert_lt(read_text(rows[i].text, NULL, &queries, &failure), 0, "%s", rows[i].text);
        cr_assert_not_null(strstr(failure.text, rows[i].place), "%s: %s", rows[i].text,
                           failure.text);
        cr_assert_null(queries.list);
    }
}

Test(xdpbench, ranks_by_frequency)
{
    struct failure failure = {{0}};
    struct queries queries;

    cr_assert_eq(read_text("c.test A\na.test A\nb.test A\na.test A\nb.test A\na.test A\n", NULL,
                           &queries, &failure),
                 0);
    cr_assert_eq(queries.n, 6);
    cr_assert_eq(queries.ranking_n, 3);
    cr_assert_eq(queries.ranking[0], 1, "a, where it came first");
    cr_assert_eq(queries.ranking[1], 2);
    cr_assert_eq(queries.ranking[2], 0);
    queries_done(&queries);
}

/* --- captures --- */

static size_t record(uint8_t *to, const char *source, const char *destination, const void *payload,
                     size_t len)
{
    const struct endpoint from = endpoint(source);
    const struct endpoint at = endpoint(destination);
    uint32_t header[4] = {0, 0, 0, 0};
    size_t frame_len = frame_make(&from, &at, payload, len, to + 16, 1500);

    cr_assert_gt(frame_len, 0);
    header[2] = header[3] = (uint32_t)frame_len;
    memcpy(to, header, sizeof(header));
    return 16 + frame_len;
}

Test(xdpbench, reads_captures_and_leaves_out_what_is_no_query)
{
    static const uint32_t magic[6] = {0xa1b2c3d4u, 0x00040002u, 0, 0, 65535, 1};
    struct failure failure = {{0}};
    struct queries queries;
    uint8_t file[8192];
    size_t len = sizeof(magic);

    memcpy(file, magic, len);
    len += record(file + len, "198.51.100.1@4000", "192.0.2.1@53", "\0\1hello", 7);
    len += record(file + len, "[2001:db8::1]@4001", "[2001:db8::53]@53", "\0\2hello", 7);
    len += record(file + len, "198.51.100.1@4000", "192.0.2.1@54", "\0\3hello", 7);
    len += record(file + len, "198.51.100.1@4000", "192.0.2.1@53", "\0\4hello", 7);
    cr_assert_eq(read_file(file, len, NULL, &queries, &failure), 0, "%s", failure.text);
    cr_assert_eq(queries.n, 3);
    cr_assert_eq(queries.left_out_n, 1, "another port");
    cr_assert_eq(queries.list[0].source.port, 4000);
    cr_assert_eq(queries.list[1].source.address.family, ADDRESS_IPV6);
    cr_assert_eq(queries.ranking_n, 2, "the ID tells no queries apart");
    cr_assert_eq(queries.ranking[0], 0);
    queries_done(&queries);

    /* cut short: what is whole counts */
    cr_assert_eq(read_file(file, len - 3, NULL, &queries, &failure), 0, "%s", failure.text);
    cr_assert_eq(queries.n, 2);
    cr_assert_eq(queries.left_out_n, 2);
    queries_done(&queries);
    cr_assert_lt(read_file(file, sizeof(magic), NULL, &queries, &failure), 0);
}

/* --- frames --- */

static uint32_t sum_bytes(const uint8_t *bytes, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

Test(xdpbench, frames_have_right_checksums_and_read_back)
{
    static const struct {
        const char *source, *destination;
        size_t headers, addresses, address_len;
    } rows[] = {{"198.51.100.1@4000", "192.0.2.1@53", FRAME_HEADERS_IPV4, 26, 4},
                {"[2001:db8::1]@4001", "[2001:db8::53]@53", FRAME_HEADERS_IPV6, 22, 16}};

    for (size_t i = 0; i < 2; i++) {
        for (size_t len = 1; len < 40; len++) {
            const struct endpoint from = endpoint(rows[i].source);
            const struct endpoint at = endpoint(rows[i].destination);
            uint8_t payload[40];
            uint8_t frame[200];
            struct packet packet;
            size_t headers = rows[i].headers;
            uint32_t sum;

            memset(payload, (int)(len * 37), sizeof(payload));
            cr_assert_eq(frame_make(&from, &at, payload, len, frame, sizeof(frame)), headers + len);
            sum = sum_bytes(frame + rows[i].addresses, 2 * rows[i].address_len,
                            17 + 8 + (uint32_t)len);
            cr_assert_eq(sum_bytes(frame + headers - 8, 8 + len, sum), 0xffff);
            if (i == 0) {
                cr_assert_eq(sum_bytes(frame + 14, 20, 0), 0xffff);
            }
            cr_assert(packet_parse(&packet, 1, frame, headers + len));
            cr_assert_eq(packet.source.port, from.port);
            cr_assert_eq(packet.destination.port, 53);
            cr_assert_eq(packet.len, len);
            cr_assert_arr_eq(packet.payload, payload, len);
            cr_assert_eq(frame_make(&from, &at, payload, len, frame, headers + len - 1), 0);
        }
    }
}

/* --- mixes --- */

static struct packet_bench_packet packets[PACKETS];
static struct packet_bench_packet again[PACKETS];

/* The number in the name of the query, "N.test". */
static unsigned number_of(const struct packet_bench_packet *packet)
{
    const uint8_t *name = packet->bytes + FRAME_HEADERS_IPV4 + 12;
    unsigned number = 0;

    for (unsigned i = 0; i < name[0]; i++) {
        number = number * 10 + (unsigned)(name[1 + i] - '0');
    }
    return number;
}

static void read_numbers(struct queries *queries, const char *words)
{
    struct failure failure = {{0}};
    char text[20000] = "";
    size_t at = 0;

    for (unsigned i = 0; i < 200; i++) {
        for (unsigned n = 0; n < (i < 100 ? 2u : 1u); n++) {
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%u.test A %s\n", i, words);
        }
    }
    cr_assert_eq(read_text(text, NULL, queries, &failure), 0, "%s", failure.text);
}

Test(xdpbench, mixes_are_what_they_are_called)
{
    const struct mix_target target = {.ipv4 = endpoint("192.0.2.1@53")};
    struct failure failure = {{0}};
    struct queries queries;

    read_numbers(&queries, "");
    for (unsigned mix = 0; mix < MIXES; mix++) {
        unsigned counts[200] = {0};
        unsigned distinct = 0;

        cr_assert_eq(mix_fill((enum mix)mix, &queries, &target, 7, packets, PACKETS, &failure), 0);
        cr_assert_eq(mix_fill((enum mix)mix, &queries, &target, 7, again, PACKETS, &failure), 0);
        cr_assert_eq(memcmp(packets, again, sizeof(packets)), 0, "the seed decides");
        for (unsigned i = 0; i < PACKETS; i++) {
            distinct += counts[number_of(&packets[i])]++ == 0;
        }
        switch ((enum mix)mix) {
        case MIX_FILE:
            cr_assert_eq(number_of(&packets[1]), 0, "the order of the file");
            cr_assert_eq(number_of(&packets[2]), 1);
            cr_assert_eq(number_of(&packets[301]), 0);
            break;
        case MIX_HOT:
            cr_assert_eq(distinct, MIX_HOT_N);
            break;
        case MIX_ZIPF: /* 1/H(200) = 17 % are of the first */
            cr_assert(counts[0] > PACKETS / 8 && counts[0] < PACKETS / 4, "%u", counts[0]);
            cr_assert_gt(counts[0], counts[1]);
            break;
        case MIX_UNIFORM:
            cr_assert_eq(distinct, 200);
            cr_assert(counts[0] < 50 && counts[199] > 5, "%u %u", counts[0], counts[199]);
            break;
        case MIXES:
            break;
        }
    }
    queries_done(&queries);
}

Test(xdpbench, a_family_that_is_not_listened_on_is_passed_over)
{
    const struct mix_target ipv6 = {.ipv6 = endpoint("[2001:db8::53]@53")};
    const struct mix_target ipv4 = {.ipv4 = endpoint("192.0.2.1@53")};
    struct failure failure = {{0}};
    struct queries queries;

    read_numbers(&queries, "from=2400::1");
    cr_assert_lt(mix_fill(MIX_FILE, &queries, &ipv4, 1, packets, 10, &failure), 0);
    cr_assert_eq(mix_fill(MIX_FILE, &queries, &ipv6, 1, packets, 10, &failure), 0);
    cr_assert_eq(packets[0].bytes[12], 0x86);
    queries_done(&queries);
}
