/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening the sockets of a worker. Every worker has its own of each kind and address; the kernel
 * spreads clients over them (SO_REUSEPORT). All are non-blocking, closed on exec, and IPv6 ones
 * take no IPv4.
 */
#ifndef EDGE_SOCKET_H
#define EDGE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"

struct socket_tcp_options {
    int backlog;   /* the kernel takes net.core.somaxconn if that is less */
    bool fastopen; /* RFC 7413; only where net.ipv4.tcp_fastopen allows servers to */
};

/* Nobody else has this endpoint: SO_REUSEPORT alone would let a second server of the same user take
 * half of the queries without a word. 0, or -EADDRINUSE and the like. */
int socket_probe(const struct endpoint *endpoint, struct failure *failure);

/* 0 and *ret_fd, owned by the caller; or -errno with "ADDRESS: reason". */
int socket_open_udp(const struct endpoint *endpoint, int *ret_fd, struct failure *failure);
int socket_open_tcp(const struct endpoint *endpoint, const struct socket_tcp_options *options,
                    int *ret_fd, struct failure *failure);

/* Learns what a socket is that another process opened, and makes it one of ours: the same options,
 * non-blocking. -EINVAL with the reason when it is nothing DNS can be served on: no UDP socket and
 * no TCP listener with an IP address, or one for both families. */
int socket_adopt(int fd, const struct socket_tcp_options *options, bool *ret_tcp,
                 struct endpoint *ret_endpoint, struct failure *failure);

/* 0.0.0.0 or :: : then replies must name the address the query came to. */
bool socket_is_wildcard(const struct endpoint *endpoint);

/* Packets or connections the kernel dropped because this socket's queue was full, since it was
 * opened. Any thread. It is the same count SO_RXQ_OVFL would attach to a later packet, without its
 * cost and also when no later packet comes. 0 if the kernel does not say. */
uint32_t socket_drops(int fd);

#endif
