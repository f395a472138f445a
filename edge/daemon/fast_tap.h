/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Samples of the packets the kernel has seen, answered or not: for people, since nothing else on
 * the host sees what is answered there, and for counting which names are hot. Who looks has to ask
 * again and again: nothing is sampled for somebody who has gone. Control thread.
 */
#ifndef EDGE_FAST_TAP_H
#define EDGE_FAST_TAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xdp/xdp_publish.h"

struct fast_tapping;

/* Called for each sample as it is read. */
typedef void (*fast_tap_see)(void *context, const struct fast_tap *sample);

/* The path is borrowed. */
struct fast_tapping *fast_tapping_new(struct xdp_path *path, fast_tap_see see, void *context);
void fast_tapping_free(struct fast_tapping *tapping); /* NULL is allowed */

/* One packet in so many, for as long as it is so; 0: none. */
void fast_tapping_always(struct fast_tapping *tapping, uint32_t one_in);

/* Reads what there is, and ends what nobody looks at any more. */
void fast_tapping_run(struct fast_tapping *tapping, int64_t now_ns);

/* What `isochronectl xdp tap` asks again and again: options "rate" (one packet in so many) and
 * "since" (the number of the last sample it has; absent: none of those so far). NULL when out of
 * memory. */
json_t *fast_tapping_reply(struct fast_tapping *tapping, const json_t *options);

#endif
