/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A whole configuration of gdnsd 3: `config`, zones/, geoip/ and admin_state, into the model that
 * writer.h writes. The way: vscf -> gdnsd_geo, gdnsd_resource -> gdnsd_zone -> gdnsd_service ->
 * gdnsd_state.
 */
#ifndef MAPPER_IMPORT_GDNSD_H
#define MAPPER_IMPORT_GDNSD_H

#include "base/failure.h"
#include "mapper/import/model.h"

/* `folder` is gdnsd's configuration folder; `state_file` its admin_state, NULL: where the
 * configuration says. 0 also when lines were left out: see model->notes. "FILE:LINE: reason" when
 * the configuration cannot be read at all. */
int gdnsd_import(const char *folder, const char *state_file, struct model *model,
                 struct failure *failure);

#endif
