/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The templates of one publication, laid out as the program reads them (xdp/fast_abi.h): a builder
 * takes rendered answers, a finished table is an immutable array of 4096-byte blocks. What does not
 * fit the capacity is left out and counted, the first come are in. One thread.
 */
#ifndef XDP_TEMPLATE_TABLE_H
#define XDP_TEMPLATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "xdp/fast_abi.h"

struct template_builder;
struct template_table;

/* An answer that is the same for every client. Borrowed for the call. */
struct template_static {
    const uint8_t *name; /* wire form, lower case */
    uint16_t qtype;
    uint16_t flags;     /* of the header, network meaning as host number: QR, AA, RCODE */
    uint16_t counts[3]; /* answer, authority, additional without OPT */
    enum fast_answer answer;
    uint8_t attributes;  /* FAST_DO_SAME */
    const uint8_t *body; /* what stands between question and OPT */
    size_t body_len;
};

/* What one PoP contributes to a service's answer. */
struct template_variant {
    const uint8_t *body; /* records; TTLs that are the service's are zero */
    size_t body_len;     /* 0: the PoP has nothing */
    uint16_t rr_n;
    uint16_t ttl_n;
    uint16_t ttl_stride;
};

/* Variants of a service and family, added once and used by every name at which they are the same.
 */
struct template_variants {
    const struct template_variant *by_pop; /* MAP_STATES of them */
};

/* An answer chosen per client. */
struct template_geo {
    const uint8_t *name;
    uint16_t qtype;
    uint16_t flags;
    uint8_t attributes;
    uint32_t service; /* index of its states */
    uint16_t map;     /* index in the image */
    uint8_t family;   /* enum map_family: column of the states */
    uint8_t want;
    uint32_t variants;    /* what template_builder_add_variants() returned */
    const uint8_t *front; /* records before those of the picks */
    size_t front_len;
    uint16_t front_rr_n;
};

struct template_counts {
    uint64_t static_n;
    uint64_t geo_n;
    uint64_t left_out_n; /* no room, or larger than any answer may be */
    uint64_t block_n;
};

/* `block_max`: capacity in blocks, at least 1. `seed`: of the hash, secret and random. NULL: out of
 * memory. */
struct template_builder *template_builder_new(uint32_t block_max, uint64_t seed);
void template_builder_free(struct template_builder *builder); /* NULL is allowed */

/* 1: added; 0: left out and counted; -EEXIST: there is one of this name and type; -EINVAL: larger
 * than the fields that say it; -ENOMEM. Variants with more bytes than any answer may have are added
 * without them. */
int template_builder_add_static(struct template_builder *builder,
                                const struct template_static *answer);
int template_builder_add_geo(struct template_builder *builder, const struct template_geo *answer);
int template_builder_add_variants(struct template_builder *builder,
                                  const struct template_variants *variants, uint32_t *ret_variants);

/* Not even a new block is to be had: nearly everything would be left out from now on. */
bool template_builder_is_full(const struct template_builder *builder);

/* Consumes the builder, also on failure. */
int template_builder_finish(struct template_builder *builder, struct template_table **ret_table,
                            struct failure *failure);

void template_table_free(struct template_table *table); /* NULL is allowed */

const uint8_t *template_table_blocks(const struct template_table *table, uint32_t *ret_block_n);
void template_table_counts(const struct template_table *table, struct template_counts *ret_counts);

/* The template of a name (wire form, lower case) and type, or NULL. Found as the program finds it.
 */
const struct fast_template *template_table_find(const struct template_table *table,
                                                const uint8_t *name, uint16_t qtype);

/* What the program sees at a place and the variants of a service; NULL: not in the table. */
const void *template_table_at(const struct template_table *table, uint32_t place);

/* Fills what a policy says about the table: seed, bucket_mask, bucket_block. */
void template_table_policy(const struct template_table *table, struct fast_policy *policy);

#endif
