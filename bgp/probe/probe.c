/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define READS_PER_WAKE 16 /* junk from the server's address must not hold the loop */

static bool conclude(struct probe *probe, int64_t now_ns, enum health_observation observation,
                     const char *evidence, struct probe_outcome *outcome)
{
    fd_close(&probe->fd);
    outcome->observation = observation;
    outcome->elapsed_ns = now_ns - probe->started_ns;
    snprintf(outcome->evidence, sizeof(outcome->evidence), "%s", evidence);
    return true;
}

/* The network's errors are evidence about the service; everything else is our own trouble. */
static bool error_blames_service(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return true;
    default:
        return false;
    }
}

static bool conclude_error(struct probe *probe, int64_t now_ns, const char *what, int error,
                           struct probe_outcome *outcome)
{
    char evidence[DNS_CHECK_EVIDENCE_LEN];
    const bool blame = error_blames_service(error);

    if (error == ECONNREFUSED) {
        snprintf(evidence, sizeof(evidence), "nobody listens (port unreachable)");
    } else {
        snprintf(evidence, sizeof(evidence), "%s: %s", what, strerror(error));
    }
    return conclude(probe, now_ns, blame ? HEALTH_FAIL : HEALTH_UNKNOWN, evidence, outcome);
}

/* A connected socket whose peer is an address of this host gets that address as its own. If a VIP
 * is missing here, the query would leave through the default route and another PoP would answer for
 * us. */
static bool server_is_local(const struct probe *probe)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    struct address own;

    return getsockname(probe->fd, (struct sockaddr *)&storage, &len) == 0 &&
           address_from_sockaddr((const struct sockaddr *)&storage, &own, NULL) == 0 &&
           address_compare(&own, &probe->server.address) == 0;
}

static int query_make(struct probe *probe)
{
    uint16_t id;
    int len;

    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id)) {
        return -EAGAIN;
    }
    len = dns_check_query(probe->check, id, probe->query);
    if (len > 0) {
        probe->query_len = (size_t)len;
    }
    return len;
}

void probe_init(struct probe *probe, const struct dns_check *check, const struct endpoint *server,
                bool must_be_local, int64_t timeout_ns)
{
    *probe = (struct probe){
        .check = check,
        .server = *server,
        .must_be_local = must_be_local,
        .timeout_ns = timeout_ns,
        .fd = -1,
    };
}

bool probe_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct sockaddr_storage storage;
    const socklen_t len = endpoint_to_sockaddr(&probe->server, &storage);
    char evidence[DNS_CHECK_EVIDENCE_LEN], text[ADDRESS_TEXT_LEN];
    const int query_len = query_make(probe);

    probe->started_ns = now_ns;
    if (query_len < 0) {
        return conclude_error(probe, now_ns, "making the query", -query_len, ret_outcome);
    }
    probe->fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0) {
        return conclude_error(probe, now_ns, "opening a socket", errno, ret_outcome);
    }
    if (connect(probe->fd, (const struct sockaddr *)&storage, len) < 0) {
        return conclude_error(probe, now_ns, "connecting", errno, ret_outcome);
    }
    if (probe->must_be_local && !server_is_local(probe)) {
        snprintf(evidence, sizeof(evidence), "%s is not an address of this host",
                 address_format(&probe->server.address, text));
        return conclude(probe, now_ns, HEALTH_FAIL, evidence, ret_outcome);
    }
    if (send(probe->fd, probe->query, probe->query_len, 0) < 0) {
        return conclude_error(probe, now_ns, "sending", errno, ret_outcome);
    }
    return false;
}

static bool judge(struct probe *probe, const uint8_t *bytes, size_t len, int64_t now_ns,
                  struct probe_outcome *outcome)
{
    char evidence[DNS_CHECK_EVIDENCE_LEN];

    switch (dns_check_judge(probe->check, probe->query, probe->query_len, bytes, len, evidence)) {
    case DNS_CHECK_IGNORE:
        return false;
    case DNS_CHECK_UNJUDGED:
        return conclude(probe, now_ns, HEALTH_UNKNOWN, evidence, outcome);
    case DNS_CHECK_PASS:
        return conclude(probe, now_ns, HEALTH_PASS, evidence, outcome);
    case DNS_CHECK_FAIL:
        return conclude(probe, now_ns, HEALTH_FAIL, evidence, outcome);
    }
    return false;
}

bool probe_read(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    uint8_t bytes[DNS_CHECK_ANSWER_LEN];

    for (int i = 0; i < READS_PER_WAKE && probe->fd >= 0; i++) {
        const ssize_t len = recv(probe->fd, bytes, sizeof(bytes), MSG_TRUNC);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return false;
        }
        if (len < 0) {
            return conclude_error(probe, now_ns, "receiving", errno, ret_outcome);
        }
        /* longer than the buffer: the judge ignores what it cannot see whole */
        if ((size_t)len <= sizeof(bytes) && judge(probe, bytes, (size_t)len, now_ns, ret_outcome)) {
            return true;
        }
    }
    return false;
}

bool probe_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    char evidence[DNS_CHECK_EVIDENCE_LEN];

    if (probe->fd < 0 || now_ns < probe_deadline_ns(probe)) {
        return false;
    }
    /* If it was us who slept, the answer is waiting in the socket. */
    if (probe_read(probe, now_ns, ret_outcome)) {
        return true;
    }
    snprintf(evidence, sizeof(evidence), "no answer in %lld ms",
             (long long)(probe->timeout_ns / CLOCK_NS_PER_MS));
    return conclude(probe, now_ns, HEALTH_FAIL, evidence, ret_outcome);
}

int64_t probe_deadline_ns(const struct probe *probe)
{
    return probe->started_ns + probe->timeout_ns;
}

void probe_done(struct probe *probe)
{
    fd_close(&probe->fd);
}
