/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * edge.yaml as a value: what the operator wrote, checked in form but not yet against the world
 * (files are opened and names resolved by the loader). Immutable, shared by reference, freed
 * whole.
 */
#ifndef EDGE_CONFIG_H
#define EDGE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "edge/answer/admission.h"
#include "edge/service/services.h"
#include "xdp/xdp_publish.h"

#define CONFIG_NAME_SIZE 64 /* identity, version, pop: with the NUL */
#define CONFIG_WORKERS_MAX 256
#define CONFIG_LISTEN_MAX 64
#define CONFIG_FILE_MAX (16u << 20)
#define CONFIG_CONTROL_DEFAULT "/run/isochrone/edge.sock"
#define CONFIG_XDP_PIN_DEFAULT "/sys/fs/bpf/isochrone"

struct config_zone {
    const char *origin;  /* as written */
    const uint8_t *name; /* the origin in wire form, lower case */
    const char *file;    /* resolved */
    const char *place;   /* "FILE:LINE:COL" of the entry, for messages */
};

struct config_tcp {
    uint32_t connections;            /* all workers together */
    uint32_t connections_per_client; /* an IPv4 address or an IPv6 /56 */
    int64_t idle_ns;                 /* without a query, or progress in sending */
    int64_t query_ns;                /* from the first byte of a query to its last */
    int64_t lifetime_ns;             /* of a connection; 0: none */
    uint64_t queries;                /* of a connection; 0: none */
    uint64_t memory;                 /* bytes of half queries and unsent answers, all workers */
    uint32_t backlog;                /* connections the kernel may hold for each listener */
    bool fastopen;                   /* RFC 7413 */
};

struct config_cookies {
    bool on;
    const char *const *secrets; /* files, the first one signs; none: a secret of our own */
    size_t secret_n;
};

/* What the kernel may answer. */
enum config_xdp_names {
    CONFIG_XDP_SERVICES, /* the names of services */
    CONFIG_XDP_ALL,      /* and every other name, as far as there is room */
    CONFIG_XDP_HOT,      /* and those asked for most */
};

struct config_xdp {
    bool on;
    const char *const *interfaces;
    size_t interface_n; /* at least 1 */
    enum xdp_mode mode;
    enum config_xdp_names names;
    uint32_t hot_names;  /* at most */
    uint32_t hot_sample; /* one packet in so many is looked at */
    int64_t hot_refresh_ns;
    uint32_t image_mb; /* capacities; 0: from what is loaded at the start */
    uint32_t templates_mb;
    uint32_t services;
    const char *pin;     /* folder in a bpf file system */
    bool detach_on_exit; /* when stopped, not when replaced or killed */
};

struct config {
    const char *path;
    char identity[CONFIG_NAME_SIZE]; /* empty: no NSID */
    char version[CONFIG_NAME_SIZE];  /* empty: version.bind is refused */
    char pop[CONFIG_NAME_SIZE];      /* empty: not said */
    const struct endpoint *listen;
    size_t listen_n;  /* at least 1 */
    unsigned workers; /* 0: one per CPU we may run on */
    const struct config_zone *zones;
    size_t zone_n;
    const char *map;       /* NULL: none; so for the next ones */
    const char *map_place; /* "FILE:LINE:COL", for messages; so for the next ones */
    const char *services;  /* file or folder */
    const char *services_place;
    struct services_policy policy; /* of that folder */
    const char *const *states;
    const char *const *state_places;
    size_t state_n;
    const char *control;
    bool control_given; /* false: `control` is the default path and may be missing */
    bool metrics_on;
    struct endpoint metrics;
    const char *state_dir;
    const char *user;
    bool seccomp; /* confine system calls while serving; on unless switched off */
    struct config_tcp tcp;
    struct config_cookies cookies;
    bool rate_limit_on;
    struct admission_setup rate_limit; /* when it is on */
    struct config_xdp xdp;
    uint8_t digest[32]; /* SHA-256 of the file */
};

/* -EINVAL with "FILE:LINE:COL: reason" for a file that is wrong, -errno of the file system
 * otherwise. */
int config_load(const char *path, struct config **ret_config, struct failure *failure);

/* The same for bytes in memory; relative paths in it are relative to the folder of `path`. */
int config_load_bytes(const char *path, const uint8_t *bytes, size_t len,
                      struct config **ret_config, struct failure *failure);

/* One thread takes references and gives them back; config_free() gives back one. */
struct config *config_ref(struct config *config);
void config_free(struct config *config); /* NULL is allowed */

/* What a reload cannot change, because it is bound before privileges are dropped: a static text
 * naming the first such key that differs, or NULL. */
const char *config_needs_restart(const struct config *running, const struct config *wanted);

#endif
