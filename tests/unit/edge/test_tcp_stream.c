/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/serve/tcp_stream.h"

/* A client on the other end of a stream: an "answer" is the query itself `copies` times; a query
 * that starts with 'x' is none. */
struct peer {
    struct tcp_stream stream;
    struct tcp_buffers buffers;
    struct tcp_io io;
    size_t copies;
    size_t takes; /* bytes the client still reads */
    size_t sends; /* calls */
    int fails;    /* errno of the next send */
    uint8_t *got;
    size_t got_len;
};

static size_t answer(void *context, const uint8_t *query, size_t len, uint8_t *response)
{
    const struct peer *peer = context;

    if (len == 0 || query[0] == 'x') {
        return 0;
    }
    for (size_t i = 0; i < peer->copies; i++) {
        memcpy(response + i * len, query, len);
    }
    return len * peer->copies;
}

static ssize_t take(void *context, const uint8_t *bytes, size_t len)
{
    struct peer *peer = context;
    size_t taken = len < peer->takes ? len : peer->takes;

    peer->sends++;
    if (peer->fails) {
        return -peer->fails;
    }
    peer->got = realloc(peer->got, peer->got_len + taken + 1);
    memcpy(peer->got + peer->got_len, bytes, taken);
    peer->got_len += taken;
    peer->takes -= taken;
    return (ssize_t)taken;
}

static struct peer *peer_new(void)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    peer->buffers.kept_max = 1 << 20;
    peer->io = (struct tcp_io){answer, take, peer, UINT64_MAX};
    peer->copies = 1;
    peer->takes = SIZE_MAX;
    return peer;
}

static void peer_free(struct peer *peer)
{
    tcp_stream_done(&peer->stream, &peer->buffers);
    cr_expect_eq(peer->buffers.kept_len, 0);
    free(peer->got);
    free(peer);
}

static int feed(struct peer *peer, const void *bytes, size_t len)
{
    size_t room;
    uint8_t *at = tcp_stream_room(&peer->stream, &peer->buffers, &room);

    cr_assert_geq(room, len);
    memcpy(at, bytes, len);
    return tcp_stream_take(&peer->stream, &peer->buffers, len, &peer->io);
}

#define FEED(peer, text) feed((peer), (text), sizeof(text) - 1)
#define EXPECT_GOT(peer, text)                                                                     \
    cr_expect((peer)->got_len == sizeof(text) - 1 &&                                               \
              memcmp((peer)->got, (text), sizeof(text) - 1) == 0)

Test(tcp_stream, many_queries_in_one_segment_are_one_send)
{
    struct peer *peer = peer_new();

    cr_expect_eq(FEED(peer, "\0\3abc\0\1d\0\2ef"), 0);
    EXPECT_GOT(peer, "\0\3abc\0\1d\0\2ef");
    cr_expect_eq(peer->sends, 1);
    cr_expect_eq(peer->stream.query_n, 3);
    cr_expect(!tcp_stream_is_within(&peer->stream));
    cr_expect_eq(peer->buffers.kept_len, 0);
    peer_free(peer);
}

Test(tcp_stream, a_byte_at_a_time_is_the_same)
{
    static const char all[] = "\0\3abc\0\1d\0\2ef";
    struct peer *peer = peer_new();

    for (size_t i = 0; i < sizeof(all) - 1; i++) {
        cr_expect_eq(feed(peer, all + i, 1), 0);
    }
    EXPECT_GOT(peer, "\0\3abc\0\1d\0\2ef");
    cr_expect_eq(peer->sends, 3);
    peer_free(peer);
}

Test(tcp_stream, the_length_may_be_cut_in_two)
{
    struct peer *peer = peer_new();

    cr_expect_eq(FEED(peer, "\0\3abc\0"), 0);
    EXPECT_GOT(peer, "\0\3abc");
    cr_expect(tcp_stream_is_within(&peer->stream));
    cr_expect_eq(peer->buffers.kept_len, 1);
    cr_expect_eq(FEED(peer, "\1d"), 0);
    EXPECT_GOT(peer, "\0\3abc\0\1d");
    peer_free(peer);
}

Test(tcp_stream, the_longest_message_fits)
{
    struct peer *peer = peer_new();
    uint8_t *frame = calloc(1, TCP_STREAM_FRAME_MAX);

    frame[0] = frame[1] = 0xff;
    for (unsigned round = 0; round < 3; round++) {
        cr_expect_eq(feed(peer, frame, TCP_STREAM_FRAME_MAX - 1), 0);
        cr_expect(tcp_stream_is_within(&peer->stream));
        cr_expect_eq(feed(peer, frame, 1), 0);
        cr_expect(!tcp_stream_is_within(&peer->stream));
    }
    cr_expect_eq(peer->got_len, 3 * TCP_STREAM_FRAME_MAX);
    free(frame);
    peer_free(peer);
}

Test(tcp_stream, who_does_not_read_gets_it_later_and_in_order)
{
    struct peer *peer = peer_new();

    peer->takes = 4;
    cr_expect_eq(FEED(peer, "\0\3abc\0\3def\0\3gh"), 0);
    cr_expect(tcp_stream_is_blocked(&peer->stream));
    cr_expect_eq(peer->stream.query_n, 2);
    peer->takes = 1;
    cr_expect_eq(tcp_stream_push(&peer->stream, &peer->buffers, &peer->io), 0);
    cr_expect(tcp_stream_is_blocked(&peer->stream));
    peer->takes = SIZE_MAX;
    cr_expect_eq(tcp_stream_push(&peer->stream, &peer->buffers, &peer->io), 0);
    cr_expect(!tcp_stream_is_blocked(&peer->stream));
    cr_expect(tcp_stream_is_within(&peer->stream));
    cr_expect_eq(FEED(peer, "i"), 0);
    EXPECT_GOT(peer, "\0\3abc\0\3def\0\3ghi");
    peer_free(peer);
}

Test(tcp_stream, answers_of_any_length_are_bounded_in_the_buffer)
{
    /* each answer is a thousand times its query: 65 of them are more than the buffer holds */
    struct peer *peer = peer_new();
    uint8_t frames[100 * 22];

    peer->copies = 1000;
    for (unsigned i = 0; i < 100; i++) {
        memset(frames + (size_t)i * 22, (int)('A' + i % 20), 22);
        frames[(size_t)i * 22] = 0;
        frames[(size_t)i * 22 + 1] = 20;
    }
    peer->takes = 100;
    cr_expect_eq(feed(peer, frames, sizeof(frames)), 0);
    cr_expect_lt(peer->stream.query_n, 100);
    cr_expect_leq(peer->buffers.kept_len, TCP_STREAM_KEPT_MAX);
    for (unsigned i = 0; i < 1000 && tcp_stream_is_blocked(&peer->stream); i++) {
        peer->takes = 20000;
        cr_expect_eq(tcp_stream_push(&peer->stream, &peer->buffers, &peer->io), 0);
    }
    cr_expect_eq(peer->stream.query_n, 100);
    cr_assert_eq(peer->got_len, (size_t)100 * 20002);
    for (unsigned i = 0; i < 100; i++) {
        cr_expect_eq(peer->got[(size_t)i * 20002], 20000 >> 8);
        cr_expect_eq(peer->got[(size_t)i * 20002 + 2], 'A' + i % 20);
    }
    peer_free(peer);
}

Test(tcp_stream, what_is_no_query_ends_it_after_the_answers_before)
{
    struct peer *peer = peer_new();

    cr_expect_eq(FEED(peer, "\0\1a\0\1x\0\1b"), 0);
    EXPECT_GOT(peer, "\0\1a");
    cr_expect(peer->stream.bad);
    cr_expect_eq(peer->stream.query_n, 1);
    cr_expect_eq(peer->buffers.kept_len, 0);
    peer_free(peer);
    peer = peer_new();
    cr_expect_eq(FEED(peer, "\0\0"), 0);
    cr_expect(peer->stream.bad);
    peer_free(peer);
}

Test(tcp_stream, no_more_queries_are_answered_than_allowed)
{
    struct peer *peer = peer_new();

    peer->io.query_max = 2;
    cr_expect_eq(FEED(peer, "\0\1a\0\1b\0\1c\0"), 0);
    EXPECT_GOT(peer, "\0\1a\0\1b");
    cr_expect_eq(peer->stream.query_n, 2);
    cr_expect_eq(peer->buffers.kept_len, 0);
    peer_free(peer);
}

Test(tcp_stream, all_streams_together_keep_no_more_than_allowed)
{
    struct peer *peer = peer_new();
    struct tcp_stream other = {0};

    peer->buffers.kept_max = 5;
    cr_expect_eq(FEED(peer, "\0\3ab"), 0);
    memcpy(peer->buffers.in, "\0\3", 2);
    cr_expect_eq(tcp_stream_take(&other, &peer->buffers, 2, &peer->io), -ENOBUFS);
    tcp_stream_done(&other, &peer->buffers);
    cr_expect_eq(FEED(peer, "c\0"), 0);
    EXPECT_GOT(peer, "\0\3abc");
    cr_expect_eq(tcp_stream_take(&other, &peer->buffers, 2, &peer->io), 0, "there is room again");
    tcp_stream_done(&other, &peer->buffers);
    peer_free(peer);
}

Test(tcp_stream, what_send_says_is_told)
{
    struct peer *peer = peer_new();

    peer->fails = ECONNRESET;
    cr_expect_eq(FEED(peer, "\0\1a"), -ECONNRESET);
    peer->fails = 0;
    peer->takes = 0;
    cr_expect_eq(FEED(peer, "\0\1a"), 0);
    peer->fails = EPIPE;
    cr_expect_eq(tcp_stream_push(&peer->stream, &peer->buffers, &peer->io), -EPIPE);
    peer_free(peer);
}
