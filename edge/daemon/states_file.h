/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where states live on disk: the operator's, which this program writes itself (JSON, replaced in
 * one step), and the fleet feed, which others write for us:
 *
 *   pops:
 *     fra: drain
 *     sin: {state: shed 30, reason: "link to SG-IX full", owner: noc, expires:
 * "2026-11-23T10:00:00Z"} ams/web: down force: true     # also when it leaves a service with nobody
 *
 * A file that cannot be read or is wrong changes nothing: the caller keeps what it had.
 */
#ifndef EDGE_STATES_FILE_H
#define EDGE_STATES_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/daemon/states.h"

#define STATES_FILE_MAX (16u << 20)

/* "NAME" or "NAME/SERVICE" into the entry. -EINVAL: empty or too long. */
int states_name_parse(const char *text, struct states_entry *entry);

/* "2026-11-23T10:00:00Z" or "2026-11-23 10:00:00" (UTC). 0 or -EINVAL. */
int states_time_parse(const char *text, int64_t *ret_wall_s);

/* `set_s` becomes the time the entries were made. The caller owns what is in *ret_source. */
int states_fleet_parse(const char *path, const uint8_t *bytes, size_t len, int64_t set_s,
                       struct states_source *ret_source, bool *ret_force, struct failure *failure);

/* Entries as JSON and back: a new reference, NULL when out of memory; -EINVAL naming the entry. */
json_t *states_json_write(const struct states_source *source);
int states_json_read(const json_t *entries, enum states_layer layer,
                     struct states_source *ret_source, struct failure *failure);

int states_operator_save(const char *path, const struct states_source *source,
                         struct failure *failure);

/* A missing file is an empty source. */
int states_operator_load(const char *path, struct states_source *ret_source,
                         struct failure *failure);

#endif
