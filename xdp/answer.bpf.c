/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * Answers in the kernel: packet in, packet out. Glue over the cores; what is answered, and with
 * which bytes, is decided in xdp/answer_core.h and below. In this order:
 *
 *   path_admit     is it for us, may and can it be answered at all
 *   path_load      the message into memory
 *   answer_read, answer_write
 *   path_grow      room in the packet; until here it is as it came
 *   path_send      back to where it came from
 *
 * Maps and constants are those of xdp/fast_abi.h. Needs Linux 6.1.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "xdp/answer_core.h"

/* Sizes are set by the loader: of what is in blocks, those of the values. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct fast_control);
} control SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, FAST_SLOTS);
    __type(key, __u32);
    __type(value, struct fast_policy);
} policies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct fast_state);
} states SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, FAST_TABLE_SLOTS);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, FAST_BLOCK_SIZE);
} templates SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, FAST_TABLE_SLOTS);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, FAST_BLOCK_SIZE);
} images SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct fast_counters);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct work);
} scratch SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 16);
} tap SEC(".maps");

const volatile struct fast_limits limits;
const volatile struct fast_faults faults;

/* One packet's way. */
struct path {
    struct xdp_md *context;
    const struct fast_control *control;
    struct fast_counters *counters;
    struct work *work;
    const struct fast_policy *policy; /* once it is known to be for us */
    __u64 word;
    __u32 len; /* of the frame as it came */
};

static __always_inline __u32 frame_len(const struct xdp_md *context)
{
    __u64 len = (__u64)((const __u8 *)(long)context->data_end - (const __u8 *)(long)context->data);

    WORK_FORGET(len);
    return (__u32)len;
}

/* --- sampling --- */

static __always_inline int path_is_sampled(const struct path *path)
{
    __u64 mask = path->control->tap_mask;

    return mask != ~0ULL && (bpf_get_prandom_u32() & mask) == 0;
}

/* `moved`: how many bytes in front of the frame are new. Nothing else has been written. */
static __always_inline void path_sample(const struct path *path, __u32 moved, __u8 answered,
                                        __u32 verdict)
{
    __u64 len = path->len;
    struct fast_tap *sample;

    if (!path_is_sampled(path)) {
        return;
    }
    sample = bpf_ringbuf_reserve(&tap, sizeof(*sample), 0);
    if (!sample) {
        path->counters->tap_lost++;
        return;
    }
    sample->at_ns = bpf_ktime_get_coarse_ns();
    sample->len = (__u16)len;
    sample->answered = answered;
    sample->verdict = (__u8)verdict;
    sample->ifindex = path->context->ingress_ifindex;
    len = len < FAST_TAP_BYTES ? len : FAST_TAP_BYTES;
    if (WORK_BOUNDED(len, 511, FAST_TAP_BYTES)) {
        bpf_xdp_load_bytes(path->context, moved, sample->bytes, (__u32)len);
    }
    bpf_ringbuf_submit(sample, 0);
}

/* --- the way in --- */

/* The daemon's deadline has passed. The clock moves once a tick, so that often it is read. */
static __always_inline int path_is_stale(const struct path *path)
{
    __u64 deadline_ns = *(const volatile __u64 *)&path->control->deadline_ns;
    __u64 tick = bpf_jiffies64();
    struct work *work = path->work;

    if (work->beat_tick != tick || work->beat_deadline_ns != deadline_ns) {
        work->beat_tick = tick;
        work->beat_deadline_ns = deadline_ns;
        work->beat_stale = bpf_ktime_get_coarse_ns() > deadline_ns;
    }
    return work->beat_stale != 0;
}

static __always_inline enum fast_reason path_admit(struct path *path)
{
    const __u8 *data = (const __u8 *)(long)path->context->data;
    const __u8 *end = (const __u8 *)(long)path->context->data_end;
    struct packet *packet = &path->work->packet;
    enum fast_reason reason;
    __u32 slot;

    path->len = frame_len(path->context);
    if (packet_read(data, end, packet) < 0) {
        return FAST_PASS_NOT_DNS;
    }
    WORK_BARRIER();
    path->word = *(const volatile __u64 *)&path->control->word;
    slot = FAST_WORD_STATE(path->word);
    path->policy = bpf_map_lookup_elem(&policies, &slot);
    if (!path->policy) {
        return FAST_PASS_OFF;
    }
    if (!packet_is_ours(packet, path->policy)) {
        return FAST_PASS_NOT_DNS;
    }
    if (path_is_stale(path)) {
        return FAST_PASS_STALE;
    }
    reason = packet_reason(packet, path->policy, path->word);
    if (reason != ANSWER_OK) {
        return reason;
    }
    work_take_link(path->work, data);
    return ANSWER_OK;
}

#define PATH_CHUNK 32u

static __always_inline void path_copy_chunk(const __u8 *from, __u8 *to)
{
    for (__u32 i = 0; i < PATH_CHUNK; i += 8) {
        bytes_put_u64(to + i, bytes_get_u64(from + i));
    }
}

/* From the header's end on; the last chunk, at `last`, may overlap the one before. */
static __always_inline int path_copy_chunks(const __u8 *from, const __u8 *end, __u8 *to, __u64 last)
{
    for (__u64 at = WORK_HEADER_LEN; at < FAST_QUERY_MAX; at += PATH_CHUNK) {
        if (at >= last) {
            break;
        }
        if (from + at + PATH_CHUNK > end) {
            return -1;
        }
        path_copy_chunk(from + at, to + at);
    }
    last &= 511;
    if (from + last + PATH_CHUNK > end) {
        return -1;
    }
    path_copy_chunk(from + last, to + last);
    return 0;
}

/* The same for what is shorter than a chunk. */
static __always_inline int path_copy_words(const __u8 *from, const __u8 *end, __u8 *to, __u64 last)
{
    for (__u64 at = WORK_HEADER_LEN; at < WORK_HEADER_LEN + PATH_CHUNK; at += 8) {
        if (at >= last) {
            break;
        }
        if (from + at + 8 > end) {
            return -1;
        }
        bytes_put_u64(to + at, bytes_get_u64(from + at));
    }
    last &= 63;
    if (from + last + 8 > end) {
        return -1;
    }
    bytes_put_u64(to + last, bytes_get_u64(from + last));
    return 0;
}

/* The message in words, so that they are read as they were written. -1: the packet ends before. */
static __always_inline int path_copy_in(const struct path *path, __u64 len)
{
    const __u8 *from =
        (const __u8 *)(long)path->context->data + (packet_message_at(&path->work->packet) & 127);
    const __u8 *end = (const __u8 *)(long)path->context->data_end;
    __u8 *to = path->work->frame + WORK_HEAD_LEN;

    if (from + QUESTION_LEN_MIN > end) {
        return -1;
    }
    bytes_put_u64(to, bytes_get_u64(from));
    bytes_put_u32(to + 8, bytes_get_u32(from + 8));
    if (len >= WORK_HEADER_LEN + PATH_CHUNK) {
        return path_copy_chunks(from, end, to, len - PATH_CHUNK);
    }
    return path_copy_words(from, end, to, len - 8);
}

static __always_inline enum fast_reason path_load(const struct path *path)
{
    struct work *work = path->work;
    __u64 len = work->packet.udp_len - PACKET_UDP_LEN;

    if (len < QUESTION_LEN_MIN || len > FAST_QUERY_MAX) {
        return FAST_PASS_SIZE;
    }
    work->message_len = (__u32)len;
    WORK_BARRIER();
    return path_copy_in(path, work->message_len) < 0 ? FAST_PASS_BROKEN : ANSWER_OK;
}

static __always_inline enum fast_reason path_answer(const struct path *path)
{
    __u32 template_slot = FAST_WORD_TEMPLATE(path->word);
    __u32 image_slot = FAST_WORD_IMAGE(path->word);
    struct fast_tables tables = {
        .policy = path->policy,
        .templates = {bpf_map_lookup_elem(&templates, &template_slot), limits.template_blocks},
        .image = {bpf_map_lookup_elem(&images, &image_slot), limits.image_blocks},
    };
    struct fast_states slot = {&states, FAST_WORD_STATE(path->word) * limits.services,
                               limits.services};
    enum fast_reason reason;

    if (!tables.templates.bytes) {
        return FAST_PASS_OFF;
    }
    reason = answer_read(path->work, path->policy, (__u32)path->control->now_wall_s);
    return reason == ANSWER_OK ? answer_write(path->work, &tables, &slot) : reason;
}

/* --- the way out --- */

/* Makes the packet as long as the answer: at its end or, where the driver left no room there, at
 * its beginning, by `moved` bytes; then the question has to be written, too. */
static __always_inline enum fast_reason path_grow(const struct path *path, __u32 *ret_moved)
{
    int more = (int)path->work->frame_len - (int)path->len;
    __u32 moved = 0;

    if (more > 0) {
        if (!faults.tail && bpf_xdp_adjust_tail(path->context, more) == 0) {
            path->counters->grown_tail++;
        } else if (!faults.head && bpf_xdp_adjust_head(path->context, -more) == 0) {
            path->counters->grown_head++;
            moved = (__u32)more;
        } else {
            return FAST_PASS_ROOM;
        }
    }
    *ret_moved = moved;
    path_sample(path, moved, 1, path->work->answer);
    if (more < 0 && bpf_xdp_adjust_tail(path->context, more) < 0) {
        return FAST_PASS_ROOM;
    }
    return ANSWER_OK;
}

static __always_inline int path_send(const struct path *path, __u32 moved)
{
    __u8 *data = (__u8 *)(long)path->context->data;
    const __u8 *end = (const __u8 *)(long)path->context->data_end;
    const struct work *work = path->work;
    __u64 from = frame_copy_from(work, moved);
    __u64 len = work->copy_end - from;

    /* the head last: for a short answer the copy may reach into it */
    if (len <= FRAME_COPY_MAX) {
        return frame_copy(work, data, end, (__u32)from) < 0 ? -1
                                                            : frame_write_head(work, data, end);
    }
    from &= 511;
    if (!WORK_BOUNDED(len, 2047, 1300) ||
        bpf_xdp_store_bytes(path->context, packet_message_at(&work->packet) + (__u32)from,
                            (void *)(unsigned long)(work->frame + WORK_HEAD_LEN + from),
                            (__u32)len) < 0) {
        return -1;
    }
    return frame_write_head(work, data, end);
}

static __always_inline void path_count(const struct path *path)
{
    struct fast_counters *sums = path->counters;
    const struct work *work = path->work;
    __u32 answer = work->answer & 3;

    if (answer < FAST_ANSWERS) {
        sums->answered[answer]++;
    }
    sums->answered_ipv6 += work->packet.ipv6 & 1;
    if (work->asked) {
        sums->answered_edns++;
        sums->answered_ecs += work->asked / WORK_ECS & 1;
        sums->answered_cookie += work->asked / WORK_COOKIE & 1;
        sums->answered_do += work->asked / WORK_DNSSEC_OK & 1;
    }
    sums->query_bytes += work->message_len;
    sums->response_bytes += work->at;
}

static __always_inline enum fast_reason path_run(struct path *path, __u32 *ret_moved)
{
    enum fast_reason reason = path_admit(path);

    WORK_BARRIER();
    if (reason == ANSWER_OK) {
        reason = path_load(path);
    }
    WORK_BARRIER();
    if (reason == ANSWER_OK) {
        reason = path_answer(path);
    }
    WORK_BARRIER();
    if (reason == ANSWER_OK) {
        reason = path_grow(path, ret_moved);
    }
    return reason;
}

SEC("xdp")
int answer(struct xdp_md *context)
{
    struct path path = {.context = context};
    __u32 cpu = bpf_get_smp_processor_id();
    __u32 zero = 0;
    __u32 moved = 0;
    enum fast_reason reason;
    int action = XDP_PASS;

    path.control = bpf_map_lookup_elem(&control, &zero);
    path.counters = bpf_map_lookup_elem(&counters, &cpu);
    path.work = bpf_map_lookup_elem(&scratch, &zero);
    if (!path.control || !path.counters || !path.work) {
        return XDP_PASS;
    }
    reason = path_run(&path, &moved);
    if (reason == ANSWER_OK) {
        action = path_send(&path, moved) == 0 ? XDP_TX : XDP_ABORTED;
        path_count(&path);
    } else {
        if (reason < FAST_PASS_REASONS) {
            path.counters->passed[reason]++;
        }
        if (reason != FAST_PASS_NOT_DNS) {
            path_sample(&path, 0, 0, reason);
        }
    }
    return action;
}

const char license_text[] SEC("license") = "Dual BSD/GPL";
