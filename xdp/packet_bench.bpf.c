/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * Runs another program, as it was loaded, on many packets in one BPF_PROG_TEST_RUN. The kernel
 * gives each run the packet as the run before has left it; so this program, the one that is test
 * run, makes the next packet in its place, reads the clock and calls the other. What is between
 * that and the next reading of the clock, at the start of the next run, is one run of the other
 * program and a constant, which the empty program shows.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "xdp/packet_bench_abi.h"

/* Sizes are set by the loader. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct packet_bench_packet);
} packets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} times SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, PACKET_BENCH_PROGRAMS);
    __type(key, __u32);
    __type(value, __u32);
} programs SEC(".maps");

struct packet_bench_state state;

/* Puts the packet where and as long as it was, whatever the run before has made of it. */
static __always_inline int packet_restore(struct xdp_md *context,
                                          struct packet_bench_packet *packet)
{
    volatile __u64 *now = &state.data_now; /* a number once it is read from memory */
    __u64 len = packet->len; /* 64 bits: the verifier then follows the comparisons below */

    *now = (__u64)(long)context->data;
    if (state.data == 0) {
        state.data = *now;
    }
    if (state.data != *now && bpf_xdp_adjust_head(context, (int)(state.data - *now)) < 0) {
        return -1;
    }
    *now = (__u64)(long)context->data_end;
    if (state.data + len != *now &&
        bpf_xdp_adjust_tail(context, (int)(state.data + len - *now)) < 0) {
        return -1;
    }
    /* else clang 14 makes one comparison of two, whose result the verifier cannot use */
    __asm__ volatile("" : "+r"(len));
    if (len > sizeof(packet->bytes)) {
        return -1;
    }
    __asm__ volatile("" : "+r"(len));
    if (len < PACKET_BENCH_LEAST) {
        return -1;
    }
    return (int)bpf_xdp_store_bytes(context, 0, packet->bytes, (__u32)len);
}

SEC("xdp")
int packet_bench_run(struct xdp_md *context)
{
    __u64 ended_ns = bpf_ktime_get_ns();
    __u32 index = state.next;
    __u32 before = (index ? index : state.packet_n) - 1;
    struct packet_bench_packet *packet = bpf_map_lookup_elem(&packets, &index);
    __u64 *time = bpf_map_lookup_elem(&times, &before);

    if (time && state.started_ns) {
        *time = ended_ns - state.started_ns;
    }
    state.next = index + 1 < state.packet_n ? index + 1 : 0;
    if (!packet || packet_restore(context, packet) < 0) {
        state.failed_n++;
        state.started_ns = 0;
        return XDP_ABORTED;
    }
    /* a locked addition waits until the packet is in the cache, as one that has arrived is */
    __sync_fetch_and_add(&state.barrier, 1);
    state.started_ns = bpf_ktime_get_ns();
    bpf_tail_call(context, &programs, state.program);
    state.failed_n++;
    return XDP_ABORTED;
}

const char license_text[] SEC("license") = "Dual BSD/GPL";
