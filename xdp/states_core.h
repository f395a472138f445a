/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The one way from a service's index to its states: as maps/region_core.h, for the array of states.
 */
#ifndef XDP_STATES_CORE_H
#define XDP_STATES_CORE_H

#include <linux/types.h>

#include "xdp/bytes_core.h"
#include "xdp/fast_abi.h"

#ifdef __bpf__

struct fast_states {
    void *array; /* BPF array map */
    __u32 first; /* where the slot begins in it */
    __u32 count;
};

BYTES_INLINE const struct fast_state *fast_states_get(const struct fast_states *states,
                                                      __u32 service)
{
    void *(*const lookup_elem)(void *map, const void *key) = (void *)1;
    __u32 index = states->first + service;

    return service < states->count ? lookup_elem(states->array, &index) : 0;
}

#else

struct fast_states {
    const struct fast_state *list;
    __u32 count;
};

BYTES_INLINE const struct fast_state *fast_states_get(const struct fast_states *states,
                                                      __u32 service)
{
    return service < states->count ? &states->list[service] : 0;
}

#endif

#endif
