/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * IP addresses, prefixes and socket endpoints as text and as values. Parsing accepts exactly what
 * inet_pton accepts; nothing is guessed.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_LEN 64 /* enough for any address, prefix or endpoint with its NUL */

enum address_family {
    ADDRESS_NONE = 0,
    ADDRESS_IPV4 = 4,
    ADDRESS_IPV6 = 6,
};

struct address {
    uint8_t family;    /* enum address_family */
    uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest zero */
};

struct prefix {
    struct address address;
    uint8_t len; /* bits */
};

struct endpoint {
    struct address address;
    uint16_t port; /* host order */
};

/* 0 or -EINVAL; the output is untouched on failure. */
int address_parse(const char *text, struct address *ret_address);

/* "address/len" or a bare address (/32, /128). Host bits set: -EINVAL when `strict`, else
 * cleared. */
int prefix_parse(const char *text, bool strict, struct prefix *ret_prefix);

/* "address@port", "address:port" (IPv4), "[address]:port", "[address]@port"; a bare address takes
 * `default_port`. */
int endpoint_parse(const char *text, uint16_t default_port, struct endpoint *ret_endpoint);

/* Writes text and returns `ret_text`. */
const char *address_format(const struct address *address, char ret_text[static ADDRESS_TEXT_LEN]);
const char *prefix_format(const struct prefix *prefix, char ret_text[static ADDRESS_TEXT_LEN]);
const char *endpoint_format(const struct endpoint *endpoint,
                            char ret_text[static ADDRESS_TEXT_LEN]);

/* Total order: family, then bytes, (then length). */
int address_compare(const struct address *a, const struct address *b);
int prefix_compare(const struct prefix *a, const struct prefix *b);

bool prefix_contains(const struct prefix *prefix, const struct address *address);

/* Clears the host bits in place. */
void prefix_mask(struct prefix *prefix);

/* 32 or 128. */
unsigned address_bits(const struct address *address);

/* Conversions to and from the socket API. address_from_sockaddr: -EAFNOSUPPORT for other families;
 * `ret_port` may be NULL. */
int address_from_sockaddr(const struct sockaddr *sockaddr, struct address *ret_address,
                          uint16_t *ret_port);
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint,
                               struct sockaddr_storage *ret_sockaddr);

#endif
