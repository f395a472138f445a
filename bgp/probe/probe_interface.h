/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether an address is on this host, on an interface that is up, and may be answered from: one
 * that IPv6 still checks for duplicates, or has found twice, is not there. The kernel says so when
 * it changes, so a removal is known at once. Whether the interface leads anywhere is not looked at:
 * a VIP is best on one that leads nowhere (lo). Needs no privileges.
 */
#ifndef BGP_PROBE_INTERFACE_H
#define BGP_PROBE_INTERFACE_H

#include "base/address.h"
#include "bgp/probe/probe.h"

struct probe_interface_settings {
    struct address address;
    const char *interface; /* NULL: any */
};

extern const struct probe_type probe_interface;

#endif
