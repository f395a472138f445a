/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What we tell the service manager and get from it (systemd: sd_notify(3), sd_listen_fds(3)).
 * Without one nothing happens. Control thread.
 */
#ifndef EDGE_MANAGER_H
#define EDGE_MANAGER_H

#include <stdint.h>

struct listeners;

/* Takes over the sockets it passed: from socket units, or from its descriptor store after a crash
 * or restart. Those nothing can be served on are logged and closed. */
void manager_adopt(struct listeners *listeners);

/* Leaves copies of the sockets in its descriptor store, so that whatever happens to us nothing in
 * them is lost, and takes out those that are leaving. */
void manager_store(const struct listeners *listeners);

void manager_ready(void); /* we serve */

/* The same, and we are the main process from now on; returns when the manager has taken note, or
 * after a few seconds. */
void manager_change_process(void);

/* How often it wants to hear from us: what it said to this process or, if nothing, `inherited`. */
uint64_t manager_watchdog_usec(uint64_t inherited);

#endif
