/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The running program: workers that serve, and one control thread (the caller's) for signals, the
 * control socket, reloads and states. SIGHUP reloads; SIGTERM and SIGINT stop gracefully.
 */
#ifndef EDGE_SERVER_H
#define EDGE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/daemon/listeners.h"
#include "edge/daemon/publisher.h"
#include "edge/serve/counters.h"
#include "edge/serve/worker.h"

struct control;
struct fast;
struct metrics_server;
struct predecessor;
struct successor;

struct server {
    const char *version;
    struct publisher *publisher;
    struct worker **workers;
    size_t worker_n;
    struct tcp_clients *tcp_clients;
    struct listeners listeners;
    struct fast *fast;               /* NULL: off */
    struct control *control;         /* NULL: off */
    struct metrics_server *metrics;  /* NULL: off */
    struct predecessor *predecessor; /* while another process is about to replace us */
    struct successor *successor;     /* while we replace another process */
    bool continues_control;          /* the control socket comes from there */
    bool managed;                    /* a service manager wants to know about us */
    uint64_t watchdog_usec;          /* it wants to hear from us this often; 0: not */
    int epoll_fd;                    /* of the control thread */
    int ready_fd;                    /* to be told when we serve; -1 for none */
    int64_t started_ns;              /* monotonic */
    int64_t started_s;               /* wall clock */
};

/* Sums over the workers; any thread while the workers exist. */
void server_sum(const struct server *server, struct counters_sum *ret_sum, uint64_t *ret_udp_drops,
                uint64_t *ret_tcp_drops);

/* Reads everything again, logs what went wrong and leaves it in the report. Control thread. */
void server_reload(struct server *server, struct report *report);

void server_log_report(const struct report *report);

struct server_options {
    const char *version;
    const char *replace; /* NULL: no; "": who is behind our own control socket; else that socket */
    int ready_fd;        /* a byte is written there, and it is closed, when we serve; -1 for none */
};

/* Takes the configuration over; returns the exit status of the program. Logs. */
int server_run(struct config *config, const struct server_options *options);

/* --check: loads everything, lists every fault on stderr. Takes the configuration over; exit
 * status. */
int server_check(struct config *config);

#endif
