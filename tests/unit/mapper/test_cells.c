/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/cells.h"

#include <string.h>

#include <criterion/criterion.h>

#define SAMPLES 60000u

static void sample_put(struct cells *cells, unsigned i)
{
    unsigned x = i * 2654435761u;
    const struct block client = {.hi = (uint64_t)(x % 3000) << 40,
                                 .family = (uint8_t)(x % 2),
                                 .len = (uint8_t)(x % 5 ? 24 : 20)};
    const struct block resolver = {.hi = (uint64_t)(x % 37 + 1) << 32, .family = 0, .len = 32};
    struct cell_slot *slot = cells_get(cells, &client, (uint8_t)(x % 7));

    cr_assert_not_null(slot);
    cr_assert_eq(sketch_add(&slot->sketch, 1 + x % 300, 1 + i % 2), 0);
    cr_assert_eq(cells_pair(cells, &resolver, &client, 1 + i % 2), 0);
}

static void expect_equal(const struct cell_table *a, const struct cell_table *b)
{
    cr_assert_eq(a->cell_n, b->cell_n);
    cr_assert_eq(a->block_n, b->block_n);
    cr_assert_eq(a->pair_n, b->pair_n);
    for (size_t i = 0; i < a->cell_n; i++) {
        cr_assert_eq(a->cell[i].pop, b->cell[i].pop);
        cr_assert_eq(a->cell[i].samples, b->cell[i].samples);
        cr_assert_float_eq(a->cell[i].rtt_ms, b->cell[i].rtt_ms, 0);
    }
    for (size_t i = 0; i < a->block_n; i++) {
        cr_assert_eq(block_compare(&a->block[i].block, &b->block[i].block), 0);
        cr_assert_eq(a->block[i].first_cell, b->block[i].first_cell);
        cr_assert_eq(a->block[i].demand, b->block[i].demand);
    }
    for (size_t i = 0; i < a->pair_n; i++) {
        cr_assert_eq(block_compare(&a->pair[i].resolver, &b->pair[i].resolver), 0);
        cr_assert_eq(a->pair[i].block, b->pair[i].block);
        cr_assert_eq(a->pair[i].weight, b->pair[i].weight);
    }
}

Test(cells, order_and_shards_change_nothing)
{
    struct cells *forward = cells_new();
    struct cells *shard[3] = {cells_new(), cells_new(), cells_new()};
    struct cell_table a;
    struct cell_table b;

    for (unsigned i = 0; i < SAMPLES; i++) {
        sample_put(forward, i);
        sample_put(shard[i % 100 == 0 ? 0 : 1 + i % 2], SAMPLES - 1 - i);
    }
    cr_assert_eq(cells_merge(shard[0], shard[1]), 0);
    cr_assert_eq(cells_merge(shard[0], shard[2]), 0);
    cells_free(shard[1]);
    cells_free(shard[2]);
    cr_assert_eq(cells_finish(forward, &a), 0);
    cr_assert_eq(cells_finish(shard[0], &b), 0);
    cr_assert_gt(a.block_n, 2000);
    expect_equal(&a, &b);
    cell_table_done(&a);
    cell_table_done(&b);
}

Test(cells, blocks_come_sorted_with_their_cells_by_pop)
{
    struct cells *cells = cells_new();
    uint64_t demand = 0;
    struct cell_table table;

    for (unsigned i = 0; i < SAMPLES; i++) {
        sample_put(cells, i);
        demand += 1 + i % 2;
    }
    cr_assert_eq(cells_finish(cells, &table), 0);
    for (size_t i = 0; i < table.block_n; i++) {
        const struct cell_block *block = &table.block[i];

        cr_assert(i == 0 || block_compare(&table.block[i - 1].block, &block->block) < 0);
        for (size_t c = 1; c < block->cell_n; c++) {
            cr_assert_lt(table.cell[block->first_cell + c - 1].pop,
                         table.cell[block->first_cell + c].pop);
        }
        demand -= block->demand;
    }
    cr_assert_eq(demand, 0);
    cell_table_done(&table);
}

Test(cells, a_cell_without_samples_leaves_no_trace)
{
    const struct block client = {.hi = UINT64_C(0x08080800) << 32, .family = 0, .len = 24};
    const struct block resolver = {.hi = UINT64_C(0x09090909) << 32, .family = 0, .len = 32};
    struct cells *cells = cells_new();
    struct cell_table table;

    cr_assert_not_null(cells_get(cells, &client, 3));
    cr_assert_eq(cells_pair(cells, &resolver, &client, 5), 0);
    cr_assert_eq(cells_finish(cells, &table), 0);
    cr_assert_eq(table.block_n, 0);
    cr_assert_eq(table.cell_n, 0);
    cr_assert_eq(table.pair_n, 0);
    cell_table_done(&table);
}
