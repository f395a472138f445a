/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The model as files: mapper.yaml and pins.csv for isochrone-mapper build, services.yaml,
 * edge.yaml, states.yaml and zones/ for isochrone-edge, and import.txt for people. Each file is
 * replaced in one step.
 */
#ifndef MAPPER_IMPORT_WRITER_H
#define MAPPER_IMPORT_WRITER_H

#include <stdint.h>

#include "base/failure.h"
#include "mapper/import/model.h"

struct writer_counts {
    size_t zones;
    size_t names;
    size_t services;
    size_t maps;
    size_t pops;
    size_t states;
    uint64_t pins;
};

/* Makes the folder if need be. `source` is what was imported, for the head of each file. */
int writer_write(const struct model *model, const char *folder, const char *source,
                 struct writer_counts *ret_counts, struct failure *failure);

#endif
