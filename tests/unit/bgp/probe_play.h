/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A probe of any type with an epoll of its own, for tests. Time is an argument; where the kernel or
 * another process has to do something first, it is waited for.
 */
#ifndef PROBE_PLAY_H
#define PROBE_PLAY_H

#include "bgp/probe/probe.h"

struct probe_play {
    struct config_check check;
    struct probe probe;
    struct probe_outcome outcome;
    unsigned triggers_n;
    enum address_family triggered;
};

void probe_play_open(struct probe_play *play, const struct probe_type *type, const void *settings,
                     int64_t timeout_ns);
void probe_play_close(struct probe_play *play);

/* True if that gave an outcome. */
bool probe_play_start(struct probe_play *play, int64_t now_ns);

/* Hands over what is ready until there is an outcome, waiting up to `wait_ms` for the first. */
bool probe_play_ready(struct probe_play *play, int wait_ms, int64_t now_ns);

/* The whole of one probe, in real time. */
const struct probe_outcome *probe_play_run(struct probe_play *play);

/* How many descriptors this process has open. */
unsigned probe_play_descriptors(void);

#endif
