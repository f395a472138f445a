/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "edge/compare/capture.h"
#include "edge/compare/input.h"
#include "edge/compare/packet.h"
#include "edge/compare/question.h"
#include "edge/compare/question_text.h"
#include "edge/compare/stream.h"
#include "edge/compare/zone_questions.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"

#define SUBNET_IPV4 24 /* what resolvers send, RFC 7871 section 11.1 */
#define SUBNET_IPV6 56
#define FRAMES_AT_ONCE 4096 /* looked through before those in flight are served again */

enum source_kind {
    SOURCE_KIND_UNKNOWN, /* the first bytes will tell */
    SOURCE_KIND_TEXT,
    SOURCE_KIND_CAPTURE,
    SOURCE_KIND_ZONE,
};

struct source {
    struct source_options options;
    enum source_kind kind;
    struct input input;
    bool ended;
    unsigned line;
    struct capture capture;
    struct streams *streams;
    struct stream *stream; /* has messages to give, of this client: */
    struct address stream_client;
    uint64_t left_out;
    struct zone *zone;
    struct zone_questions zone_questions;
};

static int open_zone(struct source *source, const char *origin_text, struct failure *failure)
{
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    int status;

    if (name_from_text(origin_text, origin)) {
        return failure_set(failure, -EINVAL, "\"%s\" is not a domain name", origin_text);
    }
    status = zone_load_file(source->options.path, origin, &source->zone, NULL, failure);
    if (status) {
        return status;
    }
    source->kind = SOURCE_KIND_ZONE;
    zone_questions_init(&source->zone_questions, source->zone);
    return 0;
}

int source_open(const struct source_options *options, struct source **ret_source,
                struct failure *failure)
{
    struct source *source = calloc(1, sizeof(*source));
    int status;

    if (!source) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    source->options = *options;
    source->input.fd = -1;
    source->streams = streams_new();
    if (!source->streams) {
        status = failure_set(failure, -ENOMEM, "out of memory");
    } else if (options->origin) {
        status = open_zone(source, options->origin, failure);
    } else {
        status = input_open(&source->input, options->path, options->follow, failure);
    }
    if (status) {
        source_close(source);
        return status;
    }
    *ret_source = source;
    return 0;
}

void source_close(struct source *source)
{
    if (!source) {
        return;
    }
    input_close(&source->input);
    streams_free(source->streams);
    zone_unref(source->zone);
    free(source);
}

uint64_t source_left_out(const struct source *source)
{
    return source->left_out;
}

/* More bytes, or what to say instead. SOURCE_QUESTION means: there are more bytes. */
static enum source_status refill(struct source *source, struct failure *failure)
{
    if (source->ended) {
        return SOURCE_END;
    }
    switch (input_fill(&source->input, failure)) {
    case INPUT_MORE:
        return SOURCE_QUESTION;
    case INPUT_WAIT:
        return SOURCE_WAIT;
    case INPUT_FAILED:
        return SOURCE_FAILED;
    case INPUT_END:
        break;
    }
    source->ended = true;
    return SOURCE_QUESTION; /* the last line may have no end */
}

static enum source_status next_line(struct source *source, struct question *question,
                                    struct failure *failure)
{
    for (;;) {
        size_t held;
        const uint8_t *bytes = input_bytes(&source->input, &held);
        const uint8_t *newline = held ? memchr(bytes, '\n', held) : NULL;
        size_t len = newline ? (size_t)(newline - bytes) : held;
        int status;

        if (!newline && !(source->ended && held > 0)) {
            const enum source_status more = refill(source, failure);

            if (more != SOURCE_QUESTION) {
                return more;
            }
            if (source->input.replaced) {
                source->input.replaced = false;
                source->line = 0;
            }
            continue;
        }
        source->line++;
        status = question_text_parse(question, (const char *)bytes, len, source->options.path,
                                     source->line, failure);
        input_consume(&source->input, newline ? len + 1 : len);
        if (status) {
            return status > 0 ? SOURCE_QUESTION : SOURCE_WRONG;
        }
    }
}

/* A message somebody sent to the port in question. */
static bool take_message(struct source *source, struct question *question, const uint8_t *bytes,
                         size_t len, bool tcp, const struct address *client)
{
    if (question_from_query(question, bytes, len, tcp)) {
        source->left_out++;
        return false;
    }
    if (source->options.ecs_from_source && !question->raw &&
        !question_has_option(question, 8 /* RFC 7871 section 6 */)) {
        const struct prefix subnet = {
            .address = *client, .len = client->family == ADDRESS_IPV4 ? SUBNET_IPV4 : SUBNET_IPV6};

        question_set_subnet(question, &subnet);
        question_render(question);
    }
    return true;
}

static bool take_stream(struct source *source, struct question *question)
{
    while (source->stream) {
        size_t len;
        const uint8_t *bytes = stream_next(source->stream, &len);

        if (!bytes) {
            source->stream = NULL;
        } else if (take_message(source, question, bytes, len, true, &source->stream_client)) {
            return true;
        }
    }
    return false;
}

static bool take_frame(struct source *source, struct question *question,
                       const struct capture_frame *frame)
{
    struct packet packet;

    if (!packet_parse(&packet, frame->link, frame->bytes, frame->len) ||
        packet.destination.port != source->options.port) {
        return false;
    }
    if (packet.tcp) {
        source->stream = streams_add(source->streams, &packet);
        source->stream_client = packet.source.address;
        return take_stream(source, question);
    }
    return take_message(source, question, packet.payload, packet.len, false,
                        &packet.source.address);
}

static enum source_status next_captured(struct source *source, struct question *question,
                                        struct failure *failure)
{
    if (take_stream(source, question)) {
        return SOURCE_QUESTION;
    }
    for (unsigned frames = 0; frames < FRAMES_AT_ONCE; frames++) {
        size_t held;
        const uint8_t *bytes = input_bytes(&source->input, &held);
        struct capture_frame frame;
        size_t consumed = 0;
        const enum capture_status status =
            capture_next(&source->capture, bytes, held, &consumed, &frame);

        if (status == CAPTURE_BROKEN) {
            failure_set(failure, -EINVAL, "%s: not a packet capture, or damaged",
                        source->options.path);
            return SOURCE_FAILED;
        }
        if (status == CAPTURE_MORE) {
            enum source_status more;

            if (source->ended && held > 0) {
                failure_set(failure, -EINVAL, "%s: ends within a record", source->options.path);
                input_consume(&source->input, held);
                return SOURCE_WRONG;
            }
            more = refill(source, failure);
            if (more != SOURCE_QUESTION) {
                return more;
            }
            if (source->input.replaced) { /* a new file has a header of its own */
                source->input.replaced = false;
                source->capture = (struct capture){0};
            }
            if (source->ended && held == 0) {
                return SOURCE_END;
            }
            continue;
        }
        input_consume(&source->input, consumed);
        if (status == CAPTURE_FRAME && take_frame(source, question, &frame)) {
            return SOURCE_QUESTION;
        }
    }
    return SOURCE_WAIT;
}

static enum source_status next_of_kind(struct source *source, struct question *question,
                                       struct failure *failure)
{
    while (source->kind == SOURCE_KIND_UNKNOWN) {
        size_t held;
        const uint8_t *bytes = input_bytes(&source->input, &held);
        enum source_status more;

        if (held >= 4 || source->ended) {
            source->kind = capture_is(bytes, held) ? SOURCE_KIND_CAPTURE : SOURCE_KIND_TEXT;
            break;
        }
        more = refill(source, failure);
        if (more != SOURCE_QUESTION) {
            return more;
        }
    }
    switch (source->kind) {
    case SOURCE_KIND_CAPTURE:
        return next_captured(source, question, failure);
    case SOURCE_KIND_ZONE:
        if (!zone_questions_next(&source->zone_questions, question)) {
            return SOURCE_END;
        }
        question_render(question);
        return SOURCE_QUESTION;
    case SOURCE_KIND_UNKNOWN:
    case SOURCE_KIND_TEXT:
        break;
    }
    return next_line(source, question, failure);
}

enum source_status source_next(struct source *source, struct question *ret_question,
                               struct failure *failure)
{
    const enum source_status status = next_of_kind(source, ret_question, failure);

    if (status == SOURCE_QUESTION && source->options.flags &&
        question_text_flags(ret_question, source->options.flags, failure)) {
        return SOURCE_WRONG;
    }
    return status;
}
