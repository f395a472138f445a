/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "edge/compare/packet.h"
#include "edge/compare/question.h"
#include "edge/wire/wire.h"

#define STREAMS_N 1024u
/* A message that is too long to ask is dropped, so a connection holds one and a segment's worth. */
#define STREAM_BUFFER (2 * (QUESTION_WIRE_MAX + 2))

struct stream {
    bool used;
    bool in_step; /* we know where the next message starts, or are inside of one */
    struct endpoint source;
    struct endpoint destination;
    uint32_t sequence; /* expected next */
    size_t start;      /* of what was not returned yet */
    size_t len;
    uint8_t bytes[STREAM_BUFFER];
};

struct streams {
    struct stream *table[STREAMS_N];
};

struct streams *streams_new(void)
{
    return calloc(1, sizeof(struct streams));
}

void streams_free(struct streams *streams)
{
    if (!streams) {
        return;
    }
    for (unsigned i = 0; i < STREAMS_N; i++) {
        free(streams->table[i]);
    }
    free(streams);
}

static unsigned slot_of(const struct packet *packet)
{
    uint32_t hash = 2166136261u; /* FNV-1a; collisions only displace */

    for (unsigned i = 0; i < 16; i++) {
        hash = (hash ^ packet->source.address.bytes[i]) * 16777619u;
    }
    return (hash ^ packet->source.port * 40503u) % STREAMS_N;
}

static bool same(const struct stream *stream, const struct packet *packet)
{
    return stream->used && stream->source.port == packet->source.port &&
           stream->destination.port == packet->destination.port &&
           address_compare(&stream->source.address, &packet->source.address) == 0 &&
           address_compare(&stream->destination.address, &packet->destination.address) == 0;
}

/* Where no connection was seen to start, a segment counts as a start if it looks like one: a length
 * and the header of a query with one question. */
static bool looks_like_start(const struct packet *packet)
{
    const uint8_t *bytes = packet->payload;

    return packet->len >= 2 + WIRE_HEADER_LEN && wire_get_u16(bytes) >= WIRE_HEADER_LEN + 5 &&
           wire_get_u16(bytes) <= QUESTION_WIRE_MAX && !(bytes[4] & 0xf8) &&
           wire_get_u16(bytes + 6) == 1;
}

static void restart(struct stream *stream, const struct packet *packet)
{
    stream->in_step = packet->syn || looks_like_start(packet);
    stream->sequence = packet->sequence + (packet->syn ? 1 : 0);
    stream->start = stream->len = 0;
}

static struct stream *stream_for(struct streams *streams, const struct packet *packet)
{
    struct stream **slot = &streams->table[slot_of(packet)];

    if (!*slot) {
        *slot = calloc(1, sizeof(**slot));
        if (!*slot) {
            return NULL;
        }
    }
    if (!same(*slot, packet) || packet->syn) {
        (*slot)->used = true;
        (*slot)->source = packet->source;
        (*slot)->destination = packet->destination;
        restart(*slot, packet);
    }
    return *slot;
}

struct stream *streams_add(struct streams *streams, const struct packet *packet)
{
    struct stream *stream = stream_for(streams, packet);
    const uint8_t *bytes = packet->payload;
    size_t len = packet->len;
    uint32_t first = packet->sequence + (packet->syn ? 1 : 0);

    if (!stream || len == 0) {
        return NULL;
    }
    if ((int32_t)(stream->sequence - first) > 0) { /* sent again, in whole or in part */
        const uint32_t known = stream->sequence - first;

        if (known >= len) {
            return NULL;
        }
        bytes += known;
        len -= known;
    } else if (!stream->in_step || stream->sequence != first) {
        restart(stream, packet);
    }
    if (!stream->in_step) {
        return NULL;
    }
    stream->sequence += (uint32_t)len;
    memmove(stream->bytes, stream->bytes + stream->start, stream->len - stream->start);
    stream->len -= stream->start;
    stream->start = 0;
    if (len > sizeof(stream->bytes) - stream->len) {
        stream->in_step = false;
        stream->len = 0;
        return NULL;
    }
    memcpy(stream->bytes + stream->len, bytes, len);
    stream->len += len;
    return stream;
}

const uint8_t *stream_next(struct stream *stream, size_t *ret_len)
{
    const uint8_t *message = stream->bytes + stream->start;
    size_t len;

    if (stream->len - stream->start < 2) {
        return NULL;
    }
    len = wire_get_u16(message);
    if (len > QUESTION_WIRE_MAX) {
        stream->in_step = false;
        stream->start = stream->len = 0;
        return NULL;
    }
    if (stream->len - stream->start - 2 < len) {
        return NULL;
    }
    stream->start += 2 + len;
    *ret_len = len;
    return message + 2;
}
