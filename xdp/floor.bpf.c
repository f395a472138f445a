/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * What an answer is compared with: a program that does nothing, and one that only sends every UDP
 * packet back to where it came from.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "xdp/bytes_core.h"
#include "xdp/packet_core.h"

SEC("xdp")
int floor_pass(struct xdp_md *context)
{
    (void)context;
    return XDP_PASS;
}

/* Swapping leaves every checksum as it is. */
static __always_inline void floor_swap(__u8 *a, __u8 *b, __u32 words)
{
    for (__u32 i = 0; i < words; i++) {
        __u16 kept = bytes_get_u16(a + (__u64)i * 2);

        bytes_put_u16(a + (__u64)i * 2, bytes_get_u16(b + (__u64)i * 2));
        bytes_put_u16(b + (__u64)i * 2, kept);
    }
}

SEC("xdp")
int floor_reflect(struct xdp_md *context)
{
    __u8 *data = (__u8 *)(long)context->data;
    const __u8 *end = (const __u8 *)(long)context->data_end;
    __u8 *ip = data + PACKET_LINK_LEN;
    __u16 type;

    if (ip + PACKET_IPV4_LEN + PACKET_UDP_LEN > end) {
        return XDP_PASS;
    }
    type = bytes_get_u16(data + 12);
    if (type == PACKET_TYPE_IPV4 && ip[9] == PACKET_PROTOCOL_UDP) {
        floor_swap(ip + 12, ip + 16, 2);
        floor_swap(ip + 20, ip + 22, 1);
    } else if (type == PACKET_TYPE_IPV6 && ip + PACKET_IPV6_LEN + PACKET_UDP_LEN <= end &&
               ip[6] == PACKET_PROTOCOL_UDP) {
        floor_swap(ip + 8, ip + 24, 8);
        floor_swap(ip + 40, ip + 42, 1);
    } else {
        return XDP_PASS;
    }
    floor_swap(data, data + 6, 3);
    return XDP_TX;
}

const char license_text[] SEC("license") = "Dual BSD/GPL";
