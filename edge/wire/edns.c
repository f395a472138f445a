/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/wire/edns.h"

#include <string.h>

#include "edge/wire/wire.h"

#define EDNS_OPTION_NSID 3
#define EDNS_OPTION_ECS 8
#define EDNS_OPTION_COOKIE 10
#define EDNS_OPTION_KEEPALIVE 11
#define EDNS_OPTION_ERROR 15
#define EDNS_DNSSEC_OK 0x8000u

/* RFC 7871 section 7.1.1: whatever breaks the form is FORMERR, so that a broken sender is seen and
 * not guessed at. FAMILY 0 is let through with an empty address, since that is what senders use to
 * ask for privacy (section 7.5). */
static bool ecs_parse(struct ecs *ret_ecs, const uint8_t *data, size_t len)
{
    struct ecs ecs = {0};
    unsigned bits, scope;

    if (len < 4) {
        return false;
    }
    ecs.family = wire_get_u16(data);
    ecs.source = data[2];
    scope = data[3];
    bits = ecs.family == ECS_FAMILY_IPV4 ? 32 : ecs.family == ECS_FAMILY_IPV6 ? 128 : 0;
    if (ecs.family > ECS_FAMILY_IPV6 || scope != 0 || ecs.source > bits ||
        len - 4 != (ecs.source + 7u) / 8) {
        return false;
    }
    ecs.address_len = (uint8_t)(len - 4);
    memcpy(ecs.address, data + 4, ecs.address_len);
    if (ecs.source % 8 && (ecs.address[ecs.address_len - 1] & (0xffu >> (ecs.source % 8)))) {
        return false; /* bits beyond SOURCE PREFIX-LENGTH */
    }
    *ret_ecs = ecs;
    return true;
}

static void edns_parse_option(struct edns *edns, uint16_t code, const uint8_t *data, size_t len)
{
    switch (code) {
    case EDNS_OPTION_NSID:
        edns->nsid = true;
        break;
    case EDNS_OPTION_ECS:
        if (edns->has_ecs || !ecs_parse(&edns->ecs, data, len)) {
            edns->malformed = true; /* two subnets are no subnet */
        }
        edns->has_ecs = !edns->malformed;
        break;
    case EDNS_OPTION_COOKIE: /* RFC 7873 section 5.2: the first counts, others are ignored */
        if (!edns->has_cookie) {
            edns->has_cookie = true;
            edns->cookie = data;
            edns->cookie_len = (uint16_t)len;
        }
        break;
    case EDNS_OPTION_KEEPALIVE: /* RFC 7828 section 3.1: empty in a query */
        edns->keepalive = true;
        edns->keepalive_malformed = edns->keepalive_malformed || len != 0;
        break;
    default: /* RFC 6891 section 6.1.2: unknown options are ignored */
        break;
    }
}

void edns_parse(struct edns *ret_edns, uint16_t class, uint32_t ttl, const uint8_t *options,
                size_t len)
{
    struct wire_reader reader = {options, options + len, false};

    ret_edns->present = true;
    ret_edns->has_options = len != 0;
    ret_edns->udp_size = class;
    ret_edns->version = (uint8_t)(ttl >> 16);
    ret_edns->dnssec_ok = (ttl & EDNS_DNSSEC_OK) != 0;
    if (ret_edns->version != 0) { /* RFC 6891 section 6.1.3: what its options mean we do not know */
        return;
    }
    while (wire_left(&reader)) {
        uint16_t code = wire_read_u16(&reader);
        uint16_t option_len = wire_read_u16(&reader);
        const uint8_t *data = wire_read(&reader, option_len);

        if (reader.failed) {
            ret_edns->malformed = true;
            ret_edns->has_ecs = false;
            return;
        }
        edns_parse_option(ret_edns, code, data, option_len);
    }
    if (ret_edns->malformed) {
        ret_edns->has_ecs = false;
    }
}

size_t edns_response_len(const struct edns *edns, const struct edns_reply *reply)
{
    if (!edns->present) {
        return 0;
    }
    return EDNS_OPT_LEN + (edns->nsid && reply->nsid_len ? 4 + reply->nsid_len : 0) +
           (edns->has_ecs ? 8u + edns->ecs.address_len : 0) +
           (reply->cookie ? 4 + EDNS_COOKIE_LEN : 0) + (reply->keepalive ? 6 : 0) +
           (reply->error != EDNS_ERROR_NONE ? EDNS_ERROR_LEN : 0);
}

static uint8_t *edns_put_u16(uint8_t *bytes, uint16_t option, uint16_t value)
{
    wire_put_u16(bytes, option);
    wire_put_u16(bytes + 2, 2);
    wire_put_u16(bytes + 4, value);
    return bytes + 6;
}

void edns_write(uint8_t *bytes, size_t len, const struct edns *edns, const struct edns_reply *reply)
{
    bytes[0] = 0;
    wire_put_u16(bytes + 1, WIRE_TYPE_OPT);
    wire_put_u16(bytes + 3, EDNS_UDP_MAX);
    wire_put_u32(bytes + 5,
                 (uint32_t)reply->extended_rcode << 24 | (edns->dnssec_ok ? EDNS_DNSSEC_OK : 0));
    wire_put_u16(bytes + 9, (uint16_t)(len - EDNS_OPT_LEN));
    if (len == EDNS_OPT_LEN) {
        return;
    }
    bytes += EDNS_OPT_LEN;
    if (reply->cookie) {
        wire_put_u16(bytes, EDNS_OPTION_COOKIE);
        wire_put_u16(bytes + 2, EDNS_COOKIE_LEN);
        memcpy(bytes + 4, reply->cookie, EDNS_COOKIE_LEN);
        bytes += 4 + EDNS_COOKIE_LEN;
    }
    if (edns->nsid && reply->nsid_len) {
        wire_put_u16(bytes, EDNS_OPTION_NSID);
        wire_put_u16(bytes + 2, (uint16_t)reply->nsid_len);
        memcpy(bytes + 4, reply->nsid, reply->nsid_len);
        bytes += 4 + reply->nsid_len;
    }
    if (edns->has_ecs) { /* RFC 7871 section 7.2.1: FAMILY, SOURCE and ADDRESS as they came */
        wire_put_u16(bytes, EDNS_OPTION_ECS);
        wire_put_u16(bytes + 2, (uint16_t)(4 + edns->ecs.address_len));
        wire_put_u16(bytes + 4, edns->ecs.family);
        bytes[6] = edns->ecs.source;
        bytes[7] = reply->ecs_scope;
        memcpy(bytes + 8, edns->ecs.address, edns->ecs.address_len);
        bytes += 8 + edns->ecs.address_len;
    }
    if (reply->keepalive) { /* RFC 7828 section 3.1 */
        bytes = edns_put_u16(bytes, EDNS_OPTION_KEEPALIVE, reply->keepalive);
    }
    if (reply->error != EDNS_ERROR_NONE) { /* RFC 8914 section 2 */
        (void)edns_put_u16(bytes, EDNS_OPTION_ERROR, (uint16_t)reply->error);
    }
}
