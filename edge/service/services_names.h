/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a service may stand: checks a name of services.yaml against the zones. Part of loading
 * services.
 */
#ifndef EDGE_SERVICES_NAMES_H
#define EDGE_SERVICES_NAMES_H

#include "base/failure.h"

struct name_key;
struct ns_targets;
struct service;
struct yaml_node;
struct zone_set;

/* `node` is the entry of the names map: its key is the name. Fails with FILE:LINE:COL: reason. */
int services_check_name(const struct zone_set *zones, const struct ns_targets *ns_targets,
                        const struct service *service, const struct name_key *name,
                        const struct yaml_node *node, struct failure *failure);

#endif
