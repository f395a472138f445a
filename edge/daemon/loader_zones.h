/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loader's zones: those whose files are as they were are taken over, the others are read, on
 * all CPUs at the start and on half of them while others serve. What comes of it, and the order of
 * what is reported, is the same for any number of threads.
 */
#ifndef EDGE_LOADER_ZONES_H
#define EDGE_LOADER_ZONES_H

#include "edge/daemon/loader.h"
#include "edge/daemon/report.h"

#define LOADER_ZONES_THREADS_MAX 16

/* Fills the zones of `loaded`, whose configuration is set. -errno only when there is no memory for
 * what zones need together. `previous` may be NULL. */
int loader_zones_load(struct loaded *loaded, const struct loaded *previous, struct report *report);

/* The same by so many threads, the caller among them. */
int loader_zones_load_by(struct loaded *loaded, const struct loaded *previous, unsigned thread_n,
                         struct report *report);

#endif
