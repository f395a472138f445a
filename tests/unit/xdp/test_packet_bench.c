/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>

#include "xdp/cores_check.h"
#include "xdp/packet_bench.h"

#define PACKETS 5000u

#define CALL(helper)                                                                               \
    {                                                                                              \
        .code = BPF_JMP | BPF_CALL, .imm = (helper)                                                \
    }
#define MOVE(to, from)                                                                             \
    {                                                                                              \
        .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from)                    \
    }
#define SET(to, value)                                                                             \
    {                                                                                              \
        .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value)                       \
    }
#define EXIT()                                                                                     \
    {                                                                                              \
        .code = BPF_JMP | BPF_EXIT                                                                 \
    }
#define LEAVE_UNLESS(reg, value) /* XDP_ABORTED */                                                 \
    {                                                                                              \
        .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = (reg), .off = 2, .imm = (value)              \
    }

/* A program that makes each packet longer, at its end and at its beginning, and counts in the first
 * element of an array those that came as they should: of the length that stands in their first two
 * bytes. */
static int load_grower(int counts_fd)
{
    const struct bpf_insn program[] = {
        MOVE(BPF_REG_6, BPF_REG_1),
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 6, .off = 0}, /* data */
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 3, .src_reg = 6, .off = 4}, /* data_end */
        MOVE(BPF_REG_4, BPF_REG_2),
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 4, .imm = 14},
        {.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 4, .src_reg = 3, .off = 14}, /* grow */
        {.code = BPF_LDX | BPF_MEM | BPF_H, .dst_reg = 7, .src_reg = 2, .off = 0},
        {.code = BPF_ALU64 | BPF_SUB | BPF_X, .dst_reg = 3, .src_reg = 2},
        {.code = BPF_JMP | BPF_JNE | BPF_X, .dst_reg = 7, .src_reg = 3, .off = 11}, /* grow */
        {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4, .imm = 0},
        MOVE(BPF_REG_2, BPF_REG_10),
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
        {.code = BPF_LD | BPF_DW | BPF_IMM,
         .dst_reg = 1,
         .src_reg = BPF_PSEUDO_MAP_FD,
         .imm = counts_fd},
        {0},
        CALL(BPF_FUNC_map_lookup_elem),
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 4, .imm = 0}, /* grow */
        {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 0, .off = 0},
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = 1},
        {.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 1, .off = 0},
        {.code = BPF_JMP | BPF_JA, .off = 0},
        /* grow: */
        MOVE(BPF_REG_1, BPF_REG_6),
        SET(BPF_REG_2, 40),
        CALL(BPF_FUNC_xdp_adjust_tail),
        LEAVE_UNLESS(BPF_REG_0, 0),
        SET(BPF_REG_0, XDP_ABORTED),
        EXIT(),
        MOVE(BPF_REG_1, BPF_REG_6),
        SET(BPF_REG_2, -24),
        CALL(BPF_FUNC_xdp_adjust_head),
        SET(BPF_REG_0, XDP_TX),
        EXIT(),
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP);

    return bpf_prog_load(BPF_PROG_TYPE_XDP, "grower", "GPL", program,
                         sizeof(program) / sizeof(program[0]), &options);
}

static uint64_t count(int counts_fd)
{
    uint32_t zero = 0;
    uint64_t value = 0;

    cr_assert_eq(bpf_map_lookup_elem(counts_fd, &zero, &value), 0);
    return value;
}

Test(packet_bench, each_run_gets_its_own_packet_whatever_the_run_before_did)
{
    struct failure failure = {{0}};
    struct packet_bench *bench = NULL;
    struct packet_bench_times times;
    int counts_fd;
    int program_fd;

    if (cores_check_allowed(&failure) < 0) {
        fprintf(stderr, "SKIP packet_bench: %s\n", failure.text);
        cr_skip_test("%s", failure.text);
    }
    counts_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counts", 4, 8, 1, NULL);
    program_fd = load_grower(counts_fd);
    cr_assert_geq(program_fd, 0, "%m");
    cr_assert_eq(packet_bench_open(program_fd, PACKETS, &bench, &failure), 0, "%s", failure.text);
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct packet_bench_packet *packet = &packet_bench_packets(bench)[i];

        packet->len = 14 + i % (PACKET_BENCH_BYTES - 13);
        memset(packet->bytes, (int)i, sizeof(packet->bytes));
        memcpy(packet->bytes, &(uint16_t){(uint16_t)packet->len}, 2);
    }
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned program = 0; program < PACKET_BENCH_PROGRAMS; program++) {
            cr_assert_eq(packet_bench_pass(bench, (enum packet_bench_program)program, PACKETS,
                                           &times, &failure),
                         0, "%s", failure.text);
            cr_assert_eq(times.run_n, PACKETS);
            cr_assert_gt(times.whole, 0);
        }
        /* a run more than packets ends the last one */
        cr_assert_eq(count(counts_fd), (pass + 1) * (PACKETS + 1u));
    }
    packet_bench_close(bench);
    close(program_fd);
    close(counts_fd);
}

Test(packet_bench, refuses_what_it_has_no_room_for)
{
    struct failure failure = {{0}};
    struct packet_bench *bench = NULL;
    struct packet_bench_times times;
    int counts_fd;
    int program_fd;

    if (cores_check_allowed(&failure) < 0) {
        cr_skip_test("%s", failure.text);
    }
    counts_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counts", 4, 8, 1, NULL);
    program_fd = load_grower(counts_fd);
    cr_assert_eq(packet_bench_open(program_fd, 10, &bench, &failure), 0, "%s", failure.text);
    cr_assert_lt(packet_bench_pass(bench, PACKET_BENCH_ANSWER, 0, &times, &failure), 0);
    cr_assert_lt(packet_bench_pass(bench, PACKET_BENCH_ANSWER, 11, &times, &failure), 0);
    packet_bench_packets(bench)[0].len = PACKET_BENCH_BYTES + 1;
    cr_assert_lt(packet_bench_pass(bench, PACKET_BENCH_ANSWER, 1, &times, &failure), 0);
    packet_bench_close(bench);
    close(program_fd);
    close(counts_fd);
    cr_assert_lt(packet_bench_open(-1, 10, &bench, &failure), 0);
}

Test(packet_bench, a_miss_costs_something)
{
    cr_assert_gt(packet_bench_miss_ns((size_t)1 << 20), 0);
    cr_assert_lt(packet_bench_miss_ns(64), 0);
}
