/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shed classes: a PoP told to shed N percent passes on the runs of classes below N. So the classes
 * 0..99 of a first PoP carry equal demand, and the runs that lose least by moving come first. A run
 * of equal ranking has one class, so classes never split a block.
 */
#ifndef MAPPER_SHED_H
#define MAPPER_SHED_H

#include <stdint.h>

#include "mapper/ranking.h"
#include "mapper/runs.h"

#define SHED_CLASSES 100u

/* Classes for the runs of both families: ret_classes[family][run]; 0 for runs without ranking.
 * -ENOMEM. */
int shed_assign(const struct runs runs[static MAP_FAMILIES], const struct ranking_set *rankings,
                uint8_t *const ret_classes[static MAP_FAMILIES]);

#endif
