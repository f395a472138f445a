/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `export-nets`: a map's client space as the `nets` file of gdnsd's geoip plugin, so that the
 * server an operator runs today can be fed from measurements. PoP names become datacenter names.
 */
#ifndef MAPPER_EXPORT_H
#define MAPPER_EXPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/failure.h"
#include "maps/image.h"

/* At most `top` datacenters per network (0: all the record has). Special-purpose blocks are left
 * out. */
int export_nets(const struct image *image, uint32_t map, unsigned top, FILE *out,
                struct failure *failure);

#endif
