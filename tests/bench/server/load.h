/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What both transports of the load share: the queries, which ids are awaited, and what came back.
 * One thread.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "query_file.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_BATCH 64u
#define LOAD_ID_N 65536u
#define LOAD_LOSS_NS 400000000u
#define LOAD_LATENCY_STEP_NS 100u
#define LOAD_LATENCY_N 200000u /* the last place: 20 ms and more */

struct load {
    struct query_file file;
    size_t query_next;
    struct sockaddr_in server;
    uint32_t window;             /* never more queries unanswered */
    double rate;                 /* a second; 0: as fast as answers come */
    uint64_t query_max;          /* in all */
    uint64_t sent_ns[LOAD_ID_N]; /* 0: this id is not awaited */
    uint16_t id_free[LOAD_ID_N];
    uint32_t id_free_n;
    uint32_t awaited;
    uint64_t reaped_ns;
    uint64_t sent, answered, lost, stray, truncated, empty, bytes, closed;
    uint64_t rcodes[16];
    uint64_t received_ns; /* of the answers being read */
    uint32_t latency[LOAD_LATENCY_N];
};

uint64_t load_now_ns(void);

/* Prints errno with `what` and exits: a load that cannot run has nothing to say. */
void load_die(const char *what) __attribute__((noreturn));

/* The next query of the file, with a free id in it and awaited from `now`. Its bytes stay until the
 * file is done. */
const struct query *load_next(struct load *load, uint64_t now);

/* Counts one message of the server. */
void load_answer(struct load *load, const uint8_t *answer, size_t len);

/* Gives up what is awaited for too long; cheap when it has just been done. */
void load_reap(struct load *load, uint64_t now);

/* When to stop: at `end_ns`, or after query_max; then waits for answers still under way, not longer
 * than the loss time. */
bool load_over(const struct load *load, uint64_t now, uint64_t end_ns);

/* Each returns the seconds it took, the wait for the last answers left out. */
double load_run_udp(struct load *load, double seconds);
double load_run_tcp(struct load *load, double seconds, unsigned connection_n);

#endif
