/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/packet.h"

#include <string.h>

#include "edge/wire/wire.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define VLAN_TAGS_MAX 4
#define EXTENSIONS_MAX 8

/* LINKTYPE_ values of tcpdump.org/linktypes.html */
enum link_type {
    LINK_NULL = 0,
    LINK_ETHERNET = 1,
    LINK_RAW_BSD = 12,
    LINK_RAW_OPENBSD = 14,
    LINK_RAW = 101,
    LINK_LOOP = 108,
    LINK_LINUX_SLL = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_LINUX_SLL2 = 276,
};

/* Steps over the link layer; the version field of what is left says which IP it is. */
static bool skip_link(struct wire_reader *reader, uint16_t link)
{
    uint16_t ethertype;

    switch (link) {
    case LINK_NULL:
    case LINK_LOOP:
        wire_read(reader, 4);
        return !reader->failed;
    case LINK_RAW:
    case LINK_RAW_BSD:
    case LINK_RAW_OPENBSD:
    case LINK_IPV4:
    case LINK_IPV6:
        return true;
    case LINK_ETHERNET:
        wire_read(reader, 12);
        break;
    case LINK_LINUX_SLL:
        wire_read(reader, 14);
        break;
    case LINK_LINUX_SLL2: /* the protocol comes first */
        ethertype = wire_read_u16(reader);
        wire_read(reader, 18);
        return !reader->failed && (ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6);
    default:
        return false;
    }
    ethertype = wire_read_u16(reader);
    for (int tag = 0;
         tag < VLAN_TAGS_MAX && (ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ);
         tag++) {
        wire_read(reader, 2);
        ethertype = wire_read_u16(reader);
    }
    return !reader->failed && (ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6);
}

static void set_addresses(struct packet *packet, uint8_t family, const uint8_t *source,
                          const uint8_t *destination, size_t len)
{
    packet->source.address.family = packet->destination.address.family = family;
    memcpy(packet->source.address.bytes, source, len);
    memcpy(packet->destination.address.bytes, destination, len);
}

/* RFC 791 section 3.1. Returns the protocol, or -1; the reader then ends with the packet. */
static int parse_ipv4(struct wire_reader *reader, struct packet *packet)
{
    const uint8_t *header = reader->at;
    const size_t header_len = (size_t)(header[0] & 0xf) * 4;
    size_t total;

    if (header_len < 20 || wire_left(reader) < header_len) {
        return -1;
    }
    total = wire_get_u16(header + 2);
    if (wire_get_u16(header + 6) & 0x3fff) { /* MF or an offset: a fragment */
        return -1;
    }
    if (total < header_len || total > wire_left(reader)) {
        return -1;
    }
    reader->end = header + total; /* Ethernet pads */
    reader->at = header + header_len;
    set_addresses(packet, ADDRESS_IPV4, header + 12, header + 16, 4);
    return header[9];
}

/* RFC 8200 sections 3 and 4. */
static int parse_ipv6(struct wire_reader *reader, struct packet *packet)
{
    const uint8_t *header = wire_read(reader, 40);
    uint8_t next;

    if (!header || wire_get_u16(header + 4) > wire_left(reader)) {
        return -1;
    }
    reader->end = reader->at + wire_get_u16(header + 4);
    set_addresses(packet, ADDRESS_IPV6, header + 8, header + 24, 16);
    next = header[6];
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        size_t len;

        if (next != 0 && next != 43 && next != 60) { /* hop-by-hop, routing, destination options */
            return next;
        }
        next = wire_read_u8(reader);
        len = wire_read_u8(reader);
        wire_read(reader, 6 + len * 8);
        if (reader->failed) {
            return -1;
        }
    }
    return -1;
}

static bool parse_udp(struct wire_reader *reader, struct packet *packet)
{
    const uint8_t *header = wire_read(reader, 8);

    if (!header || wire_get_u16(header + 4) < 8 ||
        wire_get_u16(header + 4) - 8u > wire_left(reader)) {
        return false;
    }
    packet->source.port = wire_get_u16(header);
    packet->destination.port = wire_get_u16(header + 2);
    packet->payload = reader->at;
    packet->len = wire_get_u16(header + 4) - 8u;
    return true;
}

/* RFC 9293 section 3.1. */
static bool parse_tcp(struct wire_reader *reader, struct packet *packet)
{
    const uint8_t *header = wire_read(reader, 20);
    size_t header_len;

    if (!header) {
        return false;
    }
    header_len = (size_t)(header[12] >> 4) * 4;
    if (header_len < 20 || !wire_read(reader, header_len - 20)) {
        return false;
    }
    packet->tcp = true;
    packet->source.port = wire_get_u16(header);
    packet->destination.port = wire_get_u16(header + 2);
    packet->sequence = wire_get_u32(header + 4);
    packet->syn = header[13] & 0x02;
    packet->ends = header[13] & 0x05;
    packet->payload = reader->at;
    packet->len = wire_left(reader);
    return true;
}

bool packet_parse(struct packet *ret_packet, uint16_t link, const uint8_t *frame, size_t len)
{
    struct wire_reader reader = {.at = frame, .end = frame + len};
    int protocol = -1;

    *ret_packet = (struct packet){0};
    if (!skip_link(&reader, link) || wire_left(&reader) < 20) {
        return false;
    }
    if (reader.at[0] >> 4 == 4) {
        protocol = parse_ipv4(&reader, ret_packet);
    } else if (reader.at[0] >> 4 == 6) {
        protocol = parse_ipv6(&reader, ret_packet);
    }
    switch (protocol) {
    case PROTOCOL_UDP:
        return parse_udp(&reader, ret_packet);
    case PROTOCOL_TCP:
        return parse_tcp(&reader, ret_packet);
    default:
        return false;
    }
}
