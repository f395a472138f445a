/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An image is at least 2.6 MB, most of it the roots of tables, which no fuzzer would ever assemble.
 * So an input is a list of writes into a valid image, 12 bytes each: {u8 part, u8 width, u16
 * reserved, u32 place, u32 value}. The checksum is made right afterwards. An image that is accepted
 * is walked, looked up in and asked for provenance: nothing may crash, loop or contradict itself.
 * Inputs that begin with the magic are taken as they are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/decide_core.h"
#include "maps/image.h"
#include "maps/image_check.h"
#include "maps/image_digest.h"
#include "maps/image_writer.h"
#include "maps/select_core.h"

#define WRITES_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

struct write {
    uint8_t part;
    uint8_t width;
    uint16_t reserved;
    uint32_t place;
    uint32_t value;
};

struct undo {
    size_t offset;
    uint8_t bytes[4];
};

static uint8_t *valid; /* built once, changed and restored by each run */
static size_t valid_len;

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_image: %s\n", what);
        abort();
    }
}

static void add_tables(struct image_builder *builder)
{
    static const struct image_run client4[] = {
        {{0, 0}, 0, 0},
        {{0x0a00000000000000, 0}, MAP_RECORD_SPECIAL, 0},
        {{0x0b00000000000000, 0}, 0, 0},
        {{0xcb00710000000000, 0}, 1, 0},
        {{0xcb00718000000000, 0}, 2, 0},
        {{0xcb00718100000000, 0}, 1, 0},
        {{0xcb00720000000000, 0}, 0, 0},
    };
    static const struct image_run client6[] = {
        {{0, 0}, 0, 0},
        {{0x20010db800000000, 0}, 1, 0},
        {{0x20010db800010000, 0}, 2, 0},
        {{0x20010db800010000, 1}, 1, 0},
        {{0x20010db900000000, 0}, 0, 0},
    };
    static const struct image_run resolver[] = {
        {{0, 0}, MAP_RECORD_FALLBACK, 0},
        {{0x0800000000000000, 0}, 2, 0},
        {{0x0900000000000000, 0}, MAP_RECORD_FALLBACK, 0},
    };
    struct failure failure;

    require(image_builder_add_table(builder, 0, MAP_SPACE_CLIENT, MAP_FAMILY_IPV4, client4, 7,
                                    false, &failure) == 0 &&
                image_builder_add_table(builder, 0, MAP_SPACE_CLIENT, MAP_FAMILY_IPV6, client6, 5,
                                        false, &failure) == 0 &&
                image_builder_add_table(builder, 0, MAP_SPACE_RESOLVER, MAP_FAMILY_IPV4, resolver,
                                        3, false, &failure) == 0 &&
                image_builder_add_table(builder, 0, MAP_SPACE_RESOLVER, MAP_FAMILY_IPV6, resolver,
                                        1, false, &failure) == 0,
            failure.text);
}

static void build_valid(void)
{
    static const uint8_t pops[] = {2, 0, 1};
    const struct map_row row = {.source = MAP_SOURCE_MEASURED, .estimate_n = 2, .asn = 64500};
    const struct map_estimate estimates[2] = {{.pop = 0, .rtt_ticks = 100}, {.pop = 2}};
    struct image_builder *builder = image_builder_new(2, 1);
    struct image_provenance_range ranges[2] = {{0, 0, 0}, {1ULL << 40, 0, 0}};
    struct image_stats stats;
    struct failure failure = {{0}};
    const uint8_t *bytes;

    image_builder_add_pop(builder, "a", 1, 2, &failure);
    image_builder_add_pop(builder, "b", 3, 4, &failure);
    image_builder_add_pop(builder, "c", 5, 6, &failure);
    image_builder_add_map(builder, "m", pops, 3, 1, &failure);
    for (uint8_t i = 0; i < 3; i++) {
        struct map_record record = {.pops = ~0ULL << 8 | i, .shed_class = (uint8_t)(i * 30)};

        image_builder_intern(builder, &record);
    }
    add_tables(builder);
    for (int i = 0; i < 4; i++) {
        ranges[0].row = (uint32_t)image_builder_add_row(builder, &row, estimates);
        ranges[1].row = ranges[0].row;
        image_builder_add_provenance(builder, i / 2 ? MAP_SPACE_RESOLVER : MAP_SPACE_CLIENT,
                                     i % 2 ? MAP_FAMILY_IPV6 : MAP_FAMILY_IPV4, ranges, 2,
                                     &failure);
    }
    require(image_builder_finish(builder, &bytes, &valid_len, &stats, &failure) == 0, failure.text);
    valid = malloc(valid_len);
    require(valid != NULL, "out of memory");
    memcpy(valid, bytes, valid_len);
    image_builder_free(builder);
}

/* Where a write goes: parts 0 and 1 are the header, then section by section; of a table rather the
 * nodes than the root. */
static size_t write_offset(const struct write *write)
{
    const struct map_header *header = (const struct map_header *)(const void *)valid;
    uint32_t part = write->part % 32;
    const struct map_section *section;
    size_t first;

    if (part < 2 || part >= header->section_n + 2) {
        return write->place % (128 + 32 * 16);
    }
    section = &header->sections[part - 2];
    first = (size_t)section->first_block * MAP_BLOCK_SIZE;
    if (first >= valid_len || !section->len) {
        return 0;
    }
    if (section->type == MAP_SECTION_TABLE && write->part < 192) {
        size_t root = section->family == MAP_FAMILY_IPV4 ? MAP_ROOT4_BLOCKS : MAP_ROOT6_BLOCKS;

        first += (root - 1) * MAP_BLOCK_SIZE; /* and the end of the root */
        return first + write->place % (4 * MAP_BLOCK_SIZE);
    }
    return first + write->place % section->len;
}

static void apply(const struct write *write, struct undo *ret_undo)
{
    size_t offset = write_offset(write);
    size_t width = write->width % 4 == 0 ? 1 : write->width % 4 == 1 ? 2 : 4;

    offset = offset / width * width;
    offset = offset + 4 > valid_len ? 0 : offset;
    ret_undo->offset = offset;
    memcpy(ret_undo->bytes, valid + offset, 4);
    memcpy(valid + offset, &write->value, width);
}

struct sum {
    uint64_t next_hi;
    uint64_t blocks;
};

static int visit(void *context, const struct map_key *start, uint32_t depth, uint32_t record)
{
    struct sum *sum = context;

    require(depth <= 128, "a block longer than an address");
    require(sum->blocks || (!start->hi && !start->lo), "the first block does not start at 0");
    require(record <= MAP_LEAF_RECORD_MASK, "an impossible record");
    sum->blocks++;
    return sum->blocks > 1000000; /* shared nodes may describe more than there is time for here */
}

static void use_map(const struct image *image, uint32_t map, uint64_t seed)
{
    const struct map_entry *entry = image_map(image, map);
    uint8_t states[MAP_STATES];
    struct map_client client;
    struct map_verdict verdict;
    struct map_picks picks;

    memset(states, 0, sizeof(states));
    states[MAP_POP_NONE] = MAP_STATE_ABSENT;
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t word = (seed + i) * 0x9e3779b97f4a7c15ULL;

        map_address_ipv4((uint32_t)(word >> 32), &client.source);
        map_address_ipv6(i % 2 ? word : 0x20010db8ULL << 32 | word >> 44, word * 31, &client.ecs);
        map_decide(image_region(image), entry, image_records_block(image), &client, &verdict);
        require(verdict.scope <= 128, "an impossible scope");
        require(verdict.basis != MAP_BASIS_ECS || verdict.record_id < MAP_RECORD_SPECIAL,
                "a ranking from nowhere");
        map_select(&verdict.record, states, entry->tail, entry->tail_n, 1 + i % MAP_PICKS_MAX,
                   &picks);
        require(picks.count >= 1 && picks.pop[0] < image_pop_count(image),
                "nobody was chosen though everybody is up");
    }
}

static void use(const struct image *image, uint64_t seed)
{
    for (uint32_t i = 0; i < image_map_count(image) * 4; i++) {
        enum map_space space = i / 2 % 2 ? MAP_SPACE_RESOLVER : MAP_SPACE_CLIENT;
        enum map_family family = i % 2 ? MAP_FAMILY_IPV6 : MAP_FAMILY_IPV4;
        struct sum sum = {0, 0};
        struct map_address address = {.key = {seed << 20, 0}, .family = (uint8_t)family};
        struct image_provenance provenance;

        (void)image_walk(image, i / 4, space, family, visit, &sum);
        if (image_find_provenance(image, space, &address, &provenance)) {
            for (uint32_t k = 0; k < provenance.row->estimate_n; k++) {
                require(provenance.estimates[k].pop < image_pop_count(image), "no such PoP");
            }
        }
    }
    for (uint32_t map = 0; map < image_map_count(image); map++) {
        require(image_find_map(image, image_map(image, map)->name) == (int)map, "a hidden map");
        use_map(image, map, seed);
    }
}

static void try_image(const uint8_t *bytes, size_t len, uint64_t seed)
{
    struct failure failure = {{0}};
    struct image *image = NULL;

    if (image_from_bytes("fuzz", bytes, len, &image, &failure) == 0) {
        use(image, seed);
        image_unref(image);
    } else {
        require(failure.text[0] != '\0', "refused without a reason");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
    struct undo undos[WRITES_MAX];
    uint8_t digest[IMAGE_DIGEST_LEN];
    size_t write_n = input_len / sizeof(struct write);
    struct failure failure = {{0}};

    if (!valid) {
        build_valid();
    }
    if (input_len >= 8 && memcmp(input, MAP_MAGIC, 8) == 0) {
        try_image(input, input_len, 0);
        return 0;
    }
    write_n = write_n > WRITES_MAX ? WRITES_MAX : write_n;
    memcpy(digest, ((struct map_header *)(void *)valid)->sha256, sizeof(digest));
    for (size_t i = 0; i < write_n; i++) {
        struct write write;

        memcpy(&write, input + i * sizeof(write), sizeof(write));
        apply(&write, &undos[i]);
    }
    /* most are refused here, before the time for a checksum is spent */
    if (image_check(valid, valid_len, false, &failure) == 0) {
        require(image_digest(valid, valid_len, ((struct map_header *)(void *)valid)->sha256) == 0,
                "no checksum");
        try_image(valid, valid_len, input_len);
    } else {
        require(failure.text[0] != '\0', "refused without a reason");
    }
    for (size_t i = write_n; i > 0; i--) {
        memcpy(valid + undos[i - 1].offset, undos[i - 1].bytes, 4);
    }
    memcpy(((struct map_header *)(void *)valid)->sha256, digest, sizeof(digest));
    return 0;
}
