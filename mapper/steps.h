/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A step function over one address space: a value for every position, constant between starts.
 * Everything the mapper knows about addresses (places, origin ASes, measured blocks, pins,
 * special-purpose blocks) has this shape, so that the compiler can walk them side by side in
 * address order. Built by appending; then immutable and shared between threads.
 */
#ifndef MAPPER_STEPS_H
#define MAPPER_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapper/key.h"

#define STEPS_NONE UINT32_MAX /* the value where nothing is known */

struct steps {
    size_t n;
    size_t capacity;
    uint64_t *hi;    /* upper half of each start */
    uint64_t *lo;    /* lower half; NULL while it is zero for all of them */
    uint32_t *value; /* from this start to the next */
};

/* A zeroed struct steps is empty and means NONE everywhere. */
void steps_done(struct steps *steps);

/* From `start` on the value is `value`. Starts must not fall; an equal start replaces the value, an
 * equal value is merged. -ENOMEM. */
int steps_append(struct steps *steps, struct map_key start, uint32_t value);

/* Gives back what growth allocated too much. */
void steps_trim(struct steps *steps);

/* Index of the step that holds `key`, or SIZE_MAX before the first. */
size_t steps_find(const struct steps *steps, struct map_key key);
uint32_t steps_value(const struct steps *steps, struct map_key key);

static inline struct map_key steps_start(const struct steps *steps, size_t index)
{
    struct map_key key = {steps->hi[index], steps->lo ? steps->lo[index] : 0};

    return key;
}

/* A prefix with a value; the longest one that covers a position decides. */
struct steps_prefix {
    struct map_key first;
    uint32_t len;
    uint32_t value;
};

/* Sorts `prefixes` in place by (first, length) and appends what they say to `steps`; of equal
 * prefixes the one with the highest value wins. -ENOMEM. */
int steps_from_prefixes(struct steps_prefix *prefixes, size_t n, struct steps *steps);

/* `below`, with what `above` knows laid over it, into the empty `ret_steps`. */
int steps_overlay(const struct steps *above, const struct steps *below, struct steps *ret_steps);

/* Walks one step function forward. */
struct steps_cursor {
    const struct steps *steps;
    size_t next;    /* index of the first start after the current position */
    uint32_t value; /* at the current position */
};

void steps_cursor_init(struct steps_cursor *cursor, const struct steps *steps);

/* Moves to `position`, which must not lie before the last one. */
static inline void steps_cursor_move(struct steps_cursor *cursor, struct map_key position)
{
    const struct steps *steps = cursor->steps;

    while (cursor->next < steps->n &&
           key_compare(steps_start(steps, cursor->next), position) <= 0) {
        cursor->value = steps->value[cursor->next];
        cursor->next++;
    }
}

/* Lowers *position to the cursor's next start if that is nearer; false leaves it (there is none).
 */
static inline bool steps_cursor_bound(const struct steps_cursor *cursor, bool bounded,
                                      struct map_key *position)
{
    struct map_key start;

    if (cursor->next >= cursor->steps->n) {
        return bounded;
    }
    start = steps_start(cursor->steps, cursor->next);
    if (!bounded || key_compare(start, *position) < 0) {
        *position = start;
    }
    return true;
}

#endif
