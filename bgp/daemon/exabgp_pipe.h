/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ExaBGP's pipe without ever blocking on it: what comes is read at once (ExaBGP blocks, and loses
 * all its sessions, once that side is full), and at most one line waits to be written.
 */
#ifndef BGP_EXABGP_PIPE_H
#define BGP_EXABGP_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "bgp/speak/speaker.h"

struct exabgp_pipe {
    int epoll_fd;
    uint64_t output_tag;
    int input, output; /* borrowed */
    bool output_watched;
    size_t line_len, line_at; /* the line that is being written */
    char line[ROUTE_COMMAND_LEN];
};

/* Makes both ends non-blocking and watches the input with `tag`, the output with `tag` + 1 while a
 * line waits. */
int exabgp_pipe_open(struct exabgp_pipe *pipe, int epoll_fd, uint64_t tag, int input, int output,
                     struct failure *failure);

/* All there is to the speaker, and the next lines of the speaker. False: ExaBGP is gone. */
bool exabgp_pipe_read(struct exabgp_pipe *pipe, struct speaker *speaker);
bool exabgp_pipe_write(struct exabgp_pipe *pipe, struct speaker *speaker);

/* True when no line waits. */
bool exabgp_pipe_idle(const struct exabgp_pipe *pipe);

#endif
