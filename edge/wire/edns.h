/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EDNS(0), RFC 6891: the OPT record of a query into values, and ours into bytes. Options known
 * here: client subnet (RFC 7871), NSID (RFC 5001), cookies (RFC 7873), TCP keepalive (RFC 7828)
 * and, in responses, extended errors (RFC 8914); all others are ignored and never echoed. Padding
 * (RFC 7830) is one of these: it says nothing on a transport that everybody can read, and there are
 * only such (RFC 8467 section 3).
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
    bool keepalive;  /* asked for; to be ignored over UDP */
    bool keepalive_malformed;
    bool has_options; /* known or not; else our OPT has none either, but an error */
    uint8_t version;
    uint16_t udp_size;
    uint16_t cookie_len;   /* as sent, whatever it was */
    const uint8_t *cookie; /* of the first COOKIE option, in the query's bytes */
    struct ecs ecs;
};

/* RFC 8914 section 4; what we have to say with it. */
enum edns_error {
    EDNS_ERROR_OTHER = 0, /* a service with nobody left */
    EDNS_ERROR_NOT_READY = 14,
    EDNS_ERROR_PROHIBITED = 18,
    EDNS_ERROR_NOT_AUTHORITATIVE = 20,
    EDNS_ERROR_NOT_SUPPORTED = 21,
    EDNS_ERROR_NONE = 0xffff, /* no such option */
};

#define EDNS_ERROR_LEN 6 /* of the option */

/* What our OPT record says besides what the query's makes it say. */
struct edns_reply {
    uint8_t extended_rcode; /* the upper eight bits of the response code */
    uint8_t ecs_scope;
    const char *nsid;
    size_t nsid_len;
    const uint8_t *cookie; /* EDNS_COOKIE_LEN bytes, or NULL */
    uint16_t keepalive;    /* units of 100 ms; 0: no option */
    enum edns_error error;
};

/* Reads the options of an OPT record: `ttl` and `class` are its TTL and CLASS fields. */
void edns_parse(struct edns *ret_edns, uint16_t class, uint32_t ttl, const uint8_t *options,
                size_t len);

/* How long our OPT record for this query is; 0 without EDNS. */
size_t edns_response_len(const struct edns *edns, const struct edns_reply *reply);

/* Writes our OPT record, `len` bytes as edns_response_len() says. */
void edns_write(uint8_t *bytes, size_t len, const struct edns *edns,
                const struct edns_reply *reply);

#endif
