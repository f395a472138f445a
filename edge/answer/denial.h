/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Proofs that go along with an answer from a signed zone when the query has DO: which NSEC or NSEC3
 * records say that a name, a type or a closer match does not exist. They are collected while a
 * chain is followed, each once, and written when the answer section is complete.
 */
#ifndef EDGE_DENIAL_H
#define EDGE_DENIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/answer/response.h"

struct answer_match;
struct answer_scratch;
struct zone;
struct zone_node;
struct zone_rrset;

/* One for each expanded wildcard of a chain, three for its end. */
#define DENIAL_PROOFS_MAX (RESPONSE_STAGES + 3)

struct denial_proof {
    const struct zone_rrset *rrset; /* NSEC, NSEC3, or the DS of a referral */
    const uint8_t *prefix;          /* of the owner; NULL: the label of `hash` */
    const uint8_t *hash;
    uint8_t prefix_len;
    uint8_t stage;      /* of the chain: its name ends as the owner does, */
    uint8_t suffix_len; /* by this many bytes */
};

struct denial {
    unsigned proof_n;
    bool collided; /* a name that does not exist has the hash of one that does: no proof can be.
                      Then proof_n is not 0 until answer_fail(); false between queries */
    struct denial_proof proofs[DENIAL_PROOFS_MAX];
};

/* What each proves is about the current name; all do nothing in a zone that is not signed. */

/* The name exists, or was made from a wildcard, but has not the type. */
void denial_add_nodata(struct answer_scratch *work, const struct answer_match *match);

/* Nothing is closer than the wildcard that was expanded. */
void denial_add_expansion(struct answer_scratch *work, const struct answer_match *match);

/* Neither the name nor a wildcard for it exists; `encloser` is its closest encloser. */
void denial_add_nxdomain(struct answer_scratch *work, const struct zone *zone,
                         const struct zone_node *encloser);

/* The delegation at or above the name is signed, or provably is not. */
void denial_add_referral(struct answer_scratch *work, const struct zone *zone,
                         const struct zone_node *cut);

/* Puts what was collected into the authority section, unless hashes collided. */
void denial_write(struct answer_scratch *work);

#endif
