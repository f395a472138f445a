/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#include "edge/answer/answer.h"

struct judge {
    struct answer_scratch *scratch;
    uint8_t response[ANSWER_RESPONSE_MAX];
};

/* A query that was answered, read without any care: it has no options, no fragments. */
struct asked {
    struct frame_spec spec;
    const uint8_t *message;
    size_t len;
};

struct judge *judge_new(void)
{
    struct judge *judge = calloc(1, sizeof(*judge));

    if (!judge || !(judge->scratch = answer_scratch_new())) {
        abort();
    }
    return judge;
}

void judge_free(struct judge *judge)
{
    answer_scratch_free(judge->scratch);
    free(judge);
}

static unsigned get16(const uint8_t *from)
{
    return from[0] * 256u + from[1];
}

static bool read_query(const struct frame *frame, struct asked *ret_asked)
{
    const uint8_t *ip = frame->bytes + 14;
    size_t address_len;
    const uint8_t *udp;

    *ret_asked = (struct asked){.spec.vlan = -1};
    if (get16(frame->bytes + 12) == 0x8100) {
        ret_asked->spec.vlan = (int)get16(frame->bytes + 14);
        ip += 4;
    }
    address_len = ip[0] >> 4 == 6 ? 16 : 4;
    udp = ip + (address_len == 16 ? 40 : 20);
    ret_asked->spec.source.address.family = address_len == 16 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    ret_asked->spec.destination.address.family = ret_asked->spec.source.address.family;
    memcpy(ret_asked->spec.source.address.bytes, udp - 2 * address_len, address_len);
    memcpy(ret_asked->spec.destination.address.bytes, udp - address_len, address_len);
    ret_asked->spec.source.port = (uint16_t)get16(udp);
    ret_asked->spec.destination.port = (uint16_t)get16(udp + 2);
    ret_asked->message = udp + 8;
    ret_asked->len = get16(udp + 4) - 8u;
    return ret_asked->message + ret_asked->len <= frame->bytes + frame->len;
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return address_compare(&a->address, &b->address) == 0 && a->port == b->port;
}

const char *judge_reply(struct judge *judge, const struct publication *publication,
                        const struct frame *query, const uint8_t *reply, size_t reply_len)
{
    struct answer_request request = {.transport = ANSWER_UDP};
    struct answer_outcome outcome;
    struct frame_spec spec;
    const uint8_t *message;
    struct asked asked;
    const char *wrong;
    size_t len;
    size_t wanted_len;

    wrong = frame_parse(reply, reply_len, &spec, &message, &len);
    if (wrong) {
        return wrong;
    }
    if (!read_query(query, &asked)) {
        return "an answer to half a query";
    }
    if (!frame_goes_back(reply, query) || spec.vlan != asked.spec.vlan ||
        !same_endpoint(&spec.source, &asked.spec.destination) ||
        !same_endpoint(&spec.destination, &asked.spec.source)) {
        return "an answer to somebody else";
    }
    request.query = asked.message;
    request.query_len = asked.len;
    request.client = asked.spec.source.address;
    request.now_wall_s = (int64_t)publication->tables.now_wall_s;
    wanted_len = answer(judge->scratch, publication->snapshot, &request, judge->response,
                        sizeof(judge->response), &outcome);
    if (wanted_len == 0) {
        return "an answer where edge sends none";
    }
    if (outcome.kind != ANSWER_POSITIVE && outcome.kind != ANSWER_NODATA &&
        outcome.kind != ANSWER_GEO) {
        return "an answer of a kind that is not for the kernel";
    }
    if (wanted_len != len) {
        return "another length";
    }
    return memcmp(judge->response, message, len) ? "other bytes" : NULL;
}
