/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Packet captures, the classic pcap format and pcapng, as frames. Written for bytes that arrive
 * bit by bit: libpcap reads only files that are complete, and gives up in the middle of a record
 * that is still being written. Nothing is owned.
 */
#ifndef EDGE_COMPARE_CAPTURE_H
#define EDGE_COMPARE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_INTERFACES_MAX 64
#define CAPTURE_RECORD_MAX ((size_t)512 << 10)

enum capture_format {
    CAPTURE_UNKNOWN, /* nothing was read yet */
    CAPTURE_CLASSIC,
    CAPTURE_NG,
};

struct capture {
    enum capture_format format;
    bool big_endian; /* the numbers in it */
    uint16_t links[CAPTURE_INTERFACES_MAX];
    uint32_t link_n;
};

struct capture_frame {
    const uint8_t *bytes; /* into what capture_next() was given */
    size_t len;           /* may be less than was on the wire */
    uint16_t link;        /* LINKTYPE_ value */
};

enum capture_status {
    CAPTURE_FRAME,
    CAPTURE_SKIP, /* something that holds no frame */
    CAPTURE_MORE, /* bytes are missing */
    CAPTURE_BROKEN,
};

/* Do these bytes (at least 4) start a capture? */
bool capture_is(const uint8_t *bytes, size_t len);

/* Reads at most one record or block; *ret_consumed bytes are done with unless CAPTURE_MORE or
 * CAPTURE_BROKEN. */
enum capture_status capture_next(struct capture *capture, const uint8_t *bytes, size_t len,
                                 size_t *ret_consumed, struct capture_frame *ret_frame);

#endif
