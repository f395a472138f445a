/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "frames.h"
#include "maps/cookie_core.h"
#include "xdp/listener_core.h"
#include "xdp/model.h"
#include "xdp/template_table.h"

#define SEED 0x123456789abcdefULL
#define NOW_S 1763790200u
#define BODY_LARGE 700u

/* A small publication: A of www.example.com., a TXT of it that is large, a service without image.
 */
struct stage {
    struct template_table *table;
    struct fast_policy policy;
    struct model_tables tables;
    struct model_room room;
    struct model *model;
    struct frame_spec spec;
    struct query_spec query;
    struct frame frame; /* of the query */
    struct model_result result;
};

static const uint8_t www[] = "\3www\7example\3com";
static const uint8_t geo[] = "\3geo\7example\3com";
static const uint8_t www_body[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 80,
                                   0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 81};

static void stage_listen(struct stage *stage, const char *text)
{
    struct endpoint endpoint = frame_endpoint(text);
    struct fast_address address = {{0}};
    uint8_t *bytes = (uint8_t *)address.words;

    if (endpoint.address.family == ADDRESS_IPV6) {
        memcpy(bytes, endpoint.address.bytes, 16);
    } else {
        bytes[10] = bytes[11] = 0xff;
        memcpy(bytes + 12, endpoint.address.bytes, 4);
    }
    cr_assert_eq(fast_listener_add(&stage->policy, &address, __builtin_bswap16(endpoint.port)), 0);
}

static void stage_templates(struct stage *stage)
{
    struct template_builder *builder = template_builder_new(64, SEED);
    struct template_variant none[MAP_STATES] = {{0}};
    struct template_variants variants = {none};
    struct template_geo service = {.name = geo, .qtype = 1, .flags = 0x8400, .want = 1};
    static uint8_t large[BODY_LARGE];
    struct template_static answer = {.name = www,
                                     .qtype = 1,
                                     .flags = 0x8400,
                                     .counts = {2, 0, 0},
                                     .answer = FAST_ANSWER_POSITIVE,
                                     .body = www_body,
                                     .body_len = sizeof(www_body)};
    struct failure failure;

    cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    answer.qtype = 16;
    answer.body = large;
    answer.body_len = sizeof(large);
    answer.attributes = FAST_DO_SAME;
    cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    cr_assert_eq(template_builder_add_variants(builder, &variants, &service.variants), 1);
    cr_assert_eq(template_builder_add_geo(builder, &service), 1);
    cr_assert_eq(template_builder_finish(builder, &stage->table, &failure), 0);
    template_table_policy(stage->table, &stage->policy);
}

static void stage_open(struct stage *stage)
{
    *stage = (struct stage){.room = {216, 64}, .model = model_new()};
    stage_templates(stage);
    stage_listen(stage, "192.0.2.53@53");
    stage_listen(stage, "2001:db8::53@53");
    stage->policy.cookies.count = 1;
    stage->tables = (struct model_tables){
        .word = FAST_WORD(FAST_SLOT_NONE, 0, 0, 1),
        .policy = &stage->policy,
        .now_wall_s = NOW_S,
    };
    stage->tables.templates = template_table_blocks(stage->table, &stage->tables.template_blocks);
    stage->spec = (struct frame_spec){frame_endpoint("198.51.100.7@4711"),
                                      frame_endpoint("192.0.2.53@53"), -1, 0, false};
    stage->query =
        (struct query_spec){.name = "www.example.com", .qtype = 1, .udp_size = 1232, .id = 7};
}

static void stage_close(struct stage *stage)
{
    template_table_free(stage->table);
    model_free(stage->model);
}

static void stage_build(struct stage *stage)
{
    uint8_t message[700];

    frame_build(&stage->spec, message, query_build(&stage->query, message), &stage->frame);
}

/* Runs the frame as it is now. */
static enum fast_reason stage_reason(struct stage *stage)
{
    model_run(stage->model, &stage->tables, &stage->room, stage->frame.bytes, stage->frame.len,
              &stage->result);
    return stage->result.reason;
}

static enum fast_reason stage_ask(struct stage *stage)
{
    stage_build(stage);
    return stage_reason(stage);
}

Test(model, answers_a_static_name)
{
    struct frame_spec specs[] = {
        {frame_endpoint("198.51.100.7@4711"), frame_endpoint("192.0.2.53@53"), -1, 0, false},
        {frame_endpoint("198.51.100.7@4711"), frame_endpoint("192.0.2.53@53"), 0x2064, 9, true},
        {frame_endpoint("2001:db8:7::1@4711"), frame_endpoint("2001:db8::53@53"), -1, 0, false},
        {frame_endpoint("2001:db8:7::1@4711"), frame_endpoint("2001:db8::53@53"), 100, 30, false},
    };
    struct stage stage;

    stage_open(&stage);
    stage.query.name = "wWw.eXample.com";
    stage.query.flags = 0x0110;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        size_t len = 33;
        struct frame_spec spec;
        const uint8_t *reply;
        const char *wrong;
        size_t reply_len;

        stage.spec = specs[i];
        cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS, "case %zu: %d", i, stage.result.reason);
        wrong = frame_parse(stage.result.frame, stage.result.frame_len, &spec, &reply, &reply_len);
        cr_assert_null(wrong, "case %zu: %s", i, wrong);
        cr_assert(frame_goes_back(stage.result.frame, &stage.frame));
        cr_assert_eq(spec.vlan, specs[i].vlan);
        cr_assert_eq(address_compare(&spec.source.address, &specs[i].destination.address), 0);
        cr_assert_eq(address_compare(&spec.destination.address, &specs[i].source.address), 0);
        cr_assert_eq(spec.destination.port, 4711);
        cr_assert_eq(reply_len, len + sizeof(www_body));
        cr_assert_eq(memcmp(reply, "\0\7\x85\x10\0\1\0\2\0\0\0", 12), 0);
        cr_assert_eq(memcmp(reply + 12, "\3wWw\7eXample\3com\0\0\1\0\1", 21), 0);
        cr_assert_eq(memcmp(reply + len, www_body, sizeof(www_body)), 0);
    }
    stage_close(&stage);
}

Test(model, grows_where_there_is_room)
{
    static const struct {
        struct model_room room;
        uint32_t padding;
        enum model_growth growth;
        bool answered;
    } rows[] = {
        {{0, 32}, 0, MODEL_GROWN_TAIL, true},   {{216, 32}, 0, MODEL_GROWN_TAIL, true},
        {{216, 31}, 0, MODEL_GROWN_HEAD, true}, {{32, 0}, 0, MODEL_GROWN_HEAD, true},
        {{31, 31}, 0, MODEL_GROWN_NOT, false},  {{0, 0}, 32, MODEL_GROWN_NOT, true},
        {{0, 0}, 60, MODEL_GROWN_NOT, true}, /* made shorter */
        {{0, 0}, 31, MODEL_GROWN_NOT, false},   {{1, 0}, 31, MODEL_GROWN_HEAD, true},
    };
    struct stage stage;

    stage_open(&stage);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct frame_spec spec;
        const uint8_t *reply;
        size_t len;

        stage.room = rows[i].room;
        stage.spec.padding = rows[i].padding;
        cr_assert_eq(stage_ask(&stage), rows[i].answered ? FAST_PASS_REASONS : FAST_PASS_ROOM,
                     "row %zu", i);
        cr_assert_eq(stage.result.growth, rows[i].answered ? rows[i].growth : MODEL_GROWN_NOT,
                     "row %zu", i);
        if (rows[i].answered) {
            cr_assert_null(
                frame_parse(stage.result.frame, stage.result.frame_len, &spec, &reply, &len));
            cr_assert_eq(len, 33 + sizeof(www_body));
            cr_assert_eq(memcmp(reply + 12, "\3www\7example\3com\0\0\1\0\1", 21), 0);
        }
    }
    stage_close(&stage);
}

/* Places in a frame without a VLAN tag. */
#define IP 14
#define UDP (IP + 20)
#define DNS (UDP + 8)
#define OPT (DNS + 33)

Test(model, passes_up_what_is_wrong_with_the_packet)
{
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
        bool fix; /* the header's sum */
        enum fast_reason reason;
    } rows[] = {
        {"multicast", 0, 0x03, false, FAST_PASS_LINK},
        {"a sender that is a group", 6, 0x03, false, FAST_PASS_LINK},
        {"ARP", 13, 0x06, false, FAST_PASS_NOT_DNS},
        {"version 5", IP, 0x55, true, FAST_PASS_NOT_DNS},
        {"TCP", IP + 9, 6, true, FAST_PASS_NOT_DNS},
        {"another address", IP + 19, 52, true, FAST_PASS_NOT_DNS},
        {"another port", UDP + 3, 54, false, FAST_PASS_NOT_DNS},
        {"a sum that is wrong", IP + 10, 0, false, FAST_PASS_IP},
        {"a first fragment", IP + 6, 0x20, true, FAST_PASS_IP},
        {"a later fragment", IP + 7, 0x10, true, FAST_PASS_IP},
        {"a length of IP", IP + 3, 20, true, FAST_PASS_IP},
        {"a length of UDP", UDP + 5, 7, false, FAST_PASS_IP},
        {"nobody", IP + 12, 0, true, FAST_PASS_SOURCE},
        {"loopback", IP + 12, 127, true, FAST_PASS_SOURCE},
        {"a group", IP + 12, 224, true, FAST_PASS_SOURCE},
        {"broadcast", IP + 12, 255, true, FAST_PASS_SOURCE},
        {"QR", DNS + 2, 0x80, false, FAST_PASS_HEADER},
        {"OPCODE", DNS + 2, 0x20, false, FAST_PASS_HEADER},
        {"TC", DNS + 2, 0x02, false, FAST_PASS_HEADER},
        {"no question", DNS + 5, 0, false, FAST_PASS_HEADER},
        {"two questions", DNS + 5, 2, false, FAST_PASS_HEADER},
        {"an answer", DNS + 7, 1, false, FAST_PASS_HEADER},
        {"authority", DNS + 9, 1, false, FAST_PASS_HEADER},
        {"two records", DNS + 11, 2, false, FAST_PASS_HEADER},
        {"bytes after the message", DNS + 11, 0, false, FAST_PASS_HEADER},
        {"a pointer", DNS + 12, 0xc0, false, FAST_PASS_NAME},
        {"a label of 64", DNS + 12, 64, false, FAST_PASS_NAME},
        {"a name without end", DNS + 16, 63, false, FAST_PASS_NAME},
        {"class CH", DNS + 32, 3, false, FAST_PASS_CLASS},
        {"ANY", DNS + 30, 255, false, FAST_PASS_CLASS},
        {"AXFR", DNS + 30, 252, false, FAST_PASS_CLASS},
        {"OPT asked for", DNS + 30, 41, false, FAST_PASS_CLASS},
        {"a name above OPT", OPT, 1, false, FAST_PASS_EDNS},
        {"another record", OPT + 2, 16, false, FAST_PASS_EDNS},
        {"version 1", OPT + 6, 1, false, FAST_PASS_EDNS},
        {"a length of OPT", OPT + 10, 1, false, FAST_PASS_EDNS},
        {"DNSSEC", OPT + 7, 0x80, false, FAST_PASS_DNSSEC},
        {"another name", DNS + 13, 'x', false, FAST_PASS_UNKNOWN},
        {"another type", DNS + 30, 28, false, FAST_PASS_UNKNOWN},
        {"an extended RCODE", OPT + 5, 9, false, FAST_PASS_REASONS},
        {"AD", DNS + 3, 0x20, false, FAST_PASS_REASONS},
        {"the evil bit", IP + 6, 0x80, true, FAST_PASS_IP},
        {"do not fragment", IP + 6, 0x40, true, FAST_PASS_REASONS},
    };
    struct stage stage;

    stage_open(&stage);
    stage.query.edns = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        stage_build(&stage);
        stage.frame.bytes[rows[i].at] = rows[i].value;
        if (rows[i].fix) {
            frame_fix_ipv4_sum(stage.frame.bytes + IP);
        }
        cr_assert_eq(stage_reason(&stage), rows[i].reason, "%s: %d", rows[i].what,
                     stage.result.reason);
    }
    stage_close(&stage);
}

Test(model, passes_up_sources_and_tags_that_are_unusual)
{
    static const struct {
        const char *source;
        enum fast_reason reason;
    } rows[] = {
        {"198.51.100.7@53", FAST_PASS_SOURCE},
        {"198.51.100.7@0", FAST_PASS_SOURCE},
        {"192.0.2.53@4711", FAST_PASS_SOURCE},
        {"::@4711", FAST_PASS_SOURCE},
        {"::1@4711", FAST_PASS_SOURCE},
        {"ff02::1@4711", FAST_PASS_SOURCE},
        {"::ffff:1.2.3.4@4711", FAST_PASS_SOURCE},
        {"2001:db8::53@4711", FAST_PASS_SOURCE},
        {"::2@4711", FAST_PASS_REASONS},
        {"2001:db8::54@53", FAST_PASS_SOURCE},
    };
    struct stage stage;

    stage_open(&stage);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];

        snprintf(text, sizeof(text), "%s%.*s%s%s", strchr(rows[i].source, ':') ? "[" : "",
                 (int)strcspn(rows[i].source, "@"), rows[i].source,
                 strchr(rows[i].source, ':') ? "]" : "", strchr(rows[i].source, '@'));
        stage.spec.source = frame_endpoint(text);
        stage.spec.destination = frame_endpoint(
            stage.spec.source.address.family == ADDRESS_IPV6 ? "2001:db8::53@53" : "192.0.2.53@53");
        cr_assert_eq(stage_ask(&stage), rows[i].reason, "%s: %d", text, stage.result.reason);
    }
    stage.spec.source = frame_endpoint("[2001:db8:7::1]@4711");
    stage.spec.destination = frame_endpoint("2001:db8::53@53");
    stage.spec.no_checksum = true;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_IP); /* RFC 8200 section 8.1 */
    stage.spec.no_checksum = false;
    for (unsigned header = 0; header < 64; header++) {
        bool extension = header == 0 || header == 43 || header == 44 || header == 60;

        stage_build(&stage);
        stage.frame.bytes[IP + 6] = (uint8_t)header;
        cr_assert_eq(stage_reason(&stage), header == 17 ? FAST_PASS_REASONS
                                           : extension  ? FAST_PASS_IP
                                                        : FAST_PASS_NOT_DNS);
    }
    stage.spec.vlan = 7;
    stage_build(&stage);
    memmove(stage.frame.bytes + 18, stage.frame.bytes + 14, stage.frame.len - 14);
    memcpy(stage.frame.bytes + 14, "\0\5\x81\0", 4);
    stage.frame.len += 4;
    cr_assert_eq(stage_reason(&stage), FAST_PASS_LINK); /* two tags */
    stage_build(&stage);
    stage.frame.bytes[12] = 0x88;
    stage.frame.bytes[13] = 0xa8;
    cr_assert_eq(stage_reason(&stage), FAST_PASS_LINK);
    stage_close(&stage);
}

Test(model, passes_up_options_that_edge_refuses)
{
    static const uint8_t ecs[] = {0, 1, 24, 0, 203, 0, 113};
    static const uint8_t cookie[24] = "abcdefgh";
    struct {
        uint16_t code;
        const uint8_t *data;
        uint32_t len;
        unsigned times;
        uint32_t more; /* what the length says beyond the data */
        enum fast_reason reason;
    } rows[] = {
        {8, ecs, 7, 1, 0, FAST_PASS_REASONS},
        {8, ecs, 7, 2, 0, FAST_PASS_ECS},
        {8, ecs, 6, 1, 0, FAST_PASS_ECS},
        {8, ecs, 3, 1, 0, FAST_PASS_ECS},
        {8, (const uint8_t *)"\0\1\41\0\1\2\3\4", 9, 1, 0, FAST_PASS_ECS},
        {8, (const uint8_t *)"\0\3\0\0", 4, 1, 0, FAST_PASS_ECS},
        {8, (const uint8_t *)"\0\0\0\0", 4, 1, 0, FAST_PASS_REASONS},
        {8, (const uint8_t *)"\0\1\27\0\1\2\2", 7, 1, 0, FAST_PASS_REASONS},
        {8, (const uint8_t *)"\0\1\27\0\1\2\3", 7, 1, 0, FAST_PASS_ECS},
        {8, (const uint8_t *)"\0\1\30\1\1\2\3", 7, 1, 0, FAST_PASS_ECS},
        {10, cookie, 8, 1, 0, FAST_PASS_REASONS},
        {10, cookie, 24, 1, 0, FAST_PASS_REASONS},
        {10, cookie, 9, 1, 0, FAST_PASS_COOKIE},
        {10, cookie, 0, 1, 0, FAST_PASS_COOKIE},
        {3, cookie, 0, 4, 0, FAST_PASS_REASONS},
        {3, cookie, 0, 5, 0, FAST_PASS_EDNS},
        {11, cookie, 3, 1, 0, FAST_PASS_REASONS}, /* keepalive is ignored over UDP */
        {77, cookie, 8, 1, 0, FAST_PASS_REASONS},
        {77, cookie, 8, 1, 1, FAST_PASS_EDNS},
    };
    struct stage stage;

    stage_open(&stage);
    stage.query.edns = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t options[256];
        size_t len = 0;

        for (unsigned k = 0; k < rows[i].times; k++) {
            len = option_add(options, len, rows[i].code, rows[i].data, rows[i].len);
        }
        options[3] = (uint8_t)(options[3] + rows[i].more);
        stage.query.options = options;
        stage.query.options_len = len;
        cr_assert_eq(stage_ask(&stage), rows[i].reason, "row %zu: %d", i, stage.result.reason);
    }
    stage_close(&stage);
}

Test(model, passes_up_what_its_tables_do_not_allow)
{
    struct stage stage;

    stage_open(&stage);
    stage.query.name = "geo.example.com";
    cr_assert_eq(stage_ask(&stage), FAST_PASS_IMAGE);
    stage.query.name = "www.example.com";
    stage.query.qtype = 16;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_LARGE);
    stage.query.edns = true;
    stage.query.dnssec_ok = true;
    stage.room.tail = 2000;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS);
    stage.query.udp_size = 33 + BODY_LARGE + 11;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS);
    stage.query.udp_size--;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_LARGE);
    stage.query = (struct query_spec){.name = "www.example.com", .qtype = 1};
    stage.policy.flags = FAST_POLICY_OFF;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_OFF);
    stage.policy.flags = 0;
    stage.tables.word = FAST_WORD_NOTHING;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_OFF);
    stage.tables.word = FAST_WORD(FAST_SLOT_NONE, 0, 0, 1);
    stage.tables.stale = true;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_STALE);
    stage.tables.stale = false;
    stage.tables.policy = NULL;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_OFF);
    stage_close(&stage);
}

Test(model, no_length_of_a_frame_is_read_past_its_end)
{
    struct stage stage;

    stage_open(&stage);
    stage.query.edns = true;
    stage_build(&stage);
    for (size_t len = 0; len < stage.frame.len; len++) {
        uint8_t *exact = malloc(len ? len : 1); /* a sanitizer sees every byte beyond */

        memcpy(exact, stage.frame.bytes, len);
        model_run(stage.model, &stage.tables, &stage.room, exact, len, &stage.result);
        cr_assert_not(stage.result.answered, "%zu bytes", len);
        free(exact);
    }
    stage_close(&stage);
}

/* No host takes IPv6 packets to such an address, and the same words stand for the IPv4 one. */
Test(model, an_ipv4_address_in_ipv6_is_not_served)
{
    struct stage stage;

    stage_open(&stage);
    stage.spec.source = frame_endpoint("2001:db8:7::1@4711");
    stage.spec.destination = frame_endpoint("2001:db8::53@53");
    memcpy(stage.spec.destination.address.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\x35", 16);
    cr_assert_eq(stage_ask(&stage), FAST_PASS_NOT_DNS);
    stage.spec.destination.address.bytes[9] = 1;
    cr_assert_eq(stage_ask(&stage), FAST_PASS_NOT_DNS);
    stage_close(&stage);
}

/* IP and UDP say the same: between them there could be bytes that nobody reads. */
Test(model, passes_up_lengths_of_ip_that_are_not_those_of_udp)
{
    static const struct {
        const char *source;
        const char *destination;
        size_t at; /* the lower byte of the length that IP has */
    } rows[] = {
        {"198.51.100.7@4711", "192.0.2.53@53", IP + 3},
        {"2001:db8:7::1@4711", "2001:db8::53@53", IP + 5},
    };
    struct stage stage;

    stage_open(&stage);
    stage.spec.padding = 8;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        stage.spec.source = frame_endpoint(rows[i].source);
        stage.spec.destination = frame_endpoint(rows[i].destination);
        for (int more = -1; more <= 9; more++) {
            stage_build(&stage);
            stage.frame.bytes[rows[i].at] = (uint8_t)(stage.frame.bytes[rows[i].at] + more);
            if (i == 0) {
                frame_fix_ipv4_sum(stage.frame.bytes + IP);
            }
            cr_assert_eq(stage_reason(&stage), more ? FAST_PASS_IP : FAST_PASS_REASONS, "%s %d",
                         rows[i].source, more);
        }
    }
    stage_close(&stage);
}

/* What edge takes no notice of in a query, none is taken of here. */
Test(model, answers_whatever_bits_mean_nothing_in_a_query)
{
    static const uint16_t bits[] = {0x0400, 0x0080, 0x0040, 0x0020, 0x0010, 0x0100};
    struct stage stage;

    stage_open(&stage);
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        const uint8_t *header;

        stage.query.flags = bits[i];
        cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS, "%04x", bits[i]);
        header = stage.result.frame + stage.result.message_at;
        cr_assert_eq(header[2] << 8 | header[3], 0x8400 | (bits[i] & 0x0110), "%04x", bits[i]);
    }
    stage_close(&stage);
}

Test(model, reads_names_and_messages_to_their_ends)
{
    struct frame_spec spec;
    struct stage stage;
    uint8_t message[700];
    char text[260];

    stage_open(&stage);
    spec = stage.spec;
    for (size_t len = 17; len <= 34; len++) { /* of a question of 33 bytes */
        memset(message, 0, sizeof(message));
        (void)query_build(&stage.query, message);
        frame_build(&spec, message, len, &stage.frame);
        cr_assert_eq(stage_reason(&stage),
                     len == 33   ? FAST_PASS_REASONS
                     : len == 34 ? FAST_PASS_HEADER
                                 : FAST_PASS_NAME,
                     "%zu bytes: %d", len, stage.result.reason);
    }
    memset(text, 'a', sizeof(text));
    text[63] = text[127] = text[191] = '.';
    stage.query.name = text;
    text[192 + 61] = '\0'; /* 255 bytes */
    cr_assert_eq(stage_ask(&stage), FAST_PASS_UNKNOWN);
    text[192 + 61] = 'a';
    text[192 + 62] = '\0';
    cr_assert_eq(stage_ask(&stage), FAST_PASS_NAME);
    memset(text, 'a', sizeof(text)); /* labels of 64 and more */
    for (size_t len = 63; len <= 200; len++) {
        text[len] = '\0';
        cr_assert_eq(stage_ask(&stage), len == 63 ? FAST_PASS_UNKNOWN : FAST_PASS_NAME, "%zu", len);
        text[len] = 'a';
    }
    stage_close(&stage);
}

/* RFC 7873 section 5.2 for a server that has cookies switched off. */
Test(model, cookies_of_any_length_are_ignored_without_secrets)
{
    static const uint8_t cookie[48];
    struct stage stage;

    stage_open(&stage);
    stage.policy.cookies.count = 0;
    stage.query.edns = true;
    for (size_t len = 0; len <= sizeof(cookie); len++) {
        uint8_t options[64];

        stage.query.options = options;
        stage.query.options_len = option_add(options, 0, 10, cookie, len);
        cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS, "%zu bytes", len);
        cr_assert_eq(stage.result.message_len, 33 + sizeof(www_body) + 11);
    }
    stage_close(&stage);
}

/* Bits beyond SOURCE, wherever in the address it ends, and families that only look like two of
 * them. */
Test(model, passes_up_subnets_with_bits_beyond_their_length)
{
    struct stage stage;

    stage_open(&stage);
    stage.query.edns = true;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        for (unsigned source = 1; source <= (ipv6 ? 128 : 32); source++) {
            uint8_t data[20] = {0, (uint8_t)(ipv6 ? 2 : 1), (uint8_t)source};
            size_t len = 4 + (source + 7) / 8;
            uint8_t options[64];

            stage.query.options = options;
            data[len - 1] = (uint8_t)(0x100 >> ((source + 7) % 8 + 1)); /* the last bit of it */
            stage.query.options_len = option_add(options, 0, 8, data, len);
            cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS, "%u", source);
            data[0] = 1;
            (void)option_add(options, 0, 8, data, len);
            cr_assert_eq(stage_ask(&stage), FAST_PASS_ECS, "%u", source);
            data[0] = 0;
            if (source % 8) {
                data[len - 1] = (uint8_t)(0x80 >> source % 8); /* the first behind it */
                (void)option_add(options, 0, 8, data, len);
                cr_assert_eq(stage_ask(&stage), FAST_PASS_ECS, "%u", source);
            }
        }
    }
    stage_close(&stage);
}

/* 1232 bytes with the OPT record, whatever more the client would take. */
Test(model, answers_nothing_longer_than_edge_does)
{
    static uint8_t body[1232];
    const size_t most = 1232 - 33 - 11;
    struct template_builder *builder = template_builder_new(64, SEED);
    struct failure failure;
    struct stage stage;

    stage_open(&stage);
    for (unsigned more = 0; more < 2; more++) {
        const struct template_static answer = {.name = www,
                                               .qtype = (uint16_t)(20 + more),
                                               .flags = 0x8400,
                                               .counts = {1, 0, 0},
                                               .body = body,
                                               .body_len = most + more};

        cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    }
    template_table_free(stage.table);
    cr_assert_eq(template_builder_finish(builder, &stage.table, &failure), 0);
    template_table_policy(stage.table, &stage.policy);
    stage.tables.templates = template_table_blocks(stage.table, &stage.tables.template_blocks);
    stage.room.tail = 2000;
    stage.query.edns = true;
    for (unsigned size = 1231; size <= 65535; size = size < 1240 ? size + 1 : size * 2 + 1) {
        stage.query.udp_size = (uint16_t)size;
        stage.query.qtype = 20;
        cr_assert_eq(stage_ask(&stage), size < 1232 ? FAST_PASS_LARGE : FAST_PASS_REASONS);
        stage.query.qtype = 21;
        cr_assert_eq(stage_ask(&stage), FAST_PASS_LARGE);
    }
    stage_close(&stage);
}

/* The shortest answer there is, after a long query: what fills the frame up is no leftover. */
Test(model, fills_short_frames_up_with_zeroes)
{
    static const uint8_t root[1] = {0};
    const struct template_static answer = {.name = root, .qtype = 1, .flags = 0x8400};
    struct template_builder *builder = template_builder_new(64, SEED);
    struct failure failure;
    struct frame_spec spec;
    const uint8_t *message;
    struct stage stage;
    size_t len;

    stage_open(&stage);
    cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    template_table_free(stage.table);
    cr_assert_eq(template_builder_finish(builder, &stage.table, &failure), 0);
    template_table_policy(stage.table, &stage.policy);
    stage.tables.templates = template_table_blocks(stage.table, &stage.tables.template_blocks);
    stage.query.name = "a-name-that-is-longer-than-others";
    cr_assert_eq(stage_ask(&stage), FAST_PASS_UNKNOWN);
    stage.query.name = "";
    cr_assert_eq(stage_ask(&stage), FAST_PASS_REASONS);
    cr_assert_eq(stage.result.frame_len, 60);
    cr_assert_null(frame_parse(stage.result.frame, stage.result.frame_len, &spec, &message, &len));
    cr_assert_eq(len, 17);
    stage_close(&stage);
}

/* Neighbours in the table of listeners, and halves of an address. */
Test(model, serves_whole_addresses_only)
{
    struct stage stage;
    unsigned answered = 0;

    stage_open(&stage);
    stage.spec.source = frame_endpoint("2001:db8:7::1@4711");
    stage.spec.destination = frame_endpoint("2001:db8::53@53");
    for (unsigned word = 0; word < 65536; word++) {
        stage.spec.destination.address.bytes[2] = (uint8_t)(word >> 8);
        stage.spec.destination.address.bytes[3] = (uint8_t)word;
        answered += stage_ask(&stage) == FAST_PASS_REASONS;
    }
    cr_assert_eq(answered, 1);
    stage.spec.destination = frame_endpoint("2001:db8::53@53");
    for (unsigned word = 0; word < 65536; word++) {
        stage.spec.destination.address.bytes[12] = (uint8_t)(word >> 8);
        stage.spec.destination.address.bytes[13] = (uint8_t)word;
        answered += stage_ask(&stage) == FAST_PASS_REASONS;
    }
    cr_assert_eq(answered, 2);
    stage_close(&stage);
}
