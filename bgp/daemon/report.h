/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an operator sees: how every VIP stands, why one is as it is, and what happened. Each gives a
 * reply of the control socket, {"ok": true, "text": "for people", "data": {"for": "programs"}} or
 * {"ok": false, "errors": ["reason"]}, which the caller owns; NULL without memory.
 */
#ifndef BGP_REPORT_H
#define BGP_REPORT_H

#include <stdint.h>

#include <jansson.h>

#include "bgp/daemon/announcer.h"
#include "bgp/daemon/books.h"

struct view {
    const struct announcer *announcer;
    const struct books *books; /* may be NULL */
    int64_t now_ns;
};

/* `vips` is a pattern as of override_names(); NULL: all. */
json_t *report_status(const struct view *view, const char *vips);

/* One VIP, as of override_names(); NULL if there is but one. */
json_t *report_why(const struct view *view, const char *vip);

/* The last `count` changes that concern these VIPs, oldest first. */
json_t *report_history(const struct view *view, const char *vips, size_t count);

/* "announced", "announcing", "no session", "withdrawn", "withdrawing", "taken over". */
const char *report_vip_state(const struct announcer *announcer, size_t vip);

#endif
