/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * --once: every check one time, and what that would mean for each VIP, without ExaBGP.
 */
#ifndef BGP_ONCE_H
#define BGP_ONCE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"
#include "bgp/config/config.h"

/* Prints a table, or one JSON object. *ret_good: every VIP would be announced. */
int once_run(const struct config *config, FILE *file, bool json, bool *ret_good,
             struct failure *failure);

#endif
