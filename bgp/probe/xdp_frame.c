/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/xdp_frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#define HOPS 64

/* Locally administered addresses (IEEE 802): of nobody. */
static const uint8_t client_mac[ETH_ALEN] = {2, 0, 0, 0, 0, 1};
static const uint8_t server_mac[ETH_ALEN] = {2, 0, 0, 0, 0, 2};

/* --- checksums (RFC 1071) --- */

static uint32_t sum_add(uint32_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
    }
    return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* Over pseudo-header (RFC 768, RFC 8200 section 8.1), UDP header and message; 0xffff when the
 * checksum in it is right. */
static uint16_t udp_sum(const struct address *a, const struct address *b, const uint8_t *udp,
                        size_t len)
{
    const size_t address_len = address_bits(a) / 8;
    uint32_t sum = sum_add(0, a->bytes, address_len);

    sum = sum_add(sum, b->bytes, address_len);
    return sum_fold(sum_add(sum + IPPROTO_UDP + (uint32_t)len, udp, len));
}

/* --- the way there --- */

static size_t ip_make(const struct xdp_frame_way *way, size_t payload_len, uint8_t *ip)
{
    if (way->server.address.family == ADDRESS_IPV4) {
        struct iphdr head = {.ihl = sizeof(head) / 4,
                             .version = 4,
                             .tot_len = htons((uint16_t)(sizeof(head) + payload_len)),
                             .frag_off = htons(IP_DF),
                             .ttl = HOPS,
                             .protocol = IPPROTO_UDP};

        memcpy(&head.saddr, way->client.address.bytes, sizeof(head.saddr));
        memcpy(&head.daddr, way->server.address.bytes, sizeof(head.daddr));
        head.check = htons((uint16_t)~sum_fold(sum_add(0, &head, sizeof(head))));
        memcpy(ip, &head, sizeof(head));
        return sizeof(head);
    }
    struct ip6_hdr head = {.ip6_flow = htonl(6u << 28),
                           .ip6_plen = htons((uint16_t)payload_len),
                           .ip6_nxt = IPPROTO_UDP,
                           .ip6_hlim = HOPS};

    memcpy(&head.ip6_src, way->client.address.bytes, sizeof(head.ip6_src));
    memcpy(&head.ip6_dst, way->server.address.bytes, sizeof(head.ip6_dst));
    memcpy(ip, &head, sizeof(head));
    return sizeof(head);
}

size_t xdp_frame_make(const struct xdp_frame_way *way, const uint8_t *message, size_t len,
                      uint8_t ret_frame[static XDP_FRAME_LEN])
{
    const bool ipv4 = way->server.address.family == ADDRESS_IPV4;
    struct ether_header link = {.ether_type = htons(ipv4 ? ETHERTYPE_IP : ETHERTYPE_IPV6)};
    struct udphdr head = {.source = htons(way->client.port),
                          .dest = htons(way->server.port),
                          .len = htons((uint16_t)(sizeof(head) + len))};
    const size_t udp_len = sizeof(head) + len;
    size_t at = sizeof(link);
    uint16_t sum;

    memcpy(link.ether_dhost, server_mac, ETH_ALEN);
    memcpy(link.ether_shost, client_mac, ETH_ALEN);
    memcpy(ret_frame, &link, sizeof(link));
    at += ip_make(way, udp_len, ret_frame + at);
    memcpy(ret_frame + at, &head, sizeof(head));
    memcpy(ret_frame + at + sizeof(head), message, len);
    sum = udp_sum(&way->client.address, &way->server.address, ret_frame + at, udp_len);
    head.check = htons(sum == 0xffff ? sum : (uint16_t)~sum); /* 0 would mean: none */
    memcpy(ret_frame + at, &head, sizeof(head));
    return at + udp_len;
}

/* --- the way back --- */

static const char *ipv4_open(const struct xdp_frame_way *way, const uint8_t *ip, size_t len,
                             size_t *ret_head_len, size_t *ret_payload_len)
{
    struct iphdr head;
    size_t total_len;

    if (len < sizeof(head)) {
        return "it is cut";
    }
    memcpy(&head, ip, sizeof(head));
    total_len = ntohs(head.tot_len);
    if (head.version != 4 || head.ihl != sizeof(head) / 4 || total_len < sizeof(head) ||
        total_len > len || head.protocol != IPPROTO_UDP || ntohs(head.frag_off) & ~IP_DF) {
        return "its IP header is malformed";
    }
    if (sum_fold(sum_add(0, ip, sizeof(head))) != 0xffff) {
        return "the checksum of its IP header is wrong";
    }
    if (memcmp(&head.saddr, way->server.address.bytes, sizeof(head.saddr)) != 0 ||
        memcmp(&head.daddr, way->client.address.bytes, sizeof(head.daddr)) != 0) {
        return "its IP addresses are wrong";
    }
    *ret_head_len = sizeof(head);
    *ret_payload_len = total_len - sizeof(head);
    return NULL;
}

static const char *ipv6_open(const struct xdp_frame_way *way, const uint8_t *ip, size_t len,
                             size_t *ret_head_len, size_t *ret_payload_len)
{
    struct ip6_hdr head;

    if (len < sizeof(head)) {
        return "it is cut";
    }
    memcpy(&head, ip, sizeof(head));
    if (ip[0] >> 4 != 6 || ntohs(head.ip6_plen) > len - sizeof(head) ||
        head.ip6_nxt != IPPROTO_UDP) {
        return "its IP header is malformed";
    }
    if (memcmp(&head.ip6_src, way->server.address.bytes, sizeof(head.ip6_src)) != 0 ||
        memcmp(&head.ip6_dst, way->client.address.bytes, sizeof(head.ip6_dst)) != 0) {
        return "its IP addresses are wrong";
    }
    *ret_head_len = sizeof(head);
    *ret_payload_len = ntohs(head.ip6_plen);
    return NULL;
}

static const char *udp_open(const struct xdp_frame_way *way, uint8_t *udp, size_t len,
                            uint8_t **ret_message, size_t *ret_len)
{
    const bool ipv4 = way->server.address.family == ADDRESS_IPV4;
    struct udphdr head;

    if (len < sizeof(head)) {
        return "it is cut";
    }
    memcpy(&head, udp, sizeof(head));
    if (ntohs(head.len) != len || ntohs(head.source) != way->server.port ||
        ntohs(head.dest) != way->client.port) {
        return "its UDP header is wrong";
    }
    /* over IPv4 there need be none */
    if (!(ipv4 && head.check == 0) &&
        (head.check == 0 ||
         udp_sum(&way->server.address, &way->client.address, udp, len) != 0xffff)) {
        return "its UDP checksum is wrong";
    }
    *ret_message = udp + sizeof(head);
    *ret_len = len - sizeof(head);
    return NULL;
}

const char *xdp_frame_open(const struct xdp_frame_way *way, uint8_t *frame, size_t len,
                           uint8_t **ret_message, size_t *ret_len)
{
    const bool ipv4 = way->server.address.family == ADDRESS_IPV4;
    struct ether_header link;
    size_t head_len = 0, payload_len = 0;
    const char *fault;

    if (len < sizeof(link)) {
        return "it is cut";
    }
    memcpy(&link, frame, sizeof(link));
    if (memcmp(link.ether_dhost, client_mac, ETH_ALEN) != 0 ||
        memcmp(link.ether_shost, server_mac, ETH_ALEN) != 0 ||
        link.ether_type != htons(ipv4 ? ETHERTYPE_IP : ETHERTYPE_IPV6)) {
        return "its Ethernet header is wrong";
    }
    frame += sizeof(link);
    len -= sizeof(link);
    fault = (ipv4 ? ipv4_open : ipv6_open)(way, frame, len, &head_len, &payload_len);
    return fault ? fault : udp_open(way, frame + head_len, payload_len, ret_message, ret_len);
}
