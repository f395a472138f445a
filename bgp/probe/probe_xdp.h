/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether the program that isochrone-edge has put on an interface answers: a query from this host
 * itself never meets it, since that goes over lo. Its pins (a folder of a bpf file system:
 * "program", "control", and a link per interface, "link_...") say which program it is and whether
 * its link is still on the interface; then the kernel runs exactly that program over a frame with
 * the query, as if it had come in there (BPF_PROG_TEST_RUN), and the frame that comes back is
 * judged like any answer. The driver and what lies before it are not met. The program counts the
 * query like one of a client.
 *
 * Once the server has not said for 3 seconds that it lives, the program passes everything up. Needs
 * the right to read and write the pins, which root has, and the network namespace of the interface;
 * capabilities only to say why a query is passed up (CAP_SYS_ADMIN, for the map's types).
 */
#ifndef BGP_PROBE_XDP_H
#define BGP_PROBE_XDP_H

#include "base/address.h"
#include "bgp/probe/dns_check.h"
#include "bgp/probe/probe.h"

struct probe_xdp_settings {
    const char *pin;       /* the folder */
    const char *interface; /* NULL: any that the program is on */
    struct address client; /* who asks */
    struct dns_check check;
};

extern const struct probe_type probe_xdp;

#endif
