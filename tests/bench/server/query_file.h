/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The queries a load replays: one per line, "NAME TYPE [ecs=ADDRESS/LENGTH] [from=ADDRESS]". They
 * are put into wire form once, so that sending them costs nothing but the copy. `from` is the IPv4
 * source address to send it with.
 */
#ifndef BENCH_QUERY_FILE_H
#define BENCH_QUERY_FILE_H

#include <stddef.h>
#include <stdint.h>

#define QUERY_WIRE_MAX                                                                             \
    384u /* a header, a 255-byte name, type and class, OPT with an IPv6 subnet                     \
          */

struct query {
    uint32_t wire_at; /* into query_file.wire */
    uint16_t wire_len;
    uint32_t from_be; /* source address; 0: the socket's own */
};

struct query_file {
    struct query *queries;
    size_t query_n;
    uint8_t *wire;
    size_t wire_len;
};

/* Prints "FILE:LINE: reason" to stderr and returns -1 for an unreadable or empty file. */
int query_file_read(struct query_file *ret_file, const char *path);

void query_file_done(struct query_file *file);

#endif
