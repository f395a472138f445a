/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Makes the journal's records from what happens to the announcer: the observations it is given,
 * and, by looking at it after each turn, what it was told by operators and by ExaBGP and what it
 * decided. Pure; monotonic time and wall clock are arguments.
 *
 * Probes alike are one record, the first of them at once and the rest when they end, or after a
 * minute, so that a quiet day is a small journal. Nothing but passes may differ in their evidence.
 */
#ifndef BGP_RECORDER_H
#define BGP_RECORDER_H

#include "bgp/daemon/announcer.h"
#include "bgp/daemon/journal.h"

struct moment {
    int64_t monotonic_ns;
    int64_t wall_ms;
};

typedef void recorder_sink(void *context, const struct journal_record *record);

struct recorder;

/* `announcer` is borrowed, and not looked at yet. NULL when out of memory. */
struct recorder *recorder_new(const struct announcer *announcer, recorder_sink *sink,
                              void *context);

/* A process begins to record; or a new file (`continued`), which then says how things stand. */
void recorder_start(struct recorder *recorder, const char *version, uint64_t seed, bool continued,
                    struct moment now);

void recorder_observe(struct recorder *recorder, size_t check, const struct probe_outcome *outcome,
                      struct moment now);

/* Records what changed since the last look. */
void recorder_look(struct recorder *recorder, struct moment now);

/* The attributes of an announcement, as ExaBGP is told them. */
void recorder_attributes(const struct route *route, char ret_text[static JOURNAL_ATTRIBUTES_LEN]);

/* Writes what waits. */
void recorder_flush(struct recorder *recorder);

void recorder_free(struct recorder *recorder);

#endif
