/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is being served, and the only place that changes it: loaded files + states -> snapshot ->
 * one pointer. The workers read that pointer under RCU; an old snapshot is freed when the last of
 * them has let go. Owned by the control thread; another thread may read it (metrics) while it holds
 * the lock. Functions log nothing: what went wrong or deserves a line is in the report.
 */
#ifndef EDGE_PUBLISHER_H
#define EDGE_PUBLISHER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/answer/snapshot.h"
#include "edge/daemon/config.h"
#include "edge/daemon/fleet.h"
#include "edge/daemon/loader.h"
#include "edge/daemon/report.h"
#include "edge/daemon/states.h"

struct publisher {
    pthread_mutex_t lock; /* held while anything below but `published` changes */
    _Atomic(struct snapshot *) published;
    struct snapshot *current; /* the same, for the owner and under the lock */
    struct config *started;   /* as it was at the start: what is bound stays bound */
    struct loaded *loaded;
    struct states *states;
    struct fleet_feed *feeds;
    size_t feed_n;
    char *operator_path; /* NULL: no state_dir, operator states end with the process */
    uint64_t sequence;
    uint64_t reload_ok_n;
    uint64_t reload_failed_n; /* something in it failed */
    double reload_s;          /* how long the last one took */
    int64_t reload_wall_s;
    bool reload_was_ok;
    bool copies_due; /* what the start has loaded is still to be kept, in the first tick */
    /* Told of every publication once it is what the workers answer from; `same_parts`: only states
     * have changed. NULL: nobody is. */
    void (*published_hook)(void *context, bool same_parts);
    void *published_context;
};

enum publisher_start {
    PUBLISHER_SERVE,   /* what is wrong is served from the last good copies */
    PUBLISHER_REPLACE, /* another process serves: any fault in the files is -EINVAL, since it may
                        * have better; operator states come from it, and state_dir is its own */
};

/* Loads and publishes for the first time. Takes the configuration over. -errno when there is
 * nothing to serve; faults that do not prevent serving are in the report. */
int publisher_open(struct config *config, enum publisher_start start,
                   struct publisher **ret_publisher, struct report *report);

/* The other process has gone: keeps last good copies, as PUBLISHER_SERVE does in the
 * first tick. */
void publisher_settle(struct publisher *publisher, struct report *report);

/* The states another process had, an array as long as states_source_count(), which is emptied: they
 * win where files say nothing; and the cookie secrets to use. Published if that changes anything.
 * -ENOMEM. */
int publisher_inherit(struct publisher *publisher, struct states_source *sources,
                      const struct cookie_secrets *cookies);

void publisher_free(struct publisher *publisher); /* after the readers are gone; NULL is allowed */

/* Reads the configuration and everything it names again, publishes what is good, and returns when
 * that is what the workers answer from. The faults are in the report. */
void publisher_reload(struct publisher *publisher, struct report *report);

/* Sets (clear: removes) the operator's word, all entries or none. Refused with -EPERM if that
 * leaves a service with nobody who had somebody, unless forced. */
int publisher_set_states(struct publisher *publisher, const struct states_entry *entries, size_t n,
                         bool clear, bool force, struct failure *failure);

/* Once a second: the last good copies of what the start has loaded (the first time), expiries, the
 * fleet feed, TTLs. */
void publisher_tick(struct publisher *publisher, int64_t now_s, struct report *report);

#endif
