/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as the frame that a program in the kernel sends back: a message that lies within it, or
 * a reason. The lowest bit of the first byte is the family; with the next one set, what comes back
 * is the query's own frame with the bytes laid over it, so that more of them get past the headers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/probe/xdp_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const ends[2][2] = {{"198.18.0.1:50000", "192.0.2.53:53"},
                                           {"[2001:2::1]:50000", "[2001:db8::53]:53"}};
    static const uint8_t ethernet[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}; /* both addresses */
    struct xdp_frame_way way = {0};
    uint8_t frame[XDP_FRAME_LEN] = {0}, *message = NULL;
    size_t frame_len = len, message_len = 0;

    if (len < 1 || len > sizeof(frame) ||
        endpoint_parse(ends[bytes[0] & 1][0], 0, &way.server) < 0 ||
        endpoint_parse(ends[bytes[0] & 1][1], 0, &way.client) < 0) {
        return 0;
    }
    if (bytes[0] & 2) {
        const struct xdp_frame_way back = {.client = way.server, .server = way.client};

        frame_len = xdp_frame_make(&back, bytes, len < 512 ? len : 512, frame);
        memcpy(frame, ethernet, sizeof(ethernet));
        for (size_t i = 1; i < len && i < frame_len; i++) {
            frame[i] ^= bytes[i];
        }
    } else {
        memcpy(frame, bytes, len);
    }
    if (!xdp_frame_open(&way, frame, frame_len, &message, &message_len) &&
        (message < frame || message + message_len > frame + frame_len)) {
        abort();
    }
    return 0;
}
