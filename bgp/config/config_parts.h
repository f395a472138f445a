/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pieces bgp.yaml is read with; only config*.c include this. All return 0 or a negative errno
 * value with the place in the failure.
 */
#ifndef BGP_CONFIG_PARTS_H
#define BGP_CONFIG_PARTS_H

#include "base/arena.h"
#include "base/yaml.h"
#include "bgp/config/config.h"

/* As yaml_check_keys(), but a key of the `later` list is refused as "not supported yet". */
int config_check_keys(const struct yaml_node *node, const char *const *known,
                      const char *const *later, struct failure *failure);

/* A copy of the text that lives as long as the configuration. */
int config_keep_text(struct arena *arena, const char *text, const char **ret_text,
                     struct failure *failure);

/* One entry of `checks`. */
int config_read_check(const struct yaml_node *node, struct arena *arena,
                      struct config_check *ret_check, struct failure *failure);

/* A type of check, as the configuration sees it: its own keys, read after those that all checks
 * have. `read` sets settings (from the arena) and subject, and where they apply server and family.
 */
struct config_check_type {
    const struct probe_type *probe;
    enum check_class class;  /* unless said */
    const char *const *keys; /* ends with NULL */
    int (*read)(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                struct failure *failure);
};

extern const struct config_check_type config_check_dns;
extern const struct config_check_type config_check_http;
extern const struct config_check_type config_check_tcp;
extern const struct config_check_type config_check_edge;
extern const struct config_check_type config_check_exec;
extern const struct config_check_type config_check_interface;
extern const struct config_check_type config_check_process;
extern const struct config_check_type config_check_traffic;
extern const struct config_check_type config_check_xdp;

/* A path, relative to the folder of the file, that lives as long as the configuration. */
int config_keep_path(struct arena *arena, const struct yaml_node *node, const char **ret_path,
                     struct failure *failure);

/* The same of a Unix socket; `node` is required, or `owner` needs a control socket. */
int config_keep_socket(struct arena *arena, const struct yaml_node *owner,
                       const struct yaml_node *node, const char **ret_path,
                       struct failure *failure);

/* `server` of a check, required; sets its family too. */
int config_read_server(const struct yaml_node *node, uint16_t default_port,
                       struct config_check *check, struct failure *failure);

struct dns_check;

/* `name`, `qtype` (`type` unless said), `ecs` and `expect` of a check that asks its server by DNS;
 * sets the subject, which ends with `how`. */
int config_read_question(const struct yaml_node *node, struct arena *arena,
                         struct config_check *check, struct dns_check *dns, const char *type,
                         const char *how, struct failure *failure);

/* The subject as if printed. */
int config_set_subject(struct arena *arena, struct config_check *check, struct failure *failure,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The keys of an `announce` map over what `attributes` already holds. NULL changes nothing. */
int config_read_announce(const struct yaml_node *node, struct route_attributes *attributes,
                         struct failure *failure);

/* The check that is named, by its index. */
int config_find_check(const struct yaml_node *node, const struct config *config, size_t *ret_index,
                      struct failure *failure);

/* `window` and `hold_down` of a check, whose `fall` is known. */
int config_read_limits(const struct yaml_node *node, struct health_limits *limits,
                       struct failure *failure);

/* What policy goes by; after checks, VIPs and neighbors. */
int config_read_policy(const struct yaml_node *root, struct config *config,
                       struct failure *failure);

/* `graceful_restart`, `closed_loop` and `instance`; after the VIPs. */
int config_read_exabgp(const struct yaml_node *root, struct config *config,
                       struct failure *failure);

/* `control`, `state_dir`, `journal`, `metrics` and `services` of the root. */
int config_read_operate(const struct yaml_node *root, struct config *config,
                        struct failure *failure);

/* One entry of `neighbors`. */
int config_read_neighbor(const struct yaml_node *node, struct config_neighbor *ret_neighbor,
                         struct failure *failure);

#endif
