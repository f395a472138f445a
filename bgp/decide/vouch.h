/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A probe that gets no answer while real clients do is a lost probe: under overload that is the
 * normal case, and withdrawing would only move the load to the next PoP. So a check may be vouched
 * for by one that watches the traffic: then its silence says nothing (UNKNOWN), and degrades. A
 * wrong answer is wrong however many clients get it, so only silence is covered. Pure.
 *
 * Growth shows from one look to the next. After a start, and after probes could not be made,
 * silence says nothing before there were two, and one pass is enough: to wait for a row would have
 * the checks judge what nobody could vouch for.
 */
#ifndef BGP_VOUCH_H
#define BGP_VOUCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bgp/decide/health.h"

/* `traffic` must have passed last, be no older than `fresh_ns`, and not be down. */
bool vouch_covers(const struct health *traffic, int64_t fresh_ns, int64_t now_ns);

/* It has not looked twice since it had `blind_n` observations. */
bool vouch_waits(const struct health *traffic, uint64_t blind_n);

#endif
