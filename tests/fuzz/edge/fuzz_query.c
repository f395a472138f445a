/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A datagram against the golden world. The first byte chooses transport and client, the rest is the
 * query. Whatever comes, the response is well-formed, repeats id, question and client subnet, keeps
 * its limits and is the same when asked again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/answer/admission.h"
#include "edge/answer/answer.h"
#include "edge/wire/edns.h"
#include "edge/wire/wire.h"
#include "message.h"
#include "world.h"

#define GUARD 64

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void check_subnet(const struct message *message, const uint8_t *query, size_t len)
{
    size_t option_len = 0;
    const uint8_t *option = message_option(message, 8, &option_len);
    uint8_t unscoped[24];

    need(option && option_len >= 4 && option_len <= 20, "the client subnet comes back");
    need(option[3] <= 128, "a scope is no longer than an address");
    memcpy(unscoped, option, option_len);
    unscoped[3] = 0;
    need(memmem(query, len, unscoped, option_len) != NULL, "as it was sent");
}

static void check(const struct answer_request *request, const uint8_t *bytes, size_t len,
                  const struct answer_outcome *outcome)
{
    static struct message message;
    const char *wrong = message_parse(bytes, len, &message);

    need(!wrong, wrong ? wrong : "");
    need(message.id == wire_get_u16(request->query), "id");
    need((message.flags & WIRE_FLAG_QR) && !(message.flags & 0xe0), "QR, and no RA, AD, Z");
    need(!((message.flags ^ wire_get_u16(request->query + 2)) & (WIRE_FLAG_OPCODE | WIRE_FLAG_RD)),
         "opcode and RD");
    need(!message.question_len || !memcmp(bytes + 12, request->query + 12, message.question_len),
         "question");
    need(message.has_opt == outcome->edns, "OPT if and only if there was one");
    need(!message.has_opt || message.opt_size == EDNS_UDP_MAX, "our size");
    need(request->transport == ANSWER_TCP || len <= (outcome->edns ? EDNS_UDP_MAX : 512), "size");
    need(((message.flags & WIRE_FLAG_TC) != 0) == outcome->truncated, "TC");
    need((message.flags & 15u) + (message.has_opt ? message.opt_ttl >> 24 : 0) * 16 ==
             outcome->rcode,
         "rcode");
    if (outcome->ecs) {
        check_subnet(&message, request->query, request->query_len);
    }
}

/* What rate limiting would make of it. */
static void check_short(uint8_t *bytes, size_t len, struct answer_outcome outcome)
{
    static struct message message;
    size_t short_len = admission_shorten(bytes, len, &outcome);
    const char *wrong = message_parse(bytes, short_len, &message);

    need(!wrong, wrong ? wrong : "");
    need(short_len <= len, "a short response is not longer");
    need(message.has_opt == outcome.edns, "OPT stays");
    need(!message.sections[0].count && !message.sections[1].count, "no records");
    need((message.flags & 15u) + (message.has_opt ? message.opt_ttl >> 24 : 0) * 16 ==
             outcome.rcode,
         "rcode of the short response");
    need((message.flags & WIRE_FLAG_TC) || outcome.rcode == WIRE_RCODE_BADCOOKIE, "a way on");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct world world;
    static struct answer_scratch *scratch;
    static uint8_t first[ANSWER_RESPONSE_MAX + GUARD], second[ANSWER_RESPONSE_MAX];
    struct answer_request request = {0};
    struct answer_outcome outcome, again;
    size_t max, answered;

    if (len == 0 || len > ANSWER_QUERY_MAX) {
        return 0;
    }
    if (!scratch) {
        world_open(&world, TEST_SOURCE_DIR "/tests/golden");
        scratch = answer_scratch_new();
    }
    request.query = bytes + 1;
    request.query_len = len - 1;
    request.transport = bytes[0] & 1 ? ANSWER_TCP : ANSWER_UDP;
    request.client.family = bytes[0] & 2 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    memset(request.client.bytes, bytes[0], bytes[0] & 2 ? 16 : 4);
    max = bytes[0] & 4 ? 512 : ANSWER_RESPONSE_MAX;
    memset(first + max, 0xee, GUARD);
    answered = answer(scratch, world.snapshot, &request, first, max, &outcome);
    need(answered <= max && first[max] == 0xee && !memcmp(first + max, first + max + 1, GUARD - 1),
         "nothing past the buffer");
    need((answered == 0) == (request.query_len < 12 || (request.query[2] & 0x80)),
         "who is answered");
    need((answered == 0) == (outcome.kind == ANSWER_DROPPED), "what counts as dropped");
    if (answered) {
        check(&request, first, answered, &outcome);
        need(answer(scratch, world.snapshot, &request, second, max, &again) == answered &&
                 !memcmp(first, second, answered) && again.kind == outcome.kind,
             "the same answer again");
        check_short(second, answered, again);
    }
    return 0;
}
