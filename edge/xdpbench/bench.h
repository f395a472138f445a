/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the kernel path would cost for given queries: the tables that the server would publish for a
 * configuration, the program as it is attached, and packets made of the queries. No interface is
 * touched and no address bound.
 */
#ifndef EDGE_XDPBENCH_BENCH_H
#define EDGE_XDPBENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/daemon/config.h"
#include "edge/render/render.h"
#include "edge/xdpbench/mix.h"
#include "edge/xdpbench/queries.h"
#include "xdp/fast_abi.h"
#include "xdp/packet_bench.h"

#define BENCH_ROUNDS_MAX 99u

struct bench_options {
    const char *config;
    const char *queries;
    const char *flags; /* of queries in a text file; NULL */
    const char *names; /* instead of xdp.names: "services", "hot" or "all"; NULL */
    uint32_t packet_n; /* of each mix */
    uint32_t round_n;  /* 1..BENCH_ROUNDS_MAX */
    uint16_t port;     /* captures */
    uint64_t seed;
    bool mixes[MIXES]; /* which ones */
};

/* Of one program in one mix, nanoseconds; medians of the rounds' figures. */
struct bench_times {
    double mean;
    double p50;
    double p99;
    double mean_least; /* of the rounds */
    double mean_most;
};

struct bench_mix {
    bool measured;
    uint32_t packet_n;
    uint64_t passed_over_n; /* queries of a family that is not listened on */
    struct bench_times times[PACKET_BENCH_PROGRAMS];
    double whole[PACKET_BENCH_PROGRAMS]; /* with making the packet */
    uint64_t disturbed_n;                /* runs that are in no figure */
    uint64_t run_n;                      /* of the program in question */
    struct fast_counters counters;       /* its runs, each packet once or more */
};

struct bench_result {
    uint64_t query_n;
    uint64_t distinct_n;
    uint64_t left_out_n; /* of the file */
    double miss_ns;
    struct render_report rendered;
    int64_t render_ns;
    int64_t publish_ns;
    uint32_t image_blocks;
    unsigned left_out; /* enum xdp_part */
    struct bench_mix mixes[MIXES];
};

int bench_run(const struct bench_options *options, struct bench_result *ret_result,
              struct failure *failure);

#endif
