/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket of a daemon: one line of JSON in, one line of JSON out, over a Unix stream
 * socket that only its owner and group may open. Nothing blocks: a client that sends or reads
 * slowly only fills its own bounded buffers and is closed after CONTROL_IDLE_NS. One thread; the
 * handler runs on it.
 *
 *   request  {"verb": "pop", "arguments": ["fra", "drain"], "options": {"for": "2h"}}
 *   reply    {"ok": true, "text": "for people", "data": {"for": "programs"}}
 *            {"ok": false, "errors": ["reason", ...], ...}
 */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"

#define CONTROL_REQUEST_MAX 4096u
#define CONTROL_CLIENTS_MAX 32
#define CONTROL_IDLE_NS (INT64_C(5) * 1000 * 1000 * 1000)

struct control;

/* Returns a new reference to the reply; NULL is answered as "out of memory". */
typedef json_t *(*control_handler)(void *context, const json_t *request);

/* A stale socket file is replaced; one that somebody still listens on is an error (-EADDRINUSE). */
int control_open(const char *path, control_handler handler, void *context,
                 struct control **ret_control, struct failure *failure);

/* Gives the socket file to the user the program will run as. */
int control_chown(struct control *control, uid_t uid, gid_t gid);

/* The same on a listening socket that belongs to `path` already and came from elsewhere; it is
 * taken over, on failure too. The file counts as somebody else's until control_leave(control,
 * false). */
int control_adopt(const char *path, int listener, control_handler handler, void *context,
                  struct control **ret_control, struct failure *failure);

/* The listening socket, borrowed: for whoever continues this control socket. */
int control_listener(const struct control *control);

/* Within a handler: the connection the request came on, borrowed; -1 elsewhere. */
int control_client(const struct control *control);

/* Within a handler: takes the connection the request came on away from the control socket. The
 * caller owns it, and is the one to reply: what the handler returns is dropped. -1 outside a
 * handler. */
int control_take(struct control *control);

/* Whether somebody else continues this control socket: then control_close() leaves the file. If
 * not, who connects is told from now on that it is this process (SO_PEERCRED). */
void control_leave(struct control *control, bool left);

/* To be watched for input; then, and at the deadline, call control_run(). It also closes slow
 * clients. */
int control_fd(const struct control *control);
void control_run(struct control *control, int64_t now_ns);

/* When the next slow client is to be closed; INT64_MAX: never. Monotonic. */
int64_t control_deadline_ns(const struct control *control);

void control_close(struct control *control); /* removes the file; NULL is allowed */

/* Text from files or the operator as a JSON string: what is no UTF-8 becomes "?", since a reason
 * must not get lost over how it is written. NULL text is null. */
json_t *control_text(const char *text);

/* {"ok": false, "errors": [...]} */
json_t *control_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
