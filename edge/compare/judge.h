/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What two servers sent back for one question, over UDP and, where that was cut short, over TCP:
 * in what do they differ? Pure.
 */
#ifndef EDGE_COMPARE_JUDGE_H
#define EDGE_COMPARE_JUDGE_H

#include <stdbool.h>

#include "edge/compare/difference.h"

struct exchange;

/* Both exchanges are done. `fold`: names by value, not by letter. Adds to *ret_difference, which
 * the caller zeroed and frees with difference_done(). False: neither of them answered, which is no
 * difference, but no proof of anything either. */
bool judge(struct difference *ret_difference, const struct difference_rules *rules, bool fold,
           const struct exchange *old_exchange, const struct exchange *new_exchange);

#endif
