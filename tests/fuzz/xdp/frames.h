/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Frames for tests, put together and taken apart byte by byte, without the code they test.
 */
#ifndef TESTS_FUZZ_XDP_FRAMES_H
#define TESTS_FUZZ_XDP_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define FRAME_MAX 2048u

struct frame {
    uint8_t bytes[FRAME_MAX];
    size_t len;
};

struct frame_spec {
    struct endpoint source;
    struct endpoint destination; /* of the same family */
    int vlan;                    /* -1: no tag, else the tag's two bytes */
    uint32_t padding;            /* behind the packet */
    bool no_checksum;            /* the UDP checksum field is 0 */
};

/* "192.0.2.7@4711" */
struct endpoint frame_endpoint(const char *text);

void frame_build(const struct frame_spec *spec, const uint8_t *message, size_t message_len,
                 struct frame *ret_frame);

/* Recomputes what was changed by hand. */
void frame_fix_ipv4_sum(uint8_t *ip);

/* A frame that an answer is: no options, one tag or none, all lengths and checksums right, nothing
 * behind it but zeroes up to 60 bytes. NULL, or what is wrong. */
const char *frame_parse(const uint8_t *bytes, size_t len, struct frame_spec *ret_spec,
                        const uint8_t **ret_message, size_t *ret_message_len);

/* To the MAC address that the query came from. */
bool frame_goes_back(const uint8_t *bytes, const struct frame *query);

/* Header, question and options of a query; returns its length. `name` in presentation form. */
struct query_spec {
    const char *name;
    uint16_t qtype;
    uint16_t flags;
    uint16_t id;
    bool edns;
    uint16_t udp_size;
    bool dnssec_ok;
    const uint8_t *options;
    size_t options_len;
};

size_t query_build(const struct query_spec *spec, uint8_t *ret_message);

/* Appends an option; returns the new length. */
size_t option_add(uint8_t *options, size_t at, uint16_t code, const void *data, size_t len);

#endif
