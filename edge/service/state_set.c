/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/service/state_set.h"

#include <stdlib.h>
#include <string.h>

struct state_set *state_set_new(uint32_t service_n)
{
    struct state_set *set = calloc(1, sizeof(*set) + (size_t)service_n * sizeof(set->tables[0]));

    if (!set) {
        return NULL;
    }
    set->references = 1;
    set->service_n = service_n;
    for (uint32_t i = 0; i < service_n; i++) {
        memset(set->tables[i].states, MAP_STATE_ABSENT, sizeof(set->tables[i].states));
    }
    return set;
}

struct state_set *state_set_ref(struct state_set *set)
{
    __atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
    return set;
}

void state_set_unref(struct state_set *set)
{
    if (set && __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL) == 0) {
        free(set);
    }
}
