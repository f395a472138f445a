/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The same question to the map's tables and to BPF's own trie: which PoP is first for this address.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "maps/lookup_core.h"

#include "tables_abi.h"

#define NOBODY 0xffffffffu

struct image_block {
    __u8 bytes[MAP_BLOCK_SIZE];
};

struct trie_key_v4 {
    __u32 len;
    __u32 address;
};

struct trie_key_v6 {
    __u32 len;
    __u32 address[4];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, MAP_BLOCK_SIZE);
} image SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __type(key, struct trie_key_v4);
    __type(value, __u32);
} trie_v4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1);
    __type(key, struct trie_key_v6);
    __type(value, __u32);
} trie_v6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct tables_question);
} questions SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} answers SEC(".maps");

const volatile struct tables_config config;
__u32 next_question;

static __always_inline struct tables_question *take(__u64 **ret_answer)
{
    __u32 index = next_question;

    next_question = index + 1 < config.question_n ? index + 1 : 0;
    *ret_answer = bpf_map_lookup_elem(&answers, &index);
    return bpf_map_lookup_elem(&questions, &index);
}

SEC("xdp")
int tables_ours(struct xdp_md *context)
{
    __u32 zero = 0;
    struct map_region region = {bpf_map_lookup_elem(&image, &zero), config.block_n};
    const struct map_record *records;
    struct tables_question *question;
    struct map_leaf leaf;
    struct map_key key;
    __u64 *answer;

    (void)context;
    question = take(&answer);
    if (!question || !answer || !region.bytes) {
        return XDP_ABORTED;
    }
    key.hi = question->hi;
    key.lo = question->lo;
    if (question->ipv6 ? map_lookup_ipv6(&region, config.block_v6, &key, &leaf)
                       : map_lookup_ipv4(&region, config.block_v4, &key, &leaf)) {
        return XDP_ABORTED;
    }
    *answer = NOBODY;
    records = map_region_block(&region, config.records_block + (leaf.record >> 8));
    if (leaf.record <= MAP_RECORD_MAX && records) {
        *answer = records[leaf.record & 255u].pops & 0xffu;
    }
    return XDP_PASS;
}

SEC("xdp")
int tables_trie(struct xdp_md *context)
{
    struct tables_question *question;
    const __u32 *pop;
    __u64 *answer;

    (void)context;
    question = take(&answer);
    if (!question || !answer) {
        return XDP_ABORTED;
    }
    pop = question->ipv6 ? bpf_map_lookup_elem(&trie_v6, question->key)
                         : bpf_map_lookup_elem(&trie_v4, question->key);
    *answer = pop ? *pop : NOBODY;
    return XDP_PASS;
}

/* What both cost besides. */
SEC("xdp")
int tables_empty(struct xdp_md *context)
{
    struct tables_question *question;
    __u64 *answer;

    (void)context;
    question = take(&answer);
    if (!question || !answer) {
        return XDP_ABORTED;
    }
    *answer = question->hi;
    return XDP_PASS;
}

const char license_text[] SEC("license") = "Dual BSD/GPL";
