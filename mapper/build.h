/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole way from a configuration to an image file: geography, pins, measurements, estimates,
 * tables. The image appears in one step or not at all, and is checked by the reader's own code
 * before it does.
 */
#ifndef MAPPER_BUILD_H
#define MAPPER_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/compile.h"
#include "mapper/config.h"
#include "mapper/samples.h"
#include "maps/image_writer.h"

struct build_options {
    const char *output;
    uint64_t as_of_s;       /* the generation; 0: from the newest row, or the previous image */
    unsigned threads;       /* at least 1 */
    double max_bad_percent; /* below 0: as configured */
    bool progress;          /* on stderr, for a person */
};

struct build_report {
    uint64_t generation;
    uint64_t parent_generation;
    struct samples_report samples;
    struct compile_report compile;
    struct image_stats image;
    struct infer_prior prior;
    size_t pop_n;
    size_t block_n;                            /* measured client blocks */
    uint64_t blocks;                           /* disjoint blocks of all client tables */
    uint64_t sources[MAP_SOURCE_OVERRIDE + 1]; /* the same, by where their ranking comes from */
    size_t override_n;
    size_t finer_n;       /* pins finer than resolvers send */
    struct failure finer; /* the first of them */
    double seconds;
};

/* On failure the output file is as it was. `ret_report->samples` is filled as far as rows were
 * read. */
int build_run(const struct config *config, const struct build_options *options,
              struct build_report *ret_report, struct failure *failure);

#endif
