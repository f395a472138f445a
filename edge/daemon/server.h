/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The running program: workers that serve, and one control thread (the caller's) for signals, the
 * control socket, reloads and states. SIGHUP reloads; SIGTERM and SIGINT stop gracefully.
 */
#ifndef EDGE_SERVER_H
#define EDGE_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "edge/daemon/publisher.h"
#include "edge/serve/counters.h"
#include "edge/serve/worker.h"

struct control;
struct metrics;

struct server {
    const char *version;
    struct publisher *publisher;
    struct worker **workers;
    size_t worker_n;
    struct tcp_clients *tcp_clients;
    struct control *control; /* NULL: off */
    struct metrics *metrics; /* NULL: off */
    int64_t started_ns;      /* monotonic */
    int64_t started_s;       /* wall clock */
};

/* Sums over the workers; any thread while the workers exist. */
void server_sum(const struct server *server, struct counters_sum *ret_sum, uint64_t *ret_udp_drops,
                uint64_t *ret_tcp_drops);

/* Reads everything again, logs what went wrong and leaves it in the report. Control thread. */
void server_reload(struct server *server, struct report *report);

/* Takes the configuration over; returns the exit status of the program. Logs. */
int server_run(struct config *config, const char *version);

/* --check: loads everything, lists every fault on stderr. Takes the configuration over; exit
 * status. */
int server_check(struct config *config);

#endif
