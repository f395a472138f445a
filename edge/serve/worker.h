/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A serving thread: its own sockets on every listen address, its own memory and counters, one CPU.
 * Workers share nothing they write but the table of TCP clients, touched per connection. The
 * snapshot is read once per round of events; the thread is an RCU reader (liburcu, qsbr flavour)
 * that is offline while it waits, so whoever publishes may free the old snapshot after
 * synchronize_rcu().
 */
#ifndef EDGE_WORKER_H
#define EDGE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/answer/snapshot.h"
#include "edge/serve/counters.h"
#include "edge/serve/socket.h"
#include "edge/serve/tcp.h"

struct worker;

/* A UDP socket or TCP listener. */
struct worker_listener {
    int fd;
    bool tcp;
    bool wildcard; /* bound to no address: responses name the one their query came to */
    bool leaving;  /* answer what waits in it, then close it */
};

struct worker_setup {
    unsigned index;
    int cpu;                                     /* to pin to, -1 for none */
    struct tcp_limits tcp;                       /* of this worker */
    struct tcp_clients *tcp_clients;             /* borrowed, shared */
    const _Atomic(struct snapshot *) *published; /* borrowed; never NULL once started */
};

/* Opens everything the thread needs but its sockets. */
int worker_open(const struct worker_setup *setup, struct worker **ret_worker,
                struct failure *failure);

/* Once, before it is started: what it serves. On success the sockets are the worker's. */
int worker_listen(struct worker *worker, const struct worker_listener *listeners, size_t n,
                  struct failure *failure);

int worker_start(struct worker *worker, struct failure *failure);

/* Asks the thread to end after the round it is in and leave everything as it is. After
 * worker_join() it can be started again, or what it held be handed over. */
void worker_park(struct worker *worker);

/* Asks the thread to answer what has arrived, send what is waiting (2 s at most) and end. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);

/* While no thread runs: its connections one by one, and those of another; counters that another has
 * left, before it is first started. As tcp_give() and tcp_adopt(). */
bool worker_give(struct worker *worker, struct tcp_passed *ret_passed);
int worker_adopt(struct worker *worker, struct tcp_passed *passed);
void worker_inherit(struct worker *worker, const struct counters_sum *sum);

void worker_free(struct worker *worker); /* after worker_join(); NULL is allowed */

/* Any thread. */
const struct counters *worker_counters(const struct worker *worker);
int worker_cpu(const struct worker *worker);
uint64_t
worker_rounds(const struct worker *worker); /* grows at least every second while it lives */
void worker_drops(const struct worker *worker, uint64_t *ret_udp, uint64_t *ret_tcp);

#endif
