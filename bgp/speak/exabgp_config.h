/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writes the exabgp.conf that goes with a bgp.yaml that names its neighbors.
 */
#ifndef BGP_EXABGP_CONFIG_H
#define BGP_EXABGP_CONFIG_H

#include <stdio.h>

#include "base/failure.h"
#include "bgp/config/config.h"

/* `program` is what ExaBGP is to start, `config_path` its bgp.yaml: absolute paths without
 * characters that ExaBGP would take apart, else -EINVAL. */
int exabgp_config_write(FILE *file, const struct config *config, const char *program,
                        const char *config_path, struct failure *failure);

#endif
