/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

int probe_init(struct probe *probe, const struct config_check *check, int epoll_fd, uint64_t tag)
{
    *probe = (struct probe){
        .check = check,
        .state = calloc(1, check->type->state_len ? check->type->state_len : 1),
        .wake_ns = INT64_MAX,
        .epoll_fd = epoll_fd,
        .tag = tag,
    };
    return probe->state ? 0 : -ENOMEM;
}

static bool conclude(struct probe *probe, int64_t now_ns, struct probe_outcome *outcome)
{
    /* what was found without asking took no time */
    outcome->elapsed_ns = probe->in_flight ? now_ns - probe->started_ns : 0;
    probe_cancel(probe);
    return true;
}

bool probe_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    probe->in_flight = true;
    probe->started_ns = now_ns;
    probe->wake_ns = INT64_MAX;
    return probe->check->type->start(probe, now_ns, ret_outcome) &&
           conclude(probe, now_ns, ret_outcome);
}

bool probe_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                 struct probe_outcome *ret_outcome)
{
    return probe->check->type->ready &&
           probe->check->type->ready(probe, fd, events, now_ns, ret_outcome) &&
           conclude(probe, now_ns, ret_outcome);
}

bool probe_run(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    const struct probe_type *type = probe->check->type;
    const int64_t timeout_ns = probe->check->timeout_ns;

    if (!probe->in_flight) {
        return false;
    }
    if (now_ns >= probe->started_ns + timeout_ns) {
        if (!type->expire || !type->expire(probe, now_ns, ret_outcome)) {
            outcome_fail(ret_outcome, PROBE_CAUSE_SILENT, "no answer in %lld ms",
                         (long long)(timeout_ns / CLOCK_NS_PER_MS));
        }
        return conclude(probe, now_ns, ret_outcome);
    }
    if (type->wake && now_ns >= probe->wake_ns) {
        probe->wake_ns = INT64_MAX;
        return type->wake(probe, now_ns, ret_outcome) && conclude(probe, now_ns, ret_outcome);
    }
    return false;
}

int64_t probe_deadline_ns(const struct probe *probe)
{
    const int64_t deadline_ns = probe->started_ns + probe->check->timeout_ns;

    if (!probe->in_flight) {
        return INT64_MAX;
    }
    return probe->wake_ns < deadline_ns ? probe->wake_ns : deadline_ns;
}

void probe_cancel(struct probe *probe)
{
    probe->check->type->end(probe);
    probe->in_flight = false;
    probe->wake_ns = INT64_MAX;
}

void probe_done(struct probe *probe)
{
    if (!probe->state) {
        return;
    }
    probe_cancel(probe);
    if (probe->check->type->done) {
        probe->check->type->done(probe);
    }
    free(probe->state);
    probe->state = NULL;
}

int probe_watch(const struct probe *probe, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = probe->tag + (uint64_t)fd};

    if (epoll_ctl(probe->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0) {
        return 0;
    }
    if (errno == ENOENT && epoll_ctl(probe->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
        return 0;
    }
    return -errno;
}

void probe_unwatch(const struct probe *probe, int fd)
{
    (void)epoll_ctl(probe->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* A connected socket whose peer is an address of this host gets that address as its own. If a VIP
 * is missing here, the query would leave through the default route and another PoP would answer for
 * us. */
static bool server_is_local(int fd, const struct address *server)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    struct address own;

    return getsockname(fd, (struct sockaddr *)&storage, &len) == 0 &&
           address_from_sockaddr((const struct sockaddr *)&storage, &own, NULL) == 0 &&
           address_compare(&own, server) == 0;
}

int probe_connect(const struct probe *probe, const struct endpoint *server, bool must_be_local,
                  int type, uint32_t events, struct probe_outcome *ret_outcome)
{
    struct sockaddr_storage storage;
    const socklen_t len = endpoint_to_sockaddr(server, &storage);
    int fd = socket(storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char text[ADDRESS_TEXT_LEN];
    int result;

    if (fd < 0) {
        outcome_errno(ret_outcome, "opening a socket", errno);
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&storage, len) < 0 && errno != EINPROGRESS) {
        outcome_errno(ret_outcome, "connecting", errno);
    } else if (must_be_local && !server_is_local(fd, &server->address)) {
        outcome_fail(ret_outcome, PROBE_CAUSE_DEAD, "%s is not an address of this host",
                     address_format(&server->address, text));
    } else if ((result = probe_watch(probe, fd, events)) < 0) {
        outcome_unknown(ret_outcome, "watching a socket: %s", strerror(-result));
    } else {
        return fd;
    }
    fd_close(&fd);
    return -1;
}

bool probe_connected(int fd, struct probe_outcome *ret_outcome)
{
    socklen_t len = sizeof(int);
    int error = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    if (error) {
        outcome_errno(ret_outcome, "connecting", error);
    }
    return error == 0;
}
