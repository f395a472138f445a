/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The conversation in which a running server hands its sockets and state to the process that
 * replaces it: messages of one JSON object per line over a Unix stream socket, with descriptors
 * beside them (SCM_RIGHTS; "fds" in the message says how many). Fields nobody knows are ignored, so
 * that a newer program can hand over to an older one and back. Both ends bound every wait. Who says
 * what when stands in replace.h. One thread.
 */
#ifndef EDGE_HANDOVER_H
#define EDGE_HANDOVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HANDOVER_FDS_MAX 128          /* beside one message; the kernel takes 253 */
#define HANDOVER_LINE_MAX (64u << 20) /* a message: every state an operator may have set fits */

struct handover;

/* Takes the socket over. NULL when out of memory (the socket is closed then too). */
struct handover *handover_new(int fd);
void handover_free(struct handover *handover); /* NULL is allowed; closes what was not taken */

int handover_fd(const struct handover *handover);

/* Takes the message over (NULL counts as out of memory) and sends copies of the descriptors beside
 * it. -ETIMEDOUT when the peer does not read until then (monotonic), -EPIPE and the like when it is
 * gone. */
int handover_send(struct handover *handover, json_t *message, const int *fds, size_t fd_n,
                  int64_t deadline_ns);

/* The next message, a new reference; descriptors of the one before that nobody took are closed.
 * -ETIMEDOUT, -ECONNRESET when the peer has gone, -EBADMSG for what is no message, -EMSGSIZE. */
int handover_receive(struct handover *handover, int64_t deadline_ns, json_t **ret_message);

/* The next descriptor of the message last received, owned by the caller; -1: no more. */
int handover_take_fd(struct handover *handover);

/* A whole line is already here: the descriptor need not become readable for it. */
bool handover_pending(const struct handover *handover);

/* The text of a message's "step", "" if it has none. */
const char *handover_step(const json_t *message);

/* Bytes as a JSON string (hexadecimal), and back into new memory (free()); an absent or wrong
 * string is -EINVAL, an empty one is NULL and 0. */
json_t *handover_bytes(const void *bytes, size_t len);
int handover_read_bytes(const json_t *text, uint8_t **ret_bytes, size_t *ret_len);

#endif
