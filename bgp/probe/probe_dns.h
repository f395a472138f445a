/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The probes of dns checks over UDP. A datagram that is lost on the way says nothing about the
 * server, so one probe may send the query several times, spread over its timeout, each from a
 * socket, port and id of its own; the first answer to any of them decides. A healthy server sees
 * one query per probe.
 */
#ifndef BGP_PROBE_DNS_H
#define BGP_PROBE_DNS_H

#include "bgp/probe/dns_check.h"
#include "bgp/probe/probe.h"

#define PROBE_DNS_TRIES_MAX 8

/* config_check.settings of this type */
struct probe_dns_settings {
    struct dns_check check;
    unsigned tries; /* at least 1 */
};

extern const struct probe_type probe_dns;

#endif
