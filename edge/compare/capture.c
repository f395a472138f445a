/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * draft-ietf-opsawg-pcap (classic) and draft-ietf-opsawg-pcapng, sections named at the code.
 */
#include "edge/compare/capture.h"

#include <endian.h>
#include <string.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define CLASSIC_HEADER_LEN 24
#define CLASSIC_RECORD_LEN 16

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 2u /* obsolete */
#define BLOCK_SIMPLE 3u
#define BLOCK_ENHANCED 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

static uint32_t get_u32(const struct capture *capture, const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return capture->big_endian ? be32toh(value) : le32toh(value);
}

static uint16_t get_u16(const struct capture *capture, const uint8_t *bytes)
{
    uint16_t value;

    memcpy(&value, bytes, sizeof(value));
    return capture->big_endian ? be16toh(value) : le16toh(value);
}

/* The byte order in which the first four bytes are a classic magic, or false. */
static bool classic_order(const uint8_t *bytes, bool *ret_big_endian)
{
    for (int big = 0; big < 2; big++) {
        const struct capture probe = {.big_endian = big};
        const uint32_t magic = get_u32(&probe, bytes);

        if (magic == MAGIC_US || magic == MAGIC_NS) {
            *ret_big_endian = big;
            return true;
        }
    }
    return false;
}

bool capture_is(const uint8_t *bytes, size_t len)
{
    const struct capture probe = {0};
    bool big_endian;

    return len >= 4 &&
           (get_u32(&probe, bytes) == BLOCK_SECTION || classic_order(bytes, &big_endian));
}

/* pcap section 4. */
static enum capture_status classic_header(struct capture *capture, const uint8_t *bytes, size_t len,
                                          size_t *ret_consumed)
{
    if (len < CLASSIC_HEADER_LEN) {
        return CAPTURE_MORE;
    }
    capture->format = CAPTURE_CLASSIC;
    capture->link_n = 1;
    capture->links[0] = (uint16_t)get_u32(capture, bytes + 20); /* above: FCS and reserved bits */
    *ret_consumed = CLASSIC_HEADER_LEN;
    return CAPTURE_SKIP;
}

/* pcap section 5. */
static enum capture_status classic_record(const struct capture *capture, const uint8_t *bytes,
                                          size_t len, size_t *ret_consumed,
                                          struct capture_frame *ret_frame)
{
    uint32_t frame_len;

    if (len < CLASSIC_RECORD_LEN) {
        return CAPTURE_MORE;
    }
    frame_len = get_u32(capture, bytes + 8);
    if (frame_len > CAPTURE_RECORD_MAX) {
        return CAPTURE_BROKEN;
    }
    if (len - CLASSIC_RECORD_LEN < frame_len) {
        return CAPTURE_MORE;
    }
    *ret_frame = (struct capture_frame){
        .bytes = bytes + CLASSIC_RECORD_LEN, .len = frame_len, .link = capture->links[0]};
    *ret_consumed = CLASSIC_RECORD_LEN + frame_len;
    return CAPTURE_FRAME;
}

/* The frame of a packet block: `fixed` bytes of header, then as much as it says, if it is there. */
static enum capture_status ng_frame(const struct capture *capture, uint32_t interface,
                                    const uint8_t *body, size_t body_len, size_t fixed,
                                    uint32_t frame_len, struct capture_frame *ret_frame)
{
    if (interface >= capture->link_n || interface >= CAPTURE_INTERFACES_MAX) {
        return CAPTURE_SKIP; /* an interface nobody described, or one too many */
    }
    if (frame_len > body_len - fixed) {
        return CAPTURE_BROKEN;
    }
    *ret_frame = (struct capture_frame){
        .bytes = body + fixed, .len = frame_len, .link = capture->links[interface]};
    return CAPTURE_FRAME;
}

/* pcapng sections 4.2 to 4.4; `body` is the block without its type and lengths. */
static enum capture_status ng_block(struct capture *capture, uint32_t type, const uint8_t *body,
                                    size_t len, struct capture_frame *ret_frame)
{
    if (type == BLOCK_INTERFACE && len >= 8) {
        if (capture->link_n < CAPTURE_INTERFACES_MAX) {
            capture->links[capture->link_n] = get_u16(capture, body);
        }
        capture->link_n += capture->link_n < UINT32_MAX;
        return CAPTURE_SKIP;
    }
    if (type == BLOCK_ENHANCED && len >= 20) {
        return ng_frame(capture, get_u32(capture, body), body, len, 20, get_u32(capture, body + 12),
                        ret_frame);
    }
    if (type == BLOCK_PACKET && len >= 20) {
        return ng_frame(capture, get_u16(capture, body), body, len, 20, get_u32(capture, body + 12),
                        ret_frame);
    }
    if (type == BLOCK_SIMPLE && len >= 4) { /* as much as the block holds; perhaps less than was */
        const uint32_t wire_len = get_u32(capture, body);
        const uint32_t held = (uint32_t)(len - 4);

        return ng_frame(capture, 0, body, len, 4, wire_len < held ? wire_len : held, ret_frame);
    }
    return CAPTURE_SKIP;
}

/* pcapng section 3.1. */
static enum capture_status ng_next(struct capture *capture, const uint8_t *bytes, size_t len,
                                   size_t *ret_consumed, struct capture_frame *ret_frame)
{
    uint32_t type;
    uint32_t block_len;

    if (len < 12) {
        return CAPTURE_MORE;
    }
    type = get_u32(capture, bytes);
    if (type == BLOCK_SECTION) { /* reads alike in both orders; says which one follows */
        capture->big_endian = false;
        if (get_u32(capture, bytes + 8) != BYTE_ORDER_MAGIC) {
            capture->big_endian = true;
            if (get_u32(capture, bytes + 8) != BYTE_ORDER_MAGIC) {
                return CAPTURE_BROKEN;
            }
        }
        capture->link_n = 0; /* interfaces belong to their section */
    }
    block_len = get_u32(capture, bytes + 4);
    if (block_len < 12 || block_len % 4 || block_len > CAPTURE_RECORD_MAX) {
        return CAPTURE_BROKEN;
    }
    if (len < block_len) {
        return CAPTURE_MORE;
    }
    *ret_consumed = block_len;
    return type == BLOCK_SECTION ? CAPTURE_SKIP
                                 : ng_block(capture, type, bytes + 8, block_len - 12, ret_frame);
}

enum capture_status capture_next(struct capture *capture, const uint8_t *bytes, size_t len,
                                 size_t *ret_consumed, struct capture_frame *ret_frame)
{
    if (capture->format == CAPTURE_UNKNOWN) {
        if (len < 4) {
            return CAPTURE_MORE;
        }
        if (classic_order(bytes, &capture->big_endian)) {
            return classic_header(capture, bytes, len, ret_consumed);
        }
        if (!capture_is(bytes, len)) {
            return CAPTURE_BROKEN;
        }
        capture->format = CAPTURE_NG;
    }
    return capture->format == CAPTURE_CLASSIC
               ? classic_record(capture, bytes, len, ret_consumed, ret_frame)
               : ng_next(capture, bytes, len, ret_consumed, ret_frame);
}
