/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rankings of networks as pins, in the format of mapper/overrides.h: two rows for everybody, and
 * for each run of addresses that is ranked otherwise the fewest prefixes that cover it.
 */
#ifndef MAPPER_IMPORT_PINS_H
#define MAPPER_IMPORT_PINS_H

#include <stdint.h>

#include "mapper/import/model.h"

/* Appends the header and all rows of all maps; returns the number of rows. */
uint64_t pins_add(const struct model *model, struct text *text);

#endif
