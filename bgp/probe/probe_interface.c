/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_interface.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "bgp/probe/interface_scan.h"

#define READ_LEN 32768    /* what the kernel fills at most with part of a list */
#define READS_MAX 1024    /* of one list: some 300,000 addresses */
#define READS_PER_WAKE 16 /* of notices */

struct state {
    bool watching;
    int notices;
    bool absent; /* at the last look */
};

static const struct probe_interface_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

/* A descriptor, or a negative errno value. */
static int netlink_open(uint32_t groups)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error;

    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        error = errno;
        fd_close(&fd);
        return -error;
    }
    return fd;
}

static int list_request(int fd, uint8_t family)
{
    const struct {
        struct nlmsghdr header;
        struct ifaddrmsg body;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = RTM_GETADDR,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.ifa_family = family == ADDRESS_IPV4 ? AF_INET : AF_INET6},
    };

    return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/* The kernel makes the list while it is read: nothing here waits. 0 or a negative errno value. */
static int list_read(struct interface_scan *scan)
{
    uint8_t bytes[READ_LEN];
    int fd = netlink_open(0);
    int result = fd < 0 ? fd : list_request(fd, scan->address.family);

    for (int i = 0; i < READS_MAX && result == 0 && !scan->ended; i++) {
        const ssize_t len = recv(fd, bytes, sizeof(bytes), 0);

        if (len >= 0) {
            interface_scan_add(scan, bytes, (size_t)len);
        } else if (errno != EINTR) {
            result = -errno;
        }
    }
    fd_close(&fd);
    result = result ? result : -scan->error;
    return result == 0 && !scan->ended ? -EOVERFLOW : result;
}

static bool is_up(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up;

    strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
    up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP;
    fd_close(&fd);
    return up;
}

static bool judge(const struct probe_interface_settings *wanted, const struct interface_scan *scan,
                  struct probe_outcome *outcome)
{
    char text[ADDRESS_TEXT_LEN], name[IF_NAMESIZE], last[IF_NAMESIZE] = "";
    const char *fault = "not on this host";

    address_format(&wanted->address, text);
    for (size_t i = 0; i < scan->places_n; i++) {
        if (!if_indextoname(scan->places[i].index, name)) {
            continue;
        }
        memcpy(last, name, sizeof(last));
        if (wanted->interface && strcmp(name, wanted->interface) != 0) {
            fault = "elsewhere: on";
        } else if (!scan->places[i].usable) {
            fault = "not usable (tentative, or found twice) on";
        } else if (!is_up(name)) {
            fault = "on an interface that is down:";
        } else {
            return outcome_pass(outcome, "%s is on %s", text, name);
        }
    }
    if (scan->interrupted) {
        return outcome_unknown(outcome, "addresses change while they are listed");
    }
    return outcome_fail(outcome, PROBE_CAUSE_DEAD, "%s is %s%s%s", text, fault, *last ? " " : "",
                        last);
}

/* Without notices a change is seen with the next probe. */
static void notices_watch(const struct probe *probe)
{
    struct state *state = probe->state;
    const uint32_t addresses =
        settings(probe)->address.family == ADDRESS_IPV4 ? RTMGRP_IPV4_IFADDR : RTMGRP_IPV6_IFADDR;
    int fd = state->watching ? -1 : netlink_open(RTMGRP_LINK | addresses);

    if (fd >= 0 && probe_watch(probe, fd, EPOLLIN) == 0) {
        state->notices = fd;
        state->watching = true;
    } else {
        fd_close(&fd);
    }
}

static bool interface_look(const struct probe *probe, struct probe_outcome *outcome)
{
    struct interface_scan scan = {.address = settings(probe)->address};
    struct state *state = probe->state;
    const bool was_absent = state->absent;
    const int result = list_read(&scan);

    if (result < 0) {
        return outcome_unknown(outcome, "listing addresses: %s", strerror(-result));
    }
    judge(settings(probe), &scan, outcome);
    if (outcome->observation != HEALTH_UNKNOWN) {
        state->absent = outcome->observation == HEALTH_FAIL;
    }
    if (state->absent != was_absent && probe->trigger) {
        probe->trigger(probe->context, probe, probe->check->family);
    }
    return true;
}

static bool interface_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    (void)now_ns;
    notices_watch(probe); /* before the look: no change falls between the two */
    return interface_look(probe, ret_outcome);
}

/* Only what changes something is worth an outcome of its own. */
static bool interface_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                            struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    const bool was_absent = state->absent;
    uint8_t bytes[8192];
    bool concerns = false;

    (void)events;
    (void)now_ns;
    if (!state->watching || fd != state->notices) {
        return false;
    }
    for (int i = 0; i < READS_PER_WAKE; i++) {
        const ssize_t len = recv(fd, bytes, sizeof(bytes), MSG_TRUNC);

        if (len < 0 && errno == EAGAIN) {
            break;
        }
        /* some were lost, or one is too long to read */
        concerns = concerns || len < 0 || (size_t)len > sizeof(bytes) ||
                   interface_scan_concerns(&settings(probe)->address, bytes, (size_t)len);
    }
    return concerns && interface_look(probe, ret_outcome) && state->absent != was_absent;
}

static void interface_end(struct probe *probe)
{
    (void)probe; /* notices go on */
}

static void interface_done(struct probe *probe)
{
    struct state *state = probe->state;

    if (state->watching) {
        fd_close(&state->notices);
    }
}

const struct probe_type probe_interface = {
    .name = "interface",
    .state_len = sizeof(struct state),
    .start = interface_start,
    .ready = interface_ready,
    .end = interface_end,
    .done = interface_done,
};
