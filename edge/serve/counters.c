/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/counters.h"

enum counter_qtype counter_qtype_of(uint16_t qtype)
{
    switch (qtype) {
    case 1:
        return COUNTER_QTYPE_A;
    case 2:
        return COUNTER_QTYPE_NS;
    case 5:
        return COUNTER_QTYPE_CNAME;
    case 6:
        return COUNTER_QTYPE_SOA;
    case 12:
        return COUNTER_QTYPE_PTR;
    case 15:
        return COUNTER_QTYPE_MX;
    case 16:
        return COUNTER_QTYPE_TXT;
    case 28:
        return COUNTER_QTYPE_AAAA;
    case 33:
        return COUNTER_QTYPE_SRV;
    case 43:
        return COUNTER_QTYPE_DS;
    case 48:
        return COUNTER_QTYPE_DNSKEY;
    case 64:
        return COUNTER_QTYPE_SVCB;
    case 65:
        return COUNTER_QTYPE_HTTPS;
    case 255:
        return COUNTER_QTYPE_ANY;
    case 257:
        return COUNTER_QTYPE_CAA;
    default:
        return COUNTER_QTYPE_OTHER;
    }
}

void counters_add_answer(struct counters *counters, const struct answer_outcome *outcome,
                         enum answer_transport transport, unsigned family, size_t query_len,
                         size_t response_len)
{
    counter_add(&counters->answers[outcome->kind][transport][family], 1);
    counter_add(&counters->plain[COUNTER_QUERY_BYTES], query_len);
    if (outcome->cookie != COOKIE_NONE) {
        counter_add(&counters->plain[COUNTER_COOKIE_CLIENT + outcome->cookie - COOKIE_CLIENT_ONLY],
                    1);
    }
    if (response_len == 0) {
        return;
    }
    counter_add(&counters->plain[COUNTER_RESPONSE_BYTES], response_len);
    counter_add(&counters->rcodes[outcome->rcode % COUNTERS_RCODES], 1);
    counter_add(&counters->qtypes[counter_qtype_of(outcome->qtype)], 1);
    if (outcome->truncated) {
        counter_add(&counters->plain[COUNTER_TRUNCATED], 1);
    }
    if (outcome->edns) {
        counter_add(&counters->plain[COUNTER_EDNS], 1);
    }
    if (outcome->ecs) {
        counter_add(&counters->plain[COUNTER_ECS], 1);
    }
}

void counters_add_limited(struct counters *counters, enum admit_class class,
                          enum admit_verdict verdict)
{
    counter_add(&counters->limited[class][verdict - ADMIT_SLIP], 1);
}

void counters_sum_add(struct counters_sum *sum, const struct counters *counters)
{
    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        for (unsigned transport = 0; transport < COUNTERS_TRANSPORTS; transport++) {
            for (unsigned family = 0; family < COUNTERS_FAMILIES; family++) {
                sum->answers[kind][transport][family] +=
                    counter_read(&counters->answers[kind][transport][family]);
            }
        }
    }
    for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
        sum->rcodes[i] += counter_read(&counters->rcodes[i]);
    }
    for (unsigned i = 0; i < COUNTER_QTYPES; i++) {
        sum->qtypes[i] += counter_read(&counters->qtypes[i]);
    }
    for (unsigned i = 0; i < COUNTER_PLAIN_N; i++) {
        sum->plain[i] += counter_read(&counters->plain[i]);
    }
    for (unsigned i = 0; i < ADMIT_CLASSES * COUNTERS_LIMITED; i++) {
        unsigned class = i / COUNTERS_LIMITED;
        unsigned how = i % COUNTERS_LIMITED;

        sum->limited[class][how] += counter_read(&counters->limited[class][how]);
    }
}

void counters_add_sum(struct counters *counters, const struct counters_sum *sum)
{
    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        for (unsigned transport = 0; transport < COUNTERS_TRANSPORTS; transport++) {
            for (unsigned family = 0; family < COUNTERS_FAMILIES; family++) {
                counter_add(&counters->answers[kind][transport][family],
                            sum->answers[kind][transport][family]);
            }
        }
    }
    for (unsigned i = 0; i < COUNTERS_RCODES; i++) {
        counter_add(&counters->rcodes[i], sum->rcodes[i]);
    }
    for (unsigned i = 0; i < COUNTER_QTYPES; i++) {
        counter_add(&counters->qtypes[i], sum->qtypes[i]);
    }
    for (unsigned i = 0; i < COUNTER_PLAIN_N; i++) {
        counter_add(&counters->plain[i], sum->plain[i]);
    }
}

const char *counter_qtype_name(enum counter_qtype qtype)
{
    static const char *const names[COUNTER_QTYPES] = {
        [COUNTER_QTYPE_A] = "A",           [COUNTER_QTYPE_NS] = "NS",
        [COUNTER_QTYPE_CNAME] = "CNAME",   [COUNTER_QTYPE_SOA] = "SOA",
        [COUNTER_QTYPE_PTR] = "PTR",       [COUNTER_QTYPE_MX] = "MX",
        [COUNTER_QTYPE_TXT] = "TXT",       [COUNTER_QTYPE_AAAA] = "AAAA",
        [COUNTER_QTYPE_SRV] = "SRV",       [COUNTER_QTYPE_DS] = "DS",
        [COUNTER_QTYPE_DNSKEY] = "DNSKEY", [COUNTER_QTYPE_SVCB] = "SVCB",
        [COUNTER_QTYPE_HTTPS] = "HTTPS",   [COUNTER_QTYPE_ANY] = "ANY",
        [COUNTER_QTYPE_CAA] = "CAA",       [COUNTER_QTYPE_OTHER] = "other",
    };

    return names[qtype];
}

const char *counter_plain_name(enum counter_plain plain)
{
    static const char *const names[COUNTER_PLAIN_N] = {
        [COUNTER_QUERY_BYTES] = "query_bytes",
        [COUNTER_RESPONSE_BYTES] = "response_bytes",
        [COUNTER_TRUNCATED] = "truncated",
        [COUNTER_EDNS] = "edns",
        [COUNTER_ECS] = "ecs",
        [COUNTER_COOKIE_CLIENT] = "cookie_client_only",
        [COUNTER_COOKIE_BAD] = "cookie_bad",
        [COUNTER_COOKIE_VALID] = "cookie_valid",
        [COUNTER_UDP_BATCHES] = "udp_batches",
        [COUNTER_UDP_SEND_ERRORS] = "udp_send_errors",
        [COUNTER_TCP_OPENED] = "tcp_opened",
        [COUNTER_TCP_CLOSED] = "tcp_closed",
        [COUNTER_TCP_PEER] = "tcp_closed_by_peer",
        [COUNTER_TCP_IDLE] = "tcp_closed_idle",
        [COUNTER_TCP_SLOW] = "tcp_closed_slow",
        [COUNTER_TCP_SPENT] = "tcp_closed_spent",
        [COUNTER_TCP_EVICTED] = "tcp_evicted",
        [COUNTER_TCP_MEMORY] = "tcp_closed_memory",
        [COUNTER_TCP_BAD] = "tcp_bad",
        [COUNTER_TCP_ERRORS] = "tcp_errors",
        [COUNTER_TCP_LIMITED] = "tcp_limited",
    };

    return names[plain];
}

const char *counter_rcode_name(unsigned rcode)
{
    /* RFC 6895 section 2.3 */
    static const char *const names[COUNTERS_RCODES] = {
        [0] = "NOERROR",  [1] = "FORMERR",    [2] = "SERVFAIL", [3] = "NXDOMAIN",   [4] = "NOTIMP",
        [5] = "REFUSED",  [6] = "YXDOMAIN",   [7] = "YXRRSET",  [8] = "NXRRSET",    [9] = "NOTAUTH",
        [10] = "NOTZONE", [11] = "DSOTYPENI", [16] = "BADVERS", [23] = "BADCOOKIE",
    };
    const char *name = names[rcode % COUNTERS_RCODES];

    return name ? name : "UNASSIGNED";
}
