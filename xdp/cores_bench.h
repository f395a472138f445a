/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the kernel's verdicts and picks equal the host's on an image, and what they cost,
 * printed.
 */
#ifndef XDP_CORES_BENCH_H
#define XDP_CORES_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"

struct cores_bench_options {
    const char *map;   /* image */
    uint32_t client_n; /* random ones */
    uint64_t seed;
    bool json;
};

/* -EIO when an answer differs, else what prevented it. */
int cores_bench_run(const struct cores_bench_options *options, struct failure *failure);

#endif
