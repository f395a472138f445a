/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

unsigned address_bits(const struct address *address)
{
    return address->family == ADDRESS_IPV4 ? 32 : 128;
}

static unsigned address_len(const struct address *address)
{
    return address_bits(address) / 8;
}

int address_parse(const char *text, struct address *ret_address)
{
    struct address address = {0};

    if (inet_pton(AF_INET, text, address.bytes) == 1) {
        address.family = ADDRESS_IPV4;
    } else if (inet_pton(AF_INET6, text, address.bytes) == 1) {
        address.family = ADDRESS_IPV6;
    } else {
        return -EINVAL;
    }
    *ret_address = address;
    return 0;
}

/* The part of a text before `len`, as an address. */
static int address_parse_part(const char *text, size_t len, struct address *ret_address)
{
    char copy[ADDRESS_TEXT_LEN];

    if (len >= sizeof(copy)) {
        return -EINVAL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return address_parse(copy, ret_address);
}

int prefix_parse(const char *text, bool strict, struct prefix *ret_prefix)
{
    const char *slash = strchr(text, '/');
    struct prefix prefix = {0}, masked;
    uint64_t len;
    int err;

    err = address_parse_part(text, slash ? (size_t)(slash - text) : strlen(text), &prefix.address);
    if (err < 0) {
        return err;
    }
    len = address_bits(&prefix.address);
    if (slash && number_parse_u64(slash + 1, strlen(slash + 1), 0, len, &len) < 0) {
        return -EINVAL;
    }
    prefix.len = (uint8_t)len;
    masked = prefix;
    prefix_mask(&masked);
    if (strict && prefix_compare(&masked, &prefix) != 0) {
        return -EINVAL;
    }
    *ret_prefix = masked;
    return 0;
}

int endpoint_parse(const char *text, uint16_t default_port, struct endpoint *ret_endpoint)
{
    struct endpoint endpoint = {.port = default_port};
    const char *port = NULL;
    uint64_t number;
    int err;

    if (text[0] == '[') {
        const char *close = strchr(text, ']');

        /* RFC 3986 section 3.2.2: the brackets are for IPv6 */
        if (!close || (close[1] != ':' && close[1] != '@')) {
            return -EINVAL;
        }
        err = address_parse_part(text + 1, (size_t)(close - text) - 1, &endpoint.address);
        if (err == 0 && endpoint.address.family != ADDRESS_IPV6) {
            err = -EINVAL;
        }
        port = close + 2;
    } else {
        const char *colon = strchr(text, ':');
        const char *end = strchr(text, '@');

        /* two colons are an IPv6 address without a port, not one with a port */
        if (!end && colon && !strchr(colon + 1, ':')) {
            end = colon;
        }
        port = end ? end + 1 : NULL;
        err =
            address_parse_part(text, end ? (size_t)(end - text) : strlen(text), &endpoint.address);
    }
    if (err < 0) {
        return err;
    }
    if (port) {
        if (number_parse_u64(port, strlen(port), 0, UINT16_MAX, &number) < 0) {
            return -EINVAL;
        }
        endpoint.port = (uint16_t)number;
    }
    *ret_endpoint = endpoint;
    return 0;
}

const char *address_format(const struct address *address, char ret_text[static ADDRESS_TEXT_LEN])
{
    int family = address->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;

    if (address->family == ADDRESS_NONE ||
        !inet_ntop(family, address->bytes, ret_text, ADDRESS_TEXT_LEN)) {
        (void)snprintf(ret_text, ADDRESS_TEXT_LEN, "none");
    }
    return ret_text;
}

const char *prefix_format(const struct prefix *prefix, char ret_text[static ADDRESS_TEXT_LEN])
{
    size_t len = strlen(address_format(&prefix->address, ret_text));

    (void)snprintf(ret_text + len, ADDRESS_TEXT_LEN - len, "/%u", prefix->len);
    return ret_text;
}

const char *endpoint_format(const struct endpoint *endpoint, char ret_text[static ADDRESS_TEXT_LEN])
{
    char address[ADDRESS_TEXT_LEN];
    bool bracketed = endpoint->address.family == ADDRESS_IPV6;

    (void)address_format(&endpoint->address, address);
    (void)snprintf(ret_text, ADDRESS_TEXT_LEN, "%s%.*s%s:%u", bracketed ? "[" : "",
                   INET6_ADDRSTRLEN, address, bracketed ? "]" : "", endpoint->port);
    return ret_text;
}

int address_compare(const struct address *a, const struct address *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
    int order = address_compare(&a->address, &b->address);

    return order != 0 ? order : (int)a->len - (int)b->len;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
    unsigned whole = prefix->len / 8;
    unsigned rest = prefix->len % 8;

    if (prefix->address.family != address->family || prefix->len > address_bits(address) ||
        memcmp(prefix->address.bytes, address->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (prefix->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

void prefix_mask(struct prefix *prefix)
{
    unsigned whole = prefix->len / 8;
    unsigned rest = prefix->len % 8;
    unsigned end = address_len(&prefix->address);

    if (whole < end && rest != 0) {
        prefix->address.bytes[whole] &= (uint8_t)(0xff << (8 - rest));
        whole++;
    }
    if (whole < end) {
        memset(prefix->address.bytes + whole, 0, end - whole);
    }
}

int address_from_sockaddr(const struct sockaddr *sockaddr, struct address *ret_address,
                          uint16_t *ret_port)
{
    struct address address = {0};
    uint16_t port;

    if (sockaddr->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, sockaddr, sizeof(v4));
        address.family = ADDRESS_IPV4;
        memcpy(address.bytes, &v4.sin_addr, 4);
        port = ntohs(v4.sin_port);
    } else if (sockaddr->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, sockaddr, sizeof(v6));
        address.family = ADDRESS_IPV6;
        memcpy(address.bytes, &v6.sin6_addr, 16);
        port = ntohs(v6.sin6_port);
    } else {
        return -EAFNOSUPPORT;
    }
    *ret_address = address;
    if (ret_port) {
        *ret_port = port;
    }
    return 0;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint,
                               struct sockaddr_storage *ret_sockaddr)
{
    assert(endpoint->address.family != ADDRESS_NONE);
    memset(ret_sockaddr, 0, sizeof(*ret_sockaddr));
    if (endpoint->address.family == ADDRESS_IPV4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};

        memcpy(&v4.sin_addr, endpoint->address.bytes, 4);
        memcpy(ret_sockaddr, &v4, sizeof(v4));
        return sizeof(v4);
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};

    memcpy(&v6.sin6_addr, endpoint->address.bytes, 16);
    memcpy(ret_sockaddr, &v6, sizeof(v6));
    return sizeof(v6);
}
