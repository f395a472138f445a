/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A walk over every network of an MMDB file in address order (libmaxminddb has lookups only). A
 * hostile tree costs no more than a few visits per node it claims to have: cycles, shared subtrees
 * and depths beyond the address are refused.
 */
#ifndef MAPPER_MMDB_WALK_H
#define MAPPER_MMDB_WALK_H

#include <maxminddb.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/key.h"

/* A network of `len` bits at `first`. `entry` is its data, NULL where the file has none. 0 to go
 * on. */
typedef int (*mmdb_visit)(void *context, struct map_key first, unsigned len, MMDB_entry_s *entry);

/* One family of the file; nothing is visited if the file has none. In a combined tree the IPv4
 * networks are those below
 * ::/96, and its aliases in other IPv6 ranges are skipped. -EINVAL for a corrupt tree. */
int mmdb_walk(const MMDB_s *mmdb, const char *path, enum map_family family, mmdb_visit visit,
              void *context, struct failure *failure);

#endif
