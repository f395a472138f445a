/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An Ethernet frame around a query, checksums and all. Pure.
 */
#ifndef EDGE_XDPBENCH_FRAME_H
#define EDGE_XDPBENCH_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

/* What comes before the payload. */
#define FRAME_HEADERS_IPV4 42u
#define FRAME_HEADERS_IPV6 62u

/* From `source` to `destination`, of one family. Returns the length, 0 if it does not fit. */
size_t frame_make(const struct endpoint *source, const struct endpoint *destination,
                  const uint8_t *payload, size_t payload_len, uint8_t *ret_frame, size_t size);

#endif
