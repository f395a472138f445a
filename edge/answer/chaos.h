/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names of class CHAOS that tell who answers (RFC 4892) and what it serves.
 */
#ifndef EDGE_CHAOS_H
#define EDGE_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_key;
struct snapshot;

#define CHAOS_RDATA_MAX 512

/* Writes the TXT RDATA of a CHAOS name: id.server., hostname.bind., version.server., version.bind.
 * and generation.isochrone. Returns its length, 0 for every other name and for what is configured
 * away. `now_wall_s` 0: the age is left out. */
size_t chaos_text(const struct snapshot *snapshot, const struct name_key *name, int64_t now_wall_s,
                  uint8_t ret_rdata[static CHAOS_RDATA_MAX]);

#endif
