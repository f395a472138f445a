/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What one server leaves to the next beside its sockets, as JSON: counters by name, so that a
 * program that knows fewer or more of them takes what it knows; states; and numbers that must not
 * go back. Reading ignores what it does not know and takes nothing for granted.
 */
#ifndef EDGE_INHERITANCE_H
#define EDGE_INHERITANCE_H

#include <jansson.h>

#include "edge/daemon/publisher.h"
#include "edge/serve/counters.h"
#include "edge/serve/tcp.h"

/* New references; NULL when out of memory. */
json_t *inheritance_write_counters(const struct counters_sum *sum);
json_t *inheritance_write_publisher(const struct publisher *publisher);

json_t *inheritance_write_connection(const struct tcp_passed *passed, size_t worker,
                                     int64_t now_ns);

/* Adds what is there to the sum. */
void inheritance_read_counters(const json_t *from, struct counters_sum *sum);

/* What is said of the connection `fd`. -ENOTCONN when it is none any more, -EINVAL. The descriptor
 * stays the caller's on failure. */
int inheritance_read_connection(const json_t *from, int fd, int64_t now_ns,
                                struct tcp_passed *ret_passed, size_t *ret_worker);

/* Operator states, those of feeds that have none of their own, counts, and the cookie secret unless
 * it is configured. The publisher has published already; it does so again if the states differ.
 * -EINVAL, -ENOMEM with the reason. */
int inheritance_read_publisher(const json_t *from, struct publisher *publisher,
                               struct failure *failure);

#endif
