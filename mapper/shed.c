/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/shed.h"

#include <errno.h>
#include <stdlib.h>

struct shed_item {
    float cost_ms; /* of moving, per unit of demand */
    float demand;
    uint32_t run;
    uint8_t family;
    uint8_t pop;
};

/* By PoP, then cheapest first; ties by address, so that the result depends on nothing else. */
static int item_order(const void *left, const void *right)
{
    const struct shed_item *a = left;
    const struct shed_item *b = right;

    if (a->pop != b->pop) {
        return a->pop < b->pop ? -1 : 1;
    }
    if (a->cost_ms < b->cost_ms || a->cost_ms > b->cost_ms) {
        return a->cost_ms < b->cost_ms ? -1 : 1;
    }
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return a->run < b->run ? -1 : a->run > b->run;
}

static size_t items_collect(const struct runs *runs, const struct ranking_set *rankings,
                            struct shed_item *items)
{
    size_t n = 0;

    for (unsigned family = 0; family < MAP_FAMILIES; family++) {
        for (size_t i = 0; i < runs[family].n; i++) {
            const struct run *run = &runs[family].item[i];

            if (run->ranking < RANKING_SPECIAL) {
                items[n++] = (struct shed_item){
                    .cost_ms = run->demand > 0 ? run->cost_demand / run->demand : 0,
                    .demand = run->demand,
                    .run = (uint32_t)i,
                    .family = (uint8_t)family,
                    .pop = ranking_pop(rankings->item[run->ranking].pops, 0)};
            }
        }
    }
    return n;
}

int shed_assign(const struct runs runs[static MAP_FAMILIES], const struct ranking_set *rankings,
                uint8_t *const ret_classes[static MAP_FAMILIES])
{
    struct shed_item *items =
        calloc(runs[MAP_FAMILY_IPV4].n + runs[MAP_FAMILY_IPV6].n + 1, sizeof(*items));
    size_t n;
    size_t end;

    if (!items) {
        return -ENOMEM;
    }
    n = items_collect(runs, rankings, items);
    if (n) {
        qsort(items, n, sizeof(*items), item_order);
    }
    for (size_t i = 0; i < n; i = end) {
        double total = 0;
        double before = 0;

        for (end = i; end < n && items[end].pop == items[i].pop; end++) {
            total += items[end].demand;
        }
        for (size_t k = i; k < end; k++) {
            /* the class in which the middle of the run's demand falls */
            double middle = before + items[k].demand / 2.0;
            unsigned class = total > 0 ? (unsigned)(middle / total * SHED_CLASSES) : 0;

            ret_classes[items[k].family][items[k].run] =
                (uint8_t)(class < SHED_CLASSES ? class : SHED_CLASSES - 1);
            before += items[k].demand;
        }
    }
    free(items);
    return 0;
}
