/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is kept of the announcer's life: the journal and the state file on disk, the last changes in
 * memory. None of it can fail or delay the announcer; NULL books are good too, and keep nothing.
 */
#ifndef BGP_BOOKS_H
#define BGP_BOOKS_H

#include "bgp/daemon/announcer.h"
#include "bgp/daemon/disk.h"
#include "bgp/daemon/forecast.h"
#include "bgp/daemon/history.h"
#include "bgp/daemon/recorder.h"

#define BOOKS_STARTS_SPAN_S 600

struct books_options {
    const char *version; /* borrowed */
    uint64_t seed;       /* of the announcer */
    bool files;          /* false: neither read nor written */
};

struct books;

/* Reads the state file, tells the announcer (new, and not told of anything yet) what is in it, and
 * begins to record. `announcer` is borrowed. NULL when out of memory. */
struct books *books_open(struct announcer *announcer, const struct books_options *options,
                         struct moment now);

/* What a probe found; before the announcer takes it. */
void books_observe(struct books *books, size_t check, const struct probe_outcome *outcome,
                   struct moment now);

/* After each turn: records what changed, saves what should be. */
void books_turn(struct books *books, struct moment now);

const struct history *books_history(const struct books *books); /* may be NULL */
const struct forecast *books_forecast(const struct books *books, size_t vip);
void books_counters(const struct books *books, struct disk_counters *ret_counters);

/* Starts within BOOKS_STARTS_SPAN_S before this one, and itself; 0 if nothing remembers. */
size_t books_starts(const struct books *books);

void books_close(struct books *books, struct moment now);

#endif
