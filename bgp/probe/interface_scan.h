/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the kernel says about addresses (rtnetlink(7)): bytes in, values out, no sockets.
 */
#ifndef BGP_INTERFACE_SCAN_H
#define BGP_INTERFACE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define INTERFACE_PLACES_MAX 8

struct interface_place {
    unsigned index; /* of the interface */
    bool usable;    /* an IPv6 address may still be checked for duplicates, or have failed that
                       (RFC 4862 section 5.4): nobody is answered there */
};

struct interface_scan {
    struct address address; /* that is looked for */
    size_t places_n;        /* where it was seen; more than fit are left out */
    struct interface_place places[INTERFACE_PLACES_MAX];
    bool ended;
    bool interrupted; /* something changed meanwhile: what was not seen may be there */
    int error;        /* the kernel's, positive; 0: none */
};

/* Part of the answer to RTM_GETADDR. */
void interface_scan_add(struct interface_scan *scan, const uint8_t *bytes, size_t len);

/* Whether a notice may concern the address: one about that address, or about any interface. */
bool interface_scan_concerns(const struct address *address, const uint8_t *bytes, size_t len);

#endif
