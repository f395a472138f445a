/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The OPT record of a query (RFC 6891) and the options that change an answer: client subnet (RFC
 * 7871), NSID (RFC 5001), cookies (RFC 7873). All others are skipped, as edge/wire/edns.c does. An
 * answer overwrites the query, so what it needs of it is copied. Pure.
 */
#ifndef XDP_OPTION_CORE_H
#define XDP_OPTION_CORE_H

#include <linux/types.h>

#include "xdp/question_core.h"

#define OPTION_OPT_LEN 11u
#define OPTION_HEAD_LEN 4u
#define OPTION_MAX 4u /* more than anybody sends */

#define OPTION_NSID 3u
#define OPTION_ECS 8u
#define OPTION_COOKIE 10u

#define OPTION_ECS_HEAD_LEN 4u

/* The upper `bits` of 64; 64 and more: all. */
BYTES_INLINE __u64 option_mask(__u32 bits)
{
    if (bits >= 64) {
        return ~0ULL;
    }
    return ~(~0ULL >> bits);
}

/* RFC 7871 section 7.1.1: the length says the same as SOURCE, SCOPE is 0, the bits beyond SOURCE
 * are zero. FAMILY 0 has no address (section 7.5). */
BYTES_INLINE int option_ecs(struct work *work, const __u8 *data, __u32 len)
{
    __u32 family;
    __u32 source;
    __u32 bits;
    __u64 high;
    __u64 low;

    if (len < OPTION_ECS_HEAD_LEN || work->asked & WORK_ECS) { /* two subnets are no subnet */
        return -1;
    }
    family = bytes_get_be16(data);
    source = data[2];
    bits = family == 1 ? 32 : family == 2 ? 128 : 0;
    if (family > 2 || data[3] != 0 || source > bits ||
        len - OPTION_ECS_HEAD_LEN != (source + 7) / 8) {
        return -1;
    }
    len -= OPTION_ECS_HEAD_LEN;
    high = bytes_swap_u64(bytes_get_u64(data + 4)) & option_mask(len * 8);
    low = bytes_swap_u64(bytes_get_u64(data + 12)) & option_mask(len > 8 ? len * 8 - 64 : 0);
    if (high & ~option_mask(source) || low & ~option_mask(source > 64 ? source - 64 : 0)) {
        return -1;
    }
    work->ecs_family = (__u16)family;
    work->ecs_source = (__u8)source;
    work->ecs_address_len = (__u8)len;
    work->ecs_address[0] = high;
    work->ecs_address[1] = low;
    work->asked |= WORK_ECS;
    return 0;
}

/* RFC 7873 section 5.2: the first one counts. More bytes than it has may be copied, its length says
 * which count. */
BYTES_INLINE void option_cookie(struct work *work, const __u8 *data, __u32 len)
{
    if (!(work->asked & WORK_COOKIE)) {
        work->asked |= WORK_COOKIE;
        work->cookie_len = len;
        work->cookie[0] = bytes_get_u64(data);
        work->cookie[1] = bytes_get_u64(data + 8);
        work->cookie[2] = bytes_get_u64(data + 16);
    }
}

BYTES_INLINE enum fast_reason option_list(struct work *work, __u64 at)
{
    __u64 end = work->message_len;

    for (__u32 i = 0; i < OPTION_MAX; i++) {
        const __u8 *option;
        __u64 code;
        __u64 len;

        if (at == end) {
            return QUESTION_OK;
        }
        at &= 1023;
        WORK_FORGET(at);
        option = work_message(work) + (at & 1023);
        if (at + OPTION_HEAD_LEN > end) {
            return FAST_PASS_EDNS;
        }
        code = bytes_get_be16(option);
        len = bytes_get_be16(option + 2);
        at += OPTION_HEAD_LEN + len;
        if (at > end) {
            return FAST_PASS_EDNS;
        }
        if (code == OPTION_ECS) {
            if (option_ecs(work, option + OPTION_HEAD_LEN, (__u32)len) < 0) {
                return FAST_PASS_ECS;
            }
        } else if (code == OPTION_COOKIE) {
            option_cookie(work, option + OPTION_HEAD_LEN, (__u32)len);
        } else if (code == OPTION_NSID) {
            work->asked |= WORK_NSID;
        }
        WORK_BARRIER();
    }
    return at == end ? QUESTION_OK : FAST_PASS_EDNS;
}

/* Reads what stands behind the question: nothing, or one OPT record up to the end. */
BYTES_INLINE enum fast_reason option_read(struct work *work)
{
    __u64 at = (WORK_HEADER_LEN + work->name_len + 4) & 511;
    const __u8 *opt = work_message(work) + at;

    if (!(work->asked & WORK_EDNS)) {
        return at == work->message_len ? QUESTION_OK : FAST_PASS_HEADER;
    }
    if (at + OPTION_OPT_LEN > work->message_len || opt[0] != 0 ||
        bytes_get_be16(opt + 1) != QUESTION_TYPE_OPT || opt[6] != 0 ||
        at + OPTION_OPT_LEN + bytes_get_be16(opt + 9) != work->message_len) {
        return FAST_PASS_EDNS;
    }
    work->udp_size = bytes_get_be16(opt + 3);
    work->asked |= opt[7] & 0x80 ? WORK_DNSSEC_OK : 0u;
    return option_list(work, at + OPTION_OPT_LEN);
}

#endif
