/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All checks' probes on one epoll: starts what is due, ends what is late, hands over outcomes. At
 * most one probe per check is in flight; checks do not wait for each other. Starts are spread and
 * each period varies by a twentieth, so that the checks of a fleet started together drift apart.
 */
#ifndef BGP_PROBER_H
#define BGP_PROBER_H

#include <stdint.h>

#include "bgp/config/config.h"
#include "bgp/probe/probe.h"

struct prober;

/* Takes note of an outcome and says when the next probe of this check is due, given when this one
 * was started. */
typedef int64_t prober_observe(void *context, size_t check, const struct probe_outcome *outcome,
                               int64_t started_ns, int64_t now_ns);

/* Descriptors are watched on `epoll_fd` with tags from `tag` on. `config` is borrowed. NULL when
 * out of memory. */
struct prober *prober_new(const struct config *config, int epoll_fd, uint64_t tag,
                          prober_observe *observe, void *context, int64_t now_ns);

/* Starts and ends what is due. */
void prober_run(struct prober *prober, int64_t now_ns);

/* What epoll gave for a tag of ours; `data` is counted from `tag`. */
void prober_ready(struct prober *prober, uint64_t data, uint32_t events, int64_t now_ns);

/* Something happened: the checks of this family (ADDRESS_NONE: all) are made anew by the next
 * prober_run(), whatever they were waiting for. */
void prober_trigger(struct prober *prober, enum address_family family);

int64_t prober_deadline_ns(const struct prober *prober);

void prober_free(struct prober *prober);

#endif
