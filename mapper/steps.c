/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/steps.h"

#include <errno.h>
#include <stdlib.h>

/* Prefixes of an address can nest no deeper than their lengths differ. */
#define STEPS_NEST_MAX 129

void steps_done(struct steps *steps)
{
    free(steps->hi);
    free(steps->lo);
    free(steps->value);
    *steps = (struct steps){0};
}

static int steps_resize(struct steps *steps, size_t capacity)
{
    uint64_t *hi = realloc(steps->hi, capacity * sizeof(*hi));
    uint32_t *value;

    if (!hi) {
        return -ENOMEM;
    }
    steps->hi = hi;
    value = realloc(steps->value, capacity * sizeof(*value));
    if (!value) {
        return -ENOMEM;
    }
    steps->value = value;
    if (steps->lo) {
        uint64_t *lo = realloc(steps->lo, capacity * sizeof(*lo));

        if (!lo) {
            return -ENOMEM;
        }
        steps->lo = lo;
    }
    steps->capacity = capacity;
    return 0;
}

int steps_append(struct steps *steps, struct map_key start, uint32_t value)
{
    if (steps->n && key_compare(steps_start(steps, steps->n - 1), start) == 0) {
        steps->n--; /* the later word on the same start */
    }
    if (value == (steps->n ? steps->value[steps->n - 1] : STEPS_NONE)) {
        return 0;
    }
    if (steps->n == steps->capacity) {
        size_t capacity = steps->capacity < 64 ? 64 : steps->capacity + steps->capacity / 2;

        if (steps_resize(steps, capacity) != 0) {
            return -ENOMEM;
        }
    }
    if (start.lo && !steps->lo) {
        steps->lo = calloc(steps->capacity, sizeof(*steps->lo));
        if (!steps->lo) {
            return -ENOMEM;
        }
    }
    steps->hi[steps->n] = start.hi;
    if (steps->lo) {
        steps->lo[steps->n] = start.lo;
    }
    steps->value[steps->n] = value;
    steps->n++;
    return 0;
}

void steps_trim(struct steps *steps)
{
    if (steps->n && steps->n < steps->capacity) {
        (void)steps_resize(steps, steps->n); /* shrinking may fail; nothing is lost then */
    }
}

size_t steps_find(const struct steps *steps, struct map_key key)
{
    size_t low = 0;
    size_t high = steps->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (key_compare(steps_start(steps, middle), key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? low - 1 : SIZE_MAX;
}

uint32_t steps_value(const struct steps *steps, struct map_key key)
{
    size_t index = steps_find(steps, key);

    return index == SIZE_MAX ? STEPS_NONE : steps->value[index];
}

static int prefix_order(const void *left, const void *right)
{
    const struct steps_prefix *a = left;
    const struct steps_prefix *b = right;
    int order = key_compare(a->first, b->first);

    if (order) {
        return order;
    }
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return a->value < b->value ? -1 : a->value > b->value;
}

/* Ends the innermost open prefix: what follows it belongs to the one around it. */
static int prefix_close(struct steps *steps, const struct steps_prefix *const *open, size_t depth)
{
    struct map_key after = key_last(open[depth - 1]->first, open[depth - 1]->len);
    uint32_t around = depth > 1 ? open[depth - 2]->value : STEPS_NONE;

    if (!key_advance(&after)) {
        return 0;
    }
    return steps_append(steps, after, around);
}

int steps_from_prefixes(struct steps_prefix *prefixes, size_t n, struct steps *steps)
{
    const struct steps_prefix *open[STEPS_NEST_MAX + 1];
    size_t depth = 0;
    int err = 0;

    if (n) {
        qsort(prefixes, n, sizeof(*prefixes), prefix_order);
    }
    for (size_t i = 0; i < n && !err; i++) {
        const struct steps_prefix *prefix = &prefixes[i];

        while (depth && !err &&
               key_compare(key_last(open[depth - 1]->first, open[depth - 1]->len), prefix->first) <
                   0) {
            err = prefix_close(steps, open, depth);
            depth--;
        }
        if (depth && open[depth - 1]->len == prefix->len &&
            key_compare(open[depth - 1]->first, prefix->first) == 0) {
            depth--; /* the same prefix again: the later value replaces it */
        }
        open[depth] = prefix;
        depth++;
        err = err ? err : steps_append(steps, prefix->first, prefix->value);
    }
    while (depth && !err) {
        err = prefix_close(steps, open, depth);
        depth--;
    }
    return err;
}

void steps_cursor_init(struct steps_cursor *cursor, const struct steps *steps)
{
    *cursor = (struct steps_cursor){.steps = steps, .value = STEPS_NONE};
}

int steps_overlay(const struct steps *above, const struct steps *below, struct steps *ret_steps)
{
    struct steps_cursor upper;
    struct steps_cursor lower;
    struct map_key position = {0, 0};
    bool more = true;

    steps_cursor_init(&upper, above);
    steps_cursor_init(&lower, below);
    while (more) {
        int err;

        steps_cursor_move(&upper, position);
        steps_cursor_move(&lower, position);
        err = steps_append(ret_steps, position,
                           upper.value != STEPS_NONE ? upper.value : lower.value);
        if (err) {
            return err;
        }
        more = steps_cursor_bound(&upper, false, &position);
        more = steps_cursor_bound(&lower, more, &position);
    }
    return 0;
}
