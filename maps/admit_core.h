/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * Rate limiting: whether a response is sent, given what was sent before to the same network. Pure:
 * one step takes an account as one 64-bit word and returns it changed, so that whoever keeps the
 * accounts (edge's workers, a BPF program) needs a load and a compare-and-swap and no lock.
 *
 * An account belongs to (client network, class of response, what it was about). Sending costs
 * 1/rate seconds; the account holds one second's worth and fills with time. All there is to
 * remember is therefore the moment at which it will be full again:
 *
 *   63     44 43   40 39                        0
 *   | tag    | slip  | full again at, us       |
 *
 * An account that is full is worth nothing: its place can be given away without anybody noticing.
 * So the places in use are the responses of the last 1/rate seconds plus those who owe, whatever
 * number of networks there is, and a table of fixed size does. Time wraps after 12 days; what is
 * further ahead than anybody can owe is in the past.
 */
#ifndef MAPS_ADMIT_CORE_H
#define MAPS_ADMIT_CORE_H

#include <linux/types.h>

#include "base/siphash_core.h"

#define ADMIT_US_PER_S 1000000u
#define ADMIT_WINDOW_MAX_S 3600u
#define ADMIT_SLIP_MAX 10u
#define ADMIT_RATE_MAX 1000000u

/* Clocks of those who share a table may differ by so much: each reads its own now and then. */
#define ADMIT_SKEW_US (10ULL * ADMIT_US_PER_S)

#define ADMIT_TIME_BITS 40
#define ADMIT_TIME_MASK ((1ULL << ADMIT_TIME_BITS) - 1)
#define ADMIT_SLIP_SHIFT 40
#define ADMIT_SLIP_MASK 15ULL
#define ADMIT_TAG_SHIFT 44

/* Places a network's account may be in: one cache line. */
#define ADMIT_SET 8u

enum admit_class {
    ADMIT_POSITIVE, /* about a name; what a wildcard made, about its parent */
    ADMIT_NODATA,
    ADMIT_NXDOMAIN, /* about a zone, so that random names share one account */
    ADMIT_REFERRAL, /* about the delegated zone */
    ADMIT_ERROR,    /* about nothing: REFUSED, SERVFAIL, FORMERR and so on */
    ADMIT_QUERIES,  /* every query of a network that did not prove its address ... */
    ADMIT_PROVEN,   /* ... and that did: nobody else can spend what is in this account */
    ADMIT_CLASSES,
};

enum admit_verdict {
    ADMIT_SEND,
    ADMIT_SLIP, /* send something short that lets a real client come back with proof */
    ADMIT_DROP,
};

struct admit_limits {
    __u8 secret[SIPHASH_KEY_LEN]; /* who shares an account or a set cannot be chosen */
    __u32 cost_us[ADMIT_CLASSES]; /* 1 s / rate; 0: no limit */
    __u32 window_s;               /* how long one can owe: so long a flood is remembered; 0: it is
                                     not, and what is due gets through whatever else comes */
    __u32 slip;                   /* every slip-th response over the limit; 0: none */
    __u8 ipv4_bits;               /* the network of a client */
    __u8 ipv6_bits;               /* at most 64 */
};

/* The key of an account. `address` has 4 or 16 bytes; `about` is a hash of a name, or 0. */
SIPHASH_INLINE __u64 admit_key(const struct admit_limits *limits, const __u8 *address,
                               __u32 address_len, enum admit_class class, __u64 about)
{
    __u8 input[24];
    __u64 network = 0;
    __u32 bits = limits->ipv4_bits;

    for (__u32 i = 0; i < 4; i++) {
        network = network << 8 | address[i];
    }
    if (address_len == 4) {
        network <<= 32;
    } else {
        bits = limits->ipv6_bits;
        for (__u32 i = 4; i < 8; i++) {
            network = network << 8 | address[i];
        }
    }
    network = bits ? network >> (64 - bits) << (64 - bits) : 0;
    __builtin_memset(input, 0, sizeof(input));
    __builtin_memcpy(input, &network, 8);
    __builtin_memcpy(input + 8, &about, 8);
    input[16] = (__u8) class;
    input[17] = (__u8)address_len;
    return siphash(limits->secret, input, sizeof(input));
}

SIPHASH_INLINE __u64 admit_tag(__u64 key)
{
    return key >> ADMIT_TAG_SHIFT;
}

SIPHASH_INLINE __u64 admit_tag_of(__u64 account)
{
    return account >> ADMIT_TAG_SHIFT;
}

/* How far from full the account is, in us; 0: full, and as good as empty. */
SIPHASH_INLINE __u64 admit_owed(const struct admit_limits *limits, __u64 account, __u64 now_us)
{
    __u64 ahead = (account - now_us) & ADMIT_TIME_MASK;
    __u64 most = (__u64)(limits->window_s + 1) * ADMIT_US_PER_S;

    if (ahead > most + ADMIT_SKEW_US) {
        return 0;
    }
    return ahead < most ? ahead : most;
}

/* One response: the account of before (0: there was none) becomes *ret_account. */
SIPHASH_INLINE enum admit_verdict admit_step(const struct admit_limits *limits,
                                             enum admit_class class, __u64 key, __u64 account,
                                             __u64 now_us, __u64 *ret_account)
{
    __u64 most = (__u64)(limits->window_s + 1) * ADMIT_US_PER_S;
    __u64 slipped = account >> ADMIT_SLIP_SHIFT & ADMIT_SLIP_MASK;
    __u64 before = admit_owed(limits, account, now_us);
    __u64 owed;
    enum admit_verdict verdict = ADMIT_SEND;

    if (admit_tag_of(account) != admit_tag(key)) {
        before = 0;
        slipped = 0;
    }
    owed = before + limits->cost_us[class];
    if (owed > ADMIT_US_PER_S) {
        verdict = ADMIT_DROP;
        slipped++;
        if (slipped >= limits->slip) {
            verdict = limits->slip ? ADMIT_SLIP : ADMIT_DROP;
            slipped = 0;
        }
        owed = limits->window_s ? owed : before; /* without a window nobody runs into debt */
    }
    owed = owed < most ? owed : most;
    *ret_account = admit_tag(key) << ADMIT_TAG_SHIFT | slipped << ADMIT_SLIP_SHIFT |
                   ((now_us + owed) & ADMIT_TIME_MASK);
    return verdict;
}

/* Which of the places of a set an account is in or, if it is in none, may take: that of a full one,
 * else of who owes least. */
SIPHASH_INLINE __u32 admit_place(const struct admit_limits *limits, const __u64 set[ADMIT_SET],
                                 __u64 key, __u64 now_us)
{
    __u64 least = ~0ULL;
    __u32 place = 0;

    for (__u32 i = 0; i < ADMIT_SET; i++) {
        __u64 owed = admit_owed(limits, set[i], now_us);

        if (admit_tag_of(set[i]) == admit_tag(key)) {
            return i;
        }
        if (owed < least) {
            least = owed;
            place = i;
        }
    }
    return place;
}

#endif
