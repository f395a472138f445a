/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP out of captured segments (RFC 7766 section 8): each connection's client side as a
 * row of messages. Fixed memory: a table of connections in which the newer displaces the older, and
 * no message longer than what is ever asked again. A segment that is missing loses what follows in
 * its connection until a segment starts with a message again.
 */
#ifndef EDGE_COMPARE_STREAM_H
#define EDGE_COMPARE_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct packet;
struct streams;
struct stream;

struct streams *streams_new(void); /* NULL when out of memory */
void streams_free(struct streams *streams);

/* Takes a segment's payload. Returns the connection it belongs to if messages may be waiting there,
 * else NULL; valid until the next call. */
struct stream *streams_add(struct streams *streams, const struct packet *packet);

/* The next whole message, valid until the next call; NULL: none. */
const uint8_t *stream_next(struct stream *stream, size_t *ret_len);

#endif
