/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over UDP: a batch of datagrams in, a batch of datagrams out, two system calls for up to
 * UDP_BATCH queries. The buffers belong to the worker and serve all its sockets in turn.
 */
#ifndef EDGE_UDP_H
#define EDGE_UDP_H

#include <stdbool.h>

#include "edge/serve/serve.h"

#define UDP_BATCH 64u
#define UDP_QUERY_MAX 2048u /* a longer datagram is cut here, and then is no valid query */

struct udp_batch;

struct udp_batch *udp_batch_new(void); /* NULL when out of memory */
void udp_batch_free(struct udp_batch *batch);

/* Reads, answers and sends until the socket has less than a full batch waiting, or `round_max`
 * batches. `wildcard`: the socket is bound to no address, so each response names the one its query
 * came to. Returns the number of datagrams read, or -errno if this is no socket any more. */
int udp_serve(struct udp_batch *batch, int fd, bool wildcard, const struct serve_context *context,
              unsigned round_max);

#endif
