/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One DNS message out and one back over a TCP connection (RFC 1035 section 4.2.2, RFC 7766): a
 * length of two octets before each. Nothing blocks; the other end may send any length, in any
 * pieces, or stop anywhere.
 */
#ifndef BGP_DNS_STREAM_H
#define BGP_DNS_STREAM_H

#include "bgp/probe/dns_check.h"
#include "bgp/probe/probe.h"

struct dns_stream {
    bool open;
    int fd; /* while open */
    bool connected;
    size_t query_len, query_at; /* with its length octets */
    uint8_t query[2 + DNS_CHECK_QUERY_LEN];
    size_t answer_at;
    uint8_t answer[2 + DNS_CHECK_ANSWER_LEN];
};

enum dns_stream_result {
    DNS_STREAM_WAIT,
    DNS_STREAM_MESSAGE, /* one is there whole */
    DNS_STREAM_OUTCOME, /* it came to nothing; the outcome says why */
};

/* Begins to connect. False and the outcome if that is over already. */
bool dns_stream_open(struct dns_stream *stream, const struct probe *probe,
                     const struct endpoint *server, bool must_be_local, const uint8_t *query,
                     size_t query_len, struct probe_outcome *ret_outcome);

/* The descriptor is ready, or may be. */
enum dns_stream_result dns_stream_run(struct dns_stream *stream, const struct probe *probe,
                                      struct probe_outcome *ret_outcome);

/* The message, when it is there whole. */
uint8_t *dns_stream_message(struct dns_stream *stream, size_t *ret_len);

void dns_stream_close(struct dns_stream *stream);

#endif
