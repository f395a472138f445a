/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * From a frame to a UDP message and where it came from. Ethernet with one VLAN tag or none, IPv4
 * without options, IPv6 without extension headers; lengths are those of IP, since frames may be
 * padded. Pure; reads nothing behind `end`.
 */
#ifndef XDP_PACKET_CORE_H
#define XDP_PACKET_CORE_H

#include <linux/types.h>

#include "xdp/bytes_core.h"
#include "xdp/fast_abi.h"
#include "xdp/listener_core.h"

#define PACKET_LINK_LEN 14u
#define PACKET_TAG_LEN 4u
#define PACKET_IPV4_LEN 20u
#define PACKET_IPV6_LEN 40u
#define PACKET_UDP_LEN 8u

/* As loaded from memory on a little-endian machine. */
#define PACKET_TYPE_IPV4 0x0008u
#define PACKET_TYPE_IPV6 0xdd86u
#define PACKET_TYPE_TAG 0x0081u       /* IEEE 802.1Q */
#define PACKET_TYPE_OUTER_TAG 0xa888u /* IEEE 802.1ad */
#define PACKET_PORT_DNS 0x3500u

#define PACKET_PROTOCOL_UDP 17u

struct packet {
    struct fast_address source;
    struct fast_address destination;
    __u16 source_port; /* network order; 0 where `no_ports` */
    __u16 destination_port;
    __u8 ip_at; /* offset of the IP header */
    __u8 ipv6;
    __u8 no_ports; /* a later fragment, or extension headers: whose it is only IP says */
    __u8 doubt;    /* enum fast_reason why it is not answered if it is for us; 0: no reason */
    __u16 udp_len; /* as UDP says; with `doubt` 0 it agrees with IP, and all of it is there */
    __u16 reserved;
};

BYTES_INLINE void packet_doubt(struct packet *packet, __u8 reason)
{
    packet->doubt = packet->doubt ? packet->doubt : reason;
}

/* An IPv4 header's sum is 0xffff (RFC 791 section 3.1). */
BYTES_INLINE int packet_ipv4_sum_ok(const __u8 *ip)
{
    return sum_fold((__u64)bytes_get_u32(ip) + bytes_get_u32(ip + 4) + bytes_get_u32(ip + 8) +
                    bytes_get_u32(ip + 12) + bytes_get_u32(ip + 16)) == 0xffff;
}

BYTES_INLINE void packet_udp(const __u8 *udp, struct packet *packet)
{
    packet->source_port = bytes_get_u16(udp);
    packet->destination_port = bytes_get_u16(udp + 2);
    packet->udp_len = bytes_get_be16(udp + 4);
    if (packet->udp_len < PACKET_UDP_LEN) {
        packet_doubt(packet, FAST_PASS_IP);
    }
}

/* 0, or -1 when it is nobody's DNS. */
BYTES_INLINE int packet_ipv4(const __u8 *ip, const __u8 *end, struct packet *packet)
{
    __u32 header_len;
    __u16 fragment;
    __u16 total_len;

    if (ip + PACKET_IPV4_LEN + PACKET_UDP_LEN > end || ip[0] >> 4 != 4 ||
        ip[9] != PACKET_PROTOCOL_UDP) {
        return -1;
    }
    header_len = (ip[0] & 15u) * 4;
    fragment = bytes_get_be16(ip + 6);
    total_len = bytes_get_be16(ip + 2);
    packet->source.words[0] = 0;
    packet->source.words[1] = (__u64)bytes_get_u32(ip + 12) << 32 | 0xffff0000ULL;
    packet->destination.words[0] = 0;
    packet->destination.words[1] = (__u64)bytes_get_u32(ip + 16) << 32 | 0xffff0000ULL;
    if (fragment & 0x1fff) {
        packet->no_ports = 1;
        packet_doubt(packet, FAST_PASS_IP);
        return 0;
    }
    if (header_len != PACKET_IPV4_LEN) {
        packet_doubt(packet, FAST_PASS_IP);
        if (header_len < PACKET_IPV4_LEN || ip + header_len + PACKET_UDP_LEN > end) {
            return -1;
        }
        packet_udp(ip + header_len, packet);
        return 0;
    }
    packet_udp(ip + PACKET_IPV4_LEN, packet);
    /* DF is the only bit that may be set */
    if (fragment & 0xbfff || total_len != PACKET_IPV4_LEN + packet->udp_len ||
        ip + (total_len & 0x7fff) > end || total_len > 0x7fff || !packet_ipv4_sum_ok(ip)) {
        packet_doubt(packet, FAST_PASS_IP);
    }
    return 0;
}

BYTES_INLINE int packet_ipv6(const __u8 *ip, const __u8 *end, struct packet *packet)
{
    __u16 payload_len;

    if (ip + PACKET_IPV6_LEN + PACKET_UDP_LEN > end || ip[0] >> 4 != 6) {
        return -1;
    }
    packet->ipv6 = 1;
    payload_len = bytes_get_be16(ip + 4);
    packet->source.words[0] = bytes_get_u64(ip + 8);
    packet->source.words[1] = bytes_get_u64(ip + 16);
    packet->destination.words[0] = bytes_get_u64(ip + 24);
    packet->destination.words[1] = bytes_get_u64(ip + 32);
    /* ::ffff:0:0/96 is on no wire (RFC 4291 section 2.5.5.2); here it would stand for IPv4 */
    if (packet->destination.words[0] == 0 &&
        (packet->destination.words[1] & 0xffffffffULL) == 0xffff0000ULL) {
        return -1;
    }
    switch (ip[6]) {
    case PACKET_PROTOCOL_UDP:
        break;
    case 0:  /* hop-by-hop options (RFC 8200 section 4) */
    case 43: /* routing */
    case 44: /* fragment */
    case 60: /* destination options */
        packet->no_ports = 1;
        packet_doubt(packet, FAST_PASS_IP);
        return 0;
    default:
        return -1;
    }
    packet_udp(ip + PACKET_IPV6_LEN, packet);
    /* RFC 8200 section 8.1: no UDP without a checksum */
    if (payload_len != packet->udp_len || ip + PACKET_IPV6_LEN + (payload_len & 0x7fff) > end ||
        payload_len > 0x7fff || bytes_get_u16(ip + PACKET_IPV6_LEN + 6) == 0) {
        packet_doubt(packet, FAST_PASS_IP);
    }
    return 0;
}

/* 0 when this is UDP and may be for us, or -1: none of our business. */
BYTES_INLINE int packet_read(const __u8 *data, const __u8 *end, struct packet *packet)
{
    __u32 ip_at = PACKET_LINK_LEN;
    __u16 type;

    __builtin_memset(packet, 0, sizeof(*packet));
    if (data + PACKET_LINK_LEN + PACKET_TAG_LEN > end) {
        return -1;
    }
    type = bytes_get_u16(data + 12);
    if ((data[0] | data[6]) & 1) { /* to more than one host, or from none */
        packet->doubt = FAST_PASS_LINK;
    }
    if (type == PACKET_TYPE_OUTER_TAG) {
        packet->doubt = FAST_PASS_LINK;
    }
    if (type == PACKET_TYPE_TAG || type == PACKET_TYPE_OUTER_TAG) {
        type = bytes_get_u16(data + 16);
        ip_at += PACKET_TAG_LEN;
    }
    if (type == PACKET_TYPE_TAG && data + ip_at + PACKET_TAG_LEN <= end) {
        type = bytes_get_u16(data + ip_at + 2);
        ip_at += PACKET_TAG_LEN;
        packet->doubt = FAST_PASS_LINK;
    }
    packet->ip_at = (__u8)ip_at;
    if (type == PACKET_TYPE_IPV4) {
        return packet_ipv4(data + ip_at, end, packet);
    }
    if (type == PACKET_TYPE_IPV6) {
        return packet_ipv6(data + ip_at, end, packet);
    }
    return -1;
}

/* Offset of the message in the frame, for one without doubt. */
BYTES_INLINE __u32 packet_message_at(const struct packet *packet)
{
    return packet->ip_at + (packet->ipv6 ? PACKET_IPV6_LEN : PACKET_IPV4_LEN) + PACKET_UDP_LEN;
}

/* Addresses and ports that an answer must not go to: nobody has them, or it would be ourselves or
 * another server, and two could talk forever. */
BYTES_INLINE int packet_source_ok(const struct packet *packet, const struct fast_policy *policy)
{
    __u64 high = packet->source.words[0];
    __u64 low = packet->source.words[1];
    __u8 first = (__u8)(packet->ipv6 ? high : low >> 32);

    if (packet->source_port == 0 || packet->source_port == PACKET_PORT_DNS) {
        return 0;
    }
    if (packet->ipv6) {
        /* ::/96 but for its last 32 bits is what ::, ::1 and ::ffff:0:0/96 have in common */
        if (first == 0xff || (high == 0 && (low == 0 || low == 1ULL << 56 ||
                                            (low & 0xffffffffULL) == 0xffff0000ULL))) {
            return 0;
        }
    } else if (first == 0 || first == 127 || first >= 224) {
        return 0;
    }
    return fast_listener_find(policy, &packet->source, 0) == FAST_LISTENER_NONE;
}

/* Only that is DNS for us which goes to an address and port served. */
BYTES_INLINE int packet_is_ours(const struct packet *packet, const struct fast_policy *policy)
{
    enum fast_listener_match match =
        fast_listener_find(policy, &packet->destination, packet->destination_port);

    return match == FAST_LISTENER_BOTH || (match == FAST_LISTENER_ADDRESS && packet->no_ports);
}

/* Why a packet that is ours is not answered; FAST_PASS_REASONS: it may be. */
BYTES_INLINE enum fast_reason packet_reason(const struct packet *packet,
                                            const struct fast_policy *policy, __u64 word)
{
    if (policy->flags & FAST_POLICY_OFF || FAST_WORD_TEMPLATE(word) >= FAST_TABLE_SLOTS) {
        return FAST_PASS_OFF;
    }
    if (packet->doubt) {
        return packet->doubt;
    }
    return packet_source_ok(packet, policy) ? FAST_PASS_REASONS : FAST_PASS_SOURCE;
}

#endif
