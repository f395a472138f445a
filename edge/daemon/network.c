/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/network.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define NETWORK_WAIT_NS CLOCK_NS_PER_S /* for the kernel's answer */
#define NETWORK_TRIES 5                /* of a list that changed while it was read */
#define NETWORK_ADDRESSES_MAX 100000u

struct network {
    int news;
    int questions;
    uint32_t sequence;
    union {
        struct nlmsghdr header; /* aligned */
        uint8_t bytes[32768];
    } buffer;
};

struct network_list {
    struct address *items;
    size_t n;
    size_t size;
};

static int network_socket(unsigned groups)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        fd_close(&fd);
    }
    return fd;
}

int network_open(struct network **ret_network, struct failure *failure)
{
    struct network *network = calloc(1, sizeof(*network));

    if (!network) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    network->news = network_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    network->questions = network_socket(0);
    if (network->news < 0 || network->questions < 0) {
        int code = -errno;

        network_free(network);
        return failure_set(failure, code, "netlink: %s", strerror(-code));
    }
    *ret_network = network;
    return 0;
}

int network_fd(const struct network *network)
{
    return network->news;
}

bool network_changed(struct network *network)
{
    bool changed = false;

    /* ENOBUFS: there was more than the socket holds */
    while (recv(network->news, network->buffer.bytes, sizeof(network->buffer.bytes), 0) > 0 ||
           errno == ENOBUFS) {
        changed = true;
    }
    return changed;
}

/* --- the list --- */

static int network_compare(const void *a, const void *b)
{
    return address_compare(a, b);
}

static bool network_is_public(const struct address *address)
{
    const uint8_t *bytes = address->bytes;
    static const uint8_t loopback[16] = {[15] = 1};

    if (address->family == ADDRESS_IPV4) {
        return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
    }
    /* link-local and multicast */
    return memcmp(bytes, loopback, 16) != 0 && !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) &&
           bytes[0] != 0xff;
}

static int network_add(struct network_list *list, const struct address *address)
{
    if (list->n == list->size) {
        size_t size = list->size ? list->size * 2 : 16;
        struct address *grown = realloc(list->items, size * sizeof(*grown));

        if (!grown || size > NETWORK_ADDRESSES_MAX) {
            list->items = grown ? grown : list->items;
            return -ENOMEM;
        }
        list->items = grown;
        list->size = size;
    }
    list->items[list->n++] = *address;
    return 0;
}

/* An attribute of a message about an address. On a point-to-point link IFA_ADDRESS is the peer's,
 * and IFA_LOCAL stands before it or behind it. */
static void network_take_attribute(const struct rtattr *item, size_t len, uint8_t family,
                                   uint32_t *flags, struct address *address)
{
    if (item->rta_type == IFA_FLAGS && len == sizeof(*flags)) {
        memcpy(flags, item + 1, sizeof(*flags));
    }
    if ((item->rta_type == IFA_LOCAL ||
         (item->rta_type == IFA_ADDRESS && address->family == ADDRESS_NONE)) &&
        ((family == AF_INET && len == 4) || (family == AF_INET6 && len == 16))) {
        address->family = len == 4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
        memcpy(address->bytes, item + 1, len);
    }
}

/* One RTM_NEWADDR message: `len` bytes behind its header. */
static int network_take(struct network_list *list, const uint8_t *bytes, size_t len)
{
    struct ifaddrmsg entry;
    struct address address = {0};
    size_t at = NLMSG_ALIGN(sizeof(entry));
    uint32_t flags;

    if (len < at) {
        return -EPROTO;
    }
    memcpy(&entry, bytes, sizeof(entry));
    flags = entry.ifa_flags;
    while (at + sizeof(struct rtattr) <= len) {
        const struct rtattr *item = (const struct rtattr *)(const void *)(bytes + at);

        if (item->rta_len < sizeof(*item) || item->rta_len > len - at) {
            return -EPROTO;
        }
        network_take_attribute(item, item->rta_len - sizeof(*item), entry.ifa_family, &flags,
                               &address);
        at += RTA_ALIGN(item->rta_len);
    }
    if (address.family == ADDRESS_NONE || !network_is_public(&address) || flags & IFA_F_DADFAILED ||
        (flags & IFA_F_TENTATIVE && !(flags & IFA_F_OPTIMISTIC))) {
        return 0;
    }
    return network_add(list, &address);
}

/* The next datagram of the answer. */
static ssize_t network_receive(struct network *network, int64_t deadline_ns)
{
    for (;;) {
        ssize_t got =
            recv(network->questions, network->buffer.bytes, sizeof(network->buffer.bytes), 0);
        struct pollfd wait = {.fd = network->questions, .events = POLLIN};
        int64_t left_ns = deadline_ns - clock_monotonic_ns();

        if (got >= 0) {
            return got;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        if (left_ns <= 0) {
            return -ETIMEDOUT;
        }
        (void)poll(&wait, 1, (int)(left_ns / CLOCK_NS_PER_MS) + 1);
    }
}

/* 1: it was the last; -EINTR: the list has changed meanwhile. */
static int network_read(const struct network *network, size_t len, struct network_list *list)
{
    size_t at = 0;
    int code = 0;

    while (code == 0 && at + sizeof(struct nlmsghdr) <= len) {
        const struct nlmsghdr *message =
            (const struct nlmsghdr *)(const void *)(network->buffer.bytes + at);
        const uint8_t *body = network->buffer.bytes + at + NLMSG_HDRLEN;

        if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > len - at) {
            return -EPROTO;
        }
        at += NLMSG_ALIGN(message->nlmsg_len);
        if (message->nlmsg_seq != network->sequence) {
            continue;
        }
        if (message->nlmsg_flags & NLM_F_DUMP_INTR) {
            code = -EINTR;
        } else if (message->nlmsg_type == NLMSG_ERROR) {
            int32_t error = 0;

            if (message->nlmsg_len >= NLMSG_HDRLEN + sizeof(error)) {
                memcpy(&error, body, sizeof(error)); /* struct nlmsgerr begins with it */
            }
            code = error < 0 ? error : -EPROTO;
        } else if (message->nlmsg_type == NLMSG_DONE) {
            code = 1;
        } else if (message->nlmsg_type == RTM_NEWADDR) {
            code = network_take(list, body, message->nlmsg_len - NLMSG_HDRLEN);
        }
    }
    return code;
}

static int network_ask(struct network *network, struct network_list *list)
{
    struct {
        struct nlmsghdr header;
        struct ifaddrmsg body;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = RTM_GETADDR,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = ++network->sequence},
        .body = {.ifa_family = AF_UNSPEC},
    };
    int64_t deadline_ns = clock_monotonic_ns() + NETWORK_WAIT_NS;
    int code = 0;

    list->n = 0;
    if (send(network->questions, &request, sizeof(request), 0) < 0) {
        return -errno;
    }
    while (code == 0) {
        ssize_t got = network_receive(network, deadline_ns);

        code = got < 0 ? (int)got : network_read(network, (size_t)got, list);
    }
    return code;
}

int network_addresses(struct network *network, struct address **ret_addresses, size_t *ret_n,
                      struct failure *failure)
{
    struct network_list list = {0};
    size_t kept = 0;
    int code = -EINTR;

    for (int i = 0; i < NETWORK_TRIES && code == -EINTR; i++) {
        code = network_ask(network, &list);
    }
    if (code < 0) {
        free(list.items);
        return failure_set(failure, code, "the host's addresses: %s", strerror(-code));
    }
    if (list.n) {
        qsort(list.items, list.n, sizeof(*list.items), network_compare);
    }
    for (size_t i = 0; i < list.n; i++) {
        if (kept == 0 || address_compare(&list.items[kept - 1], &list.items[i]) != 0) {
            list.items[kept++] = list.items[i];
        }
    }
    *ret_addresses = list.items;
    *ret_n = kept;
    return 0;
}

void network_free(struct network *network)
{
    if (network) {
        fd_close(&network->news);
        fd_close(&network->questions);
        free(network);
    }
}
