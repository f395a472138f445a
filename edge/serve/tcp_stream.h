/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS messages in a stream of bytes (RFC 1035 section 4.2.2: two bytes of length, then the message;
 * RFC 7766 section 8: the length may arrive apart from the message, and several messages at once).
 * Answers go in the order of the queries, which section 7 leaves to the server; section 6.2.1.1 is
 * why there may be many queries before the first answer. Pure: it reads and sends through the
 * functions it is given, so that the same bytes give the same answers however they were cut into
 * segments, and a test can cut them anywhere.
 *
 * Bytes pass through two buffers that all streams of a thread share; a stream itself keeps only
 * what is left over: the start of a query, or what the client does not take. While something waits
 * to be sent nothing is read, which bounds a stream, and `kept_max` bounds all of them together.
 * A message cannot be longer than 65535 bytes, since its length could not say so.
 */
#ifndef EDGE_TCP_STREAM_H
#define EDGE_TCP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TCP_STREAM_FRAME_MAX ((size_t)2 + 65535)
#define TCP_STREAM_IN TCP_STREAM_FRAME_MAX
/* Sent once another answer of any length might not fit: after 32 KiB, some 300 usual answers. */
#define TCP_STREAM_OUT (TCP_STREAM_FRAME_MAX + (32u << 10))
#define TCP_STREAM_KEPT_MAX (TCP_STREAM_IN + TCP_STREAM_OUT) /* of one stream */

struct tcp_buffers {
    size_t kept_len; /* bytes the streams keep, all together */
    size_t kept_max;
    uint8_t in[TCP_STREAM_IN];
    uint8_t out[TCP_STREAM_OUT];
};

/* Bytes kept for later: [start, len) of an allocation. */
struct tcp_rest {
    uint8_t *bytes;
    size_t start;
    size_t len;
};

/* All zero is a new stream. */
struct tcp_stream {
    struct tcp_rest held;    /* read, not yet answered */
    struct tcp_rest pending; /* answered, not yet sent */
    uint64_t query_n;        /* answered so far */
    bool bad;                /* what came in is no DNS: nothing after it can be trusted */
};

struct tcp_io {
    /* Writes at most 65535 bytes; 0: this is no query, and the stream becomes bad. */
    size_t (*answer)(void *context, const uint8_t *query, size_t query_len, uint8_t *response);
    /* How many bytes went, 0 for none now, or -errno. */
    ssize_t (*send)(void *context, const uint8_t *bytes, size_t len);
    void *context;
    uint64_t query_max; /* no more than this many answers in the life of a stream */
};

/* Where the next bytes of this stream have to be put, and how many have room: never none. Not while
 * tcp_stream_is_blocked(), nor once it is bad or has had its queries. */
uint8_t *tcp_stream_room(const struct tcp_stream *stream, struct tcp_buffers *buffers,
                         size_t *ret_len);

/* `got` bytes have been put there. Answers the whole queries in order, sends the answers, keeps the
 * rest. 0, -ENOMEM, -ENOBUFS when the streams together would keep too much, or what send() said. */
int tcp_stream_take(struct tcp_stream *stream, struct tcp_buffers *buffers, size_t got,
                    const struct tcp_io *io);

/* Sends what is pending; when all of it went, goes on with what is held. Returns as above. */
int tcp_stream_push(struct tcp_stream *stream, struct tcp_buffers *buffers,
                    const struct tcp_io *io);

/* The client has to read before anything else happens. */
static inline bool tcp_stream_is_blocked(const struct tcp_stream *stream)
{
    return stream->pending.bytes != NULL;
}

/* A query has begun and has not ended. */
static inline bool tcp_stream_is_within(const struct tcp_stream *stream)
{
    return stream->held.bytes != NULL;
}

void tcp_stream_done(struct tcp_stream *stream, struct tcp_buffers *buffers);

/* To streams of other buffers and from them: what it keeps counts no longer here, or from now on.
 * -ENOBUFS as ever, -EINVAL when it keeps more than a stream can; then nothing has changed. */
void tcp_stream_leave(const struct tcp_stream *stream, struct tcp_buffers *buffers);
int tcp_stream_enter(const struct tcp_stream *stream, struct tcp_buffers *buffers);

#endif
