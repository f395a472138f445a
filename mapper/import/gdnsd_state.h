/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gdnsd's admin_state (gdnsd(8) "ADMIN STATE FILE") as states of PoPs, and what gdnsd watched, as
 * text for whoever feeds health from now on.
 */
#ifndef MAPPER_IMPORT_GDNSD_STATE_H
#define MAPPER_IMPORT_GDNSD_STATE_H

#include "base/failure.h"
#include "mapper/import/gdnsd_service.h"

/* A missing file says nothing. -ENOMEM only; anything else is noted. */
int gdnsd_states_read(const char *path, const struct gdnsd_services *services,
                      struct failure *failure);

/* Lists in model->monitoring, per service type, what it watched. `types` is the `service_types`
 * hash, NULL: none. */
int gdnsd_monitoring_list(const struct vscf *types, const struct gdnsd_services *services);

#endif
