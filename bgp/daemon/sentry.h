/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The holder's own look at its VIPs while there is no brain: one hard dns check per VIP, taken from
 * the plan of the last brain. It says only when `fall` probes in a row have failed; what cannot be
 * observed counts for nothing.
 */
#ifndef BGP_SENTRY_H
#define BGP_SENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/link/link.h"

struct sentry;

typedef void sentry_down(void *context, size_t vip, const char *evidence);

/* Descriptors are watched on `epoll_fd` with tags from `tag` on. It starts asleep. NULL when out of
 * memory. */
struct sentry *sentry_new(const struct link_plan *plan, int epoll_fd, uint64_t tag,
                          sentry_down *down, void *context);

/* Awake, it probes; each time anew. */
void sentry_wake(struct sentry *sentry, int64_t now_ns);
void sentry_sleep(struct sentry *sentry);

void sentry_ready(struct sentry *sentry, uint64_t data, uint32_t events, int64_t now_ns);
void sentry_run(struct sentry *sentry, int64_t now_ns);
int64_t sentry_deadline_ns(const struct sentry *sentry); /* INT64_MAX while asleep */

void sentry_free(struct sentry *sentry);

#endif
