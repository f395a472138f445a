/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `isochronectl xdp tap`: prints packets that the kernel has sampled, or writes them as a capture.
 */
#ifndef EDGE_COMPARE_TAP_COMMAND_H
#define EDGE_COMPARE_TAP_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

/* Asks once: borrows the request, returns the reply or NULL after saying why. */
typedef json_t *(*tap_ask)(const char *path, json_t *request);

/* `options`: rate, count, pcap. Returns the exit status: after `count` samples, or when nobody
 * answers any more. */
int tap_command(tap_ask ask, const char *path, const json_t *options, bool as_json);

#endif
