/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One check's probes, whatever their type. A type (probe_type) says how to start one and what its
 * descriptors mean; the rest is the same for all: one at a time, a deadline, an outcome, and
 * nothing left open after it. The caller owns the poll loop: its epoll gets the type's descriptors
 * under one tag per check, it hands over what is ready and calls probe_run() when
 * probe_deadline_ns() has come. Nothing here blocks.
 */
#ifndef BGP_PROBE_H
#define BGP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/config/config.h"
#include "bgp/probe/outcome.h"

struct probe;

/* What the functions return: true if `ret_outcome` is set, which ends the probe. */
struct probe_type {
    const char *name; /* as in the configuration */
    size_t state_len; /* of probe->state: zeroed at first, kept from probe to probe */

    bool (*start)(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

    /* One of its descriptors is ready (EPOLLIN and so on). What it watches between probes may make
     * it called, and give an outcome, while none is in flight; and once in a while it is called for
     * nothing, with a descriptor it has closed meanwhile. NULL if it watches none. */
    bool (*ready)(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                  struct probe_outcome *ret_outcome);

    /* The time it asked for (probe->wake_ns) has come. NULL if it never asks. */
    bool (*wake)(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

    /* The check's timeout has passed: the last chance for an outcome other than "no answer". NULL
     * if there is none. */
    bool (*expire)(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

    /* After every outcome, and when a probe is given up: closes what belongs to this probe. Also
     * called when there is nothing to close. */
    void (*end)(struct probe *probe);

    /* The check goes away, after `end`: closes what it kept between probes. NULL if nothing. */
    void (*done)(struct probe *probe);
};

/* For the type, where something happened that other checks should look at now. `family`
 * ADDRESS_NONE: all of them. */
typedef void probe_trigger(void *context, const struct probe *probe, enum address_family family);

struct probe {
    const struct config_check *check; /* borrowed */
    void *state;                      /* the type's own */
    bool in_flight;
    int64_t started_ns;
    int64_t wake_ns; /* set by the type: call `wake` then; INT64_MAX: never */
    int epoll_fd;
    uint64_t tag;
    probe_trigger *trigger; /* NULL: nobody listens */
    void *context;
};

/* Descriptors are watched on `epoll_fd` with `tag` + the descriptor. 0 or -ENOMEM. */
int probe_init(struct probe *probe, const struct config_check *check, int epoll_fd, uint64_t tag);

/* Each true if that gave an outcome; the frame sets its elapsed_ns. */
bool probe_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);
bool probe_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                 struct probe_outcome *ret_outcome);
bool probe_run(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome);

/* When probe_run() has something to do; INT64_MAX when nothing is in flight. */
int64_t probe_deadline_ns(const struct probe *probe);

/* Gives up what is in flight, without an outcome. */
void probe_cancel(struct probe *probe);

void probe_done(struct probe *probe);

/* ---- for the types ---- */

/* Watches a descriptor, or changes what it is watched for: 0 or a negative errno value. Closing it
 * ends that. */
int probe_watch(const struct probe *probe, int fd, uint32_t events);
void probe_unwatch(const struct probe *probe, int fd);

/* A new non-blocking socket that is connected, or connecting, to a server and watched for `events`:
 * its descriptor, or -1 and the outcome. With `must_be_local` (check->server_is_vip) the server's
 * address must be one of this host, or another PoP would answer for us. */
int probe_connect(const struct probe *probe, const struct endpoint *server, bool must_be_local,
                  int type, uint32_t events, struct probe_outcome *ret_outcome);

/* A stream socket that was connecting became writable: did it succeed? False and the outcome if
 * not. */
bool probe_connected(int fd, struct probe_outcome *ret_outcome);

#endif
