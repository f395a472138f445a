/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gdnsd's `options`: what of them shapes zones, what edge.yaml has a key for, and the rest, which
 * is noted.
 */
#ifndef MAPPER_IMPORT_GDNSD_OPTION_H
#define MAPPER_IMPORT_GDNSD_OPTION_H

#include "mapper/import/gdnsd_zone.h"
#include "mapper/import/model.h"
#include "mapper/import/vscf.h"

struct gdnsd_options {
    struct gdnsd_zone_options zone;
    const char *state_dir;
};

/* `options` may be NULL. -ENOMEM only. */
int gdnsd_options_read(const struct vscf *options, struct model *model,
                       struct gdnsd_options *ret_options);

#endif
