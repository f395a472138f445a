/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The query being answered: what is known of it and the frame that becomes its answer, in memory
 * that lives longer than the query (a per-CPU array in the kernel), so nothing of it is cleared
 * that is not read. The stages of xdp/answer_core.h talk through it rather than through arguments:
 * what the verifier reads from memory it knows nothing about, and so it need not follow every way
 * to it.
 */
#ifndef XDP_WORK_CORE_H
#define XDP_WORK_CORE_H

#include <linux/types.h>

#include "maps/cookie_core.h"
#include "maps/decide_core.h"
#include "xdp/bytes_core.h"
#include "xdp/fast_abi.h"
#include "xdp/name_core.h"
#include "xdp/packet_core.h"

/* Everything before the message, at the end of this: so that the words of the name behind the
 * header of twelve bytes are aligned. */
#define WORK_HEAD_LEN 68u
#define WORK_MESSAGE_LEN 2048u /* a power of two, and more than any answer */
#define WORK_SLACK 128u        /* whole words are read and written past the end */
#define WORK_HEADER_LEN 12u    /* of a message */

enum work_asked {
    WORK_EDNS = 1,
    WORK_DNSSEC_OK = 2,
    WORK_NSID = 4,
    WORK_ECS = 8,
    WORK_COOKIE = 16,
};

struct work {
    __u8 frame[WORK_HEAD_LEN + WORK_MESSAGE_LEN + WORK_SLACK];
    __u32 reserved0;
    /* the packet */
    struct packet packet;
    __u8 link[24]; /* of the frame, as it came */
    __u32 message_len;
    /* the question */
    __u32 name_len;
    __u32 qtype;
    __u64 question_sum; /* name, type and class */
    __u64 type_sum;     /* the latter two */
    __u64 hash;
    __u64 name[NAME_WORDS_MAX]; /* lower case */
    /* EDNS */
    __u32 asked; /* of enum work_asked; what follows is set with its bit */
    __u32 udp_size;
    __u32 cookie_len;
    __u16 ecs_family; /* as on the wire, but host order */
    __u8 ecs_source;
    __u8 ecs_address_len;
    __u64 ecs_address[2]; /* host order, the rest zero */
    __u64 cookie[5];
    /* the answer */
    __u64 sum; /* of the message behind the question */
    __u32 at;  /* where its next byte goes */
    __u32 answer_n;
    __u32 ecs_scope;
    __u32 answer;    /* enum fast_answer */
    __u32 frame_len; /* of all of it */
    __u32 copy_end;  /* of the message, with what fills up the frame */
    __u64 header[2]; /* of the message */
    __u64 udp;
    __u64 cookie_reply[COOKIE_LEN / 8];
    struct map_record record; /* of the client */
    __u64 picks;              /* PoP ids, a byte each */
    __u32 pick_n;
    __u32 reserved2;
    /* whether the daemon lives, as of a tick of the clock */
    __u64 beat_tick;
    __u64 beat_deadline_ns;
    __u64 beat_stale;
};

BYTES_INLINE __u8 *work_message(struct work *work)
{
    return work->frame + WORK_HEAD_LEN;
}

/* What stands in front of a packet that may be answered. */
BYTES_INLINE void work_take_link(struct work *work, const __u8 *data)
{
    bytes_put_u64(work->link, bytes_get_u64(data));
    bytes_put_u64(work->link + 8, bytes_get_u64(data + 8));
    bytes_put_u16(work->link + 16, bytes_get_u16(data + 16));
}

/* Whatever was written is in memory, and what is read is read from there. */
#define WORK_BARRIER() __asm__ __volatile__("" ::: "memory")

/* The compiler forgets what it knows of the value, so that the check behind it is the one the
 * verifier sees. */
#define WORK_FORGET(value) __asm__ __volatile__("" : "+r"(value))

/* 1 when a 64-bit `value` is 1..`most`, which is at most `mask`; said in the steps in which
 * verifiers understand it: before Linux 6.8 "not 0" tells them nothing. */
#define WORK_BOUNDED(value, mask, most)                                                            \
    (__extension__({                                                                               \
        (value) = ((value)-1) & (mask);                                                            \
        WORK_FORGET(value);                                                                        \
        int work_bounded = 0;                                                                      \
        if ((value) < (most)) {                                                                    \
            WORK_FORGET(value);                                                                    \
            (value) += 1;                                                                          \
            work_bounded = 1;                                                                      \
        }                                                                                          \
        work_bounded;                                                                              \
    }))

#endif
