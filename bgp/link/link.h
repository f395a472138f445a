/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the holder (it owns ExaBGP's pipe) and the brain (it decides) tell each other, one message
 * per packet of a SOCK_SEQPACKET socket pair. They may be of different versions of this program,
 * since a brain is replaced without its holder: every message carries LINK_VERSION, which changes
 * with any change of what follows it. Decoding checks every byte; it leaves its output in an
 * unspecified state if it fails.
 *
 *   brain -> holder   PLAN     once, first: what there is to hold, and how to look after it alone
 *                     FAILED   instead of PLAN: why there is none; text
 *                     WANTS    what is wanted of each VIP; each one renews the lease
 *                     RELOAD   please replace me by a new brain
 *   holder -> brain   STATUS   how things stand; the first one says: you lead now
 */
#ifndef BGP_LINK_H
#define BGP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "bgp/probe/dns_check.h"
#include "bgp/speak/speaker.h"

#define LINK_VERSION 1
#define LINK_FD 3 /* of the brain */
#define LINK_MESSAGE_MAX 98304
#define LINK_PATH_MAX 128
#define LINK_TEXT_MAX 1024

enum link_kind { LINK_PLAN, LINK_FAILED, LINK_WANTS, LINK_RELOAD, LINK_STATUS };

/* The probe by which the holder, left alone, finds out whether a VIP still answers at all. */
struct link_sentry {
    struct endpoint server;
    bool server_is_vip;
    int64_t interval_ns, retry_ns, timeout_ns;
    uint32_t fall, tries;
    bool tcp;
    struct dns_check check;
};

struct link_vip {
    struct prefix prefix;
    bool
        watched; /* false: it has no hard dns check, and is kept as it is while there is no brain */
    struct link_sentry sentry;
};

struct link_plan {
    int64_t lease_ns;
    struct exabgp_options exabgp;
    char lock[LINK_PATH_MAX]; /* held by the one process that may steer; "": none */
    size_t vips_n;
    struct link_vip vips[SPEAKER_ROUTES_MAX];
};

struct link_wants {
    size_t wants_n;
    struct want wants[SPEAKER_ROUTES_MAX];
};

/* Each writes at most LINK_MESSAGE_MAX bytes and gives their number. */
size_t link_encode_plan(const struct link_plan *plan, uint8_t ret_bytes[static LINK_MESSAGE_MAX]);
size_t link_encode_failed(const char *text, uint8_t ret_bytes[static LINK_MESSAGE_MAX]);
size_t link_encode_wants(const struct link_wants *wants,
                         uint8_t ret_bytes[static LINK_MESSAGE_MAX]);
size_t link_encode_reload(uint8_t ret_bytes[static LINK_MESSAGE_MAX]);
size_t link_encode_status(const struct speaker_status *status,
                          uint8_t ret_bytes[static LINK_MESSAGE_MAX]);

/* 0, -EPROTONOSUPPORT (another version) or -EBADMSG. */
int link_kind(const uint8_t *bytes, size_t len, enum link_kind *ret_kind);

/* Each for a message of its kind: 0 or -EBADMSG. */
int link_decode_plan(const uint8_t *bytes, size_t len, struct link_plan *ret_plan);
int link_decode_failed(const uint8_t *bytes, size_t len, char ret_text[static LINK_TEXT_MAX]);
int link_decode_wants(const uint8_t *bytes, size_t len, struct link_wants *ret_wants);
int link_decode_status(const uint8_t *bytes, size_t len, struct speaker_status *ret_status);

#endif
