/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"

#define HEADER_LEN 12 /* RFC 1035 section 4.1.1 */

bool dns_stream_open(struct dns_stream *stream, const struct probe *probe,
                     const struct endpoint *server, bool must_be_local, const uint8_t *query,
                     size_t query_len, struct probe_outcome *ret_outcome)
{
    const int fd = probe_connect(probe, server, must_be_local, SOCK_STREAM, EPOLLOUT, ret_outcome);

    if (fd < 0) {
        return false;
    }
    stream->open = true;
    stream->fd = fd;
    stream->connected = false;
    stream->query[0] = (uint8_t)(query_len >> 8);
    stream->query[1] = (uint8_t)query_len;
    memcpy(stream->query + 2, query, query_len);
    stream->query_len = 2 + query_len;
    stream->query_at = 0;
    stream->answer_at = 0;
    return true;
}

static enum dns_stream_result query_write(struct dns_stream *stream, const struct probe *probe,
                                          struct probe_outcome *outcome)
{
    const ssize_t len = send(stream->fd, stream->query + stream->query_at,
                             stream->query_len - stream->query_at, MSG_NOSIGNAL);

    if (len < 0 && errno != EAGAIN && errno != EINTR) {
        outcome_errno(outcome, "sending over TCP", errno);
        return DNS_STREAM_OUTCOME;
    }
    stream->query_at += len > 0 ? (size_t)len : 0;
    if (stream->query_at == stream->query_len) {
        const int result = probe_watch(probe, stream->fd, EPOLLIN);

        if (result < 0) {
            outcome_unknown(outcome, "watching a socket: %s", strerror(-result));
            return DNS_STREAM_OUTCOME;
        }
    }
    return DNS_STREAM_WAIT;
}

/* As far as it is known: the two octets themselves at first. */
static size_t answer_len(const struct dns_stream *stream)
{
    return stream->answer_at < 2 ? 2
                                 : 2 + ((size_t)stream->answer[0] << 8 | (size_t)stream->answer[1]);
}

static enum dns_stream_result length_judge(size_t len, struct probe_outcome *outcome)
{
    if (len < HEADER_LEN) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "an answer of %zu bytes over TCP", len);
        return DNS_STREAM_OUTCOME;
    }
    if (len > DNS_CHECK_ANSWER_LEN) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "an answer of %zu bytes, more than %d", len,
                     DNS_CHECK_ANSWER_LEN);
        return DNS_STREAM_OUTCOME;
    }
    return DNS_STREAM_WAIT;
}

/* Reads what belongs to this message and not a byte more. */
static enum dns_stream_result answer_read(struct dns_stream *stream, struct probe_outcome *outcome)
{
    while (stream->answer_at < answer_len(stream)) {
        const size_t wanted = answer_len(stream) - stream->answer_at;
        const ssize_t len = recv(stream->fd, stream->answer + stream->answer_at, wanted, 0);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return DNS_STREAM_WAIT;
        }
        if (len < 0) {
            outcome_errno(outcome, "receiving over TCP", errno);
            return DNS_STREAM_OUTCOME;
        }
        if (len == 0) {
            outcome_fail(outcome, PROBE_CAUSE_WRONG, "TCP connection closed after %zu of %zu bytes",
                         stream->answer_at, answer_len(stream));
            return DNS_STREAM_OUTCOME;
        }
        stream->answer_at += (size_t)len;
        if (stream->answer_at == 2 &&
            length_judge(answer_len(stream) - 2, outcome) == DNS_STREAM_OUTCOME) {
            return DNS_STREAM_OUTCOME;
        }
    }
    return DNS_STREAM_MESSAGE;
}

enum dns_stream_result dns_stream_run(struct dns_stream *stream, const struct probe *probe,
                                      struct probe_outcome *ret_outcome)
{
    if (!stream->connected) {
        if (!probe_connected(stream->fd, ret_outcome)) {
            return DNS_STREAM_OUTCOME;
        }
        stream->connected = true;
    }
    return stream->query_at < stream->query_len ? query_write(stream, probe, ret_outcome)
                                                : answer_read(stream, ret_outcome);
}

uint8_t *dns_stream_message(struct dns_stream *stream, size_t *ret_len)
{
    *ret_len = answer_len(stream) - 2;
    return stream->answer + 2;
}

void dns_stream_close(struct dns_stream *stream)
{
    if (stream->open) {
        fd_close(&stream->fd);
        stream->open = false;
    }
}
