/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What can be asked of a running isochrone-bgp over its control socket:
 *
 *   {"verb": "vip", "arguments": ["drain", "192.0.2.53/32"], "options": {"for": "2h", ...}}
 *   {"verb": "vip status"}   {"verb": "vip why", "vip": "192.0.2.53"}
 *
 * status [VIPS], why VIP, history [VIPS], and drain, withdraw, announce, auto VIPS; VIPS may be a
 * glob, or "all".
 */
#ifndef BGP_VERBS_H
#define BGP_VERBS_H

#include <jansson.h>

#include "bgp/daemon/announcer.h"
#include "bgp/daemon/books.h"

/* The caller owns the reply; NULL without memory. `books` may be NULL. */
json_t *verbs_answer(struct announcer *announcer, const struct books *books, const json_t *request,
                     int64_t now_ns);

#endif
