/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The probes of dns checks: one question to the server, and where its zone's serial is compared
 * with another server's, the same to that one.
 */
#ifndef BGP_PROBE_DNS_H
#define BGP_PROBE_DNS_H

#include "bgp/probe/dns_check.h"
#include "bgp/probe/dns_exchange.h"
#include "bgp/probe/probe.h"

/* config_check.settings of this type */
struct probe_dns_settings {
    struct dns_check check;
    bool tcp;
    unsigned tries;            /* over UDP, at least 1 */
    bool has_reference;        /* the serial must not be older than this server's, */
    struct endpoint reference; /* for longer than */
    int64_t lag_ns;
    struct dns_check reference_check; /* what it is asked */
};

extern const struct probe_type probe_dns;

#endif
