/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

#define SOCKET_BUFFER_BYTES (4 << 20) /* about 5,000 queries: 20 ms at 250,000 a second */
#define SOCKET_FASTOPEN_QUEUE 256
/* Bytes of answers the kernel keeps for one connection, and of queries; fixed, since left alone it
 * would let either grow to megabytes for a client that does not read, or writes what is not
 * answered yet. The kernel doubles them for its own overhead. */
#define SOCKET_TCP_BUFFER_BYTES (128 << 10)
/* A client that vanished acknowledges nothing. The kernel would keep its answers for a quarter of
 * an hour, or minutes after we closed (RFC 5482). */
#define SOCKET_TCP_UNHEARD_MS 30000

struct socket_option {
    int level;
    int name;
    int value;
    bool required;
};

static int socket_set(int fd, const struct socket_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct socket_option *option = &options[i];

        if (setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value)) <
                0 &&
            option->required) {
            return -errno;
        }
    }
    return 0;
}

static int socket_fail(const struct endpoint *endpoint, int fd, int code, const char *what,
                       struct failure *failure)
{
    char text[ADDRESS_TEXT_LEN];

    fd_close(&fd);
    return failure_set(failure, code, "%s: %s: %s", endpoint_format(endpoint, text), what,
                       strerror(-code));
}

static int socket_family(const struct endpoint *endpoint)
{
    return endpoint->address.family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;
}

static int socket_bind(int fd, const struct endpoint *endpoint)
{
    struct sockaddr_storage storage;
    socklen_t len = endpoint_to_sockaddr(endpoint, &storage);

    return bind(fd, (const struct sockaddr *)&storage, len) < 0 ? -errno : 0;
}

int socket_probe(const struct endpoint *endpoint, struct failure *failure)
{
    static const struct socket_option only6 = {IPPROTO_IPV6, IPV6_V6ONLY, 1, true};
    int fd = socket(socket_family(endpoint), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int code;

    if (fd < 0) {
        return socket_fail(endpoint, fd, -errno, "cannot open a UDP socket", failure);
    }
    code = endpoint->address.family == ADDRESS_IPV6 ? socket_set(fd, &only6, 1) : 0;
    if (code == 0) {
        code = socket_bind(fd, endpoint);
    }
    if (code < 0) {
        return socket_fail(endpoint, fd, code, "cannot listen on UDP", failure);
    }
    fd_close(&fd);
    return 0;
}

bool socket_is_wildcard(const struct endpoint *endpoint)
{
    static const uint8_t zero[16];

    return memcmp(endpoint->address.bytes, zero, sizeof(zero)) == 0;
}

/* PMTUDISC_OMIT: a forged "fragmentation needed" must not make us send small fragments, and our
 * responses are short enough to need none. */
static int socket_set_udp(int fd, const struct endpoint *endpoint)
{
    bool ipv6 = endpoint->address.family == ADDRESS_IPV6;
    bool wildcard = socket_is_wildcard(endpoint);
    const struct socket_option common[] = {
        {SOL_SOCKET, SO_REUSEPORT, 1, true},
        {SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES, false},
        {SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES, false},
        {SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES, false},
        {SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES, false},
    };
    const struct socket_option v4[] = {
        {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, false},
        {IPPROTO_IP, IP_PKTINFO, wildcard, wildcard},
    };
    const struct socket_option v6[] = {
        {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT, false},
        {IPPROTO_IPV6, IPV6_RECVPKTINFO, wildcard, wildcard},
    };
    int code = socket_set(fd, common, sizeof(common) / sizeof(common[0]));

    if (code < 0) {
        return code;
    }
    return ipv6 ? socket_set(fd, v6, sizeof(v6) / sizeof(v6[0]))
                : socket_set(fd, v4, sizeof(v4) / sizeof(v4[0]));
}

int socket_open_udp(const struct endpoint *endpoint, int *ret_fd, struct failure *failure)
{
    static const struct socket_option only6 = {IPPROTO_IPV6, IPV6_V6ONLY, 1, true};
    int fd = socket(socket_family(endpoint), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code;

    if (fd < 0) {
        return socket_fail(endpoint, fd, -errno, "cannot open a UDP socket", failure);
    }
    code = endpoint->address.family == ADDRESS_IPV6 ? socket_set(fd, &only6, 1) : 0;
    if (code == 0) {
        code = socket_set_udp(fd, endpoint);
    }
    if (code == 0) {
        code = socket_bind(fd, endpoint);
    }
    if (code < 0) {
        return socket_fail(endpoint, fd, code, "cannot listen on UDP", failure);
    }
    *ret_fd = fd;
    return 0;
}

/* What concerns connections is inherited by them. The backlog of a socket that listens already
 * changes too. */
static int socket_listen(int fd, const struct socket_tcp_options *options)
{
    const struct socket_option values[] = {
        {SOL_SOCKET, SO_SNDBUF, SOCKET_TCP_BUFFER_BYTES, false},
        {SOL_SOCKET, SO_RCVBUF, SOCKET_TCP_BUFFER_BYTES, false},
        /* responses to pipelined queries are gathered by us, see tcp.c */
        {IPPROTO_TCP, TCP_NODELAY, 1, false},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, SOCKET_TCP_UNHEARD_MS, false},
        {IPPROTO_TCP, TCP_FASTOPEN, options->fastopen ? SOCKET_FASTOPEN_QUEUE : 0, false},
    };
    int code = socket_set(fd, values, sizeof(values) / sizeof(values[0]));

    return code == 0 && listen(fd, options->backlog) < 0 ? -errno : code;
}

int socket_open_tcp(const struct endpoint *endpoint, const struct socket_tcp_options *options,
                    int *ret_fd, struct failure *failure)
{
    static const struct socket_option values[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1, true},
        {SOL_SOCKET, SO_REUSEPORT, 1, true},
    };
    static const struct socket_option only6 = {IPPROTO_IPV6, IPV6_V6ONLY, 1, true};
    int fd = socket(socket_family(endpoint), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code;

    if (fd < 0) {
        return socket_fail(endpoint, fd, -errno, "cannot open a TCP socket", failure);
    }
    code = socket_set(fd, values, sizeof(values) / sizeof(values[0]));
    if (code == 0 && endpoint->address.family == ADDRESS_IPV6) {
        code = socket_set(fd, &only6, 1);
    }
    if (code == 0) {
        code = socket_bind(fd, endpoint);
    }
    if (code == 0) {
        code = socket_listen(fd, options);
    }
    if (code < 0) {
        return socket_fail(endpoint, fd, code, "cannot listen on TCP", failure);
    }
    *ret_fd = fd;
    return 0;
}

static int socket_get(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

int socket_adopt(int fd, const struct socket_tcp_options *options, bool *ret_tcp,
                 struct endpoint *ret_endpoint, struct failure *failure)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof(storage);
    struct endpoint endpoint = {0};
    int type = socket_get(fd, SOL_SOCKET, SO_TYPE);
    int code;

    if ((type != SOCK_DGRAM && type != SOCK_STREAM) ||
        getsockname(fd, (struct sockaddr *)&storage, &len) < 0 ||
        address_from_sockaddr((const struct sockaddr *)&storage, &endpoint.address,
                              &endpoint.port) < 0 ||
        endpoint.port == 0) {
        return failure_set(failure, -EINVAL, "descriptor %d is no bound UDP or TCP socket", fd);
    }
    if (type == SOCK_STREAM && socket_get(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1) {
        return failure_set(failure, -EINVAL, "descriptor %d does not listen", fd);
    }
    if (storage.ss_family == AF_INET6 && socket_is_wildcard(&endpoint) &&
        socket_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1) {
        return failure_set(failure, -EINVAL,
                           "descriptor %d listens for IPv4 and IPv6 at once: say "
                           "BindIPv6Only=ipv6-only",
                           fd);
    }
    code = fd_set_nonblocking(fd);
    if (code == 0) {
        code = type == SOCK_STREAM ? socket_listen(fd, options) : socket_set_udp(fd, &endpoint);
    }
    if (code < 0) {
        return failure_set(failure, -EINVAL, "descriptor %d cannot be used: %s", fd,
                           strerror(-code));
    }
    *ret_tcp = type == SOCK_STREAM;
    *ret_endpoint = endpoint;
    return 0;
}

uint32_t socket_drops(int fd)
{
    uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(values);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &len) < 0 ||
        len < (SK_MEMINFO_DROPS + 1) * sizeof(values[0])) {
        return 0;
    }
    return values[SK_MEMINFO_DROPS];
}
