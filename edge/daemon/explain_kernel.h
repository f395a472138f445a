/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the kernel would answer a query, and if not, why: the program's own cores run on the host
 * over the tables that are published (xdp/model.h). Control thread.
 */
#ifndef EDGE_EXPLAIN_KERNEL_H
#define EDGE_EXPLAIN_KERNEL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/address.h"

struct fast;
struct snapshot;

/* Adds "path" and "kernel" to `data` and a line to `out`. `fast` NULL: there is no kernel path;
 * `from` NULL: anybody may have sent the query. */
void explain_kernel(struct fast *fast, const struct snapshot *snapshot, const uint8_t *query,
                    size_t query_len, const struct address *from, FILE *out, json_t *data);

#endif
