/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The addresses served, as a small hash table in the policy: an entry stands at its address's place
 * or at one of the next few, without a gap before it. The hash is over the address alone, so that
 * "is this one of our addresses" can be asked as well as "is this ours". Pure.
 */
#ifndef XDP_LISTENER_CORE_H
#define XDP_LISTENER_CORE_H

#include <linux/types.h>

#include "xdp/fast_abi.h"
#include "xdp/name_core.h"

#define FAST_LISTENER_PROBES 16u /* places an entry may be away from its own */

/* An address as two words of memory, 16 bytes in network order. */
struct fast_address {
    __u64 words[2];
};

NAME_INLINE __u32 fast_listener_place(const struct fast_address *address)
{
    __u64 hash =
        (address->words[0] ^ address->words[1] * 0x9fb21c651e98df25ULL) * 0xd6e8feb86659fd93ULL;

    return (__u32)(hash >> 40) & (FAST_LISTENERS_MAX - 1);
}

enum fast_listener_match {
    FAST_LISTENER_NONE,
    FAST_LISTENER_ADDRESS, /* the address is served, on other ports */
    FAST_LISTENER_BOTH,
};

/* `port` is in network order. */
NAME_INLINE enum fast_listener_match
fast_listener_find(const struct fast_policy *policy, const struct fast_address *address, __u16 port)
{
    enum fast_listener_match match = FAST_LISTENER_NONE;
    __u32 place = fast_listener_place(address);

    for (__u32 i = 0; i < FAST_LISTENER_PROBES; i++) {
        const struct fast_listener *listener =
            &policy->listeners[(place + i) & (FAST_LISTENERS_MAX - 1)];
        const __u64 *words = (const __u64 *)(const void *)listener->address;

        if (!listener->port) {
            break;
        }
        if (words[0] == address->words[0] && words[1] == address->words[1]) {
            if (listener->port == port) {
                return FAST_LISTENER_BOTH;
            }
            match = FAST_LISTENER_ADDRESS;
        }
    }
    return match;
}

/* For those who build: adds to the table of a policy. 0 when it stands there, -1 when there is no
 * place for it: then the kernel passes its queries up. */
NAME_INLINE int fast_listener_add(struct fast_policy *policy, const struct fast_address *address,
                                  __u16 port)
{
    __u32 place = fast_listener_place(address);

    for (__u32 i = 0; i < FAST_LISTENER_PROBES; i++) {
        struct fast_listener *listener = &policy->listeners[(place + i) & (FAST_LISTENERS_MAX - 1)];
        __u64 *words = (__u64 *)(void *)listener->address;

        if (!listener->port) {
            words[0] = address->words[0];
            words[1] = address->words[1];
            listener->port = port;
            return 0;
        }
        if (words[0] == address->words[0] && words[1] == address->words[1] &&
            listener->port == port) {
            return 0;
        }
    }
    return -1;
}

#endif
