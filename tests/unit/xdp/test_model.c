/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "frames.h"
#include "xdp/listener_core.h"
#include "xdp/model.h"
#include "xdp/template_table.h"

#define SEED 0x123456789abcdefULL

/* A small publication: www.example.com. A and TXT (NODATA). */
struct stage {
    struct template_table *table;
    struct fast_policy policy;
    struct model_tables tables;
    struct model_room room;
    struct model *model;
};

static const uint8_t www[] = "\3www\7example\3com";
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

static void stage_open(struct stage *stage)
{
    struct template_builder *builder = template_builder_new(64, SEED);
    struct template_static answer = {.name = www,
                                     .qtype = 1,
                                     .flags = 0x8400,
                                     .counts = {2, 0, 0},
                                     .answer = FAST_ANSWER_POSITIVE,
                                     .body = www_body,
                                     .body_len = sizeof(www_body)};
    struct failure failure;

    *stage = (struct stage){.room = {216, 0}, .model = model_new()};
    cr_assert_eq(template_builder_add_static(builder, &answer), 1);
    cr_assert_eq(template_builder_finish(builder, &stage->table, &failure), 0);
    template_table_policy(stage->table, &stage->policy);
    stage_listen(stage, "192.0.2.53@53");
    stage_listen(stage, "2001:db8::53@53");
    stage->tables = (struct model_tables){
        .word = FAST_WORD(FAST_SLOT_NONE, 0, 0, 1),
        .policy = &stage->policy,
    };
    stage->tables.templates = template_table_blocks(stage->table, &stage->tables.template_blocks);
}

static void stage_close(struct stage *stage)
{
    template_table_free(stage->table);
    model_free(stage->model);
}

Test(model, answers_a_static_name)
{
    struct query_spec query = {.name = "wWw.eXample.com", .qtype = 1, .flags = 0x0110, .id = 7};
    struct frame_spec specs[] = {
        {frame_endpoint("198.51.100.7@4711"), frame_endpoint("192.0.2.53@53"), -1, 0, false},
        {frame_endpoint("198.51.100.7@4711"), frame_endpoint("192.0.2.53@53"), 0x2064, 9, true},
        {frame_endpoint("2001:db8:7::1@4711"), frame_endpoint("2001:db8::53@53"), -1, 0, false},
        {frame_endpoint("2001:db8:7::1@4711"), frame_endpoint("2001:db8::53@53"), 100, 30, false},
    };
    struct stage stage;

    stage_open(&stage);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        uint8_t message[512];
        size_t len = query_build(&query, message);
        struct model_result result;
        struct frame_spec spec;
        const uint8_t *reply;
        struct frame frame;
        const char *wrong;
        size_t reply_len;

        frame_build(&specs[i], message, len, &frame);
        model_run(stage.model, &stage.tables, &stage.room, frame.bytes, frame.len, &result);
        cr_assert(result.answered, "case %zu: reason %d", i, result.reason);
        wrong = frame_parse(result.frame, result.frame_len, &spec, &reply, &reply_len);
        cr_assert_null(wrong, "case %zu: %s", i, wrong);
        cr_assert(frame_goes_back(result.frame, &frame));
        cr_assert_eq(spec.vlan, specs[i].vlan);
        cr_assert_eq(memcmp(&spec.source.address, &specs[i].destination.address,
                            sizeof(spec.source.address)),
                     0);
        cr_assert_eq(reply_len, len + sizeof(www_body));
        cr_assert_eq(memcmp(reply, "\0\7\x85\x10\0\1\0\2\0\0\0", 12), 0);
        cr_assert_eq(memcmp(reply + 12, message + 12, len - 12), 0);
        cr_assert_eq(memcmp(reply + len, www_body, sizeof(www_body)), 0);
    }
    stage_close(&stage);
}
