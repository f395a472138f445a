/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/render/render_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "edge/answer/snapshot.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/edns.h"
#include "edge/wire/wire.h"

void render_ask_release(struct render_ask *ask, const struct service *service)
{
    struct state_table *table = &ask->states->tables[service->index];

    table->ttl = RENDER_TTL_ONE;
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        for (unsigned pop = 0; pop < MAP_STATES; pop++) {
            table->states[family][pop] =
                service->addresses[family][pop].count ? 0 : MAP_STATE_ABSENT;
        }
    }
}

void render_ask_force(struct render_ask *ask, const struct service *service, unsigned pop,
                      uint32_t ttl)
{
    struct state_table *table = &ask->states->tables[service->index];

    table->ttl = ttl;
    memset(table->states, MAP_STATE_ABSENT, sizeof(table->states));
    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        if (service->addresses[family][pop].count) {
            table->states[family][pop] = 0;
        }
    }
}

int render_ask_init(struct render_ask *ask, const struct snapshot *snapshot)
{
    uint32_t service_n = services_count(snapshot->services);

    *ask = (struct render_ask){.scratch = answer_scratch_new(), .states = state_set_new(service_n)};
    if (ask->states) {
        ask->snapshot = snapshot_new(snapshot->zones, snapshot->services, snapshot->image,
                                     ask->states, &snapshot->info);
    }
    if (!ask->scratch || !ask->snapshot) {
        render_ask_done(ask);
        return -ENOMEM;
    }
    answer_scratch_trace(ask->scratch, &ask->trace);
    for (uint32_t i = 0; i < service_n; i++) {
        render_ask_release(ask, services_get(snapshot->services, i));
    }
    return 0;
}

void render_ask_done(struct render_ask *ask)
{
    answer_scratch_free(ask->scratch);
    snapshot_free(ask->snapshot);
    state_set_unref(ask->states);
    *ask = (struct render_ask){0};
}

/* Letters only: a length may look like one of the others. */
static void render_upper(uint8_t *name)
{
    for (; name[0]; name += name[0] + 1u) {
        for (unsigned i = 1; i <= name[0]; i++) {
            if (name[i] >= 'a' && name[i] <= 'z') {
                name[i] = (uint8_t)(name[i] - 0x20);
            }
        }
    }
}

static size_t render_query(uint8_t *query, const uint8_t *name, uint16_t qtype,
                           enum render_form form)
{
    size_t len = name_len(name);
    uint8_t *at = query + WIRE_HEADER_LEN;

    memset(query, 0, WIRE_HEADER_LEN);
    wire_put_u16(query + 4, 1);
    memcpy(at, name, len);
    if (form != RENDER_PLAIN) {
        render_upper(at);
    }
    at += len;
    wire_put_u16(at, qtype);
    wire_put_u16(at + 2, WIRE_CLASS_IN);
    at += 4;
    if (form == RENDER_DO) {
        wire_put_u16(query + 10, 1);
        memset(at, 0, EDNS_OPT_LEN);
        wire_put_u16(at + 1, WIRE_TYPE_OPT);
        wire_put_u16(at + 3, EDNS_UDP_MAX);
        wire_put_u16(at + 7, 0x8000); /* DO (RFC 6891 section 6.1.4) */
        at += EDNS_OPT_LEN;
    }
    return (size_t)(at - query);
}

void render_ask(struct render_ask *ask, const uint8_t *name, uint16_t qtype, enum render_form form,
                struct render_reply *ret_reply)
{
    /* over TCP the whole answer comes; over UDP nothing else, or it is truncated */
    struct answer_request request = {.query = ask->query,
                                     .query_len = render_query(ask->query, name, qtype, form),
                                     .transport = ANSWER_TCP};
    size_t len = answer(ask->scratch, ask->snapshot, &request, ret_reply->bytes,
                        sizeof(ret_reply->bytes), &ret_reply->outcome);
    size_t head_len = WIRE_HEADER_LEN + (size_t)ret_reply->outcome.question_len;

    ask->asked_n++;
    ret_reply->flags = wire_get_u16(ret_reply->bytes + 2);
    for (size_t i = 0; i < 3; i++) {
        ret_reply->counts[i] = wire_get_u16(ret_reply->bytes + 6 + 2 * i);
    }
    ret_reply->counts[2] = (uint16_t)(ret_reply->counts[2] - ret_reply->outcome.edns);
    ret_reply->body = ret_reply->bytes + head_len;
    ret_reply->body_len = len - head_len - ret_reply->outcome.opt_len;
}

bool render_reply_same(const struct render_reply *one, const struct render_reply *other)
{
    return one->flags == other->flags &&
           memcmp(one->counts, other->counts, sizeof(one->counts)) == 0 &&
           one->body_len == other->body_len && memcmp(one->body, other->body, one->body_len) == 0;
}
