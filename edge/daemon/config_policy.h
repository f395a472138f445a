/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `services: {folder: ..., tenants: ...}` of edge.yaml: which file of the folder may say what. Part
 * of reading the configuration.
 */
#ifndef EDGE_CONFIG_POLICY_H
#define EDGE_CONFIG_POLICY_H

#include "base/failure.h"
#include "edge/service/services.h"

struct arena;
struct yaml_node;

/* `node` is a map that has a folder. What the policy holds lives in the arena. */
int config_read_policy(struct arena *arena, const struct yaml_node *node,
                       struct services_policy *ret_policy, struct failure *failure);

#endif
