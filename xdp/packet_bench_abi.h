/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * What packet_bench.bpf.c and packet_bench.c share: packets to run another program on, one per run,
 * in order, and how long each run took.
 */
#ifndef XDP_PACKET_BENCH_ABI_H
#define XDP_PACKET_BENCH_ABI_H

#include <linux/types.h>

#define PACKET_BENCH_BYTES                                                                         \
    636u                       /* the longest query of the fast path fits, with room to be longer */
#define PACKET_BENCH_LEAST 14u /* an Ethernet header */

struct packet_bench_packet {
    __u32 len;
    __u8 bytes[PACKET_BENCH_BYTES];
};

/* The programs that can be run; the place in the array of programs. */
enum packet_bench_program {
    PACKET_BENCH_EMPTY,     /* floor_pass: what has to be taken off a time */
    PACKET_BENCH_REFLECTOR, /* floor_reflect */
    PACKET_BENCH_ANSWER,    /* the one in question */
    PACKET_BENCH_PROGRAMS,
};

struct packet_bench_state {
    __u32 packet_n;
    __u32 program; /* enum packet_bench_program */
    __u32 next;    /* packet */
    __u32 failed_n;
    __u64 started_ns; /* 0: the next run ends none */
    __u64 data;       /* where a packet starts; 0: not known yet */
    __u64 data_now;
    __u64 barrier;
};

_Static_assert(sizeof(struct packet_bench_packet) == 640, "packets are whole cache lines");

#endif
