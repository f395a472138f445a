/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runs of equal ranking over one address space, built in address order, with what is needed to give
 * each its shed class: how much demand it carries and what moving it to its second-best PoP would
 * cost.
 */
#ifndef MAPPER_RUNS_H
#define MAPPER_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "mapper/key.h"

struct run {
    struct map_key start;
    uint32_t ranking;
    float demand;      /* rows, or a nominal share */
    float cost_demand; /* sum of demand x ms lost on the second-best PoP */
    float measured;    /* the part of demand that was measured */
};

struct runs {
    struct run *item;
    size_t n;
    size_t capacity;
};

/* From `start` on the ranking is `ranking`; merged with the last run if equal. Starts rise
 * strictly. -ENOMEM. */
int runs_append(struct runs *runs, struct map_key start, uint32_t ranking);

/* Adds demand to the last run. */
void runs_weigh(struct runs *runs, double demand, double cost_ms, double measured);

void runs_done(struct runs *runs);

#endif
