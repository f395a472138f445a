/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A response being composed: question, whole RRsets, nothing past the limit. Copies pre-rendered
 * pieces (edge/zone/zone.h) and knows where in the message the current name stands, so that owners
 * and tails of names are pointers. The first RRset that must be there and does not fit sets
 * `truncated` and closes the response.
 */
#ifndef EDGE_RESPONSE_H
#define EDGE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/zone/zone.h"

#define RESPONSE_STAGES 12 /* names of a CNAME chain, the question's included */

enum response_section {
    RESPONSE_ANSWER,
    RESPONSE_AUTHORITY,
    RESPONSE_ADDITIONAL,
    RESPONSE_SECTIONS,
};

/* A name of `len` bytes: all but its last `tail_len` bytes stand at `at`, followed by a pointer to
 * a suffix of the name of the stage before (tail_len 0: the name stands there in full). */
struct response_place {
    uint16_t at;
    uint8_t len;
    uint8_t tail_len;
};

struct response {
    uint8_t *bytes;
    size_t at;
    size_t limit; /* room for OPT is already taken off */
    uint16_t counts[RESPONSE_SECTIONS];
    bool truncated;
    bool dnssec;   /* signatures go along (RFC 4035 section 3.1.1); response_init() leaves it */
    uint8_t stage; /* of the name RRsets are added for now */
    struct response_place places[RESPONSE_STAGES];
};

/* Leaves the header to the caller. `question` may be NULL. */
void response_init(struct response *response, uint8_t *bytes, size_t limit, const uint8_t *question,
                   size_t question_len);

/* Adds an RRset whose owner is the current name, one of its ancestors, or the wildcard it matched,
 * and with `dnssec` its signatures, or neither. Its TTLs become at most `ttl_max`. False: no room
 * (now truncated). */
bool response_add(struct response *response, enum response_section section,
                  const struct zone_rrset *rrset, uint32_t ttl_max);

/* Adds the signatures of such an RRset without the RRset. */
bool response_add_signatures(struct response *response, enum response_section section,
                             const struct zone_rrset *rrset);

/* Adds an RRset without names to compress, and its signatures if wanted, whose owner is `prefix`,
 * whole labels, followed by the suffix of `suffix_len` bytes of the name of stage `stage`. */
bool response_add_foreign(struct response *response, enum response_section section,
                          const struct zone_rrset *rrset, const uint8_t *prefix, size_t prefix_len,
                          unsigned stage, unsigned suffix_len);

/* Adds `count` address records of the current name: `address_len` is 4 or 16, addresses lie back to
 * back. */
bool response_add_addresses(struct response *response, uint32_t ttl, const uint8_t *addresses,
                            size_t address_len, size_t count);

/* Adds one record of the current name. */
bool response_add_record(struct response *response, enum response_section section, uint16_t type,
                         uint16_t class, uint32_t ttl, const uint8_t *rdata, size_t rdata_len);

/* Part of an RDATA. */
struct response_piece {
    const uint8_t *bytes;
    size_t len;
};

/* Adds one record of the current name whose RDATA is these pieces, to the answer section. */
bool response_add_pieces(struct response *response, uint16_t type, uint32_t ttl,
                         const struct response_piece *pieces, size_t piece_n);

/* Makes the target of the CNAME RRset just added (with response_add, or response_add_record for a
 * synthesised one, then `rrset` is NULL) the current name, also when it found no room: then nothing
 * more is written. False: the chain is too long, or leads past what pointers reach (RFC 1035
 * section 4.1.4). */
bool response_follow(struct response *response, const struct zone_rrset *rrset, size_t target_len);

/* Adds the addresses of the names in `rrset`, which was added at byte `rrset_at`, to the additional
 * section. Required glue that finds no room truncates; the rest is left out. `skip` (may be NULL)
 * says which names to leave out. */
typedef bool (*response_skip)(const void *context, const struct zone_node *node);

void response_add_additional(struct response *response, const struct zone_rrset *rrset,
                             size_t rrset_at, response_skip skip, const void *context);

#endif
