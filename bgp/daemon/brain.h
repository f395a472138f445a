/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A brain as its holder sees it: a child process with a link. It is started from the file on disk,
 * so that an upgrade takes effect with the next brain, and it dies with its holder.
 */
#ifndef BGP_BRAIN_H
#define BGP_BRAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/failure.h"
#include "bgp/link/link.h"

struct brain {
    pid_t pid; /* 0: none */
    int link;  /* -1: closed */
    int64_t started_ns;
    int64_t ending_ns;          /* told to end then; 0: not */
    bool planned;               /* its plan came and is good */
    char failed[LINK_TEXT_MAX]; /* what it said when it could not; "" */
};

/* `program` is run with `arguments` (a NULL-terminated argv) and LINK_FD open. 0 or a negative
 * errno value; what goes wrong after the fork shows as a brain that ends. */
int brain_start(struct brain *brain, const char *program, char *const arguments[], int64_t now_ns,
                struct failure *failure);

/* Never blocks: what it does not take is lost. False if the link is broken. */
bool brain_send(const struct brain *brain, const uint8_t *bytes, size_t len);

/* One message of at most LINK_MESSAGE_MAX bytes: its length, 0 if there is none, or -EPIPE if there
 * will be no more. */
ssize_t brain_receive(const struct brain *brain, uint8_t *ret_bytes);

/* Asks it to end. */
void brain_end(struct brain *brain, int64_t now_ns);

/* Kills it and closes the link. Its pid stays to be reaped by somebody. */
void brain_drop(struct brain *brain);

#endif
