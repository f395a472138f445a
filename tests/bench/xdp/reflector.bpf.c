/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The floor of any answer from the kernel: UDP to port 53 over IPv4 goes back as it came, with the
 * QR bit. And the program that a veth interface must have for its peer to send it packets (XDP_TX).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct query {
    struct ethhdr ethernet;
    struct iphdr ip;
    struct udphdr udp;
    __u8 id[2];
    __u8 flags[2];
} __attribute__((packed));

SEC("xdp")
int reflector(struct xdp_md *context)
{
    void *end = (void *)(long)context->data_end;
    struct query *query = (void *)(long)context->data;
    __u8 mac[ETH_ALEN];
    __be32 address;
    __be16 port;

    if ((void *)(query + 1) > end || query->ethernet.h_proto != bpf_htons(ETH_P_IP) ||
        query->ip.ihl != 5 || query->ip.protocol != IPPROTO_UDP ||
        query->udp.dest != bpf_htons(53)) {
        return XDP_PASS;
    }
    __builtin_memcpy(mac, query->ethernet.h_dest, ETH_ALEN);
    __builtin_memcpy(query->ethernet.h_dest, query->ethernet.h_source, ETH_ALEN);
    __builtin_memcpy(query->ethernet.h_source, mac, ETH_ALEN);
    address = query->ip.saddr;
    query->ip.saddr = query->ip.daddr;
    query->ip.daddr = address;
    port = query->udp.source;
    query->udp.source = query->udp.dest;
    query->udp.dest = port;
    query->udp.check = 0; /* IPv4 allows it, and it costs least */
    query->flags[0] |= 0x80;
    return XDP_TX;
}

SEC("xdp")
int pass(struct xdp_md *context)
{
    (void)context;
    return XDP_PASS;
}

const char license_text[] SEC("license") = "Dual BSD/GPL";
