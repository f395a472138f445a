/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Says to the kernel path that the server lives: a thread that looks whether every worker comes
 * round, and only then prolongs what the kernel may answer for. Not the control thread, which may
 * be busy with a long reload while the workers answer.
 */
#ifndef EDGE_FAST_HEART_H
#define EDGE_FAST_HEART_H

#include <stdbool.h>
#include <stddef.h>

#include "xdp/xdp_publish.h"

struct fast_heart;
struct worker;

/* Path and workers are borrowed. It does not beat yet. NULL: out of memory or threads. */
struct fast_heart *fast_heart_start(struct xdp_path *path, struct worker *const *workers,
                                    size_t worker_n);

/* Whether what the kernel has may be answered from. NULL is allowed. */
void fast_heart_allow(struct fast_heart *heart, bool allowed);

/* Any thread. Some worker is late; another process has taken the tables over. NULL is allowed. */
bool fast_heart_is_late(const struct fast_heart *heart);
bool fast_heart_is_taken(const struct fast_heart *heart);

/* They are ours again. NULL is allowed. */
void fast_heart_forgive(struct fast_heart *heart);

void fast_heart_stop(struct fast_heart *heart); /* NULL is allowed */

#endif
