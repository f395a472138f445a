/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * What stands in front of an answer: Ethernet, IP, UDP, the header of the message. Written anew
 * rather than changed, and checksums are made of what is sent alone: the query's may be unfinished
 * (a sender on the same host leaves it to a device that is not there). Pure.
 */
#ifndef XDP_FRAME_CORE_H
#define XDP_FRAME_CORE_H

#include <linux/types.h>

#include "xdp/work_core.h"

#define FRAME_LEN_MIN 60u /* not every device fills up what is shorter */
#define FRAME_TTL 64u
#define FRAME_DONT_FRAGMENT 0x0040u /* as loaded from memory */
#define FRAME_FLAGS_KEPT 0x0110u    /* RD, CD (RFC 4035 section 3.1.6) */

#define FRAME_COPY_MAX 320u /* more is copied by others */

/* RFC 8085 section 3.4: no zero. */
BYTES_INLINE __u16 frame_checksum(__u64 sum)
{
    __u16 checksum = (__u16)~sum_fold(sum);

    return checksum ? checksum : 0xffff;
}

/* Sum of both addresses: of the pseudo-header. */
BYTES_INLINE __u64 frame_addresses_sum(const struct packet *packet)
{
    if (!packet->ipv6) {
        return (packet->source.words[1] >> 32) + (packet->destination.words[1] >> 32);
    }
    return sum_u64(packet->source.words[0]) + sum_u64(packet->source.words[1]) +
           sum_u64(packet->destination.words[0]) + sum_u64(packet->destination.words[1]);
}

/* The header in front of the message: the query's ID; QR, AA and RCODE are the template's. Returns
 * its sum. */
BYTES_INLINE __u64 frame_header(struct work *work, const struct fast_template *template)
{
    const __u8 *message = work->frame + WORK_HEAD_LEN;
    __u32 additional_n = template->additional_n + (work->asked & WORK_EDNS ? 1u : 0u);
    __u32 first = bytes_get_u32(message);
    __u32 flags = template->flags | (bytes_swap_u16((__u16)(first >> 16)) & FRAME_FLAGS_KEPT);

    work->header[0] = (first & 0xffff) | (__u64)bytes_swap_u16((__u16)flags) << 16 | 1ULL << 40 |
                      (__u64)bytes_swap_u16((__u16)work->answer_n) << 48;
    work->header[1] =
        bytes_swap_u16(template->authority_n) | (__u64)bytes_swap_u16((__u16)additional_n) << 16;
    return sum_u64(work->header[0]) + work->header[1];
}

/* The message is complete but for its header, `at` bytes in all. */
BYTES_INLINE void frame_finish(struct work *work, const struct fast_template *template)
{
    __u32 udp_len = PACKET_UDP_LEN + work->at;
    __u32 head_len = packet_message_at(&work->packet);
    __u64 sum = work->sum + frame_header(work, template);

    /* the length counts twice: in the header and in the pseudo-header */
    sum += frame_addresses_sum(&work->packet) + (PACKET_PROTOCOL_UDP << 8) +
           2 * (__u64)bytes_swap_u16((__u16)udp_len) + work->packet.source_port +
           work->packet.destination_port;
    work->udp = work->packet.destination_port | (__u64)work->packet.source_port << 16 |
                (__u64)bytes_swap_u16((__u16)udp_len) << 32 | (__u64)frame_checksum(sum) << 48;
    work->frame_len = head_len + work->at;
    if (work->frame_len < FRAME_LEN_MIN) {
        bytes_put_u64(work_message(work) + (work->at & (WORK_MESSAGE_LEN - 1)), 0);
        work->frame_len = FRAME_LEN_MIN;
    }
    work->copy_end = work->frame_len - head_len;
}

/* --- into the packet, which is `frame_len` bytes long now --- */

/* The answer goes back the way the query came. */
BYTES_INLINE void frame_write_link(const struct work *work, __u8 *data)
{
    __u64 first = bytes_get_u64(work->link);
    __u64 second = bytes_get_u64(work->link + 8);

    bytes_put_u64(data, ((first >> 48 | second << 16) & 0xffffffffffffULL) | first << 48);
    bytes_put_u32(data + 8, (__u32)(first >> 16));
    bytes_put_u16(data + 12, (__u16)(second >> 32));
    if (work->packet.ip_at != PACKET_LINK_LEN) {
        bytes_put_u16(data + 14, (__u16)(second >> 48));
        bytes_put_u16(data + 16, bytes_get_u16(work->link + 16));
    }
}

BYTES_INLINE void frame_write_ipv4(const struct work *work, __u8 *ip)
{
    __u32 source = (__u32)(work->packet.destination.words[1] >> 32);
    __u32 destination = (__u32)(work->packet.source.words[1] >> 32);
    __u64 total_len = bytes_swap_u16((__u16)(PACKET_IPV4_LEN + PACKET_UDP_LEN + work->at));
    /* version 4, five words; service 0; ID 0 */
    __u64 first = 0x45 | total_len << 16 | (__u64)FRAME_DONT_FRAGMENT << 48;
    __u32 second = FRAME_TTL | PACKET_PROTOCOL_UDP << 8;
    __u16 sum = sum_fold(sum_u64(first) + second + source + destination);

    bytes_put_u64(ip, first);
    bytes_put_u32(ip + 8, second | (__u32)(__u16)~sum << 16);
    bytes_put_u32(ip + 12, source);
    bytes_put_u32(ip + 16, destination);
}

BYTES_INLINE void frame_write_ipv6(const struct work *work, __u8 *ip)
{
    __u64 udp_len = bytes_swap_u16((__u16)(PACKET_UDP_LEN + work->at));

    /* version 6; traffic class and flow label 0 */
    bytes_put_u64(ip,
                  0x60 | udp_len << 32 | (__u64)PACKET_PROTOCOL_UDP << 48 | (__u64)FRAME_TTL << 56);
    bytes_put_u64(ip + 8, work->packet.destination.words[0]);
    bytes_put_u64(ip + 16, work->packet.destination.words[1]);
    bytes_put_u64(ip + 24, work->packet.source.words[0]);
    bytes_put_u64(ip + 32, work->packet.source.words[1]);
}

BYTES_INLINE void frame_write_udp(const struct work *work, __u8 *udp)
{
    bytes_put_u64(udp, work->udp);
    bytes_put_u64(udp + 8, work->header[0]);
    bytes_put_u32(udp + 16, (__u32)work->header[1]);
}

/* Everything in front of the question. -1: the packet is not what it was said to be. */
BYTES_INLINE int frame_write_head(const struct work *work, __u8 *data, const __u8 *end)
{
    __u8 *ip = data + (work->packet.ip_at & 31);

    if (work->packet.ipv6) {
        if (ip + PACKET_IPV6_LEN + PACKET_UDP_LEN + WORK_HEADER_LEN > end) {
            return -1;
        }
        frame_write_ipv6(work, ip);
        frame_write_udp(work, ip + PACKET_IPV6_LEN);
    } else {
        if (ip + PACKET_IPV4_LEN + PACKET_UDP_LEN + WORK_HEADER_LEN > end) {
            return -1;
        }
        frame_write_ipv4(work, ip);
        frame_write_udp(work, ip + PACKET_IPV4_LEN);
    }
    if (data + PACKET_LINK_LEN + PACKET_TAG_LEN > end) {
        return -1;
    }
    frame_write_link(work, data);
    return 0;
}

/* From where on the message has to be copied: the question stands in the packet unless it moved. */
BYTES_INLINE __u32 frame_copy_from(const struct work *work, __u32 moved)
{
    return moved ? WORK_HEADER_LEN : WORK_HEADER_LEN + work->name_len + 4;
}

BYTES_INLINE void frame_copy_two(const __u8 *from, __u8 *to)
{
    bytes_put_u64(to, bytes_get_u64(from));
    bytes_put_u64(to + 8, bytes_get_u64(from + 8));
}

/* Copies at most FRAME_COPY_MAX bytes, two words at a time; the last two may overlap those before,
 * or the question, which is the same, or the header, which is written later. */
BYTES_INLINE int frame_copy(const struct work *work, __u8 *data, const __u8 *end, __u32 from)
{
    const __u8 *message = work->frame + WORK_HEAD_LEN;
    __u64 at = from & 511;
    __u64 last = (work->copy_end - 16) & (WORK_MESSAGE_LEN - 1);
    __u8 *to = data + (packet_message_at(&work->packet) & 127);

    for (__u32 i = 0; i < FRAME_COPY_MAX; i += 16) {
        if (at >= last) {
            break;
        }
        if (to + at + 16 > end) {
            return -1;
        }
        frame_copy_two(message + at, to + at);
        at += 16;
    }
    if (to + last + 16 > end) {
        return -1;
    }
    frame_copy_two(message + last, to + last);
    return 0;
}

#endif
