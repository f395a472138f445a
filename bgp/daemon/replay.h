/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * --replay: plays what a journal says came in through the announcer, with the configuration that is
 * given now, and compares what it decides with what the journal says was decided then.
 */
#ifndef BGP_REPLAY_H
#define BGP_REPLAY_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"
#include "bgp/config/config.h"
#include "bgp/daemon/replay_log.h"

/* Differences shorter than this are how long the original took for a turn, and are not shown. */
#define REPLAY_SETTLE_NS (100 * INT64_C(1000000))

struct replay_limits {
    uint64_t events; /* probes, words and so on played at most: a journal is not trusted */
};

#define REPLAY_LIMITS ((struct replay_limits){.events = UINT64_C(200000000)})

/* Prints a table, or one JSON object. */
int replay_run(const struct config *config, const struct replay_log *log,
               const struct replay_limits *limits, FILE *file, bool json, struct failure *failure);

#endif
