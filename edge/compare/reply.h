/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A response, taken apart with libknot, which knows the RDATA of every type and where names may be
 * compressed. What it refuses is kept as a malformed message: header and bytes still say something.
 */
#ifndef EDGE_COMPARE_REPLY_H
#define EDGE_COMPARE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libknot/libknot.h>

struct reply {
    uint8_t *bytes; /* owned, with the id zero */
    size_t len;
    const char *malformed; /* why, or NULL */
    uint16_t flags;        /* the header's second word */
    uint16_t rcode;        /* with the upper bits of an OPT record */
    knot_pkt_t *packet;    /* owned; NULL when malformed */
};

/* Copies the bytes. `fold`: names in owners and in RDATA become lower case. 0 or -ENOMEM;
 * reply_done() is safe in both cases. */
int reply_parse(struct reply *ret_reply, const uint8_t *bytes, size_t len, bool fold);

void reply_done(struct reply *reply);

/* The records of a section one after another, OPT and TSIG not among them; *position starts at 0.
 * NULL behind the last. */
const knot_rrset_t *reply_next(const struct reply *reply, knot_section_t section,
                               uint16_t *position);

#endif
