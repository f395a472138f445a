/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where questions come from: a query file, a packet capture (pcap, pcapng) or a zone. Questions
 * come out rendered.
 */
#ifndef EDGE_COMPARE_SOURCE_H
#define EDGE_COMPARE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"

struct question;
struct source;

struct source_options {
    const char *path;     /* "-": standard input */
    const char *origin;   /* text: the file is a master file of this zone; or NULL */
    const char *flags;    /* "+do ..." for every question, or NULL */
    bool follow;          /* go on at the end, as the file grows */
    bool ecs_from_source; /* captures: client subnet from the client's address, if it sent none */
    uint16_t port;        /* captures: where queries go to */
};

enum source_status {
    SOURCE_QUESTION,
    SOURCE_WAIT,   /* none now */
    SOURCE_WRONG,  /* something is no question; the failure says what; go on */
    SOURCE_FAILED, /* nothing more can be read; the failure says why */
    SOURCE_END,
};

/* Borrows the texts in the options. Negative errno with a reason. */
int source_open(const struct source_options *options, struct source **ret_source,
                struct failure *failure);

enum source_status source_next(struct source *source, struct question *ret_question,
                               struct failure *failure);

/* Messages of a capture that were left out on purpose (see question_from_query()). */
uint64_t source_left_out(const struct source *source);

void source_close(struct source *source); /* NULL is allowed */

#endif
