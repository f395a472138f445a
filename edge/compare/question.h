/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One query to ask two servers: what it consists of, its bytes, and its one-line text, from which
 * the same query can be made again (question_text.h). Values only; nothing is owned.
 */
#ifndef EDGE_COMPARE_QUESTION_H
#define EDGE_COMPARE_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "edge/wire/name.h"

#define QUESTION_WIRE_MAX 4096u    /* longer queries are not asked */
#define QUESTION_OPTIONS_MAX 1024u /* of an OPT record, bytes */
#define QUESTION_TEXT_MAX (NAME_TEXT_LEN + 64 + 2 * QUESTION_WIRE_MAX + 256)

struct question {
    bool raw; /* only `wire` and `tcp` say what is asked: a message made or caught as it is */
    bool tcp;
    bool edns;
    bool dnssec_ok;
    uint8_t version;  /* of EDNS */
    uint16_t payload; /* the EDNS UDP payload size we announce */
    uint16_t flags;   /* the header's second word */
    uint16_t type;
    uint16_t class;
    uint16_t options_len;
    uint16_t wire_len;
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1]; /* letters as they are asked */
    uint8_t options[QUESTION_OPTIONS_MAX];       /* the RDATA of the OPT record */
    uint8_t wire[QUESTION_WIRE_MAX];             /* filled by question_render(); the id is zero */
};

/* Class IN, flag RD, no EDNS. `name` in wire form. */
void question_init(struct question *ret_question, const uint8_t *name, uint16_t type);

/* Without EDNS yet: version 0, payload 1232. */
void question_need_edns(struct question *question);

/* -ENOSPC when there is no more room for options. */
int question_add_option(struct question *question, uint16_t code, const uint8_t *bytes, size_t len);

/* Client subnet (RFC 7871 section 6); scope 0, host bits cleared. Replaces one there is. */
int question_set_subnet(struct question *question, const struct prefix *subnet);

bool question_has_option(const struct question *question, uint16_t code);

/* Takes an option out, as often as it is there. */
void question_remove_option(struct question *question, uint16_t code);

/* Fills `wire` from the rest; does nothing for a raw question. */
void question_render(struct question *question);

/* Makes a raw question of any bytes; the id is cleared. -EMSGSIZE, or -EINVAL when shorter than an
 * id. */
int question_from_bytes(struct question *ret_question, const uint8_t *bytes, size_t len, bool tcp);

/* Makes a question of a query that was caught: what can be said in fields is, so that options can
 * be changed; the rest becomes raw. A server's part of a cookie is taken out, since it only fits
 * the server that gave it (RFC 7873 section 5.3). -EPERM for what is no query that may be asked
 * again: responses, other opcodes (an UPDATE would change the server), transfers, signed queries
 * (TSIG). */
int question_from_query(struct question *ret_question, const uint8_t *bytes, size_t len, bool tcp);

/* A line that question_text_parse() reads; returns `ret_text`. */
const char *question_format(const struct question *question,
                            char ret_text[static QUESTION_TEXT_MAX]);

#endif
