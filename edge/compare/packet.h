/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A captured frame down to what UDP or TCP carries. Fragments are not put together: queries fit.
 */
#ifndef EDGE_COMPARE_PACKET_H
#define EDGE_COMPARE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct packet {
    struct endpoint source;
    struct endpoint destination;
    bool tcp;
    bool syn;
    bool ends;              /* FIN or RST */
    uint32_t sequence;      /* TCP, of the first byte of the payload (of SYN: of SYN) */
    const uint8_t *payload; /* into the frame */
    size_t len;
};

/* `link` is a LINKTYPE_ value. False: no UDP or TCP, a fragment, or cut short. */
bool packet_parse(struct packet *ret_packet, uint16_t link, const uint8_t *frame, size_t len);

#endif
