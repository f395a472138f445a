/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t mac_server[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
static const uint8_t mac_client[6] = {0x06, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};

struct endpoint frame_endpoint(const char *text)
{
    struct endpoint endpoint;

    if (endpoint_parse(text, 53, &endpoint) < 0) {
        abort();
    }
    return endpoint;
}

static uint8_t *put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return to + 2;
}

static unsigned get16(const uint8_t *from)
{
    return from[0] * 256u + from[1];
}

/* Adds bytes to a sum of big-endian words (RFC 1071). */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? bytes[i] : bytes[i] * 256u;
        if (sum > 0xffff) {
            sum -= 0xffff;
        }
    }
    return sum;
}

/* Of UDP with its pseudo-header, the checksum field included. */
static uint32_t udp_sum(const struct frame_spec *spec, const uint8_t *udp, size_t len)
{
    size_t address_len = spec->source.address.family == ADDRESS_IPV6 ? 16 : 4;
    const uint8_t rest[4] = {0, 17, (uint8_t)(len >> 8), (uint8_t)len};
    uint32_t sum = sum_bytes(0, spec->source.address.bytes, address_len);

    sum = sum_bytes(sum, spec->destination.address.bytes, address_len);
    sum = sum_bytes(sum, rest, sizeof(rest));
    return sum_bytes(sum, udp, len);
}

void frame_fix_ipv4_sum(uint8_t *ip)
{
    put16(ip + 10, 0);
    put16(ip + 10, 0xffff - sum_bytes(0, ip, (size_t)(ip[0] & 15u) * 4));
}

static uint8_t *build_ip(const struct frame_spec *spec, size_t udp_len, uint8_t *ip)
{
    memset(ip, 0, 40);
    if (spec->source.address.family == ADDRESS_IPV6) {
        ip[0] = 0x60;
        ip[3] = 7; /* a flow */
        put16(ip + 4, (unsigned)udp_len);
        ip[6] = 17;
        ip[7] = 57;
        memcpy(ip + 8, spec->source.address.bytes, 16);
        memcpy(ip + 24, spec->destination.address.bytes, 16);
        return ip + 40;
    }
    ip[0] = 0x45;
    ip[1] = 0x10;
    put16(ip + 2, (unsigned)udp_len + 20);
    put16(ip + 4, 0x1234);
    ip[8] = 57;
    ip[9] = 17;
    memcpy(ip + 12, spec->source.address.bytes, 4);
    memcpy(ip + 16, spec->destination.address.bytes, 4);
    frame_fix_ipv4_sum(ip);
    return ip + 20;
}

void frame_build(const struct frame_spec *spec, const uint8_t *message, size_t message_len,
                 struct frame *ret_frame)
{
    size_t udp_len = message_len + 8;
    uint8_t *at = ret_frame->bytes;
    uint8_t *udp;

    memcpy(at, mac_server, 6);
    memcpy(at + 6, mac_client, 6);
    at += 12;
    if (spec->vlan >= 0) {
        at = put16(put16(at, 0x8100), (unsigned)spec->vlan);
    }
    at = put16(at, spec->source.address.family == ADDRESS_IPV6 ? 0x86dd : 0x0800);
    udp = build_ip(spec, udp_len, at);
    put16(udp, spec->source.port);
    put16(udp + 2, spec->destination.port);
    put16(udp + 4, (unsigned)udp_len);
    put16(udp + 6, 0);
    memcpy(udp + 8, message, message_len);
    if (!spec->no_checksum) {
        unsigned checksum = 0xffff - udp_sum(spec, udp, udp_len);

        put16(udp + 6, checksum ? checksum : 0xffff);
    }
    memset(udp + udp_len, 0xa5, spec->padding);
    ret_frame->len = (size_t)(udp - ret_frame->bytes) + udp_len + spec->padding;
}

static void parse_endpoints(const uint8_t *source, const uint8_t *destination, uint8_t family,
                            const uint8_t *udp, struct frame_spec *spec)
{
    size_t len = family == ADDRESS_IPV6 ? 16 : 4;

    spec->source.address.family = family;
    memcpy(spec->source.address.bytes, source, len);
    spec->source.port = (uint16_t)get16(udp);
    spec->destination.address.family = family;
    memcpy(spec->destination.address.bytes, destination, len);
    spec->destination.port = (uint16_t)get16(udp + 2);
}

const char *frame_parse(const uint8_t *bytes, size_t len, struct frame_spec *ret_spec,
                        const uint8_t **ret_message, size_t *ret_message_len)
{
    const uint8_t *ip = bytes + 14;
    const uint8_t *udp;
    size_t udp_len;
    size_t end;

    *ret_spec = (struct frame_spec){.vlan = -1};
    if (len < 60) {
        return "shorter than a frame";
    }
    if (get16(bytes + 12) == 0x8100) {
        ret_spec->vlan = (int)get16(bytes + 14);
        ip += 4;
    }
    if (get16(ip - 2) == 0x0800) {
        udp = ip + 20;
        udp_len = get16(ip + 2) - 20u;
        if (ip[0] != 0x45 || ip[1] || get16(ip + 4) || get16(ip + 6) != 0x4000 || ip[8] != 64 ||
            ip[9] != 17 || sum_bytes(0, ip, 20) != 0xffff) {
            return "IPv4 header";
        }
        parse_endpoints(ip + 12, ip + 16, ADDRESS_IPV4, udp, ret_spec);
    } else if (get16(ip - 2) == 0x86dd) {
        udp = ip + 40;
        udp_len = get16(ip + 4);
        if (get16(ip) != 0x6000 || get16(ip + 2) || ip[6] != 17 || ip[7] != 64) {
            return "IPv6 header";
        }
        parse_endpoints(ip + 8, ip + 24, ADDRESS_IPV6, udp, ret_spec);
    } else {
        return "EtherType";
    }
    end = (size_t)(udp - bytes) + udp_len;
    if (get16(udp + 4) != udp_len || end > len || (end != len && len != 60)) {
        return "lengths";
    }
    for (size_t i = end; i < len; i++) {
        if (bytes[i]) {
            return "padding";
        }
    }
    if (!get16(udp + 6) || udp_sum(ret_spec, udp, udp_len) != 0xffff) {
        return "UDP checksum";
    }
    *ret_message = udp + 8;
    *ret_message_len = udp_len - 8;
    return NULL;
}

bool frame_goes_back(const uint8_t *bytes, const struct frame *query)
{
    return memcmp(bytes, query->bytes + 6, 6) == 0 && memcmp(bytes + 6, query->bytes, 6) == 0;
}

size_t option_add(uint8_t *options, size_t at, uint16_t code, const void *data, size_t len)
{
    put16(options + at, code);
    put16(options + at + 2, (unsigned)len);
    memcpy(options + at + 4, data, len);
    return at + 4 + len;
}

/* No escapes; a final dot is taken for granted. */
static uint8_t *put_name(uint8_t *to, const char *name)
{
    while (*name && *name != '.') {
        size_t len = strcspn(name, ".");

        *to++ = (uint8_t)len;
        memcpy(to, name, len);
        to += len;
        name += len + (name[len] == '.');
    }
    *to++ = 0;
    return to;
}

size_t query_build(const struct query_spec *spec, uint8_t *ret_message)
{
    uint8_t *at = ret_message;

    at = put16(at, spec->id);
    at = put16(at, spec->flags);
    at = put16(put16(put16(put16(at, 1), 0), 0), spec->edns);
    at = put_name(at, spec->name);
    at = put16(put16(at, spec->qtype), 1);
    if (spec->edns) {
        *at++ = 0;
        at = put16(put16(at, 41), spec->udp_size);
        at = put16(put16(at, 0), spec->dnssec_ok ? 0x8000 : 0);
        at = put16(at, (unsigned)spec->options_len);
        if (spec->options_len) {
            memcpy(at, spec->options, spec->options_len);
            at += spec->options_len;
        }
    }
    return (size_t)(at - ret_message);
}
