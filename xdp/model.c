/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/model.h"

#include <stdlib.h>
#include <string.h>

#include "xdp/answer_core.h"

struct model {
    struct work work;
    uint8_t packet[MODEL_FRAME_MAX]; /* of the answer */
};

struct model *model_new(void)
{
    return calloc(1, sizeof(struct model));
}

void model_free(struct model *model)
{
    free(model);
}

/* path_admit() and path_load() of xdp/answer.bpf.c. */
static enum fast_reason model_admit(struct work *work, const struct model_tables *tables,
                                    const uint8_t *frame, size_t len)
{
    struct packet *packet = &work->packet;
    enum fast_reason reason;
    uint32_t message_len;

    if (packet_read(frame, frame + len, packet) < 0) {
        return FAST_PASS_NOT_DNS;
    }
    if (!tables->policy) {
        return FAST_PASS_OFF;
    }
    if (!packet_is_ours(packet, tables->policy)) {
        return FAST_PASS_NOT_DNS;
    }
    if (tables->stale) {
        return FAST_PASS_STALE;
    }
    reason = packet_reason(packet, tables->policy, tables->word);
    if (reason != ANSWER_OK) {
        return reason;
    }
    work_take_link(work, frame);
    message_len = packet->udp_len - PACKET_UDP_LEN;
    if (message_len < QUESTION_LEN_MIN || message_len > FAST_QUERY_MAX) {
        return FAST_PASS_SIZE;
    }
    work->message_len = message_len;
    memcpy(work_message(work), frame + packet_message_at(packet), message_len);
    return ANSWER_OK;
}

/* path_answer() */
static enum fast_reason model_answer(struct work *work, const struct model_tables *tables)
{
    struct fast_tables fast = {
        .policy = tables->policy,
        .templates = {tables->templates, tables->template_blocks},
        .image = {NULL, 0},
    };
    struct fast_states states = {tables->states, tables->service_n};
    enum fast_reason reason;

    if (tables->image) {
        fast.image = *tables->image;
    }
    reason = answer_read(work, tables->policy, (uint32_t)tables->now_wall_s);
    return reason == ANSWER_OK ? answer_write(work, &fast, &states) : reason;
}

/* path_grow() */
static enum fast_reason model_grow(const struct work *work, const struct model_room *room,
                                   size_t len, enum model_growth *ret_growth)
{
    if (work->frame_len <= len) {
        *ret_growth = MODEL_GROWN_NOT;
    } else if (work->frame_len - len <= room->tail) {
        *ret_growth = MODEL_GROWN_TAIL;
    } else if (work->frame_len - len <= room->head) {
        *ret_growth = MODEL_GROWN_HEAD;
    } else {
        return FAST_PASS_ROOM;
    }
    return ANSWER_OK;
}

/* path_send() over a packet that has been grown, wherever: with the query's bytes in it that the
 * answer keeps. */
static void model_send(struct model *model, const uint8_t *frame, size_t len,
                       enum model_growth growth)
{
    const struct work *work = &model->work;
    uint32_t from = frame_copy_from(work, growth == MODEL_GROWN_HEAD);
    uint8_t *end = model->packet + work->frame_len;

    memset(model->packet, 0, sizeof(model->packet));
    if (growth == MODEL_GROWN_HEAD) {
        memcpy(end - len, frame, len);
    } else {
        memcpy(model->packet, frame, len < work->frame_len ? len : work->frame_len);
    }
    if (work->copy_end - from <= FRAME_COPY_MAX) {
        if (frame_copy(work, model->packet, end, from) < 0) {
            abort();
        }
    } else {
        memcpy(model->packet + packet_message_at(&work->packet) + from,
               work->frame + WORK_HEAD_LEN + from, work->copy_end - from);
    }
    if (frame_write_head(work, model->packet, end) < 0) {
        abort();
    }
}

void model_run(struct model *model, const struct model_tables *tables,
               const struct model_room *room, const uint8_t *frame, size_t len,
               struct model_result *ret_result)
{
    struct work *work = &model->work;
    enum fast_reason reason = model_admit(work, tables, frame, len);

    *ret_result = (struct model_result){0};
    if (reason == ANSWER_OK) {
        reason = model_answer(work, tables);
    }
    if (reason == ANSWER_OK) {
        reason = model_grow(work, room, len, &ret_result->growth);
    }
    ret_result->reason = reason;
    if (reason == ANSWER_OK) {
        ret_result->answered = true;
        ret_result->answer = work->answer;
        model_send(model, frame, len, ret_result->growth);
        ret_result->frame = model->packet;
        ret_result->frame_len = work->frame_len;
        ret_result->message_at = packet_message_at(&work->packet);
        ret_result->message_len = work->at;
    }
}
