/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * A query becomes its answer, in memory: what edge/answer would send, or the reason why it is
 * passed up. Until the caller copies the frame out, the packet is as it came. Pure.
 *
 *   question_read    header, name, type                    (xdp/question_core.h)
 *   option_read      OPT                                   (xdp/option_core.h)
 *   find_read        the template                          (xdp/find_core.h)
 *   answer_body      its body
 *   answer_service   whom this client is sent to, their records
 *   answer_opt       what the query's OPT asked for
 *   frame_finish     everything in front of it, checksums  (xdp/frame_core.h)
 */
#ifndef XDP_ANSWER_CORE_H
#define XDP_ANSWER_CORE_H

#include <linux/types.h>

#include "xdp/find_core.h"
#include "xdp/frame_core.h"
#include "xdp/option_core.h"
#include "xdp/question_core.h"
#include "xdp/states_core.h"

#define ANSWER_OK FAST_PASS_REASONS
#define ANSWER_UDP_MIN 512u /* RFC 6891 section 6.2.3 */
#define ANSWER_UDP_MAX 1232u
#define ANSWER_TTLS_MAX 32u /* of one PoP's records */
#define ANSWER_TTL_AT 6u

/* Appends `len` bytes that stand at `from` of a block, in words. */
BYTES_INLINE enum fast_reason answer_append(struct work *work, const __u8 *block, __u32 from,
                                            __u32 len)
{
    __u8 *message = work_message(work);
    __u32 to = work->at;

    if (from + len > FAST_BLOCK_SIZE) {
        return FAST_PASS_BROKEN;
    }
    if (to + len > ANSWER_UDP_MAX) {
        return FAST_PASS_LARGE;
    }
    for (__u32 i = 0; i < ANSWER_UDP_MAX; i += 8) {
        if (i >= len) {
            break;
        }
        bytes_put_u64(message + ((to + i) & (WORK_MESSAGE_LEN - 1)),
                      bytes_get_u64(block + ((from + i) & (FAST_BLOCK_SIZE - 8))));
    }
    work->at = to + len;
    return ANSWER_OK;
}

BYTES_INLINE enum fast_reason answer_body(struct work *work, const struct find *find)
{
    const struct fast_template *template = find_template(find);
    __u32 name_room = NAME_WORDS((__u32) template->name_len) * 8;
    __u32 at = work->at;

    work->sum += sum_at(template->body_sum, at + 1);
    work->answer_n = template->answer_n;
    return answer_append(work, find->block, find->offset + (__u32)sizeof(*template) + name_room,
                         template->body_len);
}

/* --- services --- */

BYTES_INLINE void answer_no_address(struct map_address *ret_address)
{
    map_address_ipv4(0, ret_address);
    ret_address->family = MAP_ADDRESS_NONE;
}

/* The addresses the query speaks for (RFC 7871 section 7.5: SOURCE 0 asks not to use the
 * client's). */
BYTES_INLINE void answer_client(const struct work *work, struct map_client *client)
{
    if (work->asked & WORK_ECS && work->ecs_source) {
        if (work->ecs_family == 1) {
            map_address_ipv4((__u32)(work->ecs_address[0] >> 32), &client->ecs);
        } else {
            map_address_ipv6(work->ecs_address[0], work->ecs_address[1], &client->ecs);
        }
    } else {
        answer_no_address(&client->ecs);
    }
    if (work->packet.ipv6) {
        map_address_ipv6(bytes_swap_u64(work->packet.source.words[0]),
                         bytes_swap_u64(work->packet.source.words[1]), &client->source);
    } else {
        map_address_ipv4((__u32)bytes_swap_u64(work->packet.source.words[1]), &client->source);
    }
}

/* Whom the service sends this client to. */
BYTES_INLINE enum fast_reason answer_choose(struct work *work, const struct fast_tables *tables,
                                            const struct fast_template *template,
                                            const struct fast_state *state)
{
    const struct map_entry *maps;
    const struct map_entry *map;
    struct map_verdict verdict;
    struct map_client client;
    struct map_picks picks;

    maps = map_region_block(&tables->image, tables->policy->maps_block + template->map / 8u);
    if (!maps) {
        return FAST_PASS_BROKEN;
    }
    map = &maps[template->map & 7];
    answer_client(work, &client);
    map_decide(&tables->image, map, tables->policy->records_block, &client, &verdict);
    work->record = verdict.record;
    work->ecs_scope = verdict.scope;
    WORK_BARRIER();
    map_select(&work->record, state->states[template->family & 1], map->tail, map->tail_n,
               template->want, &picks);
    work->pick_n = picks.count;
    __builtin_memcpy(&work->picks, picks.pop, sizeof(work->picks));
    WORK_BARRIER();
    return work->pick_n ? ANSWER_OK : FAST_PASS_EMPTY;
}

/* What the TTLs of a piece add to its sum, which starts at an even byte. */
BYTES_INLINE __u64 answer_ttls(struct work *work, const struct fast_variant *variant,
                               __u32 piece_at, __u32 ttl)
{
    __u8 *message = work_message(work);
    __u32 stride = variant->ttl_stride;
    __u32 at = piece_at + ANSWER_TTL_AT;
    __u64 sum = 0;

    ttl = bytes_swap_u32(ttl);
    for (__u32 i = 0; i < ANSWER_TTLS_MAX; i++) {
        if (i >= variant->ttl_n) {
            break;
        }
        bytes_put_u32(message + (at & (WORK_MESSAGE_LEN - 1)), ttl);
        sum += sum_at(ttl, at);
        at += stride;
    }
    return sum;
}

/* The records of one PoP. */
BYTES_INLINE enum fast_reason answer_pop(struct work *work, const struct fast_tables *tables,
                                         const struct fast_variant *variant, __u32 ttl)
{
    enum fast_reason reason;
    const __u8 *block;
    __u32 at = work->at;

    if (!variant->len) {
        return ANSWER_OK;
    }
    if (variant->ttl_n > ANSWER_TTLS_MAX) {
        return FAST_PASS_LARGE;
    }
    block = map_region_block(&tables->templates, FAST_PLACE_BLOCK(variant->place));
    if (!block) {
        return FAST_PASS_BROKEN;
    }
    reason = answer_append(work, block, FAST_PLACE_OFFSET(variant->place), variant->len);
    if (reason != ANSWER_OK) {
        return reason;
    }
    work->answer_n += variant->rr_n;
    work->sum += sum_at(variant->sum, at + 1);
    work->sum += answer_ttls(work, variant, at, ttl);
    return ANSWER_OK;
}

BYTES_INLINE enum fast_reason answer_service(struct work *work, const struct fast_tables *tables,
                                             const struct fast_states *states,
                                             const struct fast_template *template)
{
    const struct fast_variant *variants;
    const struct fast_state *state;
    enum fast_reason reason;

    if (!tables->image.bytes) {
        return FAST_PASS_IMAGE;
    }
    state = fast_states_get(states, template->service);
    variants = map_region_block(&tables->templates, template->variants_block);
    if (!state || !variants) {
        return FAST_PASS_BROKEN;
    }
    reason = answer_choose(work, tables, template, state);
    if (reason != ANSWER_OK) {
        return reason;
    }
    for (__u32 i = 0; i < MAP_PICKS_MAX; i++) {
        if (i >= work->pick_n) {
            break;
        }
        reason = answer_pop(work, tables, &variants[work->picks >> (8 * i) & 255], state->ttl);
        if (reason != ANSWER_OK) {
            return reason;
        }
        WORK_BARRIER();
    }
    return ANSWER_OK;
}

/* --- OPT --- */

/* Writes a word of OPT and returns its sum. What has just been written in pieces is slow to read
 * again in words, so sums are made of what is written. */
BYTES_INLINE __u64 answer_put(__u8 *to, __u64 word)
{
    bytes_put_u64(to, word);
    return sum_u64(word);
}

/* Code and length of an option, as they lie in memory. */
BYTES_INLINE __u64 answer_option(__u32 code, __u32 len)
{
    return (__u64)bytes_swap_u16((__u16)code) | (__u64)bytes_swap_u16((__u16)len) << 16;
}

BYTES_INLINE __u64 answer_opt_cookie(const struct work *work, __u8 *to)
{
    __u32 head = (__u32)answer_option(OPTION_COOKIE, COOKIE_LEN);
    __u64 sum = head;

    bytes_put_u32(to, head);
    to += OPTION_HEAD_LEN;
    for (__u64 i = 0; i < COOKIE_LEN / 8; i++) {
        sum += answer_put(to + i * 8, work->cookie_reply[i]);
    }
    return sum;
}

/* Behind the name the policy has zeroes. */
BYTES_INLINE __u64 answer_opt_nsid(const struct fast_policy *policy, __u8 *to)
{
    __u32 head = (__u32)answer_option(OPTION_NSID, policy->nsid_len);
    __u64 sum = head;

    bytes_put_u32(to, head);
    to += OPTION_HEAD_LEN;
    for (__u64 i = 0; i < FAST_NSID_MAX / 8; i++) {
        sum += answer_put(to + i * 8, bytes_get_u64(policy->nsid + i * 8));
    }
    return sum;
}

/* RFC 7871 section 7.2.1 */
BYTES_INLINE __u64 answer_opt_ecs(const struct work *work, __u8 *to)
{
    __u64 head = answer_option(OPTION_ECS, OPTION_ECS_HEAD_LEN + work->ecs_address_len) |
                 (__u64)bytes_swap_u16(work->ecs_family) << 32 | (__u64)work->ecs_source << 48 |
                 (__u64)work->ecs_scope << 56;

    return answer_put(to, head) + answer_put(to + 8, bytes_swap_u64(work->ecs_address[0])) +
           answer_put(to + 16, bytes_swap_u64(work->ecs_address[1]));
}

/* The three options, in edge's order, behind the OPT record that begins at `opt`: its length so
 * far. The sum is as if it began at an even byte. */
BYTES_INLINE __u32 answer_options(const struct work *work, const struct fast_policy *policy,
                                  __u8 *opt, __u64 *sum)
{
    __u32 len = OPTION_OPT_LEN;

    if (work->asked & WORK_COOKIE) {
        *sum += sum_at(answer_opt_cookie(work, opt + OPTION_OPT_LEN), OPTION_OPT_LEN);
        len += OPTION_HEAD_LEN + COOKIE_LEN;
    }
    if (work->asked & WORK_NSID && policy->nsid_len) {
        *sum += sum_at(answer_opt_nsid(policy, opt + len), len);
        len += OPTION_HEAD_LEN + (policy->nsid_len & (2 * FAST_NSID_MAX - 1));
    }
    if (work->asked & WORK_ECS) {
        *sum += sum_at(answer_opt_ecs(work, opt + len), len);
        len += OPTION_HEAD_LEN + OPTION_ECS_HEAD_LEN + work->ecs_address_len;
    }
    return len;
}

/* Root name, type, our size, extended RCODE and version 0, DO: eleven bytes with the length. */
BYTES_INLINE void answer_opt(struct work *work, const struct fast_policy *policy)
{
    __u32 at = work->at & (WORK_MESSAGE_LEN - 1);
    __u8 *opt = work_message(work) + at;
    __u64 first = (__u64)bytes_swap_u16(QUESTION_TYPE_OPT) << 8 |
                  (__u64)bytes_swap_u16(ANSWER_UDP_MAX) << 24 |
                  (work->asked & WORK_DNSSEC_OK ? 0x80ULL << 56 : 0);
    __u64 sum = 0;
    __u32 len = answer_options(work, policy, opt, &sum);
    __u32 options_len = bytes_swap_u16((__u16)(len - OPTION_OPT_LEN));

    sum += answer_put(opt, first) + ((__u64)options_len << 8);
    opt[8] = 0;
    bytes_put_u16(opt + 9, (__u16)options_len);
    WORK_BARRIER();
    work->sum += sum_at(sum, at);
    work->at = at + len;
}

/* --- all of it --- */

/* The judgement of the query's cookie makes no difference here but for the one sent back: limiting
 * rates, which tells between them, keeps everything out of the kernel. */
BYTES_INLINE enum fast_reason answer_cookie(struct work *work, const struct fast_policy *policy,
                                            __u32 now_s)
{
    const __u8 *address = (const __u8 *)work->packet.source.words;

    if (!policy->cookies.count) {
        work->asked &= ~(__u32)WORK_COOKIE;
        return ANSWER_OK;
    }
    if (!cookie_len_ok(work->cookie_len)) { /* RFC 7873 section 5.2.2 */
        return FAST_PASS_COOKIE;
    }
    if (work->packet.ipv6) {
        (void)cookie_answer(&policy->cookies, (const __u8 *)work->cookie, work->cookie_len, address,
                            16, now_s, (__u8 *)work->cookie_reply);
    } else {
        (void)cookie_answer(&policy->cookies, (const __u8 *)work->cookie, work->cookie_len,
                            address + 12, 4, now_s, (__u8 *)work->cookie_reply);
    }
    return ANSWER_OK;
}

/* Reads the query that lies in the frame. */
BYTES_INLINE enum fast_reason answer_read(struct work *work, const struct fast_policy *policy,
                                          __u32 now_s)
{
    enum fast_reason reason = question_read(work, &policy->factors);

    WORK_BARRIER();
    if (reason == QUESTION_OK) {
        reason = option_read(work);
    }
    WORK_BARRIER();
    if (reason == QUESTION_OK && work->asked & WORK_COOKIE) {
        reason = answer_cookie(work, policy, now_s);
    }
    WORK_BARRIER();
    return reason;
}

BYTES_INLINE __u32 answer_limit(const struct work *work)
{
    __u32 limit = work->asked & WORK_EDNS ? work->udp_size : 0;

    if (limit > ANSWER_UDP_MAX) {
        limit = ANSWER_UDP_MAX;
    }
    return limit < ANSWER_UDP_MIN ? ANSWER_UDP_MIN : limit;
}

/* Writes the answer over the query. */
BYTES_INLINE enum fast_reason answer_write(struct work *work, const struct fast_tables *tables,
                                           const struct fast_states *states)
{
    const struct fast_template *template;
    enum fast_reason reason;
    struct find find;

    if (find_read(work, tables, &find) < 0) {
        return FAST_PASS_UNKNOWN;
    }
    template = find_template(&find);
    if (work->asked & WORK_DNSSEC_OK && !(template->attributes & FAST_DO_SAME)) {
        return FAST_PASS_DNSSEC;
    }
    work->at = WORK_HEADER_LEN + work->name_len + 4;
    work->sum = work->question_sum;
    work->answer_n = 0;
    work->ecs_scope = 0;
    work->answer = template->answer;
    WORK_BARRIER();
    reason = answer_body(work, &find);
    WORK_BARRIER();
    if (reason == ANSWER_OK && template->kind != FAST_STATIC) {
        reason = answer_service(work, tables, states, template);
    }
    WORK_BARRIER();
    if (reason != ANSWER_OK) {
        return reason;
    }
    if (work->asked & WORK_EDNS) {
        answer_opt(work, tables->policy);
    }
    WORK_BARRIER();
    if (work->at > answer_limit(work)) {
        return FAST_PASS_LARGE;
    }
    frame_finish(work, template);
    return ANSWER_OK;
}

#endif
