/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two open-addressing tables with linear probing, grown at 70 %. Keys come from operators' logs,
 * but a client may choose its IPv6 address; a multiplicative mix of the whole key is enough against
 * clustering, and the tables are short-lived.
 */
#include "mapper/cells.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_FIRST_SLOTS ((size_t)1 << 12)
/* The first quartile moves least between builds and loses nothing. */
#define CELLS_QUANTILE 0.25

struct pair_slot {
    uint64_t resolver_hi;
    uint64_t client_hi;
    uint32_t weight; /* 0: free */
    uint8_t resolver_family;
    uint8_t client_family;
    uint8_t client_len;
    uint8_t reserved;
};

struct cells {
    struct cell_slot *slot;
    size_t slot_n; /* a power of two */
    size_t used;
    struct pair_slot *pair;
    size_t pair_n;
    size_t pair_used;
};

static uint64_t hash_mix(uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;

    hash = (hash ^ hash >> 29 ^ b) * 0x94d049bb133111ebu;
    return hash ^ hash >> 32;
}

struct cells *cells_new(void)
{
    struct cells *cells = calloc(1, sizeof(*cells));

    if (!cells) {
        return NULL;
    }
    cells->slot_n = CELLS_FIRST_SLOTS;
    cells->pair_n = CELLS_FIRST_SLOTS;
    cells->slot = calloc(cells->slot_n, sizeof(*cells->slot));
    cells->pair = calloc(cells->pair_n, sizeof(*cells->pair));
    if (!cells->slot || !cells->pair) {
        cells_free(cells);
        return NULL;
    }
    return cells;
}

void cells_free(struct cells *cells)
{
    if (!cells) {
        return;
    }
    for (size_t i = 0; i < cells->slot_n && cells->slot; i++) {
        sketch_done(&cells->slot[i].sketch);
    }
    free(cells->slot);
    free(cells->pair);
    free(cells);
}

static struct cell_slot *slot_find(struct cell_slot *slots, size_t n, const struct block *client,
                                   uint8_t pop)
{
    uint64_t hash =
        hash_mix(client->hi, (uint64_t)pop << 16 | (uint64_t)client->len << 8 | client->family);

    for (;; hash++) {
        struct cell_slot *slot = &slots[hash & (n - 1)];

        if (slot->len == 0 || (slot->hi == client->hi && slot->pop == pop &&
                               slot->len == client->len && slot->family == client->family)) {
            return slot;
        }
    }
}

static int slots_grow(struct cells *cells, size_t n)
{
    struct cell_slot *slots = calloc(n, sizeof(*slots));

    if (!slots) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < cells->slot_n; i++) {
        const struct cell_slot *slot = &cells->slot[i];
        const struct block client = {slot->hi, slot->family, slot->len};

        if (slot->len) {
            *slot_find(slots, n, &client, slot->pop) = *slot;
        }
    }
    free(cells->slot);
    cells->slot = slots;
    cells->slot_n = n;
    return 0;
}

struct cell_slot *cells_get(struct cells *cells, const struct block *client, uint8_t pop)
{
    struct cell_slot *slot;

    if (cells->used * 10 >= cells->slot_n * 7 && slots_grow(cells, cells->slot_n * 2) != 0) {
        return NULL;
    }
    slot = slot_find(cells->slot, cells->slot_n, client, pop);
    if (slot->len == 0) {
        slot->hi = client->hi;
        slot->family = client->family;
        slot->len = client->len;
        slot->pop = pop;
        slot->floor_ticks = CELL_FLOOR_UNKNOWN;
        cells->used++;
    }
    return slot;
}

static struct pair_slot *pair_find(struct pair_slot *pairs, size_t n, const struct pair_slot *key)
{
    uint64_t hash = hash_mix(key->resolver_hi ^ key->client_hi * 0x9e3779b97f4a7c15u,
                             (uint64_t)key->client_len << 16 | (uint64_t)key->resolver_family << 8 |
                                 key->client_family);

    for (;; hash++) {
        struct pair_slot *slot = &pairs[hash & (n - 1)];

        if (slot->weight == 0 ||
            (slot->resolver_hi == key->resolver_hi && slot->client_hi == key->client_hi &&
             slot->resolver_family == key->resolver_family &&
             slot->client_family == key->client_family && slot->client_len == key->client_len)) {
            return slot;
        }
    }
}

static int pairs_grow(struct cells *cells, size_t n)
{
    struct pair_slot *pairs = calloc(n, sizeof(*pairs));

    if (!pairs) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < cells->pair_n; i++) {
        if (cells->pair[i].weight) {
            *pair_find(pairs, n, &cells->pair[i]) = cells->pair[i];
        }
    }
    free(cells->pair);
    cells->pair = pairs;
    cells->pair_n = n;
    return 0;
}

static int pair_add(struct cells *cells, const struct pair_slot *key)
{
    struct pair_slot *slot;

    if (cells->pair_used * 10 >= cells->pair_n * 7 && pairs_grow(cells, cells->pair_n * 2) != 0) {
        return -ENOMEM;
    }
    slot = pair_find(cells->pair, cells->pair_n, key);
    if (slot->weight == 0) {
        *slot = *key;
        cells->pair_used++;
        return 0;
    }
    slot->weight =
        slot->weight > UINT32_MAX - key->weight ? UINT32_MAX : slot->weight + key->weight;
    return 0;
}

int cells_pair(struct cells *cells, const struct block *resolver, const struct block *client,
               uint32_t weight)
{
    const struct pair_slot key = {.resolver_hi = resolver->hi,
                                  .client_hi = client->hi,
                                  .weight = weight,
                                  .resolver_family = resolver->family,
                                  .client_family = client->family,
                                  .client_len = client->len};

    return weight ? pair_add(cells, &key) : 0;
}

/* `from` is visited in the order of its hashes. Put into a smaller table in that order, entries
 * would all crowd at one place and each would search past the others; so the target is made as
 * large first. */
static int merge_prepare(struct cells *into, const struct cells *from)
{
    if (into->slot_n < from->slot_n && slots_grow(into, from->slot_n) != 0) {
        return -ENOMEM;
    }
    while ((into->used + from->used) * 10 >= into->slot_n * 7) {
        if (slots_grow(into, into->slot_n * 2) != 0) {
            return -ENOMEM;
        }
    }
    if (into->pair_n < from->pair_n && pairs_grow(into, from->pair_n) != 0) {
        return -ENOMEM;
    }
    while ((into->pair_used + from->pair_used) * 10 >= into->pair_n * 7) {
        if (pairs_grow(into, into->pair_n * 2) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

int cells_merge(struct cells *into, struct cells *from)
{
    if (merge_prepare(into, from) != 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < from->slot_n; i++) {
        struct cell_slot *slot = &from->slot[i];
        const struct block client = {slot->hi, slot->family, slot->len};
        struct cell_slot *target;

        if (slot->len == 0) {
            continue;
        }
        target = cells_get(into, &client, slot->pop);
        if (!target || sketch_merge(&target->sketch, &slot->sketch) != 0) {
            return -ENOMEM;
        }
        sketch_done(&slot->sketch);
        slot->len = 0;
    }
    from->used = 0;
    for (size_t i = 0; i < from->pair_n; i++) {
        if (from->pair[i].weight && pair_add(into, &from->pair[i]) != 0) {
            return -ENOMEM;
        }
        from->pair[i].weight = 0;
    }
    from->pair_used = 0;
    return 0;
}

int block_compare(const struct block *a, const struct block *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    if (a->hi != b->hi) {
        return a->hi < b->hi ? -1 : 1;
    }
    return a->len < b->len ? -1 : a->len > b->len;
}

static int slot_order(const void *left, const void *right)
{
    const struct cell_slot *a = left;
    const struct cell_slot *b = right;
    const struct block x = {a->hi, a->family, a->len};
    const struct block y = {b->hi, b->family, b->len};
    int order = block_compare(&x, &y);

    return order ? order : a->pop - b->pop;
}

/* Moves the slots that hold samples to the front and sorts them. */
static size_t slots_compact(struct cells *cells)
{
    size_t n = 0;

    for (size_t i = 0; i < cells->slot_n; i++) {
        struct cell_slot slot = cells->slot[i];

        if (slot.len && sketch_count(&slot.sketch)) {
            cells->slot[i].sketch = (struct sketch){0};
            cells->slot[n++] = slot;
        } else {
            sketch_done(&cells->slot[i].sketch);
        }
    }
    if (n) {
        qsort(cells->slot, n, sizeof(*cells->slot), slot_order);
    }
    return n;
}

static void slot_finish(struct cell_slot *slot, struct cell_table *table)
{
    const struct block block = {slot->hi, slot->family, slot->len};
    uint64_t samples = sketch_count(&slot->sketch);
    struct cell_block *last = table->block_n ? &table->block[table->block_n - 1] : NULL;

    if (!last || block_compare(&last->block, &block) != 0) {
        last = &table->block[table->block_n++];
        *last = (struct cell_block){.block = block, .first_cell = (uint32_t)table->cell_n};
    }
    last->cell_n++;
    last->demand += samples;
    table->cell[table->cell_n++] =
        (struct cell){.rtt_ms = (float)sketch_quantile(&slot->sketch, CELLS_QUANTILE),
                      .samples = samples > UINT32_MAX ? UINT32_MAX : (uint32_t)samples,
                      .pop = slot->pop};
    sketch_done(&slot->sketch);
}

static int pair_order(const void *left, const void *right)
{
    const struct cell_pair *a = left;
    const struct cell_pair *b = right;
    int order = block_compare(&a->resolver, &b->resolver);

    if (order) {
        return order;
    }
    return a->block < b->block ? -1 : a->block > b->block;
}

static size_t block_find(const struct cell_table *table, const struct block *block)
{
    size_t low = 0;
    size_t high = table->block_n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (block_compare(&table->block[middle].block, block) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < table->block_n && block_compare(&table->block[low].block, block) == 0 ? low
                                                                                       : SIZE_MAX;
}

static int pairs_finish(const struct cells *cells, struct cell_table *table)
{
    table->pair = calloc(cells->pair_used ? cells->pair_used : 1, sizeof(*table->pair));
    if (!table->pair) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < cells->pair_n; i++) {
        const struct pair_slot *slot = &cells->pair[i];
        const struct block client = {slot->client_hi, slot->client_family, slot->client_len};
        size_t block = slot->weight ? block_find(table, &client) : SIZE_MAX;

        if (block != SIZE_MAX) {
            table->pair[table->pair_n++] =
                (struct cell_pair){.resolver = {slot->resolver_hi, slot->resolver_family,
                                                slot->resolver_family == MAP_FAMILY_IPV4 ? 32 : 64},
                                   .block = (uint32_t)block,
                                   .weight = slot->weight};
        }
    }
    if (table->pair_n) {
        qsort(table->pair, table->pair_n, sizeof(*table->pair), pair_order);
    }
    return 0;
}

int cells_finish(struct cells *cells, struct cell_table *ret_table)
{
    struct cell_table table = {0};
    size_t n = slots_compact(cells);
    int err = -ENOMEM;

    table.cell = calloc(n ? n : 1, sizeof(*table.cell));
    table.block = calloc(n ? n : 1, sizeof(*table.block));
    if (table.cell && table.block) {
        for (size_t i = 0; i < n; i++) {
            slot_finish(&cells->slot[i], &table);
        }
        err = pairs_finish(cells, &table);
    }
    cells_free(cells);
    if (err) {
        cell_table_done(&table);
        return err;
    }
    *ret_table = table;
    return 0;
}

void cell_table_done(struct cell_table *table)
{
    free(table->cell);
    free(table->block);
    free(table->pair);
    *table = (struct cell_table){0};
}
