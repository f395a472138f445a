/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Templates and variants are laid down as they come, in blocks of their own kind; the buckets are
 * made at the end, behind them, when it is known how many there have to be.
 *
 *   block 0      64 bytes of nothing (so that no place is 0), templates and records
 *   ...          templates and records, or the variants of a service: one whole block
 *   bucket_block buckets, a power of two of them
 */
#include "xdp/template_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xdp/name_core.h"

#define TEMPLATE_ALIGN 64u
#define TEMPLATE_BLOCKS_MIN 16u /* the first allocation */
#define TEMPLATE_BUCKET_LOAD 4u /* entries per bucket on average at most */
#define TEMPLATE_NAME_MAX 255u

struct template_entry {
    uint64_t hash;
    uint32_t place;
};

struct template_builder {
    uint64_t seed;
    uint32_t block_max;
    uint8_t *blocks;
    uint32_t block_n;
    uint32_t block_room; /* allocated */
    uint32_t open;       /* the block that is being filled */
    uint32_t open_at;    /* up to here */
    struct template_entry *entries;
    uint32_t entry_n;
    uint32_t entry_room;
    uint32_t *index; /* by hash: entry + 1, 0: free; so that no name and type is added twice */
    uint32_t index_mask;
    struct template_counts counts;
};

struct template_table {
    uint64_t seed;
    uint8_t *blocks;
    uint32_t block_n;
    uint32_t bucket_block;
    uint32_t bucket_mask;
    struct template_counts counts;
};

struct template_builder *template_builder_new(uint32_t block_max, uint64_t seed)
{
    struct template_builder *builder = calloc(1, sizeof(*builder));

    if (!builder) {
        return NULL;
    }
    builder->seed = seed;
    builder->block_max = block_max;
    builder->block_room = TEMPLATE_BLOCKS_MIN;
    builder->blocks = calloc(builder->block_room, FAST_BLOCK_SIZE);
    builder->block_n = 1;
    builder->open_at = TEMPLATE_ALIGN;
    if (!builder->blocks) {
        free(builder);
        return NULL;
    }
    return builder;
}

void template_builder_free(struct template_builder *builder)
{
    if (builder) {
        free(builder->blocks);
        free(builder->entries);
        free(builder->index);
        free(builder);
    }
}

/* --- room --- */

/* How many blocks of buckets so many entries need. */
static uint32_t template_bucket_blocks(uint32_t entry_n)
{
    uint32_t block_n = 1;

    while ((uint64_t)block_n * FAST_BUCKETS_PER_BLOCK * TEMPLATE_BUCKET_LOAD < entry_n) {
        block_n *= 2;
    }
    return block_n;
}

static bool template_fits(const struct template_builder *builder, uint32_t block_n,
                          uint32_t entry_n)
{
    return (uint64_t)builder->block_n + block_n +
               template_bucket_blocks(builder->entry_n + entry_n) <=
           builder->block_max;
}

bool template_builder_is_full(const struct template_builder *builder)
{
    return !template_fits(builder, 1, 1);
}

/* Makes `block_n` blocks more, of zeroes. */
static int template_grow(struct template_builder *builder, uint32_t block_n)
{
    uint64_t wanted = (uint64_t)builder->block_n + block_n;
    uint64_t room = builder->block_room;
    uint8_t *blocks = builder->blocks;

    while (room < wanted) {
        room *= 2;
    }
    if (room != builder->block_room) {
        blocks = room > UINT32_MAX ? NULL : realloc(blocks, room * FAST_BLOCK_SIZE);
        if (!blocks) {
            return -ENOMEM;
        }
        builder->blocks = blocks;
        builder->block_room = (uint32_t)room;
    }
    memset(blocks + (size_t)builder->block_n * FAST_BLOCK_SIZE, 0,
           (size_t)block_n * FAST_BLOCK_SIZE);
    builder->block_n += block_n;
    return 0;
}

static uint32_t template_aligned(uint32_t at, uint32_t align)
{
    return (at + align - 1) / align * align;
}

/* Whether `len` bytes need another block. */
static bool template_overflows(const struct template_builder *builder, uint32_t len, uint32_t align)
{
    return template_aligned(builder->open_at, align) + len > FAST_BLOCK_SIZE;
}

/* Takes `len` bytes, for which there is room. Never a place of 0, which is no memory. */
static uint32_t template_take(struct template_builder *builder, uint32_t len, uint32_t align)
{
    uint32_t at;

    if (template_overflows(builder, len, align)) {
        if (template_grow(builder, 1) < 0) {
            return 0;
        }
        builder->open = builder->block_n - 1;
        builder->open_at = 0;
    }
    at = template_aligned(builder->open_at, align);
    builder->open_at = at + len;
    return builder->open << 8 | at / FAST_PLACE_UNIT;
}

/* Where in the table a place is. */
static size_t template_offset(uint32_t place)
{
    const uint32_t in_block = FAST_PLACE_OFFSET(place);

    return (size_t)FAST_PLACE_BLOCK(place) * FAST_BLOCK_SIZE + in_block;
}

static uint8_t *template_at(const struct template_builder *builder, uint32_t place)
{
    return builder->blocks + template_offset(place);
}

/* One's complement sum (RFC 1071) of big-endian words, the last one filled up with a zero. */
static uint16_t template_sum(const uint8_t *bytes, size_t len)
{
    uint64_t sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint64_t)bytes[i] << 8 | bytes[i + 1];
    }
    if (len & 1) {
        sum += (uint64_t)bytes[len - 1] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* --- names --- */

struct template_name {
    __u64 words[NAME_WORDS_MAX];
    uint32_t len;
    uint32_t padded_len; /* to whole words */
};

/* -EINVAL: longer than a name may be. */
static int template_name_read(const uint8_t *name, struct template_name *ret_name)
{
    uint32_t len = 0;

    while (name[len] != 0) {
        len += name[len] + 1u;
        if (len >= TEMPLATE_NAME_MAX) {
            return -EINVAL;
        }
    }
    memset(ret_name, 0, sizeof(*ret_name));
    ret_name->len = len + 1;
    ret_name->padded_len = NAME_WORDS(ret_name->len) * 8;
    memcpy(ret_name->words, name, ret_name->len);
    return 0;
}

static bool template_is(const struct fast_template *template, const struct template_name *name,
                        uint16_t qtype)
{
    return template->qtype == qtype && template->name_len == name->len &&
           memcmp(template->name, name->words, name->len) == 0;
}

static int template_index_grow(struct template_builder *builder)
{
    uint32_t size = builder->index ? (builder->index_mask + 1) * 2 : 256;
    uint32_t *index = size ? calloc(size, sizeof(*index)) : NULL;

    if (!index) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < builder->entry_n; i++) {
        uint32_t slot = (uint32_t)builder->entries[i].hash & (size - 1);

        while (index[slot]) {
            slot = (slot + 1) & (size - 1);
        }
        index[slot] = i + 1;
    }
    free(builder->index);
    builder->index = index;
    builder->index_mask = size - 1;
    return 0;
}

/* Room for one entry more; -EEXIST: it is there. *ret_slot is its place in the index. */
static int template_entry_room(struct template_builder *builder, const struct template_name *name,
                               uint16_t qtype, uint64_t hash, uint32_t *ret_slot)
{
    uint32_t slot;

    if (builder->entry_n == builder->entry_room) {
        uint32_t room = builder->entry_room ? builder->entry_room * 2 : 128;
        struct template_entry *entries =
            room ? realloc(builder->entries, room * sizeof(*entries)) : NULL;

        if (!entries) {
            return -ENOMEM;
        }
        builder->entries = entries;
        builder->entry_room = room;
    }
    if ((!builder->index || builder->entry_n >= builder->index_mask / 2) &&
        template_index_grow(builder) < 0) {
        return -ENOMEM;
    }
    slot = (uint32_t)hash & builder->index_mask;
    for (; builder->index[slot]; slot = (slot + 1) & builder->index_mask) {
        const struct template_entry *entry = &builder->entries[builder->index[slot] - 1];

        if (entry->hash == hash &&
            template_is((const void *)template_at(builder, entry->place), name, qtype)) {
            return -EEXIST;
        }
    }
    *ret_slot = slot;
    return 0;
}

/* --- adding --- */

/* Adds `head` with its name and body. */
static int template_add(struct template_builder *builder, const uint8_t *name,
                        struct fast_template *head, const uint8_t *body)
{
    struct template_name words;
    uint32_t len, place, slot = 0;
    uint64_t hash;
    int status = template_name_read(name, &words);

    if (status < 0) {
        return status;
    }
    hash = name_hash_words(builder->seed, words.words, words.len, head->qtype);
    status = template_entry_room(builder, &words, head->qtype, hash, &slot);
    if (status < 0) {
        return status;
    }
    head->name_len = (__u8)words.len;
    len = (uint32_t)sizeof(*head) + words.padded_len + head->body_len;
    if (!template_fits(builder, template_overflows(builder, len, TEMPLATE_ALIGN), 1)) {
        builder->counts.left_out_n++;
        return 0;
    }
    place = template_take(builder, len, TEMPLATE_ALIGN);
    if (!place) {
        return -ENOMEM;
    }
    memcpy(template_at(builder, place), head, sizeof(*head));
    memcpy(template_at(builder, place) + sizeof(*head), words.words, words.padded_len);
    if (head->body_len) {
        memcpy(template_at(builder, place) + len - head->body_len, body, head->body_len);
    }
    builder->entries[builder->entry_n] = (struct template_entry){hash, place};
    builder->index[slot] = ++builder->entry_n;
    return 1;
}

int template_builder_add_static(struct template_builder *builder,
                                const struct template_static *answer)
{
    struct fast_template head = {.kind = FAST_STATIC,
                                 .answer = (__u8)answer->answer,
                                 .attributes = answer->attributes,
                                 .qtype = answer->qtype,
                                 .flags = answer->flags,
                                 .answer_n = answer->counts[0],
                                 .authority_n = answer->counts[1],
                                 .additional_n = answer->counts[2],
                                 .body_len = (__u16)answer->body_len};
    int status;

    if (answer->body_len > FAST_BODY_MAX) {
        builder->counts.left_out_n++;
        return 0;
    }
    head.body_sum = template_sum(answer->body, answer->body_len);
    status = template_add(builder, answer->name, &head, answer->body);
    builder->counts.static_n += status == 1;
    return status;
}

int template_builder_add_geo(struct template_builder *builder, const struct template_geo *answer)
{
    struct fast_template head = {.kind = FAST_GEO,
                                 .answer = FAST_ANSWER_GEO,
                                 .attributes = answer->attributes,
                                 .qtype = answer->qtype,
                                 .flags = answer->flags,
                                 .answer_n = answer->front_rr_n,
                                 .body_len = (__u16)answer->front_len,
                                 .family = answer->family,
                                 .want = answer->want,
                                 .map = answer->map,
                                 .service = answer->service,
                                 .variants_block = answer->variants};
    int status;

    if (answer->family >= MAP_FAMILIES || !answer->want || answer->want > MAP_PICKS_MAX ||
        answer->variants >= builder->block_n) {
        return -EINVAL;
    }
    if (answer->front_len > FAST_BODY_MAX) {
        builder->counts.left_out_n++;
        return 0;
    }
    head.body_sum = template_sum(answer->front, answer->front_len);
    status = template_add(builder, answer->name, &head, answer->front);
    builder->counts.geo_n += status == 1;
    return status;
}

/* How many blocks beside the table of variants their bytes need; they are laid down in order. */
static uint32_t template_variants_blocks(const struct template_builder *builder,
                                         const struct template_variants *variants)
{
    uint32_t at = builder->open_at;
    uint32_t block_n = 0;

    for (unsigned pop = 0; pop < MAP_STATES; pop++) {
        size_t len = variants->by_pop[pop].body_len;

        if (len == 0 || len > FAST_BODY_MAX) {
            continue;
        }
        at = template_aligned(at, FAST_PLACE_UNIT);
        if (at + len > FAST_BLOCK_SIZE) {
            at = 0;
            block_n++;
        }
        at += (uint32_t)len;
    }
    return block_n;
}

static bool template_variant_valid(const struct template_variant *variant)
{
    return variant->body_len == 0 ||
           (variant->rr_n > 0 && variant->ttl_n <= variant->rr_n &&
            (variant->ttl_n == 0 ||
             (size_t)(variant->ttl_n - 1u) * variant->ttl_stride + 10 <= variant->body_len));
}

static int template_add_variant(struct template_builder *builder,
                                const struct template_variant *variant,
                                struct fast_variant *ret_variant)
{
    *ret_variant = (struct fast_variant){.len = (__u16)variant->body_len,
                                         .rr_n = variant->rr_n,
                                         .ttl_n = variant->ttl_n,
                                         .ttl_stride = variant->ttl_stride};
    if (variant->body_len > FAST_BODY_MAX) {
        ret_variant->len = FAST_BODY_MAX + 1;
    } else if (variant->body_len) {
        ret_variant->sum = template_sum(variant->body, variant->body_len);
        ret_variant->place = template_take(builder, (uint32_t)variant->body_len, FAST_PLACE_UNIT);
        if (!ret_variant->place) {
            return -ENOMEM;
        }
        memcpy(template_at(builder, ret_variant->place), variant->body, variant->body_len);
    }
    return 0;
}

int template_builder_add_variants(struct template_builder *builder,
                                  const struct template_variants *variants, uint32_t *ret_variants)
{
    struct fast_variant table[MAP_STATES];

    for (unsigned pop = 0; pop < MAP_STATES; pop++) {
        if (!template_variant_valid(&variants->by_pop[pop])) {
            return -EINVAL;
        }
    }
    /* and a name that leads to them */
    if (!template_fits(builder, 1 + template_variants_blocks(builder, variants), 1)) {
        builder->counts.left_out_n++;
        return 0;
    }
    for (unsigned pop = 0; pop < MAP_STATES; pop++) {
        int status = template_add_variant(builder, &variants->by_pop[pop], &table[pop]);

        if (status < 0) {
            return status;
        }
    }
    if (template_grow(builder, 1) < 0) {
        return -ENOMEM;
    }
    *ret_variants = builder->block_n - 1;
    memcpy(builder->blocks + (size_t)*ret_variants * FAST_BLOCK_SIZE, table, sizeof(table));
    return 1;
}

/* --- buckets --- */

static struct fast_bucket *template_bucket(const struct template_table *table, uint64_t number)
{
    return (struct fast_bucket *)(void *)(table->blocks +
                                          (size_t)table->bucket_block * FAST_BLOCK_SIZE) +
           (number & table->bucket_mask);
}

static unsigned template_bucket_count(const struct fast_bucket *bucket, uint16_t tag)
{
    unsigned count = 0;

    for (unsigned i = 0; i < FAST_BUCKET_ENTRIES; i++) {
        count += bucket->tags[i] == tag;
    }
    return count;
}

/* Whether bucket `number` takes an entry of this tag without breaking the promise of
 * FAST_TAG_SAME. */
static bool template_bucket_takes(const struct template_table *table, uint64_t number, uint16_t tag)
{
    unsigned here = template_bucket_count(template_bucket(table, number), tag);

    return here + template_bucket_count(template_bucket(table, number - 1), tag) < FAST_TAG_SAME &&
           here + template_bucket_count(template_bucket(table, number + 1), tag) < FAST_TAG_SAME;
}

static bool template_bucket_put(const struct template_table *table, uint64_t number, uint16_t tag,
                                uint32_t place)
{
    struct fast_bucket *bucket = template_bucket(table, number);

    for (unsigned i = 0; i < FAST_BUCKET_ENTRIES; i++) {
        if (bucket->tags[i] == 0) {
            if (!template_bucket_takes(table, number, tag)) {
                return false;
            }
            bucket->tags[i] = tag;
            bucket->places[i] = place;
            return true;
        }
    }
    return false;
}

static bool template_bucket_is_full(const struct fast_bucket *bucket)
{
    return bucket->tags[FAST_BUCKET_ENTRIES - 1] != 0; /* filled from the front */
}

static bool template_table_put(const struct template_table *table,
                               const struct template_entry *entry)
{
    struct fast_bucket *bucket = template_bucket(table, entry->hash);
    uint16_t tag = name_hash_tag(entry->hash);

    if (!template_bucket_is_full(bucket)) {
        return template_bucket_put(table, entry->hash, tag, entry->place);
    }
    if (!template_bucket_put(table, entry->hash + 1, tag, entry->place)) {
        return false;
    }
    bucket->spilled = 1;
    return true;
}

/* Puts all entries into so many blocks of buckets behind the templates. Returns how many found no
 * place; their counts are taken off. */
static uint32_t template_table_fill(struct template_table *table,
                                    const struct template_builder *builder, uint32_t bucket_blocks)
{
    uint32_t left_out_n = 0;

    table->blocks = builder->blocks;
    table->block_n = builder->block_n;
    table->bucket_block = builder->block_n - bucket_blocks;
    table->bucket_mask = bucket_blocks * FAST_BUCKETS_PER_BLOCK - 1;
    table->counts = builder->counts;
    table->counts.block_n = table->block_n;
    for (uint32_t i = 0; i < builder->entry_n; i++) {
        const struct template_entry *entry = &builder->entries[i];
        const struct fast_template *template = template_table_at(table, entry->place);

        if (!template_table_put(table, entry)) {
            left_out_n++;
            table->counts.static_n -= template->kind == FAST_STATIC;
            table->counts.geo_n -= template->kind == FAST_GEO;
        }
    }
    table->counts.left_out_n += left_out_n;
    return left_out_n;
}

/* Makes the buckets, more of them as long as somebody finds no place in them and there is room. */
static int template_table_make(struct template_table *table, struct template_builder *builder)
{
    uint32_t block_n = builder->entry_n ? builder->block_n : 0; /* else nothing leads to them */
    uint32_t bucket_blocks = template_bucket_blocks(builder->entry_n);

    for (;;) {
        builder->block_n = block_n;
        if (template_grow(builder, bucket_blocks) < 0) {
            return -ENOMEM;
        }
        if (!template_table_fill(table, builder, bucket_blocks) ||
            (uint64_t)block_n + 2 * (uint64_t)bucket_blocks > builder->block_max) {
            return 0;
        }
        bucket_blocks *= 2;
    }
}

int template_builder_finish(struct template_builder *builder, struct template_table **ret_table,
                            struct failure *failure)
{
    struct template_table *table = calloc(1, sizeof(*table));

    if (!table || template_table_make(table, builder) < 0) {
        free(table);
        template_builder_free(builder);
        return failure_set(failure, -ENOMEM, "out of memory for templates");
    }
    table->seed = builder->seed;
    builder->blocks = NULL; /* moved */
    template_builder_free(builder);
    *ret_table = table;
    return 0;
}

/* --- the finished table --- */

void template_table_free(struct template_table *table)
{
    if (table) {
        free(table->blocks);
        free(table);
    }
}

const uint8_t *template_table_blocks(const struct template_table *table, uint32_t *ret_block_n)
{
    *ret_block_n = table->block_n;
    return table->blocks;
}

void template_table_counts(const struct template_table *table, struct template_counts *ret_counts)
{
    *ret_counts = table->counts;
}

void template_table_policy(const struct template_table *table, struct fast_policy *policy)
{
    name_factors_make(table->seed, &policy->factors);
    policy->bucket_mask = table->bucket_mask;
    policy->bucket_block = table->bucket_block;
}

const void *template_table_at(const struct template_table *table, uint32_t place)
{
    if (FAST_PLACE_BLOCK(place) >= table->block_n) {
        return NULL;
    }
    return table->blocks + template_offset(place);
}

static const struct fast_template *template_bucket_find(const struct template_table *table,
                                                        const struct fast_bucket *bucket,
                                                        const struct template_name *name,
                                                        uint16_t qtype, uint16_t tag)
{
    for (unsigned i = 0; i < FAST_BUCKET_ENTRIES; i++) {
        const struct fast_template *template =
            bucket->tags[i] == tag ? template_table_at(table, bucket->places[i]) : NULL;

        if (template && template_is(template, name, qtype)) {
            return template;
        }
    }
    return NULL;
}

const struct fast_template *template_table_find(const struct template_table *table,
                                                const uint8_t *name, uint16_t qtype)
{
    const struct fast_template *found;
    const struct fast_bucket *bucket;
    struct template_name words;
    uint64_t hash;

    if (template_name_read(name, &words) < 0) {
        return NULL;
    }
    hash = name_hash_words(table->seed, words.words, words.len, qtype);
    bucket = template_bucket(table, hash);
    found = template_bucket_find(table, bucket, &words, qtype, name_hash_tag(hash));
    if (!found && bucket->spilled) {
        found = template_bucket_find(table, template_bucket(table, hash + 1), &words, qtype,
                                     name_hash_tag(hash));
    }
    return found;
}
