/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/wire/name.h"
#include "maps/cookie_core.h"
#include "table.h"

#define MESSAGE_MAX 900u

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* --- questions --- */

static void question_add(struct questions *questions, const uint8_t *name, size_t len,
                         uint16_t qtype)
{
    struct question *question = &questions->list[questions->count];

    if (questions->count == QUERIES_MAX || len > 255) {
        return;
    }
    memcpy(question->name, name, len);
    question->name_len = (uint16_t)len;
    question->qtype = qtype;
    questions->count++;
}

static void questions_read(struct questions *questions, const char *folder)
{
    static struct table_row row;
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/queries.txt", folder);
    file = fopen(path, "r");
    if (!file) {
        perror(path);
        abort();
    }
    while (table_next(file, &row)) {
        size_t len = row.query_len > 12 ? name_check(row.query + 12, row.query_len - 12) : 0;

        if (len && 12 + len + 4 <= row.query_len) {
            question_add(questions, row.query + 12, len,
                         (uint16_t)(row.query[12 + len] << 8 | row.query[13 + len]));
        }
    }
    fclose(file);
}

struct questions *questions_new(const char *folder)
{
    static const uint16_t types[] = {1, 28, 5, 16, 65, 43};
    struct questions *questions = calloc(1, sizeof(*questions));
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];

    if (!questions) {
        abort();
    }
    questions_read(questions, folder);
    for (unsigned s = 1; s <= 11; s++) {
        char text[80];

        if (s == 10) {
            snprintf(text, sizeof(text), "s2.example.net.");
        } else if (s == 11) {
            snprintf(text, sizeof(text), "a-rather-long-name-of-a-service.below.example.net.");
        } else {
            snprintf(text, sizeof(text), "s%u.example.com.", s);
        }
        if (name_from_text(text, name) < 0) {
            abort();
        }
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
            question_add(questions, name, name_len(name), types[t]);
        }
    }
    return questions;
}

void questions_free(struct questions *questions)
{
    free(questions);
}

/* A plain query, as the fast path likes it. */
static size_t message_begin(const struct question *question, uint8_t *message)
{
    memset(message, 0, 12);
    message[5] = 1;
    memcpy(message + 12, question->name, question->name_len);
    put16(message + 12 + question->name_len, question->qtype);
    put16(message + 14 + question->name_len, 1);
    return 16u + question->name_len;
}

static bool is_answered(const struct question *question, const struct publication *publication,
                        struct model *model)
{
    struct frame_spec spec = {frame_endpoint("198.51.100.7@4711"), frame_endpoint("192.0.2.53@53"),
                              -1, 0, false};
    struct model_room room = {4096, 4096};
    struct model_result result;
    struct frame frame;
    uint8_t message[512];

    frame_build(&spec, message, message_begin(question, message), &frame);
    model_run(model, &publication->tables, &room, frame.bytes, frame.len, &result);
    return result.answered || result.reason == FAST_PASS_EMPTY;
}

void questions_sort(struct questions *questions, const struct publication *publications, size_t n)
{
    struct model *model = model_new();

    questions->answered_n = 0;
    for (size_t i = 0; i < questions->count; i++) {
        struct question question = questions->list[i];

        question.worlds = 0;
        for (unsigned p = 0; p < n; p++) {
            if (is_answered(&question, &publications[p], model)) {
                question.worlds |= 1u << publications[p].kind;
            }
        }
        if (question.worlds) {

            questions->list[i] = questions->list[questions->answered_n];
            questions->list[questions->answered_n++] = question;
        }
    }
    model_free(model);
}

/* --- clients --- */

static void random_address(struct choices *choices, bool ipv6, struct address *ret_address)
{
    static const char *const v4[] = {"198.51.100.1", "203.0.113.1", "192.0.2.1",
                                     "198.51.96.0",  "10.1.2.3",    "8.8.8.8"};
    static const char *const v6[] = {"2001:db8:1::1",    "2001:db8:2::1", "2001:db8:5::1",
                                     "2001:db8::",       "fd00::1",       "64:ff9b::c633:6401",
                                     "2002:c633:6401::1"};
    uint32_t word = choices_u32(choices);

    if (ipv6) {
        (void)address_parse(v6[choices_below(choices, 7)], ret_address);
        ret_address->bytes[4 + (word & 3)] ^= (uint8_t)(word >> 8 & 0x1f);
        ret_address->bytes[7] ^= (uint8_t)(word >> 16);
    } else {
        (void)address_parse(v4[choices_below(choices, 6)], ret_address);
        ret_address->bytes[2] ^= (uint8_t)(word & 0x1f);
        ret_address->bytes[3] = (uint8_t)(word >> 8);
    }
}

/* Mostly somebody who may be answered. */
static void random_source(struct choices *choices, bool ipv6, struct endpoint *ret_source)
{
    static const char *const bad4[] = {"0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255",
                                       "192.0.2.53"};
    static const char *const bad6[] = {"::", "::1", "ff02::1", "::ffff:198.51.100.1",
                                       "2001:db8::53"};

    if (choices_percent(choices, 2)) {
        uint32_t which = choices_below(choices, 5);

        (void)address_parse(ipv6 ? bad6[which] : bad4[which], &ret_source->address);
    } else {
        random_address(choices, ipv6, &ret_source->address);
    }
    ret_source->port = (uint16_t)(1024 + choices_below(choices, 60000));
    if (choices_percent(choices, 1)) {
        ret_source->port = choices_below(choices, 2) ? 53 : 0;
    }
}

/* --- options --- */

static size_t add_ecs(struct choices *choices, uint8_t *options, size_t at)
{
    bool ipv6 = choices_below(choices, 3) == 1;
    uint32_t bits = ipv6 ? 128 : 32;
    uint32_t source = ipv6 ? 56 : 24;
    struct address address;
    uint8_t data[24] = {0};
    size_t len;

    if (choices_percent(choices, 40)) {
        source = choices_below(choices, bits + 1);
    }
    random_address(choices, ipv6, &address);
    data[1] = ipv6 ? 2 : 1;
    data[2] = (uint8_t)source;
    len = (source + 7) / 8;
    memcpy(data + 4, address.bytes, len);
    if (source % 8) {
        data[3 + len] &= (uint8_t)(0xff00u >> (source % 8));
    }
    if (choices_percent(choices, 3)) { /* FAMILY 0, as those send who want no subnet */
        data[1] = 0;
        data[2] = 0;
        len = 0;
    }
    if (choices_percent(choices, 3)) {
        data[choices_below(choices, 4 + (uint32_t)len)] ^=
            (uint8_t)(1u << choices_below(choices, 8));
    }
    if (choices_percent(choices, 2)) {
        len = choices_below(choices, 20);
    }
    return option_add(options, at, 8, data, 4 + len);
}

static size_t add_cookie(struct choices *choices, const struct publication *publication,
                         const struct address *client, uint8_t *options, size_t at)
{
    static const int32_t ages[] = {0, 1, 1799, 1800, 1801, 3600, 3601, -300, -301, 86400, -1};
    const struct cookie_secrets *secrets = &publication->policy.cookies;
    uint8_t data[48];
    size_t len = COOKIE_LEN;

    for (size_t i = 0; i < sizeof(data); i += 4) {
        uint32_t word = choices_u32(choices);

        memcpy(data + i, &word, 4);
    }
    switch (choices_below(choices, 4)) {
    case 0:
        len = COOKIE_CLIENT_LEN;
        break;
    case 1:
    case 2:
        cookie_make(secrets->secrets[choices_below(choices, 2)], data, client->bytes,
                    client->family == ADDRESS_IPV6 ? 16 : 4,
                    (uint32_t)publication->tables.now_wall_s -
                        (uint32_t)ages[choices_below(choices, 11)],
                    data);
        break;
    default:
        len = choices_percent(choices, 30) ? choices_below(choices, 48) : COOKIE_LEN;
        break;
    }
    return option_add(options, at, 10, data, len);
}

static size_t random_options(struct choices *choices, const struct publication *publication,
                             const struct address *client, uint8_t *options)
{
    static const uint8_t zeroes[64];
    uint32_t count = choices_below(choices, 16);
    bool has_ecs = false;
    size_t at = 0;

    count = count < 14 ? count / 4 : count - 10; /* 0..3, seldom 4 or 5 */
    for (uint32_t i = 0; i < count; i++) {
        switch (choices_below(choices, 8)) {
        case 0:
        case 1:
        case 2:
            if (!has_ecs || choices_percent(choices, 5)) {
                at = add_ecs(choices, options, at);
                has_ecs = true;
            }
            break;
        case 3:
        case 4:
            at = add_cookie(choices, publication, client, options, at);
            break;
        case 5:
            at = option_add(options, at, 3, zeroes, choices_percent(choices, 10) ? 3 : 0);
            break;
        case 6: /* keepalive, padding */
            at = option_add(options, at, choices_below(choices, 2) ? 11 : 12, zeroes,
                            choices_below(choices, 40));
            break;
        default:
            at = option_add(options, at, (uint16_t)choices_below(choices, 70), zeroes,
                            choices_below(choices, 6));
            break;
        }
    }
    return at;
}

static size_t add_opt(struct choices *choices, const struct publication *publication,
                      const struct address *client, uint8_t *message, size_t at)
{
    static const uint16_t sizes[] = {1232, 1232, 4096, 512, 0, 600, 1400, 65535, 700, 800};
    uint8_t *opt = message + at;
    size_t options_len;

    message[11]++;
    memset(opt, 0, 11);
    put16(opt + 1, 41);
    put16(opt + 3, sizes[choices_below(choices, 10)]);
    if (choices_percent(choices, 12)) {
        opt[7] = 0x80;
    }
    if (choices_percent(choices, 2)) {
        opt[5 + choices_below(choices, 4)] |= (uint8_t)(1u << choices_below(choices, 8));
    }
    options_len = random_options(choices, publication, client, opt + 11);
    put16(opt + 9, (unsigned)options_len);
    return at + 11 + options_len;
}

/* --- message and frame --- */

/* 0x20: letters in any case. */
static void random_case(struct choices *choices, uint8_t *name, size_t len)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < len; i++) {
        bits = i % 32 ? bits >> 1 : choices_u32(choices);
        if (((name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z') && bits & 1) {
            name[i] ^= 0x20;
        }
    }
}

/* A fault or two. */
static size_t bend_message(struct choices *choices, uint8_t *message, size_t len)
{
    switch (choices_below(choices, 6)) {
    case 0:
        message[choices_below(choices, (uint32_t)len)] ^=
            (uint8_t)(1u << choices_below(choices, 8));
        return len;
    case 1:
        message[choices_below(choices, (uint32_t)len)] = (uint8_t)choices_u32(choices);
        return len;
    case 2:
        return choices_below(choices, (uint32_t)len + 1);
    case 3:
        memset(message + len, 0, 8);
        return len + 1 + choices_below(choices, 8);
    case 4:
        message[2 + choices_below(choices, 10)] ^= (uint8_t)(1u << choices_below(choices, 8));
        return len;
    default:
        if (len > 12) { /* the options, most of the time */
            size_t at = len - 1 - choices_below(choices, (uint32_t)(len - 12));

            message[at] = (uint8_t)choices_u32(choices);
        }
        return len;
    }
}

static void bend_frame(struct choices *choices, struct frame *frame)
{
    uint32_t head_len = frame->bytes[12] == 0x86 ? 62 : 46;
    uint32_t at = choices_below(choices, head_len);
    bool is_ipv4 = frame->bytes[12] == 0x08 && frame->bytes[13] == 0;

    frame->bytes[at] ^= (uint8_t)(1u << choices_below(choices, 8));
    if (is_ipv4 && at < 34 && choices_below(choices, 2) && frame->bytes[14] == 0x45) {
        frame_fix_ipv4_sum(frame->bytes + 14);
    }
    if (choices_percent(choices, 10)) {
        frame->len = 14 + choices_below(choices, (uint32_t)frame->len - 13);
    }
}

static const struct question *choose_question(struct choices *choices,
                                              const struct questions *questions,
                                              const struct publication *publication)
{
    const struct question *question =
        &questions->list[choices_below(choices, (uint32_t)questions->count)];

    if (questions->answered_n && choices_percent(choices, 95)) {
        for (unsigned i = 0; i < 8; i++) {
            question = &questions->list[choices_below(choices, (uint32_t)questions->answered_n)];
            if (question->worlds >> publication->kind & 1) {
                break;
            }
        }
    }
    return question;
}

static size_t make_message(struct choices *choices, const struct questions *questions,
                           const struct publication *publication, const struct address *client,
                           uint8_t *message)
{
    const struct question *question = choose_question(choices, questions, publication);
    size_t len = message_begin(question, message);

    put16(message, choices_u32(choices) & 0xffff);
    message[2] = (uint8_t)choices_below(choices, 2);
    message[3] = choices_percent(choices, 30) ? (uint8_t)choices_u32(choices) : 0;
    if (choices_below(choices, 2)) {
        random_case(choices, message + 12, question->name_len);
    }
    if (choices_percent(choices, 80)) {
        len = add_opt(choices, publication, client, message, len);
    }
    if (choices_percent(choices, 5)) {
        len = bend_message(choices, message, len);
    }
    if (choices_percent(choices, 1)) {
        len = bend_message(choices, message, len < 13 ? 13 : len);
    }
    return len;
}

void queries_make(struct choices *choices, const struct questions *questions,
                  const struct publication *publication, struct frame *ret_frame)
{
    struct frame_spec spec = {.vlan = -1};
    bool ipv6 = choices_below(choices, 3) == 1;
    uint8_t message[MESSAGE_MAX] = {0};
    size_t len;

    random_source(choices, ipv6, &spec.source);
    spec.destination = frame_endpoint(ipv6 ? "2001:db8::53@53" : "192.0.2.53@53");
    if (!ipv6 && choices_percent(choices, 5)) {
        spec.destination =
            frame_endpoint(choices_below(choices, 3) ? "192.0.2.54@5353" : "192.0.2.54@53");
    }
    if (choices_percent(choices, 10)) {
        spec.vlan = (int)(choices_u32(choices) & 0xffff);
    }
    if (choices_percent(choices, 10)) {
        spec.padding = choices_below(choices, 60);
    }
    spec.no_checksum = choices_percent(choices, ipv6 ? 1 : 10);
    len = make_message(choices, questions, publication, &spec.source.address, message);
    frame_build(&spec, message, len, ret_frame);
    if (choices_percent(choices, 4)) {
        bend_frame(choices, ret_frame);
    }
}
