/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a brain tells its holder about a configuration.
 */
#ifndef BGP_PLAN_H
#define BGP_PLAN_H

#include "base/failure.h"
#include "bgp/config/config.h"
#include "bgp/link/link.h"

/* 0, or -ENAMETOOLONG if the path of the lock (CONTROL.lock) is too long. */
int plan_make(const struct config *config, struct link_plan *ret_plan, struct failure *failure);

#endif
