/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a dns check asks and how it judges what comes back: bytes in, verdict out, no sockets. The
 * message format is libknot's business. Every byte of an answer is hostile.
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
    4096 /* more than the 1232 we offer: an answer that ignores it is still judged */

enum dns_check_expect {
    DNS_CHECK_EXPECT_ANSWER,    /* NOERROR with at least one record of the type asked for */
    DNS_CHECK_EXPECT_RCODE,     /* this RCODE, whatever the sections hold */
    DNS_CHECK_EXPECT_ADDRESSES, /* as ANSWER, and every address answered is one of the list */
};

struct dns_check {
    uint8_t qname[DNS_CHECK_NAME_LEN]; /* uncompressed wire form */
    uint16_t qtype;
    bool has_subnet;      /* send EDNS Client Subnet, RFC 7871 */
    struct prefix subnet; /* host bits clear */
    enum dns_check_expect expect;
    uint16_t rcode;
    size_t addresses_n;
    struct address addresses[DNS_CHECK_ADDRESSES_MAX];
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

/* Judges one message against the query we sent. False if it is no answer to that: keep waiting. */
bool dns_check_judge(const struct dns_check *check, const uint8_t *query, size_t query_len,
                     const uint8_t *bytes, size_t len, struct probe_outcome *ret_outcome);

#endif
