/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Asks answer() what a query would be answered, under states of our own making. One thread.
 */
#ifndef EDGE_RENDER_ASK_H
#define EDGE_RENDER_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/answer/answer.h"
#include "edge/wire/name.h"

struct service;
struct snapshot;
struct state_set;

/* TTLs of services that are no zone's. Two of them show which bytes are the TTL. */
#define RENDER_TTL_ONE 0x2b6d94c1u
#define RENDER_TTL_OTHER 0x54926b3eu

enum render_form {
    RENDER_PLAIN, /* lower case, no EDNS */
    RENDER_UPPER, /* upper case, no EDNS */
    RENDER_DO,    /* upper case, EDNS with DO */
};

struct render_reply {
    struct answer_outcome outcome;
    uint16_t flags;     /* of the header */
    uint16_t counts[3]; /* without OPT */
    size_t body_len;
    const uint8_t *body;
    uint8_t bytes[ANSWER_RESPONSE_MAX];
};

struct render_ask {
    struct answer_scratch *scratch;
    struct answer_trace trace; /* of the last question */
    struct state_set *states;  /* written between questions; nobody else has them */
    struct snapshot *snapshot; /* the one to render, but with these states */
    uint64_t asked_n;
    uint8_t query[12 + NAME_LEN_MAX + 4 + 11];
};

/* 0 or -ENOMEM. Everything with an address is up. */
int render_ask_init(struct render_ask *ask, const struct snapshot *snapshot);
void render_ask_done(struct render_ask *ask); /* zeroed memory is allowed */

/* `name` in lower case. */
void render_ask(struct render_ask *ask, const uint8_t *name, uint16_t qtype, enum render_form form,
                struct render_reply *ret_reply);

/* From now on this PoP alone is up for the service ... */
void render_ask_force(struct render_ask *ask, const struct service *service, unsigned pop,
                      uint32_t ttl);
/* ... or everybody again. */
void render_ask_release(struct render_ask *ask, const struct service *service);

/* Two replies say the same but for their question and OPT record. */
bool render_reply_same(const struct render_reply *one, const struct render_reply *other);

#endif
