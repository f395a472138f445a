/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One name and type: is the answer one that a template can give, and which?
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/answer/snapshot.h"
#include "edge/render/render_work.h"
#include "edge/service/services.h"
#include "edge/wire/edns.h"
#include "edge/wire/wire.h"

const char *render_reason_name(enum render_reason reason)
{
    static const char *const names[RENDER_REASONS] = {
        [RENDER_TAKEN] = "taken",       [RENDER_TWICE] = "twice",
        [RENDER_FULL] = "full",         [RENDER_LARGE] = "large",
        [RENDER_NEGATIVE] = "negative", [RENDER_ELSEWHERE] = "elsewhere",
        [RENDER_FAILING] = "failing",   [RENDER_UNUSUAL] = "unusual",
        [RENDER_BEHIND] = "behind",     [RENDER_MIXED] = "mixed",
        [RENDER_SPELLING] = "spelling",
    };

    return names[reason];
}

int render_work_init(struct render_work *work, const struct snapshot *snapshot, uint32_t block_max,
                     uint64_t seed)
{
    *work = (struct render_work){
        .builder = template_builder_new(block_max, seed),
        .arena = arena_new(),
        .first = calloc(services_count(snapshot->services) + 1u, sizeof(*work->first))};
    if (!work->builder || !work->arena || !work->first ||
        render_ask_init(&work->ask, snapshot) < 0) {
        render_work_done(work);
        return -ENOMEM;
    }
    return 0;
}

void render_work_done(struct render_work *work)
{
    template_builder_free(work->builder);
    render_ask_done(&work->ask);
    arena_free(work->arena);
    free(work->first);
    free(work->variants);
}

enum render_reason render_added(struct render_work *work, int status)
{
    if (status == -EEXIST) {
        return RENDER_TWICE;
    }
    if (status < 0) {
        work->failed = true;
    }
    return status == 1 ? RENDER_TAKEN : RENDER_FULL;
}

/* The kinds of answers that templates give; RENDER_TAKEN: this may be one. */
static enum render_reason render_judge_kind(const struct answer_outcome *outcome)
{
    switch (outcome->kind) {
    case ANSWER_POSITIVE:
    case ANSWER_NODATA:
    case ANSWER_GEO:
        return RENDER_TAKEN;
    case ANSWER_NXDOMAIN:
        return RENDER_NEGATIVE;
    case ANSWER_REFERRAL:
    case ANSWER_REFUSED:
        return RENDER_ELSEWHERE;
    case ANSWER_SERVFAIL:
    case ANSWER_GEO_EMPTY:
        return RENDER_FAILING;
    case ANSWER_DROPPED:
    case ANSWER_CHAOS:
    case ANSWER_FORMERR:
    case ANSWER_NOTIMP:
    case ANSWER_BADVERS:
    case ANSWER_COOKIE:
    case ANSWER_NOTAUTH:
    case ANSWER_KINDS:
        break;
    }
    return RENDER_UNUSUAL;
}

static enum render_reason render_static(struct render_work *work, const uint8_t *name,
                                        uint16_t qtype)
{
    const struct render_reply *plain = &work->plain;
    struct template_static answer = {
        .name = name,
        .qtype = qtype,
        .flags = plain->flags,
        .counts = {plain->counts[0], plain->counts[1], plain->counts[2]},
        .answer = plain->outcome.kind == ANSWER_NODATA ? FAST_ANSWER_NODATA : FAST_ANSWER_POSITIVE,
        .attributes = FAST_DO_SAME,
        .body = plain->body,
        .body_len = plain->body_len};

    if (plain->body_len > FAST_BODY_MAX) {
        return RENDER_LARGE;
    }
    render_ask(&work->ask, name, qtype, RENDER_DO, &work->upper);
    if (work->upper.outcome.opt_len != EDNS_OPT_LEN) {
        return RENDER_UNUSUAL;
    }
    if (!render_reply_same(plain, &work->upper)) {
        answer.attributes = 0;
        render_ask(&work->ask, name, qtype, RENDER_UPPER, &work->upper);
        if (!render_reply_same(plain, &work->upper)) {
            return RENDER_SPELLING;
        }
    }
    return render_added(work, template_builder_add_static(work->builder, &answer));
}

enum render_reason render_one(struct render_work *work, const uint8_t *name, uint16_t qtype)
{
    const struct render_reply *plain = &work->plain;
    enum render_reason reason;

    render_ask(&work->ask, name, qtype, RENDER_PLAIN, &work->plain);
    reason = render_judge_kind(&plain->outcome);
    if (reason != RENDER_TAKEN) {
        return reason;
    }
    if (plain->outcome.truncated || plain->outcome.rcode != WIRE_RCODE_NOERROR ||
        plain->flags != (WIRE_FLAG_QR | WIRE_FLAG_AA)) {
        return RENDER_UNUSUAL;
    }
    if (work->ask.trace.geo || plain->outcome.kind == ANSWER_GEO) {
        return render_geo(work, name, qtype);
    }
    return render_static(work, name, qtype);
}

enum render_reason render_judge(const struct snapshot *snapshot,
                                const struct render_question *question)
{
    /* a service's variants can need as many bytes as all its PoPs have */
    const uint32_t block_max = 4 + MAP_STATES;
    struct render_work *work = malloc(sizeof(*work));
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1] = {0};
    enum render_reason reason = RENDER_FULL;

    if (work && render_work_init(work, snapshot, block_max, 0) == 0) {
        name_fold(name, question->name, name_len(question->name));
        reason = render_one(work, name, question->qtype);
        render_work_done(work);
    }
    free(work);
    return reason;
}
