/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One question to one server, as a resolver would ask it. Over UDP a lost datagram says nothing
 * about the server, so the query may be sent several times, spread over the timeout, each from a
 * socket, port and id of its own; the first answer to any of them decides. A truncated one is asked
 * for again over TCP. A healthy server sees one query.
 *
 * Functions return true if the outcome is set.
 */
#ifndef BGP_DNS_EXCHANGE_H
#define BGP_DNS_EXCHANGE_H

#include "bgp/probe/dns_check.h"
#include "bgp/probe/dns_stream.h"
#include "bgp/probe/probe.h"

#define DNS_EXCHANGE_TRIES_MAX 8

struct dns_exchange_try {
    int fd;
    size_t query_len;
    uint8_t query[DNS_CHECK_QUERY_LEN];
};

struct dns_exchange {
    /* set by the caller before dns_exchange_start() */
    const struct dns_check *check;
    const struct endpoint *server;
    bool must_be_local; /* see probe_connect() */
    bool tcp;
    unsigned tries; /* over UDP, at least 1 */
    /* its own */
    int64_t next_ns; /* call dns_exchange_wake() then; INT64_MAX: never */
    size_t tries_n;  /* sent so far, and open */
    struct dns_exchange_try list[DNS_EXCHANGE_TRIES_MAX];
    struct dns_stream stream;
    uint32_t serial; /* with a passing outcome to a question for an SOA */
};

bool dns_exchange_start(struct dns_exchange *exchange, const struct probe *probe, int64_t now_ns,
                        struct probe_outcome *ret_outcome);
bool dns_exchange_ready(struct dns_exchange *exchange, const struct probe *probe, int fd,
                        struct probe_outcome *ret_outcome);
bool dns_exchange_wake(struct dns_exchange *exchange, const struct probe *probe, int64_t now_ns,
                       struct probe_outcome *ret_outcome);

/* Looks once more: if it was us who slept, the answer is waiting in a socket. */
bool dns_exchange_expire(struct dns_exchange *exchange, const struct probe *probe,
                         struct probe_outcome *ret_outcome);

void dns_exchange_end(struct dns_exchange *exchange);

#endif
