/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an XDP program costs on given packets, without an interface: each packet is put in place
 * anew, the program is called as it was loaded, and its time is taken inside the kernel. Beside it,
 * on the same packets, an empty program and one that swaps addresses and sends the packet back.
 * One thread.
 */
#ifndef XDP_PACKET_BENCH_H
#define XDP_PACKET_BENCH_H

#include <stdint.h>

#include "base/failure.h"
#include "xdp/packet_bench_abi.h"

struct packet_bench;

/* Of one pass over all packets, nanoseconds. The constant cost of a run, which the empty program
 * shows, is part of all of them. */
struct packet_bench_times {
    double mean;
    double p50;
    double p99;
    uint32_t run_n;
    uint32_t disturbed_n; /* runs that something else interrupted; in none of the above */
    double whole;         /* mean of everything, making the packet included, as the kernel counts */
};

/* `program_fd`: of a loaded XDP program; stays the caller's. Up to `packet_max` packets. */
int packet_bench_open(int program_fd, uint32_t packet_max, struct packet_bench **ret_bench,
                      struct failure *failure);
/* The program that xdp_path_publish() has pinned in this folder. */
int packet_bench_open_pinned(const char *pin_folder, uint32_t packet_max,
                             struct packet_bench **ret_bench, struct failure *failure);
void packet_bench_close(struct packet_bench *bench); /* NULL is allowed */

/* The packets, to be filled by the caller: `len` from the Ethernet header on. */
struct packet_bench_packet *packet_bench_packets(struct packet_bench *bench);

/* One pass over the first `packet_n` packets. */
int packet_bench_pass(struct packet_bench *bench, enum packet_bench_program program,
                      uint32_t packet_n, struct packet_bench_times *ret_times,
                      struct failure *failure);

/* Nanoseconds of a load that depends on the load before, all over `bytes` of memory: what a miss of
 * every cache costs here and now. A power of two; negative if it is not, or out of memory. */
double packet_bench_miss_ns(size_t bytes);

#endif
