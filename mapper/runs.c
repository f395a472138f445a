/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/runs.h"

#include <errno.h>
#include <stdlib.h>

int runs_append(struct runs *runs, struct map_key start, uint32_t ranking)
{
    if (runs->n && runs->item[runs->n - 1].ranking == ranking) {
        return 0;
    }
    if (runs->n == runs->capacity) {
        size_t capacity = runs->capacity < 256 ? 256 : runs->capacity + runs->capacity / 2;
        struct run *item = realloc(runs->item, capacity * sizeof(*item));

        if (!item) {
            return -ENOMEM;
        }
        runs->item = item;
        runs->capacity = capacity;
    }
    runs->item[runs->n++] = (struct run){.start = start, .ranking = ranking};
    return 0;
}

void runs_weigh(struct runs *runs, double demand, double cost_ms, double measured)
{
    struct run *run = &runs->item[runs->n - 1];

    run->demand += (float)demand;
    run->cost_demand += (float)(demand * cost_ms);
    run->measured += (float)measured;
}

void runs_done(struct runs *runs)
{
    free(runs->item);
    *runs = (struct runs){0};
}
