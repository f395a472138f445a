/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bgp.yaml as values: what is announced, what governs it, and whom ExaBGP talks to. Read once,
 * whole, and immutable afterwards. What this version does not do is refused by name and place,
 * never ignored.
 */
#ifndef BGP_CONFIG_H
#define BGP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "bgp/decide/budget.h"
#include "bgp/decide/health.h"
#include "bgp/decide/policy.h"
#include "bgp/speak/exabgp.h"
#include "bgp/speak/route.h"

#define CONFIG_VIPS_MAX 64
#define CONFIG_CHECKS_MAX 64
#define CONFIG_NEIGHBORS_MAX 32

struct probe_type;

enum check_class {
    CHECK_HARD,  /* governs: proves that this host cannot answer, withdraws */
    CHECK_SOFT,  /* governs: what every PoP may share, degrades */
    CHECK_WATCH, /* governs nothing: evidence for people and other checks, or a trigger */
    CHECK_PEER,  /* governs nothing: looks at another PoP, for the guards */
};

struct config_check {
    const char *name;
    enum check_class class;
    const struct probe_type *type;
    const void *settings; /* the type's own, see there */
    const char *subject;  /* what is looked at, for people: "www.example.com. A at 192.0.2.53:53" */
    enum address_family
        family; /* of the VIPs it governs when they name no checks; ADDRESS_NONE: of all */
    struct endpoint server; /* family ADDRESS_NONE if the type has none */
    bool server_is_vip;     /* then the probe must not leave the host */
    int64_t interval_ns;    /* from the start of one probe to the start of the next */
    int64_t retry_ns;       /* the same after a failure, while the check is up: confirms or clears
                               it sooner */
    int64_t timeout_ns;
    struct health_limits limits;
    int64_t fresh_ns;  /* what was observed longer ago has stopped coming */
    size_t vouched_by; /* the traffic check that covers its silence; POLICY_NONE: none */
};

struct config_vip {
    size_t checks_n; /* at least one, at least one of them hard */
    size_t checks[CONFIG_CHECKS_MAX];
    size_t peers_n; /* peer checks, for the last-PoP guard */
    size_t peers[CONFIG_CHECKS_MAX];
    size_t heartbeats_n; /* xdp checks, for the restart grace */
    size_t heartbeats[CONFIG_CHECKS_MAX];
    struct policy_settings settings; /* attributes: of the route */
};

struct config_neighbor {
    struct address address;
    struct address local_address;
    uint32_t local_as;
    uint32_t peer_as;
    struct address router_id; /* IPv4 */
    uint32_t hold_time_s;
};

struct config_journal {
    const char *file; /* path, or NULL */
    uint64_t size;    /* bytes of one file */
    unsigned keep;    /* older files */
};

/* The edge that serves at this PoP, told on request when the VIP goes. */
struct config_services {
    const char *control; /* its control socket, or NULL */
    const char *pop;
};

struct config {
    const char *path;    /* as given */
    const char *control; /* socket path, or NULL */
    struct exabgp_options exabgp;
    int64_t lease_ns; /* the holder goes on alone when it has heard nothing for so long */
    struct config_journal journal;
    const char *state_file; /* path, or NULL */
    bool metrics_on;
    struct endpoint metrics;
    struct config_services services;
    size_t vips_n;
    struct route routes[CONFIG_VIPS_MAX]; /* of the VIP with the same index */
    struct config_vip vips[CONFIG_VIPS_MAX];
    struct budget_limits budget; /* of SOFT withdrawals */
    size_t checks_n;
    struct config_check checks[CONFIG_CHECKS_MAX];
    size_t neighbors_n; /* 0: exabgp.conf is written by hand */
    struct config_neighbor neighbors[CONFIG_NEIGHBORS_MAX];
    uint32_t local_as;   /* 0: not known */
    struct arena *arena; /* owns the texts */
};

/* 0, or a negative errno value and "FILE:LINE:COL: reason". The caller frees. */
int config_load_file(const char *path, struct config **ret_config, struct failure *failure);
int config_load_bytes(const char *name, const uint8_t *bytes, size_t len,
                      struct config **ret_config, struct failure *failure);

void config_free(struct config *config);

/* Do checks of this class have a say in what is announced? */
bool check_class_governs(enum check_class class);

/* "hard", "soft", "watch", "peer". */
const char *check_class_name(enum check_class class);

#endif
