/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/tcp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tcp_rest_drop(struct tcp_rest *rest, struct tcp_buffers *buffers)
{
    buffers->kept_len -= rest->len;
    free(rest->bytes);
    *rest = (struct tcp_rest){0};
}

/* Only for an empty rest. */
static int tcp_rest_keep(struct tcp_rest *rest, struct tcp_buffers *buffers, const uint8_t *bytes,
                         size_t len)
{
    if (len == 0) {
        return 0;
    }
    if (len > buffers->kept_max - buffers->kept_len) {
        return -ENOBUFS;
    }
    rest->bytes = malloc(len);
    if (!rest->bytes) {
        return -ENOMEM;
    }
    memcpy(rest->bytes, bytes, len);
    rest->start = 0;
    rest->len = len;
    buffers->kept_len += len;
    return 0;
}

uint8_t *tcp_stream_room(const struct tcp_stream *stream, struct tcp_buffers *buffers,
                         size_t *ret_len)
{
    /* what is held is less than a frame, which is what fits */
    *ret_len = TCP_STREAM_IN - stream->held.len;
    return buffers->in + stream->held.len;
}

/* Sends the first `len` bytes of the out buffer; what does not go is pending. */
static int tcp_stream_flush(struct tcp_stream *stream, struct tcp_buffers *buffers, size_t len,
                            const struct tcp_io *io)
{
    ssize_t sent;

    if (len == 0) {
        return 0;
    }
    sent = io->send(io->context, buffers->out, len);
    if (sent < 0) {
        return (int)sent;
    }
    return tcp_rest_keep(&stream->pending, buffers, buffers->out + sent, len - (size_t)sent);
}

static size_t tcp_stream_frame_len(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

/* One query at `frame` into the out buffer; how much longer that has become, 0 if it is none. */
static size_t tcp_stream_answer(const uint8_t *frame, uint8_t *out, const struct tcp_io *io)
{
    size_t len = io->answer(io->context, frame + 2, tcp_stream_frame_len(frame), out + 2);

    if (len == 0) {
        return 0;
    }
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    return 2 + len;
}

/* The `len` bytes of the in buffer. */
static int tcp_stream_process(struct tcp_stream *stream, struct tcp_buffers *buffers, size_t len,
                              const struct tcp_io *io)
{
    const uint8_t *in = buffers->in;
    size_t pos = 0;
    size_t out_len = 0;
    int code;

    while (len - pos >= 2 && len - pos - 2 >= tcp_stream_frame_len(in + pos) &&
           stream->query_n < io->query_max) {
        size_t added;

        if (TCP_STREAM_OUT - out_len < TCP_STREAM_FRAME_MAX) {
            code = tcp_stream_flush(stream, buffers, out_len, io);
            out_len = 0;
            if (code < 0) {
                return code;
            }
            if (tcp_stream_is_blocked(stream)) {
                break;
            }
        }
        added = tcp_stream_answer(in + pos, buffers->out + out_len, io);
        if (added == 0) {
            stream->bad = true;
            break;
        }
        stream->query_n++;
        out_len += added;
        pos += 2 + tcp_stream_frame_len(in + pos);
    }
    code = tcp_stream_flush(stream, buffers, out_len, io);
    if (code < 0 || stream->bad || stream->query_n >= io->query_max) {
        return code;
    }
    return tcp_rest_keep(&stream->held, buffers, in + pos, len - pos);
}

int tcp_stream_take(struct tcp_stream *stream, struct tcp_buffers *buffers, size_t got,
                    const struct tcp_io *io)
{
    size_t held = stream->held.len;

    if (held) {
        memcpy(buffers->in, stream->held.bytes, held);
        tcp_rest_drop(&stream->held, buffers);
    }
    return tcp_stream_process(stream, buffers, held + got, io);
}

int tcp_stream_push(struct tcp_stream *stream, struct tcp_buffers *buffers, const struct tcp_io *io)
{
    struct tcp_rest *pending = &stream->pending;
    ssize_t sent =
        io->send(io->context, pending->bytes + pending->start, pending->len - pending->start);

    if (sent < 0) {
        return (int)sent;
    }
    pending->start += (size_t)sent;
    if (pending->start < pending->len) {
        return 0;
    }
    tcp_rest_drop(pending, buffers);
    return tcp_stream_take(stream, buffers, 0, io);
}

void tcp_stream_done(struct tcp_stream *stream, struct tcp_buffers *buffers)
{
    tcp_rest_drop(&stream->held, buffers);
    tcp_rest_drop(&stream->pending, buffers);
}

void tcp_stream_leave(const struct tcp_stream *stream, struct tcp_buffers *buffers)
{
    buffers->kept_len -= stream->held.len + stream->pending.len;
}

int tcp_stream_enter(const struct tcp_stream *stream, struct tcp_buffers *buffers)
{
    size_t held_max = tcp_stream_is_blocked(stream) ? TCP_STREAM_IN : TCP_STREAM_IN - 1;

    if (stream->held.len > held_max || stream->pending.len > TCP_STREAM_OUT) {
        return -EINVAL;
    }
    if (stream->held.len + stream->pending.len > buffers->kept_max - buffers->kept_len) {
        return -ENOBUFS;
    }
    buffers->kept_len += stream->held.len + stream->pending.len;
    return 0;
}
