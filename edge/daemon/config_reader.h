/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * edge.yaml while it is being read: what the files that read it share (config*.c) and nobody
 * else.
 */
#ifndef EDGE_CONFIG_READER_H
#define EDGE_CONFIG_READER_H

#include "base/failure.h"
#include "edge/daemon/config.h"

struct arena;
struct yaml_node;

struct config_reader {
    struct config *config; /* being filled */
    struct arena *arena;   /* owns what it points to */
    struct failure *failure;
};

/* -ENOMEM, with the reason. */
int config_no_memory(const struct config_reader *reader);

/* A path, resolved against the folder of edge.yaml; *ret_path lives as long as the configuration.
 */
int config_read_path(const struct config_reader *reader, const struct yaml_node *node,
                     const char **ret_path);

/* What concerns single clients (config_clients.c). */
int config_read_cookies(const struct config_reader *reader, const struct yaml_node *node);
int config_read_rate_limit(const struct config_reader *reader, const struct yaml_node *node);

/* The kernel's part (config_xdp.c). config_same_xdp(): in what only a restart can change. */
int config_read_xdp(const struct config_reader *reader, const struct yaml_node *node);
void config_set_xdp_defaults(struct config_xdp *xdp);
bool config_same_xdp(const struct config_xdp *a, const struct config_xdp *b);

#endif
