/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finds equal content that was stored before: hash -> 32-bit values, open addressing. It does not
 * know the content; the caller compares the candidates it is offered.
 *
 *     uint64_t place = content_index_start(&index, hash);
 *     while (content_index_next(&index, hash, &place, &value)) {
 *         if (equal(value)) { return value; }
 *     }
 *     error = content_index_add(&index, hash, new_value);
 */
#ifndef MAPS_CONTENT_INDEX_H
#define MAPS_CONTENT_INDEX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct content_index_slot {
    uint32_t hash; /* 0: free */
    uint32_t value;
};

/* Zeroed is empty. Free `slots` with free(). */
struct content_index {
    struct content_index_slot *slots;
    uint64_t slot_n; /* a power of two, or 0 */
    uint64_t used;
};

/* Over whole 64-bit words. */
static inline uint32_t content_hash(const uint64_t *words, size_t word_n)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL;

    for (size_t i = 0; i < word_n; i++) {
        hash = (hash ^ words[i]) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash | 1u; /* never the mark of a free slot */
}

static inline uint64_t content_index_start(const struct content_index *index, uint32_t hash)
{
    return index->slot_n ? (hash >> 1) & (index->slot_n - 1) : 0;
}

/* The next value that was added with this hash; false when there is none left. */
static inline bool content_index_next(const struct content_index *index, uint32_t hash,
                                      uint64_t *place, uint32_t *ret_value)
{
    if (!index->slot_n) {
        return false;
    }
    while (index->slots[*place].hash) {
        const struct content_index_slot *slot = &index->slots[*place];

        *place = (*place + 1) & (index->slot_n - 1);
        if (slot->hash == hash) {
            *ret_value = slot->value;
            return true;
        }
    }
    return false;
}

static inline int content_index_grow(struct content_index *index)
{
    uint64_t slot_n = index->slot_n ? index->slot_n * 2 : 1024;
    struct content_index_slot *slots = calloc(slot_n, sizeof(*slots));

    if (!slots) {
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < index->slot_n; i++) {
        if (index->slots[i].hash) {
            uint64_t place = (index->slots[i].hash >> 1) & (slot_n - 1);

            while (slots[place].hash) {
                place = (place + 1) & (slot_n - 1);
            }
            slots[place] = index->slots[i];
        }
    }
    free(index->slots);
    index->slots = slots;
    index->slot_n = slot_n;
    return 0;
}

static inline int content_index_add(struct content_index *index, uint32_t hash, uint32_t value)
{
    uint64_t place;

    if (index->used * 2 >= index->slot_n && content_index_grow(index) < 0) {
        return -ENOMEM;
    }
    place = content_index_start(index, hash);
    while (index->slots[place].hash) {
        place = (place + 1) & (index->slot_n - 1);
    }
    index->slots[place] = (struct content_index_slot){hash, value};
    index->used++;
    return 0;
}

#endif
