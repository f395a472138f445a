/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Special-purpose addresses (RFC 6890 and its registries): nobody on the Internet has them, so no
 * ranking can be true for them; the client table says SPECIAL there and the resolver's own address
 * decides.
 */
#ifndef MAPPER_SPECIAL_H
#define MAPPER_SPECIAL_H

#include "mapper/steps.h"

enum special_kind {
    SPECIAL_DOCUMENTATION =
        1,               /* RFC 5737, 3849, 9637: special unless somebody measured or pinned it */
    SPECIAL_PURPOSE = 2, /* never a client */
    SPECIAL_FOLDED =
        3, /* IPv6 ranges that stand for IPv4: their keys are never looked up in the IPv6 table */
};

/* Values are enum special_kind, STEPS_NONE elsewhere; starts lie on /24 and /56, what is finer is
 * widened to that. -ENOMEM. */
int special_steps(enum map_family family, struct steps *ret_steps);

/* The kind at the first address of a block, 0 for ordinary addresses. Exact, not widened. */
int special_find(enum map_family family, struct map_key key);

#endif
