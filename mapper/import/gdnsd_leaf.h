/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sets of addresses at the end of gdnsd's references, as multifo, weighted, simplefo, static
 * and null configure them.
 */
#ifndef MAPPER_IMPORT_GDNSD_LEAF_H
#define MAPPER_IMPORT_GDNSD_LEAF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/arena.h"
#include "mapper/import/notes.h"
#include "mapper/import/vscf.h"

struct gdnsd_leaf {
    const struct address *address; /* the arena's */
    size_t address_n;
    const char *target; /* of a CNAME, absolute; NULL: addresses */
    const struct vscf *service_types;
    double up_thresh;
};

struct gdnsd_leaf_reader {
    struct arena *arena;
    struct notes *notes;
    const struct vscf *inherited[4]; /* whose settings hold, nearest first; NULLs are skipped */
};

/* All return 0, -EINVAL after a note at the node, or -ENOMEM. */
int gdnsd_leaf_multifo(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                       struct gdnsd_leaf *ret_leaf);

/* All addresses; what becomes of the weights is noted. */
int gdnsd_leaf_weighted(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                        struct gdnsd_leaf *ret_leaf);

/* `rank` is "primary" or "secondary". */
int gdnsd_leaf_simplefo(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                        const char *rank, struct gdnsd_leaf *ret_leaf);

/* One address or one domain name. */
int gdnsd_leaf_static(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                      struct gdnsd_leaf *ret_leaf);

/* 0.0.0.0 and ::. */
int gdnsd_leaf_null(struct gdnsd_leaf *ret_leaf);

/* The value of `key` in the node itself (may be NULL) or what it inherits from; NULL if nowhere. */
const struct vscf *gdnsd_leaf_setting(const struct gdnsd_leaf_reader *reader,
                                      const struct vscf *node, const char *key);

/* No address, so a name for a CNAME. */
bool gdnsd_leaf_is_name(const char *text);

#endif
