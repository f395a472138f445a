/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One file of the fleet feed: noticing that it changed, reading it, and what became of it. A file
 * that vanishes or turns wrong keeps its last states (fail static) and is an alarm; a copy in
 * state_dir bridges a restart. One thread.
 */
#ifndef EDGE_FLEET_H
#define EDGE_FLEET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/failure.h"
#include "edge/daemon/states.h"

enum fleet_status {
    FLEET_OK,
    FLEET_MISSING,
    FLEET_INVALID,
    FLEET_HELD, /* it would leave a service with nobody */
};

const char *fleet_status_name(enum fleet_status status);

struct fleet_feed {
    char *path;
    char *place;      /* "FILE:LINE:COL" that names it, for messages */
    char *copy;       /* in state_dir; NULL without */
    struct stat seen; /* at the last attempt */
    bool attempted;
    enum fleet_status status;
    int64_t since_s;      /* in this status, wall clock */
    int64_t accepted_s;   /* when its content was last taken; 0 never */
    struct failure fault; /* unless FLEET_OK */
};

int fleet_open(struct fleet_feed *feed, const char *path, const char *place, const char *state_dir);
void fleet_done(struct fleet_feed *feed);

enum fleet_news {
    FLEET_NOTHING, /* as before */
    FLEET_NEWS,    /* *ret_source has the new content, owned by the caller */
    FLEET_FAULT,   /* it became missing or invalid; feed->fault says why */
};

/* Looks at the file, and reads it if it changed since the last attempt or `always`. */
enum fleet_news fleet_poll(struct fleet_feed *feed, bool always, int64_t now_s,
                           struct states_source *ret_source, bool *ret_force);

/* What the copy says, at a start without the file. -errno when there is none. */
int fleet_recall(const struct fleet_feed *feed, int64_t now_s, struct states_source *ret_source);

/* The caller's verdict on the news. Accepting keeps a copy; a copy that fails is reported, no more.
 */
int fleet_accept(struct fleet_feed *feed, int64_t now_s, struct failure *failure);
void fleet_hold(struct fleet_feed *feed, int64_t now_s, const char *service);

#endif
