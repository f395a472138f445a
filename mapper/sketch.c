/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SKETCH_LINEAR 24u                /* buckets below 1 ms */
#define SKETCH_LOG_GAMMA 0.0399896785873 /* ln 1.0408 */

_Static_assert(SKETCH_BUCKETS <= UINT8_MAX + 1, "a bucket is one byte");

unsigned sketch_bucket(double rtt_ms)
{
    double bucket;

    if (!(rtt_ms > 0)) {
        return 0;
    }
    if (rtt_ms < 1) {
        return (unsigned)(rtt_ms * SKETCH_LINEAR);
    }
    bucket = SKETCH_LINEAR + log(rtt_ms) / SKETCH_LOG_GAMMA;
    return bucket >= SKETCH_BUCKETS ? SKETCH_BUCKETS - 1 : (unsigned)bucket;
}

double sketch_value(unsigned bucket)
{
    if (bucket < SKETCH_LINEAR) {
        return (bucket + 0.5) / SKETCH_LINEAR;
    }
    /* the middle of the bucket on the logarithmic scale */
    return exp(((double)(bucket - SKETCH_LINEAR) + 0.5) * SKETCH_LOG_GAMMA);
}

static uint32_t count_add(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* Adds to a sorted list that has room for one entry more. Unused entries have count 0. */
static void list_add(struct sketch_entry *entry, unsigned capacity, unsigned bucket, uint32_t count)
{
    unsigned at = 0;
    unsigned used;

    while (at < capacity && entry[at].count && entry[at].bucket < bucket) {
        at++;
    }
    if (at < capacity && entry[at].count && entry[at].bucket == bucket) {
        entry[at].count = count_add(entry[at].count, count);
        return;
    }
    used = at;
    while (used < capacity && entry[used].count) {
        used++;
    }
    memmove(&entry[at + 1], &entry[at], (used - at) * sizeof(*entry));
    entry[at] = (struct sketch_entry){bucket, count};
}

static bool list_full(const struct sketch *sketch)
{
    return sketch->list.entry[sketch->list.capacity - 1].count != 0;
}

static int list_grow(struct sketch *sketch)
{
    unsigned old = sketch->list.capacity;
    unsigned grown = old * 2 > SKETCH_BUCKETS ? SKETCH_BUCKETS : old * 2;
    struct sketch_entry *entry;

    if (grown == old) {
        return 0; /* every bucket has its entry */
    }
    entry = realloc(sketch->list.entry, grown * sizeof(*entry));
    if (!entry) {
        return -ENOMEM;
    }
    memset(entry + old, 0, (grown - old) * sizeof(*entry));
    sketch->list.entry = entry;
    sketch->list.capacity = (uint16_t)grown;
    return 0;
}

static int list_from_singles(struct sketch *sketch)
{
    uint8_t single[SKETCH_INLINE];
    struct sketch_entry *entry = calloc(16, sizeof(*entry));

    if (!entry) {
        return -ENOMEM;
    }
    memcpy(single, sketch->single, sizeof(single));
    for (unsigned i = 0; i < sketch->n; i++) {
        list_add(entry, 16, single[i], 1);
    }
    sketch->list.entry = entry;
    sketch->list.capacity = 16;
    sketch->is_list = 1;
    return 0;
}

static int bucket_add(struct sketch *sketch, unsigned bucket, uint32_t count)
{
    if (!sketch->is_list && count == 1 && sketch->n < SKETCH_INLINE) {
        sketch->single[sketch->n++] = (uint8_t)bucket;
        return 0;
    }
    if (!sketch->is_list && list_from_singles(sketch) != 0) {
        return -ENOMEM;
    }
    if (list_full(sketch) && list_grow(sketch) != 0) {
        return -ENOMEM;
    }
    list_add(sketch->list.entry, sketch->list.capacity, bucket, count);
    return 0;
}

int sketch_add(struct sketch *sketch, double rtt_ms, uint32_t count)
{
    return count ? bucket_add(sketch, sketch_bucket(rtt_ms), count) : 0;
}

int sketch_merge(struct sketch *into, const struct sketch *from)
{
    int err = 0;

    if (!from->is_list) {
        for (unsigned i = 0; i < from->n && !err; i++) {
            err = bucket_add(into, from->single[i], 1);
        }
        return err;
    }
    for (unsigned i = 0; i < from->list.capacity && from->list.entry[i].count && !err; i++) {
        err = bucket_add(into, from->list.entry[i].bucket, from->list.entry[i].count);
    }
    return err;
}

uint64_t sketch_count(const struct sketch *sketch)
{
    uint64_t count = 0;

    if (!sketch->is_list) {
        return sketch->n;
    }
    for (unsigned i = 0; i < sketch->list.capacity; i++) {
        count += sketch->list.entry[i].count;
    }
    return count;
}

static int single_order(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

double sketch_quantile(const struct sketch *sketch, double q)
{
    double n = (double)sketch_count(sketch);
    double rank = ceil(q * n);
    double seen = 0;

    if (n <= 0) {
        return 0;
    }
    rank = rank < 1 ? 1 : rank > n ? n : rank;
    if (!sketch->is_list) {
        uint8_t sorted[SKETCH_INLINE];

        memcpy(sorted, sketch->single, sizeof(sorted));
        qsort(sorted, sketch->n, 1, single_order);
        return sketch_value(sorted[(unsigned)rank - 1]);
    }
    for (unsigned i = 0; i < sketch->list.capacity; i++) {
        seen += sketch->list.entry[i].count;
        if (seen >= rank) {
            return sketch_value(sketch->list.entry[i].bucket);
        }
    }
    return 0;
}

void sketch_done(struct sketch *sketch)
{
    if (sketch->is_list) {
        free(sketch->list.entry);
    }
    *sketch = (struct sketch){0};
}
