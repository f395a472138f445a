/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <criterion/criterion.h>

#include "edge/compare/capture.h"
#include "edge/compare/packet.h"
#include "edge/compare/stream.h"

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

#define CLASSIC_LE                                                                                 \
    "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0"                                     \
    "\0\0\0\0\0\0\0\0\3\0\0\0\3\0\0\0abc"                                                          \
    "\0\0\0\0\0\0\0\0\2\0\0\0\11\0\0\0de"
#define CLASSIC_BE_NS                                                                              \
    "\xa1\xb2\x3c\x4d\0\2\0\4\0\0\0\0\0\0\0\0\0\4\0\0\0\0\0\1"                                     \
    "\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\3abc"                                                          \
    "\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\11de"
#define NG_SECTION_LE                                                                              \
    "\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0"
#define NG_SECTION_BE                                                                              \
    "\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d\0\1\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x1c"
#define NG_INTERFACE_LE "\1\0\0\0\x14\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0"
#define NG_INTERFACE_BE "\0\0\0\1\0\0\0\x14\0\1\0\0\0\0\0\0\0\0\0\x14"
#define NG_UNKNOWN_LE "\x77\0\0\0\x10\0\0\0????\x10\0\0\0"
#define NG_PACKET_LE "\6\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\3\0\0\0abc\0\x24\0\0\0"
#define NG_PACKET_BE "\0\0\0\6\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\3abc\0\0\0\0\x24"
#define NG_SIMPLE_LE "\3\0\0\0\x14\0\0\0\2\0\0\0de\0\0\x14\0\0\0"
#define NG_OLD_BE "\0\0\0\2\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\2de\0\0\0\0\0\x24"

/* Reads everything, `step` bytes more at a time; frames are joined with commas. */
static enum capture_status read_all(const uint8_t *bytes, size_t len, size_t step, char *ret_text)
{
    struct capture capture = {0};
    size_t start = 0;
    size_t end = 0;

    *ret_text = '\0';
    for (;;) {
        struct capture_frame frame;
        size_t consumed = 0;
        const enum capture_status status =
            capture_next(&capture, bytes + start, end - start, &consumed, &frame);

        if (status == CAPTURE_BROKEN || (status == CAPTURE_MORE && end == len)) {
            return start == len ? CAPTURE_SKIP : status;
        }
        if (status == CAPTURE_MORE) {
            end = end + step < len ? end + step : len;
            continue;
        }
        if (status == CAPTURE_FRAME) {
            cr_expect_eq(frame.link, 1);
            strncat(ret_text, (const char *)frame.bytes, frame.len);
            strcat(ret_text, ",");
        }
        start += consumed;
    }
}

Test(capture, formats)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
        enum capture_status status; /* CAPTURE_SKIP: read to the end */
        const char *frames;
        const char *why;
    } rows[] = {
        {BYTES(CLASSIC_LE), CAPTURE_SKIP, "abc,de,", "classic, microseconds"},
        {BYTES(CLASSIC_BE_NS), CAPTURE_SKIP, "abc,de,", "classic, big-endian, nanoseconds"},
        {BYTES(NG_SECTION_LE NG_INTERFACE_LE NG_UNKNOWN_LE NG_PACKET_LE NG_SIMPLE_LE), CAPTURE_SKIP,
         "abc,de,", "pcapng"},
        {BYTES(NG_SECTION_BE NG_INTERFACE_BE NG_PACKET_BE NG_OLD_BE), CAPTURE_SKIP, "abc,de,",
         "pcapng, big-endian, the obsolete block"},
        {BYTES(NG_SECTION_LE NG_INTERFACE_LE NG_PACKET_LE NG_SECTION_BE NG_INTERFACE_BE NG_OLD_BE),
         CAPTURE_SKIP, "abc,de,", "two sections in different orders"},
        {BYTES(NG_SECTION_LE NG_PACKET_LE), CAPTURE_SKIP, "", "an interface nobody described"},
        {BYTES(NG_SECTION_LE NG_INTERFACE_LE "\6\0\0\0\x21\0\0\0????"), CAPTURE_BROKEN, "",
         "a block of odd length"},
        {BYTES(NG_SECTION_LE NG_INTERFACE_LE
               "\6\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\3\0\0\0abc\0\x24\0\0\0"),
         CAPTURE_BROKEN, "", "a frame longer than its block"},
        {BYTES("\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0"
               "\0\0\0\0\0\0\0\0\0\0\0\177\0\0\0\177"),
         CAPTURE_BROKEN, "", "a frame of 2 GiB"},
        {BYTES(CLASSIC_LE "\0\0\0"), CAPTURE_MORE, "abc,de,", "half a record"},
        {BYTES("www.example.com A"), CAPTURE_BROKEN, "", "text"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step < 100; step += 7) {
            char text[64];

            cr_expect_eq(read_all(rows[i].bytes, rows[i].len, step, text), rows[i].status, "%s",
                         rows[i].why);
            cr_expect_str_eq(text, rows[i].frames, "%s", rows[i].why);
        }
    }
    cr_expect(capture_is(BYTES(CLASSIC_BE_NS)) && capture_is(BYTES(NG_SECTION_LE)));
    cr_expect(!capture_is(BYTES("www")) && !capture_is(BYTES("www.")));
}

#define IPV4(total, fragment, protocol)                                                            \
    "\x45\0\0" total "\0\0" fragment "\100" protocol "\0\0\300\0\2\1\300\0\2\2"
#define IPV6(len, next)                                                                            \
    "\x60\0\0\0\0" len next "\100\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                             \
    "\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define UDP "\x30\x39\0\65\0\12\0\0hi"
#define TCP "\x30\x39\0\65\0\0\0\7\0\0\0\0\x60\x02\0\0\0\0\0\0\1\1\1\1hi"
#define ETHERNET                                                                                   \
    "dddddd"                                                                                       \
    "ssssss"

Test(packet, forms)
{
    static const struct {
        uint16_t link;
        const uint8_t *bytes;
        size_t len;
        bool good;
        bool tcp;
        const char *why;
    } rows[] = {
        {1, BYTES(ETHERNET "\x08\0" IPV4("\x1e", "\0\0", "\21") UDP), true, false, "Ethernet"},
        {1, BYTES(ETHERNET "\x08\0" IPV4("\x1e", "\0\0", "\21") UDP "padding"), true, false,
         "padded"},
        {1, BYTES(ETHERNET "\x81\0\0\5\x86\xdd" IPV6("\12", "\21") UDP), true, false, "VLAN"},
        {1, BYTES(ETHERNET "\x08\6" IPV4("\x1e", "\0\0", "\21") UDP), false, false, "ARP"},
        {101, BYTES(IPV4("\x1e", "\0\0", "\21") UDP), true, false, "raw"},
        {101, BYTES(IPV4("\x2e", "\0\0", "\6") TCP), true, true, "TCP with options"},
        {101, BYTES(IPV6("\22", "\0") "\21\0??????" UDP), true, false, "hop-by-hop options"},
        {101, BYTES(IPV6("\22", "\54") "\21\0\0\1????" UDP), false, false, "an IPv6 fragment"},
        {101, BYTES(IPV4("\x1e", "\40\0", "\21") UDP), false, false, "a first fragment"},
        {101, BYTES(IPV4("\x1e", "\0\1", "\21") UDP), false, false, "a later fragment"},
        {101, BYTES(IPV4("\x1f", "\0\0", "\21") UDP), false, false, "cut short"},
        {101, BYTES(IPV4("\x1c", "\0\0", "\21") UDP), false, false, "UDP longer than IP"},
        {101, BYTES(IPV4("\x1e", "\0\0", "\1") UDP), false, false, "ICMP"},
        {0, BYTES("\2\0\0\0" IPV4("\x1e", "\0\0", "\21") UDP), true, false, "BSD loopback"},
        {113, BYTES("\0\0\0\1\0\6ssssss\0\0\x08\0" IPV4("\x1e", "\0\0", "\21") UDP), true, false,
         "any interface"},
        {276, BYTES("\x08\0\0\0\0\0\0\1\0\1\0\6ssssss\0\0" IPV4("\x1e", "\0\0", "\21") UDP), true,
         false, "any interface, version 2"},
        {147, BYTES(IPV4("\x1e", "\0\0", "\21") UDP), false, false, "unknown link"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet packet;

        cr_expect_eq(packet_parse(&packet, rows[i].link, rows[i].bytes, rows[i].len), rows[i].good,
                     "%s", rows[i].why);
        if (rows[i].good) {
            cr_expect_eq(packet.tcp, rows[i].tcp, "%s", rows[i].why);
            cr_expect(packet.source.port == 12345 && packet.destination.port == 53, "%s",
                      rows[i].why);
            cr_expect(packet.len == 2 && memcmp(packet.payload, "hi", 2) == 0, "%s", rows[i].why);
        }
        for (size_t len = 0; len < rows[i].len; len++) { /* never beyond what is there */
            packet_parse(&packet, rows[i].link, rows[i].bytes, len);
        }
    }
}

#define QUERY_1 "\0\21\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1"
#define QUERY_2 "\0\21\0\2\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1"

/* The ids of the messages that come out after a segment, as digits. */
static void add_segment(struct streams *streams, uint32_t sequence, bool syn, const uint8_t *bytes,
                        size_t len, char *text)
{
    const struct packet packet = {.source = {.port = 1},
                                  .tcp = true,
                                  .syn = syn,
                                  .sequence = sequence,
                                  .payload = bytes,
                                  .len = len};
    struct stream *stream = streams_add(streams, &packet);
    const uint8_t *message;
    size_t message_len;

    while (stream && (message = stream_next(stream, &message_len))) {
        const char id[2] = {(char)('0' + message[1]), '\0'};

        cr_expect_eq(message_len, 17);
        strcat(text, id);
    }
}

Test(stream, messages)
{
    struct streams *streams = streams_new();
    const uint8_t *two = (const uint8_t *)(QUERY_1 QUERY_2);
    char text[64] = "";

    add_segment(streams, 99, true, two, 0, text); /* byte by byte */
    for (uint32_t i = 0; i < 38; i++) {
        add_segment(streams, 100 + i, false, two + i, 1, text);
    }
    cr_expect_str_eq(text, "12");
    add_segment(streams, 138, false, two, 38, text); /* two at once */
    cr_expect_str_eq(text, "1212");
    add_segment(streams, 138, false, two, 38, text); /* again */
    cr_expect_str_eq(text, "1212");
    add_segment(streams, 157, false, two + 19, 19, text); /* in part */
    cr_expect_str_eq(text, "1212");
    add_segment(streams, 200, false, two + 3, 16, text); /* after a loss, inside of a message */
    cr_expect_str_eq(text, "1212");
    add_segment(streams, 216, false, two, 19, text); /* in step again */
    cr_expect_str_eq(text, "12121");
    add_segment(streams, 0xfffffffe, true, two, 0, text); /* a new connection, sequence wraps */
    add_segment(streams, 0xffffffff, false, two, 10, text);
    add_segment(streams, 9, false, two + 10, 28, text);
    cr_expect_str_eq(text, "1212112");
    add_segment(streams, 37, false, (const uint8_t *)"\377\377xx", 4, text); /* too long to ask */
    add_segment(streams, 41, false, two, 38, text);
    cr_expect_str_eq(text, "121211212");
    streams_free(streams);
}
