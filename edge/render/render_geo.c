/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Answers that a service chooses. Each PoP's part is what answer() says when nobody else is left,
 * asked twice, with two TTLs: the bytes that differ are the TTL of the service. Then, for every
 * name, what it says with everybody up must be the parts of those it picked. Where aliases of zones
 * lead to the service, they stand in front, the same for all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/render/render_work.h"
#include "edge/service/services.h"
#include "edge/wire/edns.h"
#include "edge/wire/wire.h"

#define RENDER_RR_FIXED 12u /* of a record whose owner is a pointer */
#define RENDER_TTL_AT 6u
#define RENDER_OWN 0xc00cu /* a pointer to the question's name */
#define RENDER_POINTER 0xc000u

/* The column of a service that the last question was answered from. */
static enum map_family render_family(const struct render_work *work)
{
    return work->ask.trace.service->is_alias ? SERVICE_ALIAS_FAMILY : work->ask.trace.family;
}

/* Whether the reply begins with what the service says, of `owner`. */
static bool render_is_of(const struct render_reply *reply, const struct service *service,
                         uint16_t owner, uint16_t qtype)
{
    uint16_t type = service->is_alias ? WIRE_TYPE_CNAME : qtype;

    if (!service->is_alias && qtype != WIRE_TYPE_A && qtype != WIRE_TYPE_AAAA) {
        return false;
    }
    return reply->counts[0] && reply->body_len >= RENDER_RR_FIXED &&
           wire_get_u16(reply->body) == owner && wire_get_u16(reply->body + 2) == type &&
           wire_get_u32(reply->body + RENDER_TTL_AT) == RENDER_TTL_ONE;
}

/* --- what stands in front --- */

/* Up to the first record that is no alias. False: what is there has another form. */
static bool render_front_find(const struct render_reply *reply, struct render_front *front)
{
    *front = (struct render_front){.owner = RENDER_OWN};
    for (; front->rr_n < reply->counts[0]; front->rr_n++) {
        const uint8_t *record = reply->body + front->len;

        if (reply->body_len - front->len < RENDER_RR_FIXED ||
            (wire_get_u16(record) & RENDER_POINTER) != RENDER_POINTER) {
            return false;
        }
        if (wire_get_u16(record + 2) != WIRE_TYPE_CNAME) {
            front->owner = wire_get_u16(record);
            return true;
        }
        front->len += RENDER_RR_FIXED + (size_t)wire_get_u16(record + 10);
        if (front->len > reply->body_len) {
            return false;
        }
    }
    return false;
}

/* The reply without what stands in front; where that is another one than before work->plain, with
 * nothing left. */
static void render_front_drop(const struct render_work *work, struct render_reply *reply)
{
    const struct render_front *front = &work->front;

    if (reply->body_len < front->len || reply->counts[0] < front->rr_n ||
        memcmp(reply->body, work->plain.body - front->len, front->len) != 0) {
        reply->counts[0] = 0;
        reply->body_len = 0;
        return;
    }
    reply->body += front->len;
    reply->body_len -= front->len;
    reply->counts[0] = (uint16_t)(reply->counts[0] - front->rr_n);
}

/* As render_ask(), of what is behind the front. */
static void render_ask_behind(struct render_work *work, const uint8_t *name, uint16_t qtype,
                              enum render_form form, struct render_reply *ret_reply)
{
    render_ask(&work->ask, name, qtype, form, ret_reply);
    render_front_drop(work, ret_reply);
}

/* --- the part of one PoP --- */

static void render_put_ttl(uint8_t *body, const struct template_variant *variant, uint32_t ttl)
{
    for (size_t i = 0; i < variant->ttl_n; i++) {
        wire_put_u32(body + RENDER_TTL_AT + i * variant->ttl_stride, ttl);
    }
}

/* Two replies that differ in the TTL of the service alone become a variant. */
static enum render_reason render_part(struct render_work *work, struct render_reply *one,
                                      struct render_reply *other, struct template_variant *variant)
{
    size_t stride = RENDER_RR_FIXED + (size_t)wire_get_u16(one->body + 10);
    uint8_t *bodies[2] = {one->bytes + (one->body - one->bytes),
                          other->bytes + (other->body - other->bytes)};
    size_t at = RENDER_TTL_AT;

    if (one->counts[1] || one->counts[2]) {
        return RENDER_MIXED;
    }
    *variant = (struct template_variant){
        .body_len = one->body_len, .rr_n = one->counts[0], .ttl_stride = (uint16_t)stride};
    for (; at + 4 <= one->body_len && at + 4 <= other->body_len &&
           wire_get_u32(bodies[0] + at) == RENDER_TTL_ONE &&
           wire_get_u32(bodies[1] + at) == RENDER_TTL_OTHER;
         at += stride) {
        variant->ttl_n++;
    }
    render_put_ttl(bodies[0], variant, 0);
    render_put_ttl(bodies[1], variant, 0);
    variant->body = arena_copy(work->arena, bodies[0], variant->body_len);
    if (!variant->body) {
        work->failed = true;
        return RENDER_FULL;
    }
    if (!variant->ttl_n || !render_reply_same(one, other)) {
        return RENDER_BEHIND;
    }
    render_put_ttl(bodies[0], variant, RENDER_TTL_ONE);
    return RENDER_TAKEN;
}

/* DO, and the spelling of the name, must make no difference to `reply`; DO may. */
static enum render_reason render_forms(struct render_work *work, const uint8_t *name,
                                       uint16_t qtype, const struct render_reply *reply,
                                       uint8_t *attributes)
{
    render_ask_behind(work, name, qtype, RENDER_DO, &work->other);
    if (work->other.outcome.opt_len != EDNS_OPT_LEN) {
        return RENDER_UNUSUAL;
    }
    if (!render_reply_same(reply, &work->other)) {
        *attributes = 0;
        render_ask_behind(work, name, qtype, RENDER_UPPER, &work->other);
        if (!render_reply_same(reply, &work->other)) {
            return RENDER_SPELLING;
        }
    }
    return RENDER_TAKEN;
}

/* Whether the chain that begins where this PoP's alias leads comes back to the service. Then it
 * ends where the question's own name is met again, and names of one length differ. */
static bool render_comes_back(struct render_work *work, const struct service *service, unsigned pop,
                              uint16_t qtype)
{
    const uint8_t *target = service->addresses[SERVICE_ALIAS_FAMILY][pop].bytes;
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1] = {0};

    if (!service->is_alias || qtype == WIRE_TYPE_CNAME) {
        return false;
    }
    name_fold(name, target, name_len(target));
    render_ask(&work->ask, name, qtype, RENDER_PLAIN, &work->other);
    return work->ask.trace.service == service;
}

static enum render_reason render_pop(struct render_work *work, const struct service *service,
                                     unsigned pop, const uint8_t *name, uint16_t qtype,
                                     uint8_t *attributes, struct template_variant *variant)
{
    const struct render_reply *one = &work->upper;
    enum render_reason reason;

    render_ask_force(&work->ask, service, pop, RENDER_TTL_OTHER);
    render_ask_behind(work, name, qtype, RENDER_PLAIN, &work->other);
    render_ask_force(&work->ask, service, pop, RENDER_TTL_ONE);
    render_ask_behind(work, name, qtype, RENDER_PLAIN, &work->upper);
    if (one->outcome.kind != ANSWER_GEO || one->outcome.truncated ||
        work->ask.trace.service != service || work->ask.trace.picks.count != 1 ||
        work->ask.trace.picks.pop[0] != pop || one->flags != work->plain.flags ||
        !render_is_of(one, service, work->front.owner, qtype)) {
        return RENDER_UNUSUAL;
    }
    reason = render_part(work, &work->upper, &work->other, variant);
    if (reason == RENDER_TAKEN && render_comes_back(work, service, pop, qtype)) {
        return RENDER_BEHIND;
    }
    return reason != RENDER_TAKEN ? reason : render_forms(work, name, qtype, one, attributes);
}

/* --- all of them --- */

static enum render_reason render_parts(struct render_work *work, const struct service *service,
                                       enum map_family family, const uint8_t *name,
                                       struct render_variants *variants)
{
    struct template_variant *by_pop = arena_alloc(work->arena, MAP_STATES * sizeof(*by_pop));
    enum render_reason reason = RENDER_TAKEN;

    if (!by_pop) {
        work->failed = true;
        return RENDER_FULL;
    }
    variants->variants = by_pop;
    for (unsigned pop = 0; pop < MAP_STATES && reason == RENDER_TAKEN; pop++) {
        if (service->addresses[family][pop].count) {
            reason = render_pop(work, service, pop, name, variants->qtype, &variants->attributes,
                                &by_pop[pop]);
        }
    }
    render_ask_release(&work->ask, service);
    if (reason != RENDER_TAKEN) {
        return reason;
    }
    return render_added(work, template_builder_add_variants(work->builder,
                                                            &(struct template_variants){by_pop},
                                                            &variants->block));
}

static struct render_variants *render_variants_new(struct render_work *work)
{
    if (work->variants_n == work->variants_room) {
        uint32_t room = work->variants_room ? work->variants_room * 2 : 16;
        struct render_variants *variants = realloc(work->variants, room * sizeof(*variants));

        if (!variants) {
            work->failed = true;
            return NULL;
        }
        work->variants = variants;
        work->variants_room = room;
    }
    return &work->variants[work->variants_n++];
}

/* The variants for such a name and type, made when there are none. NULL: out of memory. */
static const struct render_variants *render_variants_get(struct render_work *work,
                                                         const struct service *service,
                                                         const uint8_t *name, uint16_t qtype)
{
    uint16_t place = service->is_alias ? (uint16_t)name_len(name) : work->front.owner;
    enum map_family family = render_family(work);
    struct render_variants *variants;
    uint32_t number = work->first[service->index];

    for (; number; number = work->variants[number - 1].next) {
        variants = &work->variants[number - 1];
        if (variants->qtype == qtype && variants->place == place) {
            return variants;
        }
    }
    variants = render_variants_new(work);
    if (!variants) {
        return NULL;
    }
    *variants = (struct render_variants){.next = work->first[service->index],
                                         .qtype = qtype,
                                         .place = place,
                                         .attributes = FAST_DO_SAME};
    work->first[service->index] = work->variants_n;
    variants->reason = render_parts(work, service, family, name, variants);
    return variants;
}

/* Whether work->plain is what the variants of the picks say, one after the other. */
static bool render_is_composed(const struct render_work *work,
                               const struct render_variants *variants,
                               const struct map_picks *picks, unsigned want)
{
    const struct render_reply *plain = &work->plain;
    size_t at = 0;
    unsigned rr_n = 0;

    if (!picks->count || plain->counts[1] || plain->counts[2]) {
        return false;
    }
    for (unsigned i = 0; i < picks->count && i < want; i++) {
        const struct template_variant *variant = &variants->variants[picks->pop[i]];
        static const size_t ttl_end = RENDER_TTL_AT + 4;

        if (!variant->body_len || variant->body_len > plain->body_len - at) {
            return false;
        }
        for (size_t k = 0, from = 0; k <= variant->ttl_n; k++) {
            /* what lies between the TTLs, and each of these */
            size_t to =
                k < variant->ttl_n ? k * variant->ttl_stride + RENDER_TTL_AT : variant->body_len;

            if (memcmp(plain->body + at + from, variant->body + from, to - from) != 0 ||
                (k < variant->ttl_n && wire_get_u32(plain->body + at + to) != RENDER_TTL_ONE)) {
                return false;
            }
            from = k * variant->ttl_stride + ttl_end;
        }
        at += variant->body_len;
        rr_n += variant->rr_n;
    }
    return at == plain->body_len && rr_n == plain->counts[0];
}

enum render_reason render_geo(struct render_work *work, const uint8_t *name, uint16_t qtype)
{
    const struct service *service = work->ask.trace.service;
    const struct map_picks picks = work->ask.trace.picks;
    struct template_geo answer = {.name = name, .qtype = qtype, .flags = work->plain.flags};
    const struct render_variants *variants;
    enum render_reason reason;

    work->front = (struct render_front){.owner = RENDER_OWN};
    if (!service || (!service->is_alias && !render_front_find(&work->plain, &work->front))) {
        return RENDER_BEHIND;
    }
    answer.front = work->plain.body;
    answer.front_len = work->front.len;
    answer.front_rr_n = work->front.rr_n;
    work->plain.body += work->front.len;
    work->plain.body_len -= work->front.len;
    work->plain.counts[0] = (uint16_t)(work->plain.counts[0] - work->front.rr_n);
    if (!render_is_of(&work->plain, service, work->front.owner, qtype)) {
        return RENDER_BEHIND;
    }
    answer.service = service->index;
    answer.map = (uint16_t)service->map;
    answer.family = (uint8_t)render_family(work);
    answer.want = service->is_alias ? 1 : (uint8_t)service->pops_per_answer;
    variants = render_variants_get(work, service, name, qtype);
    if (!variants || variants->reason != RENDER_TAKEN) {
        return variants ? variants->reason : RENDER_FULL;
    }
    if (!render_is_composed(work, variants, &picks, answer.want)) {
        return RENDER_UNUSUAL;
    }
    answer.attributes = variants->attributes;
    reason = render_forms(work, name, qtype, &work->plain, &answer.attributes);
    if (reason != RENDER_TAKEN) {
        return reason;
    }
    answer.variants = variants->block;
    return render_added(work, template_builder_add_geo(work->builder, &answer));
}
