/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Real address space for the tests: the networks of an MMDB file as runs. Which record a network
 * gets depends on where its data lies in the file, so networks of the same place share one.
 */
#ifndef TESTS_UNIT_MAPS_NETWORKS_H
#define TESTS_UNIT_MAPS_NETWORKS_H

#include "world.h"

/* Replaces the runs of a table. What the file does not know becomes record 0. */
void networks_read(const char *path, bool ipv6, struct world_table *table);

/* All client tables of a world get the networks of the sample world's databases. */
void networks_read_sample(struct world *world);

#endif
