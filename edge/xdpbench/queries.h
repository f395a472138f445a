/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The queries to measure with, from a query file or a packet capture: the bytes that UDP carries,
 * and who asks where that is known.
 */
#ifndef EDGE_XDPBENCH_QUERIES_H
#define EDGE_XDPBENCH_QUERIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"

struct query_bytes {
    struct endpoint source; /* family ADDRESS_NONE: anybody; port 0: any */
    uint32_t at;            /* in `bytes` */
    uint16_t len;
};

struct queries {
    struct query_bytes *list; /* in the order of the file */
    uint8_t *bytes;
    size_t n;
    size_t bytes_len;
    size_t n_max; /* room in `list` and `bytes` */
    size_t bytes_max;
    uint64_t left_out_n; /* TCP, other ports, not whole */
    uint32_t *ranking;   /* places in `list` of distinct queries, the most frequent first */
    size_t ranking_n;
};

struct queries_options {
    const char *path;
    const char *flags; /* "+edns=0 ..." for every line of a query file; NULL */
    uint16_t port;     /* captures: where queries go to */
    size_t max;        /* at most so many are read */
};

/* -EINVAL with "FILE:LINE:COL: reason" for a line that is no query, and for a file without any. */
int queries_read(const struct queries_options *options, struct queries *ret_queries,
                 struct failure *failure);
void queries_done(struct queries *queries);

#endif
