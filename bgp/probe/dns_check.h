/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a dns check asks and how it judges what comes back: bytes in, verdict out, no sockets, no
 * clock. The message format is libknot's business: it reads and writes messages and leaves sockets
 * alone, where ldns and c-ares bring their own and with them no way to keep a query on this host or
 * to say what exactly came back. Every byte of an answer is hostile.
 */
#ifndef BGP_DNS_CHECK_H
#define BGP_DNS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "bgp/probe/outcome.h"

#define DNS_CHECK_ADDRESSES_MAX 32
#define DNS_CHECK_NAME_LEN 255  /* wire octets, RFC 1035 section 3.1 */
#define DNS_CHECK_QUERY_LEN 512 /* room for header, question and OPT with one client subnet */
#define DNS_CHECK_ANSWER_LEN                                                                       \
    16384 /* more than the 1232 we offer: an answer that ignores it is still judged */

enum dns_check_expect {
    DNS_CHECK_EXPECT_ANSWER,    /* NOERROR with at least one record of the type asked for */
    DNS_CHECK_EXPECT_RCODE,     /* this RCODE, whatever the sections hold */
    DNS_CHECK_EXPECT_ADDRESSES, /* as ANSWER, and every address answered is one of the list */
};

struct dns_check {
    uint8_t qname[DNS_CHECK_NAME_LEN]; /* uncompressed wire form, lower case */
    uint16_t qtype;
    bool has_subnet;      /* send EDNS Client Subnet, RFC 7871 */
    struct prefix subnet; /* host bits clear */
    enum dns_check_expect expect;
    uint16_t rcode;
    size_t addresses_n;
    struct address addresses[DNS_CHECK_ADDRESSES_MAX];
    bool has_serial_min; /* an SOA must have at least this serial */
    uint32_t serial_min;
    int64_t signature_s; /* signatures must be valid for so long; 0: they are not looked at */
};

enum dns_check_result {
    DNS_CHECK_IGNORED,   /* no answer to this query: keep waiting */
    DNS_CHECK_TRUNCATED, /* cut off (TC) before what decides: ask over TCP */
    DNS_CHECK_JUDGED,
};

/* A domain name in text form to wire form: 0 or -EINVAL. */
int dns_check_parse_name(const char *text, uint8_t ret_name[static DNS_CHECK_NAME_LEN]);

/* "A", "TYPE65": 0 or -EINVAL. Meta types (RFC 6895 section 3.1) are refused: they have no record
 * to look for. */
int dns_check_parse_type(const char *text, uint16_t *ret_type);

/* "NXDOMAIN": 0 or -EINVAL. */
int dns_check_parse_rcode(const char *text, uint16_t *ret_rcode);

/* Writes the query; its length, or -ENOMEM/-EINVAL. */
int dns_check_query(const struct dns_check *check, uint16_t id,
                    uint8_t ret_query[static DNS_CHECK_QUERY_LEN]);

/* Judges one message against the query we sent, at this wall clock time. `bytes` are scratch
 * afterwards. The serial is set when an SOA was asked for and found. */
enum dns_check_result dns_check_judge(const struct dns_check *check, const uint8_t *query,
                                      size_t query_len, uint8_t *bytes, size_t len, int64_t wall_s,
                                      uint32_t *ret_serial, struct probe_outcome *ret_outcome);

#endif
