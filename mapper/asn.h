/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Origin ASes from CSV rows start,end,asn[,name], by address range: what the global routing table
 * says about who runs a network. Ranges are clipped to whole /24 and /56 blocks. Built once, then
 * immutable.
 */
#ifndef MAPPER_ASN_H
#define MAPPER_ASN_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/config.h"
#include "mapper/line_stream.h"
#include "mapper/steps.h"

struct asn_range {
    uint64_t first_hi;
    uint64_t last_hi;
    uint32_t asn;
    uint32_t order; /* of appearance: where ranges overlap, the later one in address order and then
                       here wins */
};

struct asn_table {
    struct steps networks[MAP_FAMILIES]; /* values are indexes into asn[], one per range */
    uint32_t *asn;
    size_t n;
    struct asn_range *range[MAP_FAMILIES]; /* while reading */
    size_t range_n[MAP_FAMILIES];
    size_t range_capacity[MAP_FAMILIES];
};

/* Reads all files of config->asn. "FILE:LINE: reason" on failure. */
int asn_load(const struct config *config, struct asn_table *ret_table, struct failure *failure);

/* Adds the rows of one stream; then asn_finish(). */
int asn_read(struct asn_table *table, struct line_stream *stream, struct failure *failure);
int asn_finish(struct asn_table *table);

void asn_done(struct asn_table *table);

#endif
