/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the server has to know about the RDATA of a few types: where names stand in it. All other
 * types are opaque (RFC 3597), CAA (RFC 8659) and TLSA (RFC 6698) among them.
 */
#ifndef EDGE_RDATA_H
#define EDGE_RDATA_H

#include <stdbool.h>
#include <stdint.h>

#define RDATA_REST 255 /* any number of bytes */

struct rdata_layout {
    uint16_t type;
    uint8_t before; /* bytes before the names */
    uint8_t name_n;
    uint8_t after;   /* bytes after them, or RDATA_REST */
    bool compressed; /* names may be compressed: RFC 1035 types only (RFC 3597 section 4) */
};

/* NULL: opaque. */
const struct rdata_layout *rdata_layout(uint16_t type);

/* Whether the bytes have the form the layout says, or, for the types of DNSSEC, the form that
 * proofs are made from (RFC 4034, RFC 5155); true for opaque types. */
bool rdata_check(uint16_t type, const uint8_t *rdata, uint32_t len);

/* Whether a type bit map (RFC 4034 section 4.1.2), well-formed, has the type. */
bool rdata_bitmap_has(const uint8_t *bitmap, uint32_t len, uint16_t type);

#endif
