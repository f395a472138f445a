/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The lookup and selection cores in the kernel: the image's own bytes lie in an array of one
 * value, questions and answers in two others. Glue only; everything that decides is in
 * maps/decide_core.h and maps/select_core.h.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "maps/decide_core.h"
#include "maps/select_core.h"
#include "xdp/cores_abi.h"

struct state_bytes {
    __u8 by_pop[MAP_STATES];
};

/* Sizes are set by the loader. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, MAP_BLOCK_SIZE);
} image SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct state_bytes);
} states SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cores_question);
} questions SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cores_answer);
} answers SEC(".maps");

const volatile struct cores_config config;

/* The next question; runs of one test follow one another, so a plain counter does. */
__u32 next_question;

static __always_inline int take_question(struct cores_question **ret_question,
                                         struct cores_answer **ret_answer)
{
    __u32 index = next_question;

    next_question = index + 1 < config.question_n ? index + 1 : 0;
    *ret_question = bpf_map_lookup_elem(&questions, &index);
    *ret_answer = bpf_map_lookup_elem(&answers, &index);
    return *ret_question && *ret_answer ? 0 : -1;
}

SEC("xdp")
int cores_run(struct xdp_md *context)
{
    __u32 zero = 0;
    struct map_region region = {bpf_map_lookup_elem(&image, &zero), config.block_n};
    struct cores_question *question;
    struct cores_answer *answer;
    const struct map_entry *maps;
    const struct map_entry *map;
    const struct state_bytes *state;

    (void)context;
    if (take_question(&question, &answer) < 0 || !region.bytes) {
        return XDP_ABORTED;
    }
    maps = map_region_block(&region, config.maps_block + question->map / 8);
    state = bpf_map_lookup_elem(&states, &question->states);
    if (!maps || !state) {
        answer->done = 2;
        return XDP_ABORTED;
    }
    map = &maps[question->map & 7];
    map_decide(&region, map, config.records_block, &question->client, &answer->verdict);
    map_select(&answer->verdict.record, state->by_pop, map->tail, map->tail_n, question->want,
               &answer->picks);
    answer->done = 1;
    return XDP_PASS;
}

/* The same run without the cores: what has to be subtracted from a time. */
SEC("xdp")
int cores_empty(struct xdp_md *context)
{
    struct cores_question *question;
    struct cores_answer *answer;

    (void)context;
    if (take_question(&question, &answer) < 0) {
        return XDP_ABORTED;
    }
    answer->done = question->want != 0;
    return XDP_PASS;
}

const char license_text[] SEC("license") = "Dual BSD/GPL";
