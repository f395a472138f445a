/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much room the kernel's tables get, which is decided before anything is read: what is
 * configured, else a guess from the sizes of files, in steps of powers of two so that a restart
 * with somewhat other files finds tables of the same size.
 */
#ifndef EDGE_FAST_CAPACITY_H
#define EDGE_FAST_CAPACITY_H

#include <stdint.h>

#include "edge/daemon/config.h"
#include "xdp/xdp_publish.h"

/* Bytes of what is configured; what is not there counts as nothing. */
struct fast_sizes {
    uint64_t image;
    uint64_t services;
    uint64_t zones; /* 0 where their names are not for the kernel */
};

void fast_sizes(const struct config *config, struct fast_sizes *ret_sizes);

/* Fills image_blocks, template_blocks and services. */
void fast_capacity(const struct config_xdp *xdp, const struct fast_sizes *sizes,
                   struct xdp_settings *settings);

#endif
