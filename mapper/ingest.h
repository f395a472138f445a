/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reads all measurement files side by side into one table of cells. The result is the same for any
 * number of threads and any order of files and rows.
 */
#ifndef MAPPER_INGEST_H
#define MAPPER_INGEST_H

#include <stdbool.h>

#include "base/failure.h"
#include "mapper/cells.h"
#include "mapper/config.h"
#include "mapper/geo.h"
#include "mapper/samples.h"

/* Expands config->measurements (a pattern that matches nothing is an error), reads, aggregates.
 * Rows faster than light from the place `geo` gives their block are bad. `ret_report` is filled
 * also on failure. */
int ingest_run(const struct config *config, const struct geo *geo, unsigned threads, bool progress,
               struct cell_table *ret_table, struct samples_report *ret_report,
               struct failure *failure);

#endif
