/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/xdpbench/queries.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/compare/capture.h"
#include "edge/compare/input.h"
#include "edge/compare/packet.h"
#include "edge/compare/question.h"
#include "edge/compare/question_text.h"

#define ID_LEN 2u /* of a query: two that differ in nothing else are the same */

struct reading {
    const struct queries_options *options;
    struct queries *queries;
    struct input input;
    struct failure *failure;
    bool ended;
    unsigned line;
};

static int append(struct queries *queries, const struct endpoint *source, const uint8_t *bytes,
                  size_t len)
{
    if (queries->n == queries->n_max) {
        size_t room = queries->n_max ? queries->n_max * 2 : 4096;
        struct query_bytes *list = realloc(queries->list, room * sizeof(*list));

        if (!list) {
            return -ENOMEM;
        }
        queries->list = list;
        queries->n_max = room;
    }
    if (queries->bytes_len + len > queries->bytes_max) {
        size_t room = queries->bytes_max * 2 + 65536;
        uint8_t *all = realloc(queries->bytes, room);

        if (!all) {
            return -ENOMEM;
        }
        queries->bytes = all;
        queries->bytes_max = room;
    }
    queries->list[queries->n++] =
        (struct query_bytes){*source, (uint32_t)queries->bytes_len, (uint16_t)len};
    memcpy(queries->bytes + queries->bytes_len, bytes, len);
    queries->bytes_len += len;
    return 0;
}

/* Files and pipes come as they come; here there is nothing else to do meanwhile. False at the end
 * of what there is; a failure is kept in *ret_error. */
static bool refill(struct reading *reading, int *ret_error)
{
    for (;;) {
        switch (input_fill(&reading->input, reading->failure)) {
        case INPUT_MORE:
            return true;
        case INPUT_WAIT:
            (void)poll(&(struct pollfd){.fd = reading->input.fd, .events = POLLIN}, 1, -1);
            break;
        case INPUT_END:
            reading->ended = true;
            return false;
        case INPUT_FAILED:
            *ret_error = -EIO;
            return false;
        }
    }
}

/* --- text --- */

/* The words that tests/bench writes and question_text does not know: "ecs=PREFIX" is "+subnet=" of
 * it, "from=ADDRESS" says who asks. -E2BIG, or -EINVAL for what is no address. */
static int line_translate(const char *line, size_t len, char *ret_line, size_t size,
                          struct endpoint *ret_source)
{
    size_t at = 0;

    for (size_t i = 0; i < len;) {
        size_t word = strcspn(line + i, " \t\r\n");

        word = word < len - i ? word : len - i;
        if (word > 5 && !strncmp(line + i, "from=", 5)) {
            char text[ADDRESS_TEXT_LEN];

            if (snprintf(text, sizeof(text), "%.*s", (int)(word - 5), line + i + 5) >=
                    (int)sizeof(text) ||
                address_parse(text, &ret_source->address) < 0) {
                return -EINVAL;
            }
        } else {
            bool ecs = word > 4 && !strncmp(line + i, "ecs=", 4);
            int put = snprintf(ret_line + at, size - at, "%s%.*s ", ecs ? "+subnet=" : "",
                               (int)(ecs ? word - 4 : word), line + i + (ecs ? 4 : 0));

            if (put < 0 || (size_t)put >= size - at) {
                return -E2BIG;
            }
            at += (size_t)put;
        }
        i += word;
        while (i < len && strchr(" \t\r\n", line[i])) {
            i++;
        }
    }
    ret_line[at] = '\0';
    return 0;
}

static int take_line(struct reading *reading, const char *line, size_t len)
{
    char copy[QUESTION_LINE_MAX + 1];
    char translated[QUESTION_LINE_MAX + 1];
    struct endpoint source = {0};
    struct question question;
    int status;

    reading->line++;
    if (len >= sizeof(copy) || memchr(line, '\0', len)) {
        return failure_set(reading->failure, -EINVAL, "%s:%u:1: no text, or too long",
                           reading->options->path, reading->line);
    }
    memcpy(copy, line, len);
    copy[len] = '\0';
    if (line_translate(copy, len, translated, sizeof(translated), &source) < 0) {
        return failure_set(reading->failure, -EINVAL,
                           "%s:%u:1: from= wants an address, or the line is too long",
                           reading->options->path, reading->line);
    }
    status = question_text_parse(&question, translated, strlen(translated), reading->options->path,
                                 reading->line, reading->failure);
    if (status <= 0) {
        return status;
    }
    if (reading->options->flags &&
        question_text_flags(&question, reading->options->flags, reading->failure) < 0) {
        return -EINVAL;
    }
    if (question.tcp) {
        reading->queries->left_out_n++;
        return 0;
    }
    return append(reading->queries, &source, question.wire, question.wire_len);
}

static int read_text(struct reading *reading)
{
    int error = 0;

    while (error == 0 && reading->queries->n < reading->options->max) {
        size_t held;
        const uint8_t *bytes = input_bytes(&reading->input, &held);
        const uint8_t *newline = held ? memchr(bytes, '\n', held) : NULL;

        if (newline || (reading->ended && held > 0)) {
            size_t len = newline ? (size_t)(newline - bytes) : held;

            error = take_line(reading, (const char *)bytes, len);
            input_consume(&reading->input, newline ? len + 1 : len);
        } else if (reading->ended || (!refill(reading, &error) && held == 0)) {
            break;
        }
    }
    return error;
}

/* --- captures --- */

static int take_frame(struct reading *reading, const struct capture_frame *frame)
{
    struct packet packet;

    if (!packet_parse(&packet, frame->link, frame->bytes, frame->len) || packet.tcp ||
        packet.destination.port != reading->options->port || packet.len > UINT16_MAX) {
        reading->queries->left_out_n++;
        return 0;
    }
    return append(reading->queries, &packet.source, packet.payload, packet.len);
}

static int read_capture(struct reading *reading)
{
    struct capture capture = {0};
    int error = 0;

    while (error == 0 && reading->queries->n < reading->options->max) {
        size_t held;
        size_t consumed = 0;
        const uint8_t *bytes = input_bytes(&reading->input, &held);
        struct capture_frame frame;

        switch (capture_next(&capture, bytes, held, &consumed, &frame)) {
        case CAPTURE_FRAME:
            error = take_frame(reading, &frame);
            input_consume(&reading->input, consumed);
            break;
        case CAPTURE_SKIP:
            input_consume(&reading->input, consumed);
            break;
        case CAPTURE_MORE:
            if (!refill(reading, &error)) {
                reading->queries->left_out_n += error == 0 && held > 0;
                return error;
            }
            break;
        case CAPTURE_BROKEN:
            return failure_set(reading->failure, -EINVAL, "%s: not a packet capture, or damaged",
                               reading->options->path);
        }
    }
    return error;
}

/* --- which are the same, and how often each is asked --- */

static const struct queries *sorting; /* qsort() has no context; one thread */

static int compare_queries(const void *left, const void *right)
{
    const struct query_bytes *a = &sorting->list[*(const uint32_t *)left];
    const struct query_bytes *b = &sorting->list[*(const uint32_t *)right];
    int order = address_compare(&a->source.address, &b->source.address);

    if (order == 0 && a->len != b->len) {
        order = a->len < b->len ? -1 : 1;
    }
    if (order == 0 && a->len > ID_LEN) {
        order = memcmp(sorting->bytes + a->at + ID_LEN, sorting->bytes + b->at + ID_LEN,
                       a->len - ID_LEN);
    }
    return order;
}

struct group {
    uint32_t first; /* place in the list */
    uint32_t n;
};

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left;
    const struct group *b = right;

    if (a->n != b->n) {
        return a->n > b->n ? -1 : 1;
    }
    return a->first < b->first ? -1 : a->first > b->first;
}

static size_t group_queries(const uint32_t *places, size_t n, struct group *groups)
{
    size_t group_n = 0;

    for (size_t i = 0; i < n; i++) {
        struct group *group = group_n ? &groups[group_n - 1] : NULL;

        if (group && compare_queries(&places[i - 1], &places[i]) == 0) {
            group->n++;
            group->first = places[i] < group->first ? places[i] : group->first;
        } else {
            groups[group_n++] = (struct group){places[i], 1};
        }
    }
    return group_n;
}

static int rank(struct queries *queries)
{
    uint32_t *places = calloc(queries->n, sizeof(*places));
    struct group *groups = calloc(queries->n, sizeof(*groups));

    if (!places || !groups) {
        free(places);
        free(groups);
        return -ENOMEM;
    }
    for (size_t i = 0; i < queries->n; i++) {
        places[i] = (uint32_t)i;
    }
    sorting = queries;
    qsort(places, queries->n, sizeof(*places), compare_queries);
    queries->ranking_n = group_queries(places, queries->n, groups);
    qsort(groups, queries->ranking_n, sizeof(*groups), compare_groups);
    for (size_t i = 0; i < queries->ranking_n; i++) {
        places[i] = groups[i].first;
    }
    free(groups);
    queries->ranking = places;
    return 0;
}

static int read_any(struct reading *reading)
{
    size_t held = 0;
    const uint8_t *bytes;
    int error = 0;

    do {
        (void)input_bytes(&reading->input, &held);
    } while (held < 4 && refill(reading, &error));
    if (error < 0) {
        return error;
    }
    bytes = input_bytes(&reading->input, &held);
    return held >= 4 && capture_is(bytes, held) ? read_capture(reading) : read_text(reading);
}

int queries_read(const struct queries_options *options, struct queries *ret_queries,
                 struct failure *failure)
{
    struct reading reading = {.options = options, .queries = ret_queries, .failure = failure};
    int error;

    *ret_queries = (struct queries){0};
    *failure = (struct failure){{0}};
    error = input_open(&reading.input, options->path, false, failure);
    if (error < 0) {
        return error;
    }
    error = read_any(&reading);
    input_close(&reading.input);
    if (error == 0 && ret_queries->n == 0) {
        error = failure_set(failure, -EINVAL, "%s: no queries over UDP to port %u in it",
                            options->path, options->port);
    }
    error = error ? error : rank(ret_queries);
    if (error < 0) {
        queries_done(ret_queries);
        if (!*failure->text) {
            failure_set(failure, error, "%s: %s", options->path, strerror(-error));
        }
    }
    return error;
}

void queries_done(struct queries *queries)
{
    free(queries->list);
    free(queries->bytes);
    free(queries->ranking);
    *queries = (struct queries){0};
}
