/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isochrone-xdpbench: whether answering in the kernel pays for an operator's own traffic, and
 * whether the kernel decides as the host does.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/number.h"
#include "edge/xdpbench/bench.h"
#include "edge/xdpbench/report.h"
#include "xdp/cores_bench.h"
#include "xdp/cores_check.h"

struct options {
    struct cores_bench_options cores;
    struct bench_options bench;
    bool json;
    bool if_allowed;
};

static const char usage[] =
    "usage: isochrone-xdpbench --config FILE --queries FILE [OPTION...]\n"
    "       isochrone-xdpbench --map FILE [--clients N] [OPTION...]\n"
    "\n"
    "With --config: loads what isochrone-edge would publish to the kernel for that configuration,\n"
    "runs the queries through the program and prints what they cost and which are answered. No\n"
    "interface is touched.\n"
    "With --map: runs the lookup and selection cores in the kernel for random clients and "
    "compares\n"
    "every answer with the host's. Exit 1 when one differs.\n"
    "\n"
    "  --config FILE   edge.yaml\n"
    "  --queries FILE  query file (as of isochronectl compare) or capture (pcap, pcapng)\n"
    "  --flags FLAGS   for each query of a query file, as \"+edns=0 +norec\"\n"
    "  --port N        of queries in a capture (default 53)\n"
    "  --names WHICH   services, hot or all, instead of the configuration's\n"
    "  --mix LIST      of file, hot, zipf, uniform (default all)\n"
    "  --packets N     in each mix (default 131072)\n"
    "  --rounds N      (default 7)\n"
    "\n"
    "  --map FILE      latency map image\n"
    "  --clients N     how many (default 10000)\n"
    "\n"
    "  --seed S        another choice (default 1)\n"
    "  --json          one JSON object instead of tables\n"
    "  --if-allowed    where the kernel does not allow BPF, say SKIPPED and exit 0\n"
    "  --help, --version\n";

static int read_number(const char *name, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    if (number_parse_u64(optarg, strlen(optarg), min, max, ret_value) < 0) {
        fprintf(stderr, "--%s: a number from %llu to %llu, not \"%s\"\n", name,
                (unsigned long long)min, (unsigned long long)max, optarg);
        return -EINVAL;
    }
    return 0;
}

static int read_mixes(bool *mixes)
{
    memset(mixes, 0, MIXES * sizeof(*mixes));
    for (const char *at = optarg; *at;) {
        size_t len = strcspn(at, ",");
        unsigned which = 0;

        while (which < MIXES && (strlen(mix_name((enum mix)which)) != len ||
                                 strncmp(mix_name((enum mix)which), at, len) != 0)) {
            which++;
        }
        if (which == MIXES) {
            fprintf(stderr, "--mix: file, hot, zipf or uniform, not \"%.*s\"\n", (int)len, at);
            return -EINVAL;
        }
        mixes[which] = true;
        at += len + (at[len] == ',');
    }
    return 0;
}

static int take_number(int option, struct options *options)
{
    static const struct {
        int option;
        const char *name;
        uint64_t min, max;
    } numbers[] = {{'n', "clients", 1, 4000000},
                   {'p', "port", 1, 65535},
                   {'k', "packets", 1000, 4000000},
                   {'r', "rounds", 1, BENCH_ROUNDS_MAX},
                   {'s', "seed", 0, UINT64_MAX}};
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].option == option &&
            read_number(numbers[i].name, numbers[i].min, numbers[i].max, &value) < 0) {
            return -EINVAL;
        }
    }
    switch (option) {
    case 'n':
        options->cores.client_n = (uint32_t)value;
        break;
    case 'p':
        options->bench.port = (uint16_t)value;
        break;
    case 'k':
        options->bench.packet_n = (uint32_t)value;
        break;
    case 'r':
        options->bench.round_n = (uint32_t)value;
        break;
    default:
        options->cores.seed = value;
        options->bench.seed = value;
    }
    return 0;
}

/* 0 to go on, 1 when done (help, version), -EINVAL. */
static int take_option(int option, struct options *options)
{
    switch (option) {
    case 'c':
        options->bench.config = optarg;
        return 0;
    case 'q':
        options->bench.queries = optarg;
        return 0;
    case 'f':
        options->bench.flags = optarg;
        return 0;
    case 'w':
        options->bench.names = optarg;
        return 0;
    case 'x':
        return read_mixes(options->bench.mixes);
    case 'm':
        options->cores.map = optarg;
        return 0;
    case 'j':
        options->json = true;
        options->cores.json = true;
        return 0;
    case 'a':
        options->if_allowed = true;
        return 0;
    case 'h':
        fputs(usage, stdout);
        return 1;
    case 'V':
        puts("isochrone-xdpbench " ISOCHRONE_VERSION);
        return 1;
    case '?':
        return -EINVAL;
    default:
        return take_number(option, options);
    }
}

static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},  {"queries", required_argument, NULL, 'q'},
        {"flags", required_argument, NULL, 'f'},   {"port", required_argument, NULL, 'p'},
        {"names", required_argument, NULL, 'w'},   {"mix", required_argument, NULL, 'x'},
        {"packets", required_argument, NULL, 'k'}, {"rounds", required_argument, NULL, 'r'},
        {"map", required_argument, NULL, 'm'},     {"clients", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},    {"json", no_argument, NULL, 'j'},
        {"if-allowed", no_argument, NULL, 'a'},    {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
        int status = take_option(option, options);

        if (status != 0) {
            return status;
        }
    }
    if (optind != argc || !options->cores.map == !options->bench.config ||
        !options->bench.config != !options->bench.queries) {
        return -EINVAL;
    }
    return 0;
}

static int run(const struct options *options, struct failure *failure)
{
    struct bench_result *result;
    int error;

    if (options->cores.map) {
        return cores_bench_run(&options->cores, failure);
    }
    result = calloc(1, sizeof(*result));
    if (!result) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    error = bench_run(&options->bench, result, failure);
    if (error == 0) {
        (options->json ? report_json : report_table)(&options->bench, result);
    }
    free(result);
    return error;
}

int main(int argc, char **argv)
{
    struct options options = {
        .cores = {.client_n = 10000, .seed = 1},
        .bench = {.packet_n = 131072, .round_n = 7, .port = 53, .seed = 1},
    };
    struct failure failure = {{0}};
    int parsed;

    for (unsigned i = 0; i < MIXES; i++) {
        options.bench.mixes[i] = true;
    }
    parsed = parse_options(argc, argv, &options);
    log_open("isochrone-xdpbench", LOG_LEVEL_NOTICE);
    if (parsed < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (parsed > 0) {
        return 0;
    }
    if (cores_check_allowed(&failure) < 0) {
        if (options.if_allowed) {
            printf("SKIPPED: %s\n", failure.text);
            return 0;
        }
        log_error("%s", failure.text);
        return 1;
    }
    if (run(&options, &failure) < 0) {
        log_error("%s", failure.text);
        return 1;
    }
    return 0;
}
