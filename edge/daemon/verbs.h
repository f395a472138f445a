/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What isochronectl can ask of a running server. Runs on the control thread.
 */
#ifndef EDGE_VERBS_H
#define EDGE_VERBS_H

#include <jansson.h>

/* A control_handler; `context` is the struct server. */
json_t *verbs_handle(void *context, const json_t *request);

#endif
