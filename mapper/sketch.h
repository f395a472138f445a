/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A mergeable histogram of round-trip times: 24 linear buckets below 1 ms, then 232 whose bounds
 * grow by 4.08 % (2 % relative error) up to 10.7 s. Adding and merging are additions of counters
 * that saturate, so neither order nor sharding can change a result. A handful of single samples
 * lives inside the struct; more go to a sorted list of (bucket, count).
 */
#ifndef MAPPER_SKETCH_H
#define MAPPER_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#define SKETCH_BUCKETS 256u
#define SKETCH_INLINE 14u

struct sketch_entry {
    uint32_t bucket;
    uint32_t count;
};

/* Zeroed is empty. */
struct sketch {
    union {
        struct {
            uint8_t single[SKETCH_INLINE]; /* buckets of samples that count once, unordered */
            uint8_t n;
            uint8_t is_list; /* 0 here, 1 for the list */
        };
        struct {
            struct sketch_entry *entry; /* sorted by bucket; unused ones at the end count 0 */
            uint16_t capacity;
            uint8_t reserved[6]; /* the last byte is is_list */
        } list;
    };
};

_Static_assert(sizeof(struct sketch) == 16, "millions of these are held");

unsigned sketch_bucket(double rtt_ms);
double sketch_value(unsigned bucket); /* what a bucket stands for, ms */

/* -ENOMEM, and the sketch is as before. */
int sketch_add(struct sketch *sketch, double rtt_ms, uint32_t count);
int sketch_merge(struct sketch *into, const struct sketch *from);

uint64_t sketch_count(const struct sketch *sketch);

/* The value below which the share `q` of the samples lies: that of the sample with rank ceil(q n).
 * 0 when empty. */
double sketch_quantile(const struct sketch *sketch, double q);

void sketch_done(struct sketch *sketch);

#endif
