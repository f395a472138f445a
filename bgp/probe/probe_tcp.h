/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The probes of tcp checks: a connection, and where wanted some bytes said over it and some bytes
 * that must come back.
 */
#ifndef BGP_PROBE_TCP_H
#define BGP_PROBE_TCP_H

#include "bgp/probe/probe.h"

#define PROBE_TCP_EXPECT_WITHIN 4096 /* bytes of what comes back */

/* config_check.settings of this type */
struct probe_tcp_settings {
    const char *send; /* NULL: nothing is said */
    size_t send_len;
    const char *expect; /* NULL: nothing need come back */
    size_t expect_len;  /* at most PROBE_TCP_EXPECT_WITHIN */
};

extern const struct probe_type probe_tcp;

#endif
