/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What ExaBGP 4.2 writes to an API process with `encoder json`: JSON events, replies to commands
 * and the lines of `show` commands, all mixed on one pipe and told apart only by their looks. Pure;
 * every byte is hostile.
 */
#ifndef BGP_EXABGP_LINE_H
#define BGP_EXABGP_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "bgp/speak/route.h"

#define EXABGP_LINE_LEN 8192 /* longer lines are dropped whole */
#define EXABGP_DETAIL_LEN 128

enum exabgp_line_kind {
    EXABGP_LINE_OTHER,
    EXABGP_LINE_DONE,
    EXABGP_LINE_ERROR,
    EXABGP_LINE_SUMMARY_HEADER, /* first line of `show neighbor summary` */
    EXABGP_LINE_SUMMARY_PEER,   /* an established session; `peer` */
    EXABGP_LINE_VERSION,        /* "exabgp 4.2.21"; `detail` = what follows the name */
    EXABGP_LINE_RIB_ROUTE,      /* a line of `show adj-rib out extensive`; `peer`, `prefix` and
                                   `attributes` */
    EXABGP_LINE_SESSION,        /* event; `peer`, `session`, `detail` = reason of a down */
    EXABGP_LINE_SHUTDOWN,       /* event: ExaBGP is about to stop */
    EXABGP_LINE_EVENT,          /* another event */
    EXABGP_LINE_BAD_EVENT,      /* starts like an event and is none */
};

enum exabgp_session {
    EXABGP_SESSION_DOWN,
    EXABGP_SESSION_CONNECTED, /* TCP only: nothing can be announced yet */
    EXABGP_SESSION_UP,
};

struct exabgp_line {
    enum exabgp_line_kind kind;
    enum exabgp_session session;
    struct address peer;
    struct prefix prefix;
    bool attributes_read; /* false: they are none that we could have sent */
    struct route_attributes attributes;
    char detail[EXABGP_DETAIL_LEN];
};

/* `text` is one line without its newline; it need not be terminated and may hold any byte. */
void exabgp_line_parse(const char *text, size_t len, struct exabgp_line *ret_line);

#endif
