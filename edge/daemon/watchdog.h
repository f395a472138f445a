/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tells systemd that we live, as long as every worker makes progress. A thread of its own: a long
 * reload on the control thread is no reason to be killed while queries are answered.
 */
#ifndef EDGE_WATCHDOG_H
#define EDGE_WATCHDOG_H

#include <stddef.h>
#include <stdint.h>

struct watchdog;
struct worker;

/* NULL when nobody asked for it (`usec` 0), or it cannot be started. The workers are borrowed. */
struct watchdog *watchdog_start(struct worker *const *workers, size_t worker_n, uint64_t usec);
void watchdog_stop(struct watchdog *watchdog); /* NULL is allowed */

#endif
