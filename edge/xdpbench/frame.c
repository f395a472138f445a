/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/xdpbench/frame.h"

#include <string.h>

#define ETHERNET_LEN 14u
#define IPV4_LEN 20u
#define IPV6_LEN 40u
#define UDP_LEN 8u
#define PROTOCOL_UDP 17u
#define HOPS 64u

static uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

/* One's complement sum of big-endian words, RFC 1071. */
static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    }
    return len % 2 ? sum + ((uint32_t)bytes[len - 1] << 8) : sum;
}

static uint16_t sum_fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffffu) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static uint8_t *ethernet_put(uint8_t *at, uint16_t type)
{
    static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1}; /* locally administered */
    static const uint8_t theirs[6] = {2, 0, 0, 0, 0, 2};

    memcpy(at, ours, sizeof(ours));
    memcpy(at + 6, theirs, sizeof(theirs));
    return put16(at + 12, type);
}

/* RFC 791 section 3.1 */
static uint8_t *ipv4_put(uint8_t *at, const uint8_t *source, const uint8_t *destination,
                         size_t udp_len)
{
    memset(at, 0, IPV4_LEN);
    at[0] = 0x45;
    put16(at + 2, (uint32_t)(IPV4_LEN + udp_len));
    at[6] = 0x40; /* DF */
    at[8] = HOPS;
    at[9] = PROTOCOL_UDP;
    memcpy(at + 12, source, 4);
    memcpy(at + 16, destination, 4);
    put16(at + 10, sum_fold(sum_add(0, at, IPV4_LEN)));
    return at + IPV4_LEN;
}

/* RFC 8200 section 3 */
static uint8_t *ipv6_put(uint8_t *at, const uint8_t *source, const uint8_t *destination,
                         size_t udp_len)
{
    memset(at, 0, IPV6_LEN);
    at[0] = 0x60;
    put16(at + 4, (uint32_t)udp_len);
    at[6] = PROTOCOL_UDP;
    at[7] = HOPS;
    memcpy(at + 8, source, 16);
    memcpy(at + 24, destination, 16);
    return at + IPV6_LEN;
}

size_t frame_make(const struct endpoint *source, const struct endpoint *destination,
                  const uint8_t *payload, size_t payload_len, uint8_t *ret_frame, size_t size)
{
    bool ipv4 = destination->address.family == ADDRESS_IPV4;
    size_t headers = ipv4 ? FRAME_HEADERS_IPV4 : FRAME_HEADERS_IPV6;
    size_t udp_len = UDP_LEN + payload_len;
    size_t address_len = ipv4 ? 4 : 16;
    uint8_t *udp;
    uint32_t sum;
    uint16_t check;

    if (headers + payload_len > size || source->address.family != destination->address.family) {
        return 0;
    }
    udp = ethernet_put(ret_frame, ipv4 ? 0x0800 : 0x86dd);
    udp = (ipv4 ? ipv4_put : ipv6_put)(udp, source->address.bytes, destination->address.bytes,
                                       udp_len);
    put16(put16(put16(put16(udp, source->port), destination->port), (uint32_t)udp_len), 0);
    memcpy(udp + UDP_LEN, payload, payload_len);
    sum = sum_add(PROTOCOL_UDP + (uint32_t)udp_len, source->address.bytes, address_len);
    sum = sum_add(sum, destination->address.bytes, address_len);
    check = sum_fold(sum_add(sum, udp, udp_len));
    put16(udp + 6, check ? check : 0xffff); /* RFC 768: 0 means none */
    return headers + payload_len;
}
