/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_exchange.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

#define READS_PER_WAKE 16 /* junk from the server's address must not hold the loop */

static bool query_make(const struct dns_exchange *exchange, struct dns_exchange_try *try,
                       struct probe_outcome *outcome)
{
    uint16_t id;
    int len;

    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id)) {
        outcome_unknown(outcome, "no random number for the query");
        return false;
    }
    len = dns_check_query(exchange->check, id, try->query);
    if (len < 0) {
        outcome_unknown(outcome, "making the query: %s", strerror(-len));
        return false;
    }
    try->query_len = (size_t)len;
    return true;
}

static bool tcp_begin(struct dns_exchange *exchange, const struct probe *probe,
                      struct probe_outcome *outcome)
{
    struct dns_exchange_try query;

    dns_exchange_end(exchange);
    exchange->next_ns = INT64_MAX;
    return !query_make(exchange, &query, outcome) ||
           !dns_stream_open(&exchange->stream, probe, exchange->server, exchange->must_be_local,
                            query.query, query.query_len, outcome);
}

static bool datagram_send(struct dns_exchange *exchange, const struct probe *probe,
                          struct probe_outcome *outcome)
{
    struct dns_exchange_try *try = &exchange->list[exchange->tries_n];

    if (!query_make(exchange, try, outcome)) {
        return true;
    }
    try->fd = probe_connect(probe, exchange->server, exchange->must_be_local, SOCK_DGRAM, EPOLLIN,
                            outcome);
    if (try->fd < 0) {
        return true;
    }
    exchange->tries_n++;
    return send(try->fd, try->query, try->query_len, 0) < 0 &&
           outcome_errno(outcome, "sending", errno);
}

/* They are spread evenly over the timeout. */
static bool next_plan(struct dns_exchange *exchange, const struct probe *probe, int64_t now_ns)
{
    exchange->next_ns = exchange->tries_n < exchange->tries
                            ? now_ns + probe->check->timeout_ns / exchange->tries
                            : INT64_MAX;
    return false;
}

bool dns_exchange_start(struct dns_exchange *exchange, const struct probe *probe, int64_t now_ns,
                        struct probe_outcome *ret_outcome)
{
    if (exchange->tcp) {
        return tcp_begin(exchange, probe, ret_outcome);
    }
    return datagram_send(exchange, probe, ret_outcome) || next_plan(exchange, probe, now_ns);
}

bool dns_exchange_wake(struct dns_exchange *exchange, const struct probe *probe, int64_t now_ns,
                       struct probe_outcome *ret_outcome)
{
    /* What this process cannot do once more does not matter while an answer may still come. */
    if (datagram_send(exchange, probe, ret_outcome) && ret_outcome->observation != HEALTH_UNKNOWN) {
        return true;
    }
    return next_plan(exchange, probe, now_ns);
}

static enum dns_check_result judge(struct dns_exchange *exchange, const uint8_t *query,
                                   size_t query_len, uint8_t *bytes, size_t len,
                                   struct probe_outcome *outcome)
{
    return dns_check_judge(exchange->check, query, query_len, bytes, len, clock_wall_s(),
                           &exchange->serial, outcome);
}

static bool datagrams_read(struct dns_exchange *exchange, const struct probe *probe,
                           const struct dns_exchange_try *try, struct probe_outcome *outcome)
{
    uint8_t bytes[DNS_CHECK_ANSWER_LEN];

    for (int i = 0; i < READS_PER_WAKE; i++) {
        const ssize_t len = recv(try->fd, bytes, sizeof(bytes), MSG_TRUNC);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return false;
        }
        if (len < 0) {
            return outcome_errno(outcome, "receiving", errno);
        }
        if ((size_t)len > sizeof(bytes)) {
            continue; /* cannot be seen whole */
        }
        switch (judge(exchange, try->query, try->query_len, bytes, (size_t)len, outcome)) {
        case DNS_CHECK_IGNORED:
            break;
        case DNS_CHECK_TRUNCATED:
            return tcp_begin(exchange, probe, outcome);
        case DNS_CHECK_JUDGED:
            return true;
        }
    }
    return false;
}

static bool stream_run(struct dns_exchange *exchange, const struct probe *probe,
                       struct probe_outcome *outcome)
{
    struct dns_stream *stream = &exchange->stream;
    uint8_t *message;
    size_t len;

    switch (dns_stream_run(stream, probe, outcome)) {
    case DNS_STREAM_WAIT:
        return false;
    case DNS_STREAM_OUTCOME:
        return true;
    case DNS_STREAM_MESSAGE:
        break;
    }
    message = dns_stream_message(stream, &len);
    switch (judge(exchange, stream->query + 2, stream->query_len - 2, message, len, outcome)) {
    case DNS_CHECK_IGNORED:
        return outcome_fail(outcome, PROBE_CAUSE_WRONG, "over TCP, an answer to another query");
    case DNS_CHECK_TRUNCATED:
        return outcome_fail(outcome, PROBE_CAUSE_WRONG, "truncated over TCP");
    case DNS_CHECK_JUDGED:
        return true;
    }
    return false;
}

bool dns_exchange_ready(struct dns_exchange *exchange, const struct probe *probe, int fd,
                        struct probe_outcome *ret_outcome)
{
    if (exchange->stream.open && exchange->stream.fd == fd) {
        return stream_run(exchange, probe, ret_outcome);
    }
    for (size_t i = 0; i < exchange->tries_n; i++) {
        if (exchange->list[i].fd == fd) {
            return datagrams_read(exchange, probe, &exchange->list[i], ret_outcome);
        }
    }
    return false;
}

bool dns_exchange_expire(struct dns_exchange *exchange, const struct probe *probe,
                         struct probe_outcome *ret_outcome)
{
    for (size_t i = 0; i < exchange->tries_n; i++) {
        if (datagrams_read(exchange, probe, &exchange->list[i], ret_outcome)) {
            return true;
        }
    }
    return exchange->stream.open && exchange->stream.connected &&
           stream_run(exchange, probe, ret_outcome);
}

void dns_exchange_end(struct dns_exchange *exchange)
{
    for (size_t i = 0; i < exchange->tries_n; i++) {
        fd_close(&exchange->list[i].fd);
    }
    exchange->tries_n = 0;
    dns_stream_close(&exchange->stream);
}
