/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a packet capture, down to the messages in its TCP connections: what comes out lies
 * inside of what went in, and reading ends.
 */
#include <stdlib.h>

#include "edge/compare/capture.h"
#include "edge/compare/packet.h"
#include "edge/compare/question.h"
#include "edge/compare/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_frame(struct streams *streams, const struct capture_frame *frame)
{
    struct packet packet;
    struct stream *stream;
    size_t len;

    if (!packet_parse(&packet, frame->link, frame->bytes, frame->len)) {
        return;
    }
    require(packet.payload >= frame->bytes &&
            packet.payload + packet.len <= frame->bytes + frame->len);
    stream = packet.tcp ? streams_add(streams, &packet) : NULL;
    while (stream && stream_next(stream, &len)) {
        require(len <= QUESTION_WIRE_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct streams *streams = streams_new();
    struct capture capture = {0};
    struct capture_frame frame;
    size_t start = 0;

    require(streams != NULL);
    for (;;) {
        size_t consumed = 0;
        const enum capture_status status =
            capture_next(&capture, bytes + start, len - start, &consumed, &frame);

        if (status == CAPTURE_MORE || status == CAPTURE_BROKEN) {
            break;
        }
        require(consumed > 0 && consumed <= len - start);
        if (status == CAPTURE_FRAME) {
            require(frame.bytes >= bytes && frame.bytes + frame.len <= bytes + len);
            check_frame(streams, &frame);
        }
        start += consumed;
    }
    streams_free(streams);
    return 0;
}
