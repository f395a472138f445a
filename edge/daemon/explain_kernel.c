/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/explain_kernel.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/answer/answer.h"
#include "edge/daemon/fast.h"
#include "edge/daemon/fast_listen.h"
#include "edge/daemon/fast_words.h"
#include "edge/render/render.h"
#include "edge/wire/wire.h"
#include "xdp/listener_core.h"
#include "xdp/model.h"

#define EXPLAIN_PORT 40053u /* of the sender */
#define EXPLAIN_HEAD_MAX 62u

/* --- a packet --- */

/* An address nobody has (RFC 5737), unless somebody was named. */
static struct address explain_sender(const struct address *from, const struct fast_policy *policy)
{
    struct address sender = {.family = ADDRESS_IPV4, .bytes = {198, 51, 100, 1}};
    struct fast_address key = fast_listen_key(&sender);

    while (!from && sender.bytes[3] < 255 &&
           fast_listener_find(policy, &key, 0) != FAST_LISTENER_NONE) {
        sender.bytes[3]++;
        key = fast_listen_key(&sender);
    }
    return from ? *from : sender;
}

/* Where the query goes: any address we serve, of the sender's family. */
static const struct fast_listener *explain_listener(const struct fast_policy *policy,
                                                    enum address_family family)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    for (unsigned i = 0; i < FAST_LISTENERS_MAX; i++) {
        const struct fast_listener *listener = &policy->listeners[i];
        bool ipv4 = memcmp(listener->address, mapped, sizeof(mapped)) == 0;

        if (listener->port && ipv4 == (family == ADDRESS_IPV4)) {
            return listener;
        }
    }
    return NULL;
}

static uint16_t explain_ipv4_sum(const uint8_t *header)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < 20; i += 2) {
        sum += wire_get_u16(header + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

/* Ethernet, IP and UDP before the query; returns the frame's length. */
static size_t explain_frame(const struct address *sender, const struct fast_listener *listener,
                            const uint8_t *query, size_t query_len, uint8_t *frame)
{
    bool ipv4 = sender->family == ADDRESS_IPV4;
    size_t ip_len = ipv4 ? 20 : 40;
    uint8_t *ip = frame + 14;
    uint8_t *udp = ip + ip_len;
    uint16_t udp_len = (uint16_t)(8 + query_len);

    memset(frame, 0, EXPLAIN_HEAD_MAX);
    frame[0] = 2; /* addresses of hosts, locally administered */
    frame[6] = 2;
    frame[11] = 1;
    wire_put_u16(frame + 12, ipv4 ? 0x0800 : 0x86dd);
    ip[0] = ipv4 ? 0x45 : 0x60;
    if (ipv4) {
        wire_put_u16(ip + 2, (uint16_t)(ip_len + udp_len));
        ip[8] = 64;
        ip[9] = 17;
        memcpy(ip + 12, sender->bytes, 4);
        memcpy(ip + 16, listener->address + 12, 4);
        wire_put_u16(ip + 10, explain_ipv4_sum(ip));
    } else {
        wire_put_u16(ip + 4, udp_len);
        ip[6] = 17;
        ip[7] = 64;
        memcpy(ip + 8, sender->bytes, 16);
        memcpy(ip + 24, listener->address, 16);
    }
    wire_put_u16(udp, EXPLAIN_PORT);
    wire_put_u16(udp + 2, ntohs(listener->port));
    wire_put_u16(udp + 4, udp_len);
    wire_put_u16(udp + 6, 0xffff); /* not verified, but there must be one */
    memcpy(udp + 8, query, query_len);
    return 14 + ip_len + udp_len;
}

/* --- the verdict --- */

static void explain_say(FILE *out, json_t *data, bool kernel, const char *word, const char *text)
{
    fprintf(out, "path      %s (%s)%s%s\n", kernel ? "kernel" : "userspace", word,
            *text ? ": " : "", text);
    json_object_set_new(data, "path", json_string(kernel ? "kernel" : "userspace"));
    json_object_set_new(data, "kernel",
                        json_pack("{s:b, s:s, s:s}", "answers", kernel, kernel ? "class" : "reason",
                                  word, "text", text));
}

/* Why there is no template. */
static void explain_unknown(const struct fast_view *view, const struct snapshot *snapshot,
                            const uint8_t *query, size_t query_len, FILE *out, json_t *data)
{
    struct render_question question = {.name = query + WIRE_HEADER_LEN};
    enum render_reason reason = RENDER_UNUSUAL;
    size_t at = WIRE_HEADER_LEN;
    char text[160];

    while (at < query_len && query[at]) {
        at += (size_t)query[at] + 1;
    }
    if (at + 3 <= query_len) {
        question.qtype = wire_get_u16(query + at + 1);
        reason = render_judge(snapshot, &question);
    }
    if (reason == RENDER_TAKEN) {
        snprintf(text, sizeof(text), "%s%s", fast_reason_text(FAST_PASS_UNKNOWN),
                 view->templates_left_out
                     ? ", it would have one with more room (xdp: {capacity: ...})"
                     : ", it would have one with other names (xdp: {names: ...})");
    } else {
        snprintf(text, sizeof(text), "%s, nor can there be one: %s",
                 fast_reason_text(FAST_PASS_UNKNOWN), render_reason_name(reason));
    }
    explain_say(out, data, false, fast_reason_name(FAST_PASS_UNKNOWN), text);
}

static bool explain_attached(const struct xdp_status *status)
{
    for (size_t i = 0; i < status->link_n; i++) {
        if (status->links[i].state == XDP_LINK_NATIVE ||
            status->links[i].state == XDP_LINK_GENERIC) {
            return true;
        }
    }
    return false;
}

/* What this process would send itself, to the same sender at the same time. */
static bool explain_is_same(const struct snapshot *snapshot, const struct address *sender,
                            const uint8_t *query, size_t query_len, int64_t now_wall_s,
                            const struct model_result *result)
{
    struct answer_request request = {.query = query,
                                     .query_len = query_len,
                                     .client = *sender,
                                     .transport = ANSWER_UDP,
                                     .now_wall_s = now_wall_s};
    struct answer_scratch *scratch = answer_scratch_new();
    uint8_t *response = malloc(ANSWER_RESPONSE_MAX);
    struct answer_outcome outcome;
    bool same = false;

    if (scratch && response) {
        size_t len = answer(scratch, snapshot, &request, response, ANSWER_RESPONSE_MAX, &outcome);

        same = len == result->message_len &&
               memcmp(response, result->frame + result->message_at, len) == 0;
    }
    free(response);
    answer_scratch_free(scratch);
    return same;
}

static void explain_run(struct fast *fast, const struct fast_view *view, struct model *model,
                        const struct snapshot *snapshot, const uint8_t *query, size_t query_len,
                        const struct address *from, FILE *out, json_t *data)
{
    static const struct model_room room = {.head = 256, .tail = 4096};
    uint8_t frame[EXPLAIN_HEAD_MAX + FAST_QUERY_MAX];
    struct fast_policy policy;
    struct model_tables tables = {.policy = &policy};
    struct model_result result;
    const struct fast_listener *listener;
    struct address sender;

    fast_tables(fast, &policy, &tables);
    tables.word = view->status.word;
    tables.stale = view->status.beat_left_ns <= 0;
    tables.now_wall_s = (uint64_t)clock_wall_s();
    sender = explain_sender(from, &policy);
    listener = explain_listener(&policy, (enum address_family)sender.family);
    if (!listener || query_len > FAST_QUERY_MAX) {
        explain_say(out, data, false, fast_reason_name(FAST_PASS_NOT_DNS),
                    "no address of this family is served");
    } else {
        model_run(model, &tables, &room, frame,
                  explain_frame(&sender, listener, query, query_len, frame), &result);
        if (result.answered) {
            bool same = explain_is_same(snapshot, &sender, query, query_len,
                                        (int64_t)tables.now_wall_s, &result);

            explain_say(out, data, true, fast_answer_name(result.answer),
                        same ? "" : "! its answer differs from this");
            json_object_set_new(json_object_get(data, "kernel"), "identical", json_boolean(same));
        } else if (result.reason == FAST_PASS_UNKNOWN) {
            explain_unknown(view, snapshot, query, query_len, out, data);
        } else {
            explain_say(out, data, false, fast_reason_name(result.reason),
                        fast_reason_text(result.reason));
        }
    }
    explicit_bzero(&policy.cookies, sizeof(policy.cookies));
}

void explain_kernel(struct fast *fast, const struct snapshot *snapshot, const uint8_t *query,
                    size_t query_len, const struct address *from, FILE *out, json_t *data)
{
    struct fast_view *view = fast ? malloc(sizeof(*view)) : NULL;
    struct model *model = fast ? model_new() : NULL;

    if (view) {
        fast_view(fast, view);
    }
    if (!view || !model) {
        fputs("path      userspace\n", out);
        json_object_set_new(data, "path", json_string("userspace"));
        json_object_set_new(data, "kernel", json_null());
    } else if (view->health == FAST_UNAVAILABLE || view->health == FAST_WAITING) {
        explain_say(out, data, false, "unavailable", view->fault);
    } else if (!explain_attached(&view->status)) {
        explain_say(out, data, false, "unattached", "the program is on no interface");
    } else {
        explain_run(fast, view, model, snapshot, query, query_len, from, out, data);
    }
    model_free(model);
    free(view);
}
