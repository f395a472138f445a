/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The message of a query up to its options (RFC 1035 section 4, RFC 6891 section 6.1.2): exactly
 * the forms that can be answered here, everything else is a reason to pass it up. What is read is
 * what edge/wire/query.c reads. Pure: every index is masked into the message's room.
 */
#ifndef XDP_QUESTION_CORE_H
#define XDP_QUESTION_CORE_H

#include <linux/types.h>

#include "xdp/work_core.h"

#define QUESTION_FLAGS_REFUSED 0xfa00u /* QR, OPCODE, TC */
#define QUESTION_CLASS_IN 1u
#define QUESTION_TYPE_OPT 41u
#define QUESTION_META_FIRST 249u /* TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY */
#define QUESTION_META_LAST 255u
#define QUESTION_LABEL_MAX 63u
#define QUESTION_LABELS_MAX 128u
#define QUESTION_NAME_MAX 255u
#define QUESTION_LEN_MIN (WORK_HEADER_LEN + 1 + 4)

#define QUESTION_OK FAST_PASS_REASONS

/* The counts as one number: one question, perhaps one record behind it, nothing else. */
#define QUESTION_COUNTS 0x0000000000000100ULL
#define QUESTION_COUNT_ADDITIONAL (1ULL << 56)

/* Length of the name at the header's end, or 0. Bytes behind the message may be looked at: the
 * caller finds the name too long then. */
BYTES_INLINE __u64 question_walk(const __u8 *message)
{
    __u64 at = 0; /* 64 bits, as whatever is bounded for the verifier */

    for (__u32 i = 0; i < QUESTION_LABELS_MAX; i++) {
        __u64 len;

        at &= 511;
        WORK_FORGET(at);
        if (at >= QUESTION_NAME_MAX) {
            return 0;
        }
        len = message[WORK_HEADER_LEN + at];
        if (len == 0) {
            return at + 1;
        }
        if (len > QUESTION_LABEL_MAX) {
            return 0;
        }
        at += len + 1;
    }
    return 0;
}

/* Folds, hashes and sums the name, eight bytes at a time. */
BYTES_INLINE void question_name(struct work *work, const struct name_factors *factors)
{
    const __u8 *name = work_message(work) + WORK_HEADER_LEN;
    __u64 name_len = work->name_len & 255;
    struct name_hash hash;
    __u64 sum = 0;

    name_hash_begin(&hash, factors);
    for (__u64 i = 0; i < NAME_WORDS_MAX; i++) {
        __u64 word;

        if (i * 8 >= name_len) {
            break;
        }
        word = bytes_get_u64(name + i * 8);
        if (i * 8 + 8 > name_len) {
            word &= name_tail_mask((__u32)name_len);
        }
        sum += sum_u64(word);
        word = name_fold_word(word);
        work->name[i] = word;
        name_hash_add(&hash, word);
    }
    work->hash = name_hash_end(&hash, (__u32)name_len, (__u16)work->qtype);
    work->question_sum = sum + work->type_sum;
}

BYTES_INLINE enum fast_reason question_type(__u16 qtype, __u16 qclass)
{
    if (qclass != QUESTION_CLASS_IN || qtype == QUESTION_TYPE_OPT ||
        (qtype >= QUESTION_META_FIRST && qtype <= QUESTION_META_LAST)) {
        return FAST_PASS_CLASS;
    }
    return QUESTION_OK;
}

/* Reads header and question. */
BYTES_INLINE enum fast_reason question_read(struct work *work, const struct name_factors *factors)
{
    const __u8 *message = work_message(work);
    __u64 counts = bytes_get_u64(message + 4);
    const __u8 *behind;
    enum fast_reason reason;
    __u64 name_len;

    if (bytes_get_be16(message + 2) & QUESTION_FLAGS_REFUSED ||
        (counts & ~QUESTION_COUNT_ADDITIONAL) != QUESTION_COUNTS) {
        return FAST_PASS_HEADER;
    }
    name_len = question_walk(message);
    if (!name_len || WORK_HEADER_LEN + name_len + 4 > work->message_len) {
        return FAST_PASS_NAME;
    }
    name_len &= 255;
    WORK_FORGET(name_len);
    behind = message + WORK_HEADER_LEN + name_len;
    reason = question_type(bytes_get_be16(behind), bytes_get_be16(behind + 2));
    if (reason != QUESTION_OK) {
        return reason;
    }
    work->asked = counts & QUESTION_COUNT_ADDITIONAL ? WORK_EDNS : 0;
    work->qtype = bytes_get_be16(behind);
    work->name_len = (__u32)name_len;
    work->type_sum = sum_at(bytes_get_u32(behind), (__u32)name_len);
    WORK_BARRIER();
    question_name(work, factors);
    return QUESTION_OK;
}

#endif
