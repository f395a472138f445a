/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * RRsets into the wire form that answers copy (see zone.h). Part of building a zone, never of
 * answering.
 */
#ifndef EDGE_ZONE_RENDER_H
#define EDGE_ZONE_RENDER_H

#include <stddef.h>
#include <stdint.h>

#include "edge/zone/zone.h"

struct arena;

struct render_rr {
    const uint8_t *rdata;
    uint32_t rdata_len;
    uint32_t ttl;
};

/* More than this fits into no message beside a question. */
#define RENDER_WIRE_MAX 65000u

/* At most so many bytes of the arena does zone_render() take for a record, but for the target of an
 * alias. */
size_t zone_render_room(uint16_t type, size_t rdata_len);

/* `rrs` are well-formed (rdata_check): `rr_n` records, at least one, and after them `sig_n` RRSIG
 * records over them, whose TTL becomes that of the set (RFC 4034 section 3). -E2BIG, -ENOMEM. */
int zone_render(struct arena *arena, const uint8_t *owner, uint16_t type,
                const struct render_rr *rrs, uint32_t rr_n, uint32_t sig_n,
                struct zone_rrset *ret_rrset);

/* Finds the addresses this zone has for the names in NS, MX and SRV records. The zone's table is
 * ready; `rrsets` is the one array that all its nodes point into, still writable. 0 or -ENOMEM. */
int zone_render_additional(struct zone *zone, struct zone_rrset *rrsets);

#endif
