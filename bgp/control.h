/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket: one line of JSON in, one line of JSON out, over a Unix stream socket for its
 * owner and group. Nothing blocks and everything is bounded: a client that dawdles is closed. One
 * thread; the handler runs on it.
 */
#ifndef BGP_CONTROL_H
#define BGP_CONTROL_H

#include <stdint.h>

#include <jansson.h>

#include "base/failure.h"

#define CONTROL_REQUEST_LEN 4096
#define CONTROL_CLIENTS_MAX 16
#define CONTROL_IDLE_NS (INT64_C(5) * 1000 * 1000 * 1000)

struct control;

/* Returns a new reference; NULL closes the client. */
typedef json_t *control_handler(void *context, const json_t *request);

/* A socket file nobody answers on is replaced; -EADDRINUSE if somebody does. */
int control_open(const char *path, control_handler *handler, void *context,
                 struct control **ret_control, struct failure *failure);

/* Readable when there is something to do: then call control_run(). Also call it at the deadline. */
int control_fd(const struct control *control);
void control_run(struct control *control, int64_t now_ns);
int64_t control_deadline_ns(const struct control *control);

/* Removes the file. NULL is allowed. */
void control_close(struct control *control);

#endif
