/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The measurements, aggregated: a sketch per (client block, PoP), and how often a resolver asked
 * for which client block. Filled by one thread each and merged; what comes out depends on neither
 * order nor sharding. Finished, it becomes sorted arrays and the sketches are gone.
 */
#ifndef MAPPER_CELLS_H
#define MAPPER_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "mapper/samples.h"
#include "mapper/sketch.h"

#define CELL_FLOOR_UNKNOWN UINT16_MAX

/* One slot of the table of (client block, PoP). */
struct cell_slot {
    uint64_t hi;
    struct sketch sketch;
    uint16_t floor_ticks; /* no RTT below is possible, 0.1 ms; CELL_FLOOR_UNKNOWN until the caller
                             found out */
    uint8_t family;
    uint8_t len; /* 0: the slot is free (no block is that short) */
    uint8_t pop;
    uint8_t reserved[3];
};

struct cells;

struct cells *cells_new(void); /* NULL when out of memory */
void cells_free(struct cells *cells);

/* The slot of a cell, which is created if need be; valid until the next call. NULL when out of
 * memory. */
struct cell_slot *cells_get(struct cells *cells, const struct block *client, uint8_t pop);

/* Counts `weight` samples of the client that came through the resolver. -ENOMEM. */
int cells_pair(struct cells *cells, const struct block *resolver, const struct block *client,
               uint32_t weight);

/* Adds everything in `from`, which is empty afterwards. -ENOMEM. */
int cells_merge(struct cells *into, struct cells *from);

/* A measured (block, PoP). */
struct cell {
    float rtt_ms;     /* the statistic: p25 */
    uint32_t samples; /* saturated */
    uint8_t pop;
};

/* A measured client block; its cells lie together, by PoP. */
struct cell_block {
    struct block block;
    uint32_t first_cell;
    uint16_t cell_n;
    uint64_t demand; /* samples of all its PoPs */
};

struct cell_pair {
    struct block resolver;
    uint32_t block; /* index of the client block */
    uint32_t weight;
};

struct cell_table {
    struct cell *cell;
    size_t cell_n;
    struct cell_block *block; /* by family, first address, length */
    size_t block_n;
    struct cell_pair *pair; /* by resolver, then block */
    size_t pair_n;
};

/* Turns cells into a table and frees `cells`, whatever comes out. -ENOMEM. */
int cells_finish(struct cells *cells, struct cell_table *ret_table);
void cell_table_done(struct cell_table *table);

int block_compare(const struct block *a, const struct block *b);

#endif
