/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From runs of equal records to a lookup table as lookup_core.h reads it: a run-compressed trie
 * whose nodes are packed into 4096-byte blocks and stored once each. Equal runs give equal bytes.
 */
#ifndef MAPS_TABLE_BUILDER_H
#define MAPS_TABLE_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/image_abi.h"
#include "maps/image_writer.h"

/* Whole blocks, zero where nothing is stored; owned, freed by table_done(). */
struct table {
    uint8_t *bytes;
    uint8_t *flat; /* per block: 1 when it holds flat words only, not nodes */
    uint32_t block_n;
    uint64_t len;    /* bytes in use */
    uint64_t item_n; /* disjoint blocks described */
    uint32_t run_n;  /* after merging equal neighbours */
};

/* `runs` as image_builder_add_table() takes them, already checked. A single run keeps depth 0 only
 * with `whole`. -ENOMEM, or -EFBIG when child offsets run out of bits. On failure *ret_table is
 * empty. */
int table_build(const struct image_run *runs, size_t run_n, enum map_family family, bool whole,
                struct table *ret_table);

/* Replaces the record id of every leaf: in file order, `remap` is asked for each id that is a real
 * record. */
typedef uint32_t (*table_remap_record)(void *context, uint32_t record);
void table_remap(struct table *table, table_remap_record remap, void *context);

void table_done(struct table *table);

#endif
