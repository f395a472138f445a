/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a worker has done. Each counter has one writer, its worker; readers on other threads sum
 * over the workers at any time. A single value read is never torn and never goes back. Not
 * promised: that two counters read together belong to the same instant (a query may be counted as
 * received but not yet as answered).
 */
#ifndef EDGE_COUNTERS_H
#define EDGE_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/answer/answer.h"
#include "maps/admit_core.h"

#define COUNTERS_TRANSPORTS 2 /* by enum answer_transport */
#define COUNTERS_FAMILIES 2   /* 0 IPv4, 1 IPv6: of the transport address */
#define COUNTERS_LIMITED 2    /* by enum admit_verdict, from ADMIT_SLIP on */
#define COUNTERS_RCODES 32    /* up to BADCOOKIE, and a power of two */

/* Query types that are counted by name; the others share the last place. */
enum counter_qtype {
    COUNTER_QTYPE_A,
    COUNTER_QTYPE_NS,
    COUNTER_QTYPE_CNAME,
    COUNTER_QTYPE_SOA,
    COUNTER_QTYPE_PTR,
    COUNTER_QTYPE_MX,
    COUNTER_QTYPE_TXT,
    COUNTER_QTYPE_AAAA,
    COUNTER_QTYPE_SRV,
    COUNTER_QTYPE_DS,
    COUNTER_QTYPE_DNSKEY,
    COUNTER_QTYPE_SVCB,
    COUNTER_QTYPE_HTTPS,
    COUNTER_QTYPE_ANY,
    COUNTER_QTYPE_CAA,
    COUNTER_QTYPE_OTHER,
    COUNTER_QTYPES,
};

/* Everything that is a plain number, in the order of counter_plain_name(). */
enum counter_plain {
    COUNTER_QUERY_BYTES,
    COUNTER_RESPONSE_BYTES,
    COUNTER_TRUNCATED,
    COUNTER_EDNS,
    COUNTER_ECS,
    COUNTER_COOKIE_CLIENT, /* queries with a client cookie alone */
    COUNTER_COOKIE_BAD,
    COUNTER_COOKIE_VALID,
    COUNTER_UDP_BATCHES,     /* recvmmsg calls that brought something */
    COUNTER_UDP_SEND_ERRORS, /* responses the kernel did not take */
    COUNTER_TCP_OPENED,
    COUNTER_TCP_CLOSED,  /* by either side; each for one of the reasons below, or at the stop */
    COUNTER_TCP_PEER,    /* the client closed */
    COUNTER_TCP_IDLE,    /* nothing came */
    COUNTER_TCP_SLOW,    /* a query took too long to come, or the answers to go */
    COUNTER_TCP_SPENT,   /* its lifetime or its number of queries was used up */
    COUNTER_TCP_EVICTED, /* to make room */
    COUNTER_TCP_MEMORY,  /* too much would have been kept of half queries and unsent answers */
    COUNTER_TCP_BAD,     /* because of what came in */
    COUNTER_TCP_ERRORS,  /* reset or failed */
    COUNTER_TCP_LIMITED, /* refused, never opened: too many of the client, or no descriptor */
    COUNTER_PLAIN_N,
};

typedef _Atomic uint64_t counter;

/* One per worker, on cache lines of its own. */
struct counters {
    _Alignas(128) counter answers[ANSWER_KINDS][COUNTERS_TRANSPORTS][COUNTERS_FAMILIES];
    counter rcodes[COUNTERS_RCODES];
    counter qtypes[COUNTER_QTYPES];
    counter plain[COUNTER_PLAIN_N];
    counter limited[ADMIT_CLASSES][COUNTERS_LIMITED]; /* 0 sent short, 1 not sent */
};

/* A sum over workers, plain numbers. */
struct counters_sum {
    uint64_t answers[ANSWER_KINDS][COUNTERS_TRANSPORTS][COUNTERS_FAMILIES];
    uint64_t rcodes[COUNTERS_RCODES];
    uint64_t qtypes[COUNTER_QTYPES];
    uint64_t plain[COUNTER_PLAIN_N];
    uint64_t limited[ADMIT_CLASSES][COUNTERS_LIMITED];
};

/* By the writer only: a load and a store, no locked instruction. */
static inline void counter_add(counter *counter_, uint64_t n)
{
    atomic_store_explicit(counter_, atomic_load_explicit(counter_, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t counter_read(const counter *counter_)
{
    return atomic_load_explicit(counter_, memory_order_relaxed);
}

/* Counts a response that was over a limit. */
void counters_add_limited(struct counters *counters, enum admit_class class,
                          enum admit_verdict verdict);

/* Counts one outcome; `response_len` 0: no response. `family` is the transport's, 0 or 1. */
void counters_add_answer(struct counters *counters, const struct answer_outcome *outcome,
                         enum answer_transport transport, unsigned family, size_t query_len,
                         size_t response_len);

/* Adds the values of `counters` to `sum`; any thread. */
void counters_sum_add(struct counters_sum *sum, const struct counters *counters);

/* By the writer only: adds the sum to `counters`. */
void counters_add_sum(struct counters *counters, const struct counters_sum *sum);

enum counter_qtype counter_qtype_of(uint16_t qtype);

/* As metrics and stats print them. */
const char *counter_qtype_name(enum counter_qtype qtype);
const char *counter_plain_name(enum counter_plain plain);
const char *counter_rcode_name(unsigned rcode);

#endif
