/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which query comes when: the file as it is, or its distinct queries with another popularity.
 * Seeded; the same seed gives the same packets.
 */
#ifndef EDGE_XDPBENCH_MIX_H
#define EDGE_XDPBENCH_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/xdpbench/queries.h"
#include "xdp/packet_bench.h"

enum mix {
    MIX_FILE,    /* in the order of the file, from the start again when it ends */
    MIX_HOT,     /* the most frequent MIX_HOT_N, asked by as many clients */
    MIX_ZIPF,    /* the n-th most frequent with weight 1/n, clients alike */
    MIX_UNIFORM, /* all alike, and each time another client */
    MIXES,
};

#define MIX_HOT_N 16u

/* Where queries go to; family ADDRESS_NONE: nowhere over that family. */
struct mix_target {
    struct endpoint ipv4;
    struct endpoint ipv6;
};

const char *mix_name(enum mix mix);

/* Fills `packet_n` packets. Who asks is the file's word; where it has none, a random client of the
 * first family there is. Returns how many queries were passed over since their family is served
 * nowhere; -EINVAL when that leaves none, -ENOMEM. */
int64_t mix_fill(enum mix mix, const struct queries *queries, const struct mix_target *target,
                 uint64_t seed, struct packet_bench_packet *packets, uint32_t packet_n,
                 struct failure *failure);

#endif
