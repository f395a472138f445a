/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an operator sees: the state of every VIP, and why one is as it is. Answers the verbs of the
 * control socket:
 *
 *   {"verb": "vip status"}   {"verb": "vip why", "vip": "192.0.2.53"}
 *   {"verb": "vip", "arguments": ["why", "192.0.2.53/32"]}      (as isochronectl sends it)
 *
 * with {"ok": true, "text": "for people", "data": {"for": "programs"}} or {"ok": false, "errors":
 * ["reason"]}.
 */
#ifndef BGP_REPORT_H
#define BGP_REPORT_H

#include <stdint.h>

#include <jansson.h>

#include "bgp/daemon/announcer.h"

/* Never fails: without memory the reply is NULL. The caller owns the reference. */
json_t *report_answer(const struct announcer *announcer, const json_t *request, int64_t now_ns);

/* "announced", "announcing", "no session", "withdrawn", "withdrawing", "taken over". */
const char *report_vip_state(const struct announcer *announcer, size_t vip);

#endif
