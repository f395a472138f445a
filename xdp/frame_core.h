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
#define FRAME_DONT_FRAGMENT 0x4000u
#define FRAME_FLAGS_KEPT 0x0110u /* RD, CD (RFC 4035 section 3.1.6) */

/* Constant places: the message begins at WORK_HEAD_LEN. */
#define FRAME_UDP_AT (WORK_HEAD_LEN - PACKET_UDP_LEN)
#define FRAME_IPV4_AT (FRAME_UDP_AT - PACKET_IPV4_LEN)
#define FRAME_IPV6_AT (FRAME_UDP_AT - PACKET_IPV6_LEN)

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

BYTES_INLINE void frame_ipv4(struct work *work, __u32 udp_len)
{
    __u8 *ip = work->frame + FRAME_IPV4_AT;
    __u32 source = (__u32)(work->packet.destination.words[1] >> 32);
    __u32 destination = (__u32)(work->packet.source.words[1] >> 32);
    __u64 sum;

    bytes_put_u16(ip, 0x0045); /* version 4, five words; service 0 */
    bytes_put_be16(ip + 2, (__u16)(PACKET_IPV4_LEN + udp_len));
    bytes_put_u16(ip + 4, 0);
    bytes_put_be16(ip + 6, FRAME_DONT_FRAGMENT);
    bytes_put_u16(ip + 8, FRAME_TTL | PACKET_PROTOCOL_UDP << 8);
    sum = 0x0045u + (__u64)bytes_swap_u16((__u16)(PACKET_IPV4_LEN + udp_len)) +
          bytes_swap_u16(FRAME_DONT_FRAGMENT) + (FRAME_TTL | PACKET_PROTOCOL_UDP << 8) +
          (__u64)source + destination;
    bytes_put_u16(ip + 10, (__u16)~sum_fold(sum));
    bytes_put_u32(ip + 12, source);
    bytes_put_u32(ip + 16, destination);
}

BYTES_INLINE void frame_ipv6(struct work *work, __u32 udp_len)
{
    __u8 *ip = work->frame + FRAME_IPV6_AT;

    bytes_put_u32(ip, 0x60); /* version 6; traffic class and flow label 0 */
    bytes_put_be16(ip + 4, (__u16)udp_len);
    bytes_put_u16(ip + 6, PACKET_PROTOCOL_UDP | FRAME_TTL << 8);
    bytes_put_u64(ip + 8, work->packet.destination.words[0]);
    bytes_put_u64(ip + 16, work->packet.destination.words[1]);
    bytes_put_u64(ip + 24, work->packet.source.words[0]);
    bytes_put_u64(ip + 32, work->packet.source.words[1]);
}

/* The answer goes back the way the query came. `ip_at`: where IP begins in the work's frame. */
BYTES_INLINE void frame_link(struct work *work, __u32 ip_at)
{
    __u8 *frame = work->frame + ip_at;

    if (work->packet.ip_at == PACKET_LINK_LEN) {
        frame -= PACKET_LINK_LEN;
    } else {
        frame -= PACKET_LINK_LEN + PACKET_TAG_LEN;
        bytes_put_u32(frame + 14, bytes_get_u32(work->link + 14));
    }
    bytes_put_u32(frame, bytes_get_u32(work->link + 6));
    bytes_put_u16(frame + 4, bytes_get_u16(work->link + 10));
    bytes_put_u32(frame + 6, bytes_get_u32(work->link));
    bytes_put_u16(frame + 10, bytes_get_u16(work->link + 4));
    bytes_put_u16(frame + 12, bytes_get_u16(work->link + 12));
}

/* The header: the query's ID stays; QR, AA and RCODE are the template's. Returns the sum of it. */
BYTES_INLINE __u64 frame_header(struct work *work, const struct fast_template *template)
{
    __u8 *message = work_message(work);
    __u32 additional_n = template->additional_n + (work->asked & WORK_EDNS ? 1u : 0u);

    bytes_put_be16(message + 2,
                   (__u16)(template->flags | (bytes_get_be16(message + 2) & FRAME_FLAGS_KEPT)));
    bytes_put_be16(message + 6, (__u16)work->answer_n);
    bytes_put_be16(message + 8, template->authority_n);
    bytes_put_be16(message + 10, (__u16)additional_n);
    return sum_u64(bytes_get_u64(message)) + bytes_get_u32(message + 8);
}

/* The message behind its header is complete, `at` bytes in all. */
BYTES_INLINE void frame_finish(struct work *work, const struct fast_template *template)
{
    __u32 udp_len = PACKET_UDP_LEN + work->at;
    __u8 *udp = work->frame + FRAME_UDP_AT;
    __u32 ip_at = FRAME_IPV4_AT;
    __u64 sum = work->sum + frame_header(work, template);

    /* the length counts twice: in the header and in the pseudo-header */
    sum += frame_addresses_sum(&work->packet) + (PACKET_PROTOCOL_UDP << 8) +
           2 * (__u64)bytes_swap_u16((__u16)udp_len) + work->packet.source_port +
           work->packet.destination_port;
    bytes_put_u16(udp, work->packet.destination_port);
    bytes_put_u16(udp + 2, work->packet.source_port);
    bytes_put_be16(udp + 4, (__u16)udp_len);
    bytes_put_u16(udp + 6, frame_checksum(sum));
    if (work->packet.ipv6) {
        ip_at = FRAME_IPV6_AT;
        frame_ipv6(work, udp_len);
    } else {
        frame_ipv4(work, udp_len);
    }
    frame_link(work, ip_at);
    work->frame_at = ip_at - work->packet.ip_at;
    work->frame_len = WORK_HEAD_LEN - work->frame_at + work->at;
    if (work->frame_len < FRAME_LEN_MIN) {
        bytes_put_u64(work_message(work) + (work->at & (WORK_MESSAGE_LEN - 1)), 0);
        work->frame_len = FRAME_LEN_MIN;
    }
}

#endif
