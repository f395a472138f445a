/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EDNS(0), RFC 6891: the OPT record of a query into values, and ours into bytes. Options known
 * here: client subnet (RFC 7871), NSID (RFC 5001) and cookies (RFC 7873); all others are ignored
 * and never echoed.
 */
#ifndef EDGE_EDNS_H
#define EDGE_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDNS_UDP_MAX 1232 /* our UDP size, and the most we send over UDP */
#define EDNS_OPT_LEN 11   /* without options */
#define EDNS_ECS_ADDRESS_MAX 16
#define EDNS_COOKIE_LEN 24 /* of a cookie we send: the client's and ours */

enum ecs_family {
    ECS_FAMILY_NONE = 0, /* only with SOURCE 0: "do not use my address" */
    ECS_FAMILY_IPV4 = 1,
    ECS_FAMILY_IPV6 = 2,
};

struct ecs {
    uint16_t family;
    uint8_t source;
    uint8_t address_len;
    uint8_t address[EDNS_ECS_ADDRESS_MAX]; /* as sent; zeroes beyond address_len */
};

struct edns {
    bool present;
    bool has_ecs;
    bool malformed; /* an option is not what its RFC says: FORMERR */
    bool dnssec_ok;
    bool nsid;       /* asked for */
    bool has_cookie; /* `cookie` and `cookie_len` are set */
    uint8_t version;
    uint16_t udp_size;
    uint16_t cookie_len;   /* as sent, whatever it was */
    const uint8_t *cookie; /* of the first COOKIE option, in the query's bytes */
    struct ecs ecs;
};

/* What our OPT record says besides what the query's makes it say. */
struct edns_reply {
    uint8_t extended_rcode; /* the upper eight bits of the response code */
    uint8_t ecs_scope;
    const char *nsid;
    size_t nsid_len;
    const uint8_t *cookie; /* EDNS_COOKIE_LEN bytes, or NULL */
};

/* Reads the options of an OPT record: `ttl` and `class` are its TTL and CLASS fields. */
void edns_parse(struct edns *ret_edns, uint16_t class, uint32_t ttl, const uint8_t *options,
                size_t len);

/* How long our OPT record for this query is; 0 without EDNS. */
size_t edns_response_len(const struct edns *edns, size_t nsid_len, bool cookie);

/* Writes our OPT record, `len` bytes as edns_response_len() says. */
void edns_write(uint8_t *bytes, size_t len, const struct edns *edns,
                const struct edns_reply *reply);

#endif
