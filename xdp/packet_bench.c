/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/packet_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "xdp/bpf_words.h"
#include "xdp/pins.h"
#include "xdp/program.h"

#include "floor.skel.h"
#include "packet_bench.skel.h"

/* No program of ours takes so long: an interrupt or another process did. */
#define DISTURBED_NS 10000u
#define CHASE_STEPS 1000000u
#define CHASE_LINE 64u

struct packet_bench {
    struct packet_bench_bpf *bpf;
    struct floor_bpf *floor;
    struct packet_bench_packet *packets;
    uint64_t *times;
    uint32_t *sorted;
    size_t packets_len;
    size_t times_len;
    uint32_t packet_max;
};

static void *map_array(const struct bpf_map *map, size_t len, size_t *ret_len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (len + page - 1) / page * page;
    void *bytes = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    *ret_len = mapped;
    return bytes == MAP_FAILED ? NULL : bytes;
}

static int put_programs(struct packet_bench *bench, int program_fd)
{
    const int fds[PACKET_BENCH_PROGRAMS] = {
        [PACKET_BENCH_EMPTY] = bpf_program__fd(bench->floor->progs.floor_pass),
        [PACKET_BENCH_REFLECTOR] = bpf_program__fd(bench->floor->progs.floor_reflect),
        [PACKET_BENCH_ANSWER] = program_fd,
    };

    for (uint32_t i = 0; i < PACKET_BENCH_PROGRAMS; i++) {
        if (bpf_map_update_elem(bpf_map__fd(bench->bpf->maps.programs), &i, &fds[i], BPF_ANY) < 0) {
            return -errno;
        }
    }
    return 0;
}

static int load(struct packet_bench *bench, int program_fd)
{
    struct packet_bench_bpf *bpf = packet_bench_bpf__open();
    int error;

    if (!bpf) {
        return -errno;
    }
    bench->bpf = bpf;
    bench->floor = floor_bpf__open_and_load();
    if (!bench->floor) {
        return -errno;
    }
    error = bpf_map__set_max_entries(bpf->maps.packets, bench->packet_max);
    error = error ? error : bpf_map__set_max_entries(bpf->maps.times, bench->packet_max);
    error = error ? error : packet_bench_bpf__load(bpf);
    if (error < 0) {
        return error;
    }
    bench->packets = map_array(bpf->maps.packets, bench->packet_max * sizeof(*bench->packets),
                               &bench->packets_len);
    bench->times =
        map_array(bpf->maps.times, bench->packet_max * sizeof(*bench->times), &bench->times_len);
    bench->sorted = calloc(bench->packet_max, sizeof(*bench->sorted));
    if (!bench->packets || !bench->times || !bench->sorted) {
        return -ENOMEM;
    }
    return put_programs(bench, program_fd);
}

int packet_bench_open(int program_fd, uint32_t packet_max, struct packet_bench **ret_bench,
                      struct failure *failure)
{
    struct packet_bench *bench = calloc(1, sizeof(*bench));
    int error;

    if (!bench) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    bench->packet_max = packet_max;
    bpf_words_keep();
    error = load(bench, program_fd);
    if (error < 0) {
        packet_bench_close(bench);
        return failure_set(failure, error, "cannot load the BPF programs that measure: %s (%s)",
                           strerror(-error), bpf_words_last());
    }
    *ret_bench = bench;
    return 0;
}

int packet_bench_open_pinned(const char *pin_folder, uint32_t packet_max,
                             struct packet_bench **ret_bench, struct failure *failure)
{
    int fd = pins_get(pin_folder, PROGRAM_PIN);
    int error;

    if (fd < 0) {
        return failure_set(failure, fd, "%s: no program is pinned there: %s", pin_folder,
                           strerror(-fd));
    }
    error = packet_bench_open(fd, packet_max, ret_bench, failure);
    close(fd);
    return error;
}

void packet_bench_close(struct packet_bench *bench)
{
    if (!bench) {
        return;
    }
    if (bench->packets) {
        munmap(bench->packets, bench->packets_len);
    }
    if (bench->times) {
        munmap(bench->times, bench->times_len);
    }
    packet_bench_bpf__destroy(bench->bpf);
    floor_bpf__destroy(bench->floor);
    free(bench->sorted);
    free(bench);
}

struct packet_bench_packet *packet_bench_packets(struct packet_bench *bench)
{
    return bench->packets;
}

static int compare_times(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;

    return a < b ? -1 : a > b;
}

static void summarize(struct packet_bench *bench, uint32_t packet_n,
                      struct packet_bench_times *ret_times)
{
    uint32_t n = 0;
    uint32_t middle;
    uint32_t late;
    double sum = 0;

    for (uint32_t i = 0; i < packet_n; i++) {
        if (bench->times[i] < DISTURBED_NS) {
            sum += (double)bench->times[i];
            bench->sorted[n++] = (uint32_t)bench->times[i];
        }
    }
    ret_times->run_n = packet_n;
    ret_times->disturbed_n = packet_n - n;
    if (n == 0) {
        return;
    }
    qsort(bench->sorted, n, sizeof(*bench->sorted), compare_times);
    ret_times->mean = sum / n;
    middle = n / 2;
    late = (uint32_t)((uint64_t)n * 99 / 100);
    ret_times->p50 = bench->sorted[middle];
    ret_times->p99 = bench->sorted[late];
}

int packet_bench_pass(struct packet_bench *bench, enum packet_bench_program program,
                      uint32_t packet_n, struct packet_bench_times *ret_times,
                      struct failure *failure)
{
    struct packet_bench_state *state = &bench->bpf->bss->state;
    uint8_t packet[64] = {0}; /* any that a test run takes */
    /* one more: the next run's clock ends the last one */
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
                .repeat = (int)packet_n + 1);
    int error;

    *ret_times = (struct packet_bench_times){0};
    if (packet_n == 0 || packet_n > bench->packet_max) {
        return failure_set(failure, -EINVAL, "%u packets, there is room for %u", packet_n,
                           bench->packet_max);
    }
    state->packet_n = packet_n;
    state->program = program;
    state->next = 0;
    state->failed_n = 0;
    state->started_ns = 0;
    state->data = 0; /* each test run has a page of its own */
    error = bpf_prog_test_run_opts(bpf_program__fd(bench->bpf->progs.packet_bench_run), &options);
    if (error < 0) {
        return failure_set(failure, error, "cannot run the BPF program: %s", strerror(-error));
    }
    if (state->failed_n) {
        return failure_set(failure, -EIO, "%u of %u packets could not be made in the kernel",
                           state->failed_n, packet_n);
    }
    summarize(bench, packet_n, ret_times);
    ret_times->whole = options.duration;
    return 0;
}

/* One cycle through all lines in an order that no prefetcher guesses: a congruential generator of
 * full period (c odd, a - 1 divisible by 4, a power of two of lines). */
static void chase_make(uint32_t *lines, uint32_t line_n)
{
    const uint32_t stride = CHASE_LINE / sizeof(*lines);

    for (uint32_t i = 0; i < line_n; i++) {
        lines[(size_t)i * stride] = (i * 1664525u + 1013904223u) & (line_n - 1);
    }
}

double packet_bench_miss_ns(size_t bytes)
{
    const uint32_t stride = CHASE_LINE / sizeof(uint32_t);
    const uint32_t line_n = (uint32_t)(bytes / CHASE_LINE);
    uint32_t *lines = line_n < 2 || line_n & (line_n - 1) ? NULL : malloc(bytes);
    uint32_t at = 0;
    int64_t start;

    if (!lines) {
        return -1;
    }
    chase_make(lines, line_n);
    start = clock_monotonic_ns();
    for (uint32_t i = 0; i < CHASE_STEPS; i++) {
        at = lines[(size_t)at * stride];
        __asm__ volatile("" : "+r"(at));
    }
    start = clock_monotonic_ns() - start;
    free(lines);
    return (double)start / CHASE_STEPS;
}
