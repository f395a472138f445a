/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stream of DNS messages against the golden world, cut into segments anywhere. The first four
 * bytes seed where the stream is cut and how much the client reads at a time, the next one says
 * how many queries are allowed (0: 200); the rest is the stream. Whatever comes, the bytes
 * that leave are those of the messages answered one by one, and nothing is kept in the end but the
 * start of a message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/answer/answer.h"
#include "edge/serve/tcp_stream.h"
#include "world.h"

#define QUERY_MAX 200
#define OUT_MAX (QUERY_MAX * TCP_STREAM_FRAME_MAX)

static struct world world;
static struct answer_scratch *scratch;

struct output {
    uint8_t bytes[OUT_MAX];
    size_t len;
    uint32_t random;
};

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

/* xorshift32: any seed but 0 */
static uint32_t draw(struct output *output, uint32_t below)
{
    output->random ^= output->random << 13;
    output->random ^= output->random >> 17;
    output->random ^= output->random << 5;
    return output->random % below;
}

static size_t answer_one(void *context, const uint8_t *query, size_t query_len, uint8_t *response)
{
    struct answer_request request = {
        .query = query,
        .query_len = query_len,
        .client = {.family = ADDRESS_IPV4, .bytes = {192, 0, 2, 1}},
        .transport = ANSWER_TCP,
    };
    struct answer_outcome outcome;

    (void)context;
    return answer(scratch, world.snapshot, &request, response, ANSWER_RESPONSE_MAX, &outcome);
}

/* A client that reads everything at once (no seed), or now and then a little. */
static ssize_t take(void *context, const uint8_t *bytes, size_t len)
{
    struct output *output = context;
    uint32_t mood = output->random ? draw(output, 4) : 3;
    size_t taken = mood == 0 ? 0 : mood == 1 ? draw(output, (uint32_t)len + 1) : len;

    need(len > 0, "nothing is not sent");
    need(output->len + taken <= OUT_MAX, "the test's own buffer");
    memcpy(output->bytes + output->len, bytes, taken);
    output->len += taken;
    return (ssize_t)taken;
}

/* The messages one by one. Returns how many were answered. */
static uint64_t expect(const uint8_t *bytes, size_t len, uint64_t query_max, struct output *output,
                       bool *ret_bad)
{
    uint64_t n = 0;

    output->len = 0;
    *ret_bad = false;
    while (len >= 2 && len - 2 >= ((size_t)bytes[0] << 8 | bytes[1]) && n < query_max) {
        size_t query_len = (size_t)bytes[0] << 8 | bytes[1];
        size_t answered = answer_one(NULL, bytes + 2, query_len, output->bytes + output->len + 2);

        if (answered == 0) {
            *ret_bad = true;
            break;
        }
        output->bytes[output->len] = (uint8_t)(answered >> 8);
        output->bytes[output->len + 1] = (uint8_t)answered;
        output->len += 2 + answered;
        bytes += 2 + query_len;
        len -= 2 + query_len;
        n++;
    }
    return n;
}

static void stream(const uint8_t *bytes, size_t len, uint32_t seed, uint64_t query_max,
                   struct output *output, struct tcp_stream *ret_stream)
{
    static struct tcp_buffers buffers = {.kept_max = TCP_STREAM_KEPT_MAX};
    const struct tcp_io io = {answer_one, take, output, query_max};
    struct tcp_stream *one = ret_stream;

    *one = (struct tcp_stream){0};
    output->len = 0;
    output->random = seed;
    while (len > 0 && !one->bad && one->query_n < query_max) {
        size_t room;
        uint8_t *at = tcp_stream_room(one, &buffers, &room);
        size_t most = len < room ? len : room;
        size_t got;

        if (seed && draw(output, 2)) { /* often a few bytes, so that lengths are cut too */
            most = most < 16 ? most : 16;
        }
        got = seed ? 1 + draw(output, (uint32_t)most) : most;
        need(room > 0 && at >= buffers.in && at + room == buffers.in + TCP_STREAM_IN,
             "room inside the buffer");
        memcpy(at, bytes, got);
        bytes += got;
        len -= got;
        need(tcp_stream_take(one, &buffers, got, &io) == 0, "there is always memory for one");
        while (tcp_stream_is_blocked(one)) {
            need(tcp_stream_push(one, &buffers, &io) == 0, "there is always memory for one");
        }
        need(buffers.kept_len == one->held.len, "what is kept is what is held");
        need(buffers.kept_len < TCP_STREAM_FRAME_MAX, "which is less than a message");
    }
    tcp_stream_done(one, &buffers);
    need(buffers.kept_len == 0, "nothing is kept in the end");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct output wanted, whole, cut;
    struct tcp_stream at_once, in_pieces;
    uint64_t query_max, n;
    uint32_t seed;
    bool bad;

    if (len < 5 || len > (1u << 17)) {
        return 0;
    }
    if (!scratch) {
        world_open(&world, TEST_SOURCE_DIR "/tests/golden");
        scratch = answer_scratch_new();
    }
    memcpy(&seed, bytes, sizeof(seed));
    query_max = bytes[4] > 0 && bytes[4] < QUERY_MAX ? bytes[4] : QUERY_MAX;
    bytes += 5;
    len -= 5;
    n = expect(bytes, len, query_max, &wanted, &bad);
    stream(bytes, len, 0, query_max, &whole, &at_once);
    stream(bytes, len, seed ? seed : 1, query_max, &cut, &in_pieces);
    need(whole.len == wanted.len && !memcmp(whole.bytes, wanted.bytes, wanted.len), "at once");
    need(cut.len == wanted.len && !memcmp(cut.bytes, wanted.bytes, wanted.len), "in pieces");
    need(at_once.query_n == n && in_pieces.query_n == n, "the number of queries");
    need(at_once.bad == bad && in_pieces.bad == bad, "what is no DNS");
    return 0;
}
