/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/tap_command.h"

#include <errno.h>
#include <inttypes.h>
#include <libknot/descriptor.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/number.h"
#include "edge/compare/packet.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"

#define TAP_WAIT_NS (200 * CLOCK_NS_PER_MS)
#define TAP_FRAME_MAX 2048u
#define TAP_ETHERNET 1u      /* LINKTYPE_ETHERNET */
#define TAP_PCAP 0xa1b23c4du /* with nanoseconds */

struct tap_output {
    FILE *pcap; /* NULL: text, or JSON */
    bool as_json;
};

/* Of the server's own writing. */
static int tap_hex(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

static size_t tap_bytes(const json_t *sample, uint8_t ret_bytes[static TAP_FRAME_MAX])
{
    const char *text = json_string_value(json_object_get(sample, "bytes"));
    size_t len = 0;

    while (text && text[0] && text[1] && len < TAP_FRAME_MAX) {
        ret_bytes[len++] = (uint8_t)(tap_hex(text[0]) << 4 | tap_hex(text[1]));
        text += 2;
    }
    return len;
}

/* "www.example.com. A" */
static void tap_print_question(const uint8_t *message, size_t len)
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1] = {0};
    char text[NAME_TEXT_LEN];
    char type[16];
    size_t at = WIRE_HEADER_LEN;

    while (at < len && message[at] && message[at] <= NAME_LABEL_LEN_MAX) {
        at += (size_t)message[at] + 1;
    }
    if (at + 5 > len || message[at] || at + 1 - WIRE_HEADER_LEN > NAME_LEN_MAX) {
        fputs("no question", stdout);
        return;
    }
    memcpy(name, message + WIRE_HEADER_LEN, at + 1 - WIRE_HEADER_LEN);
    if (knot_rrtype_to_string(wire_get_u16(message + at + 1), type, sizeof(type)) < 0) {
        *type = '\0';
    }
    printf("%s %s", name_to_text(name, text), type);
}

static void tap_print(const json_t *sample, const uint8_t *frame, size_t len)
{
    int64_t at_ns = json_integer_value(json_object_get(sample, "at_ns"));
    struct packet packet;
    char when[24];
    char text[ADDRESS_TEXT_LEN];

    clock_format_utc(at_ns / CLOCK_NS_PER_S, when);
    printf("%.19s.%06" PRId64 "Z %s ", when, at_ns % CLOCK_NS_PER_S / 1000,
           json_string_value(json_object_get(sample, "interface")));
    if (packet_parse(&packet, TAP_ETHERNET, frame, len)) {
        printf("%s > ", endpoint_format(&packet.source, text));
        printf("%s ", endpoint_format(&packet.destination, text));
        if (packet.tcp) {
            fputs("TCP", stdout);
        } else {
            tap_print_question(packet.payload, packet.len);
        }
    } else {
        fputs("no UDP", stdout);
    }
    printf(": %s %s\n",
           json_is_true(json_object_get(sample, "answered")) ? "answered," : "passed up,",
           json_string_value(json_object_get(sample, "verdict")));
}

/* draft-ietf-opsawg-pcap, in this machine's byte order */
static void tap_put_u32(FILE *out, uint32_t value)
{
    (void)fwrite(&value, sizeof(value), 1, out);
}

static void tap_pcap_head(FILE *out)
{
    tap_put_u32(out, TAP_PCAP);
    tap_put_u32(out, 4u << 16 | 2u); /* version 2.4 */
    tap_put_u32(out, 0);
    tap_put_u32(out, 0);
    tap_put_u32(out, TAP_FRAME_MAX);
    tap_put_u32(out, TAP_ETHERNET);
}

static void tap_pcap(FILE *out, const json_t *sample, const uint8_t *frame, size_t len)
{
    int64_t at_ns = json_integer_value(json_object_get(sample, "at_ns"));

    tap_put_u32(out, (uint32_t)(at_ns / CLOCK_NS_PER_S));
    tap_put_u32(out, (uint32_t)(at_ns % CLOCK_NS_PER_S));
    tap_put_u32(out, (uint32_t)len);
    tap_put_u32(out, (uint32_t)json_integer_value(json_object_get(sample, "len")));
    (void)fwrite(frame, 1, len, out);
}

static void tap_put(const struct tap_output *output, const json_t *sample)
{
    uint8_t frame[TAP_FRAME_MAX];
    size_t len = tap_bytes(sample, frame);

    if (output->pcap) {
        tap_pcap(output->pcap, sample, frame, len);
    } else if (output->as_json) {
        json_dumpf(sample, stdout, JSON_COMPACT);
        fputs("\n", stdout);
    } else {
        tap_print(sample, frame, len);
    }
}

static json_t *tap_request(const json_t *options, json_int_t since)
{
    const char *rate = json_string_value(json_object_get(options, "rate"));
    json_t *request = json_pack("{s:s, s:[s], s:{s:s}}", "verb", "xdp", "arguments", "tap",
                                "options", "rate", rate ? rate : "100");
    char text[24];

    if (since >= 0) {
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, since);
        json_object_set_new(json_object_get(request, "options"), "since", json_string(text));
    }
    return request;
}

/* Until `count` samples are out (0: for ever). */
static int tap_follow(tap_ask ask, const char *path, const json_t *options, uint64_t count,
                      const struct tap_output *output)
{
    static const struct timespec nap = {.tv_nsec = TAP_WAIT_NS};
    json_int_t since = -1;
    uint64_t done = 0;

    for (;;) {
        json_t *request = tap_request(options, since);
        json_t *reply = request ? ask(path, request) : NULL;
        const json_t *data = json_object_get(reply, "data");
        const json_t *samples = json_object_get(data, "samples");
        bool more = json_is_true(json_object_get(data, "more"));
        json_int_t lost = json_integer_value(json_object_get(data, "lost"));

        json_decref(request);
        if (!data) {
            const json_t *errors = json_object_get(reply, "errors");

            if (json_array_size(errors)) {
                fprintf(stderr, "%s\n", json_string_value(json_array_get(errors, 0)));
            }
            json_decref(reply);
            return 1;
        }
        since = json_integer_value(json_object_get(data, "last"));
        for (size_t i = 0; i < json_array_size(samples) && (!count || done < count); i++) {
            tap_put(output, json_array_get(samples, i));
            done++;
        }
        json_decref(reply);
        if (lost) {
            fprintf(stderr, "%" JSON_INTEGER_FORMAT " samples came too fast to be shown\n", lost);
        }
        if (fflush(output->pcap ? output->pcap : stdout) != 0) {
            return 1; /* nobody reads */
        }
        if (count && done >= count) {
            return 0;
        }
        if (!more) {
            (void)nanosleep(&nap, NULL);
        }
    }
}

int tap_command(tap_ask ask, const char *path, const json_t *options, bool as_json)
{
    const char *count_text = json_string_value(json_object_get(options, "count"));
    const char *file = json_string_value(json_object_get(options, "pcap"));
    struct tap_output output = {.as_json = as_json};
    uint64_t count = 0;
    int status;

    if (count_text && number_parse_u64(count_text, strlen(count_text), 1, UINT32_MAX, &count) < 0) {
        fprintf(stderr, "'%s' is no number of packets\n", count_text);
        return 2;
    }
    if (file) {
        output.pcap = strcmp(file, "-") == 0 ? stdout : fopen(file, "we");
        if (!output.pcap) {
            fprintf(stderr, "%s: %s\n", file, strerror(errno));
            return 1;
        }
        tap_pcap_head(output.pcap);
    }
    status = tap_follow(ask, path, options, count, &output);
    if (output.pcap && fclose(output.pcap) != 0) {
        fprintf(stderr, "%s: %s\n", file, strerror(errno));
        status = 1;
    }
    return status;
}
