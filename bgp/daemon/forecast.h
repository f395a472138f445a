/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the network thinks of our flapping: the penalty routers have added up for a VIP if they damp
 * routes (RFC 2439), and how much is left until they suppress it, with the defaults that are common
 * and with those of RFC 7196. They count withdrawals as they see them, whoever wanted them; our own
 * damping (decide/damping) is configured and may be off. Pure; monotonic nanoseconds.
 */
#ifndef BGP_FORECAST_H
#define BGP_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "bgp/decide/damping.h"

#define FORECAST_SUPPRESS_USUAL 2000 /* a common router default */
#define FORECAST_SUPPRESS_7196 6000  /* RFC 7196 section 4: at least */

struct forecast {
    struct damping damping;
    bool announced; /* as last seen */
};

/* The VIP is announced now, or not. */
void forecast_see(struct forecast *forecast, bool announced, int64_t now_ns);

double forecast_penalty(const struct forecast *forecast, int64_t now_ns);

/* How many withdrawals more, all now, until a router that suppresses above `suppress` does. 0: it
 * does already, unless it has forgotten. */
unsigned forecast_left(const struct forecast *forecast, double suppress, int64_t now_ns);

/* For how long it would be suppressed after those. */
int64_t forecast_held_ns(const struct forecast *forecast, double suppress, int64_t now_ns);

#endif
