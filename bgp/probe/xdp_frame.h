/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A query as a frame on an Ethernet, and the answer in the frame that comes back: bytes in, bytes
 * out. What comes back was made by a program in the kernel that is what is to be tested, so nothing
 * of it is taken for granted, checksums included.
 */
#ifndef BGP_XDP_FRAME_H
#define BGP_XDP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define XDP_FRAME_LEN 2048
#define XDP_FRAME_MESSAGE_MAX 1400

/* Who asks whom; of one family. */
struct xdp_frame_way {
    struct endpoint client;
    struct endpoint server;
};

/* The frame's length, for a message of up to XDP_FRAME_MESSAGE_MAX bytes. */
size_t xdp_frame_make(const struct xdp_frame_way *way, const uint8_t *message, size_t len,
                      uint8_t ret_frame[static XDP_FRAME_LEN]);

/* The message in a frame that goes the way back, within the frame. NULL, or in words what is wrong
 * with it. */
const char *xdp_frame_open(const struct xdp_frame_way *way, uint8_t *frame, size_t len,
                           uint8_t **ret_message, size_t *ret_len);

#endif
