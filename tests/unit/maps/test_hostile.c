/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Images that contradict themselves, with a right checksum: each is refused, and for the reason it
 * was made for. Damaged lookup tables are in test_hostile_tables.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "maps/image_check.h"
#include "random.h"
#include "victim.h"
#include "world.h"

static struct world *world;
static struct image_builder *builder;
static const uint8_t *bytes;
static size_t len;

static void build(void)
{
    struct image_stats stats;
    struct failure failure;

    world = world_new(31, 60);
    builder = world_builder(world, 0, 20);
    cr_assert_eq(image_builder_finish(builder, &bytes, &len, &stats, &failure), 0, "%s",
                 failure.text);
}

static void destroy(void)
{
    image_builder_free(builder);
    world_free(world);
}

TestSuite(hostile, .init = build, .fini = destroy);

enum part {
    HEADER,
    POPS_SECTION,
    MAPS_SECTION,
    RECORDS_SECTION,
    TABLE4, /* of map 0, client space */
    TABLE6,
    RANGES6_SECTION,
    ROWS_SECTION,
    LAST_SECTION,
    POP_3,
    MAP_0,
    MAP_1,
    RECORD_2,
    LAST_RECORD, /* first used by the last map, which has PoPs of even id only */
    RANGE4_3,
    RANGE6_0,
    RANGE6_1, /* its row has one estimate */
    RANGE6_3,
    ROW_0,
    ESTIMATE_0, /* of the row of range 2, which has two */
    ESTIMATE_1,
};

static void *part_of(struct victim *v, enum part part)
{
    struct map_estimate *estimates = (void *)&v->rows[v->ranges6[2].row + 1];

    switch (part) {
    case HEADER:
        return v->header;
    case POPS_SECTION:
        return victim_section(v, MAP_SECTION_POPS, 0);
    case MAPS_SECTION:
        return victim_section(v, MAP_SECTION_MAPS, 0);
    case RECORDS_SECTION:
        return victim_section(v, MAP_SECTION_RECORDS, 0);
    case TABLE4:
        return victim_table(v, MAP_FAMILY_IPV4);
    case TABLE6:
        return victim_table(v, MAP_FAMILY_IPV6);
    case RANGES6_SECTION:
        return victim_section(v, MAP_SECTION_PROVENANCE_RANGES, 1);
    case ROWS_SECTION:
        return victim_section(v, MAP_SECTION_PROVENANCE_ROWS, 0);
    case LAST_SECTION:
        return &v->header->sections[v->header->section_n - 1];
    case POP_3:
        return &v->pops[3];
    case MAP_0:
        return &v->maps[0];
    case MAP_1:
        return &v->maps[1];
    case RECORD_2:
        return &v->records[2];
    case LAST_RECORD:
        return &v->records[v->header->record_n - 1];
    case RANGE4_3:
        return &v->ranges4[3];
    case RANGE6_0:
        return &v->ranges6[0];
    case RANGE6_1:
        return &v->ranges6[1];
    case RANGE6_3:
        return &v->ranges6[3];
    case ROW_0:
        return v->rows;
    case ESTIMATE_0:
        return &estimates[0];
    case ESTIMATE_1:
        return &estimates[1];
    }
    return NULL;
}

/* One field overwritten: SET with a value, ADD to what is there. */
#define SET(part, type, field, value)                                                              \
    {                                                                                              \
        part, __builtin_offsetof(struct type, field), sizeof(((struct type *)0)->field),           \
            (uint64_t)(value), false                                                               \
    }
#define ADD(part, type, field, value)                                                              \
    {                                                                                              \
        part, __builtin_offsetof(struct type, field), sizeof(((struct type *)0)->field),           \
            (uint64_t)(value), true                                                                \
    }

struct poke {
    enum part part;
    size_t offset;
    size_t size;
    uint64_t value;
    bool add;
};

static void poke(struct victim *victim, const struct poke *poke)
{
    uint8_t *place = (uint8_t *)part_of(victim, poke->part) + poke->offset;
    uint64_t value = 0;

    memcpy(&value, place, poke->size);
    value = poke->add ? value + poke->value : poke->value;
    memcpy(place, &value, poke->size);
}

static const struct {
    const char *reason;
    struct poke pokes[2]; /* the second may be all zero: it then writes nothing */
} rows[] = {
    {"wrong magic", {SET(HEADER, map_header, magic[7], 0)}},
    {"format version 0", {SET(HEADER, map_header, version, 0)}},
    {"format version 2", {SET(HEADER, map_header, version, 2)}},
    {"its header says", {ADD(HEADER, map_header, total_size, -4096)}},
    {"its header says", {SET(HEADER, map_header, total_size, -1)}},
    {"0 PoPs", {SET(HEADER, map_header, pop_n, 0)}},
    {"251 PoPs", {SET(HEADER, map_header, pop_n, 251)}},
    {"the header says 11 PoPs", {SET(HEADER, map_header, pop_n, 11)}},
    {"0 maps", {SET(HEADER, map_header, map_n, 0)}},
    {"25 maps", {SET(HEADER, map_header, map_n, 25)}},
    {"out of bounds", {SET(HEADER, map_header, record_n, MAP_RECORD_MAX + 1)}},
    {"records, their section has", {ADD(HEADER, map_header, record_n, 1)}},
    {"reserved field of the header", {SET(HEADER, map_header, reserved0, 1)}},
    {"reserved field of the header", {SET(HEADER, map_header, reserved[39], 1)}},
    {"125 sections", {SET(HEADER, map_header, section_n, 125)}},
    {"4294967295 sections", {SET(HEADER, map_header, section_n, -1)}},
    {"unused place of the section table", {SET(HEADER, map_header, sections[123].item_n, 1)}},
    {"unused place of the section table", {ADD(HEADER, map_header, section_n, -1)}},
    {"overlaps", {ADD(RECORDS_SECTION, map_section, first_block, -1)}},
    {"leaves a gap", {ADD(RECORDS_SECTION, map_section, first_block, 1)}},
    {"overlaps", {SET(RECORDS_SECTION, map_section, block_n, 0)}},
    {"past the end", {ADD(LAST_SECTION, map_section, block_n, 1)}},
    {"past the end", {SET(LAST_SECTION, map_section, block_n, -1)}},
    {"bytes in", {SET(TABLE4, map_section, len, -1)}},
    {"8 bytes in", {SET(TABLE4, map_section, len, 8)}},
    {"rest of its last block", {ADD(POPS_SECTION, map_section, len, -128)}},
    {"unknown flags", {SET(POPS_SECTION, map_section, flags, 2)}},
    {"reserved field not zero", {SET(POPS_SECTION, map_section, reserved, 1)}},
    {"type 99, which this program does not know",
     {SET(ROWS_SECTION, map_section, flags, 0), SET(ROWS_SECTION, map_section, type, 99)}},
    {"there twice", {SET(MAPS_SECTION, map_section, type, MAP_SECTION_POPS)}},
    {"section is missing",
     {SET(RECORDS_SECTION, map_section, flags, 1), SET(RECORDS_SECTION, map_section, type, 99)}},
    {"lacks a lookup table",
     {SET(TABLE6, map_section, flags, 1), SET(TABLE6, map_section, type, 99)}},
    {"belongs to nothing", {SET(TABLE4, map_section, map, 2)}},
    {"belongs to nothing", {SET(TABLE4, map_section, space, 2)}},
    {"belongs to nothing", {SET(TABLE4, map_section, family, 2)}},
    {"belongs to nothing", {SET(POPS_SECTION, map_section, map, 1)}},
    {"belongs to nothing", {SET(RANGES6_SECTION, map_section, space, 2)}},
    {"PoPs, their section has 13", {ADD(POPS_SECTION, map_section, item_n, 1)}},
    {"maps, their section has 3", {ADD(MAPS_SECTION, map_section, item_n, 1)}},
    {"PoP 3 has no proper name", {SET(POP_3, map_pop, name[0], 0)}},
    {"PoP 3 has no proper name", {SET(POP_3, map_pop, name[63], 'x')}},
    {"PoP 3 has no proper name", {SET(POP_3, map_pop, name[0], '/')}},
    {"PoP 3 has no proper name", {SET(POP_3, map_pop, name[0], '\n')}},
    {"PoP 3 has no proper name", {SET(POP_3, map_pop, name[0], 0xc3)}},
    {"two PoPs are named pop-c", {SET(POP_3, map_pop, name[4], 'c')}},
    {"outside of the world", {SET(POP_3, map_pop, latitude_e6, 90000001)}},
    {"outside of the world", {SET(POP_3, map_pop, longitude_e6, -180000001)}},
    {"reserved field of PoP", {SET(POP_3, map_pop, reserved[55], 1)}},
    {"map 1 has no proper name", {SET(MAP_1, map_entry, name[0], 0)}},
    {"reserved field of map", {SET(MAP_1, map_entry, reserved[0], 1)}},
    {"twice", {SET(MAP_0, map_entry, tail[1], 7)}},
    {"there is no such PoP", {SET(MAP_0, map_entry, tail[11], WORLD_POPS)}},
    {"there is no such PoP", {SET(MAP_0, map_entry, tail[11], MAP_POP_NONE)}},
    {"goes on after its end", {SET(MAP_1, map_entry, tail[6], 1)}},
    {"goes on after its end", {SET(MAP_1, map_entry, tail[255], 0)}},
    {"order of ids", {SET(MAP_0, map_entry, tail[4], 4), SET(MAP_0, map_entry, tail[5], 2)}},
    {"0 PoPs", {SET(MAP_0, map_entry, tail_n, 0)}},
    {"13 PoPs", {SET(MAP_0, map_entry, tail_n, 13)}},
    {"13 of them the default", {SET(MAP_0, map_entry, default_n, 13)}},
    {"lies elsewhere", {ADD(MAP_0, map_entry, tables[1][1].first_block, 1)}},
    {"lies elsewhere", {ADD(MAP_0, map_entry, tables[0][0].block_n, 1)}},
    {"record 2 ranks PoP 1 twice", {SET(RECORD_2, map_record, pops, 0xffffffffffff0101)}},
    {"record 2 ranks PoP 2", {SET(RECORD_2, map_record, pops, 0xffffffffff02ff01)}},
    {"record 2 ranks PoP 12", {SET(RECORD_2, map_record, pops, 0xffffffffffffff0c)}},
    {"shed class 100", {SET(RECORD_2, map_record, shed_class, 100)}},
    {"confidence 101", {SET(RECORD_2, map_record, confidence, 101)}},
    {"record 2: unknown flags", {SET(RECORD_2, map_record, flags, 2)}},
    {"record 2: unknown flags or reserved", {SET(RECORD_2, map_record, reserved, 1)}},
    {"ranks a PoP its map does not have", {SET(LAST_RECORD, map_record, pops, 0xffffffffffffff01)}},
    {"do not start at 0", {SET(RANGE6_0, map_range6, start, 1)}},
    {"do not rise (range 3)", {SET(RANGE6_3, map_range6, start, 2ULL << 40)}},
    {"row that does not exist", {SET(RANGE4_3, map_range4, row, 0xffffff)}},
    {"row that does not exist", {ADD(RANGE6_1, map_range6, row, 1)}},
    {"row that does not exist", {SET(ROWS_SECTION, map_section, type, 99)}},
    {"reserved field of provenance", {SET(RANGE6_1, map_range6, reserved, 1)}},
    {"number of provenance ranges", {ADD(RANGES6_SECTION, map_section, item_n, -1)}},
    {"rows, its section says", {ADD(ROWS_SECTION, map_section, item_n, 1)}},
    {"unknown source", {SET(ROW_0, map_row, reserved, 1)}},
    {"unknown source", {SET(ROW_0, map_row, source, MAP_SOURCE_OVERRIDE)}},
    {"reaches past its section", {SET(ROW_0, map_row, estimate_n, 255)}},
    {"estimates PoP 12", {SET(ESTIMATE_0, map_estimate, pop, WORLD_POPS)}},
    {"or twice", {SET(ESTIMATE_1, map_estimate, pop, 0)}},
    {"estimate has an unknown source", {SET(ESTIMATE_0, map_estimate, source, 4)}},
};

Test(hostile, refused_for_the_right_reason)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct victim *victim = victim_new(bytes, len);
        struct failure failure = {{0}};
        struct image *image = NULL;

        poke(victim, &rows[i].pokes[0]);
        if (rows[i].pokes[1].size) {
            poke(victim, &rows[i].pokes[1]);
        }
        world_fix_digest(victim->bytes, victim->len);
        cr_expect_eq(image_from_bytes("victim", victim->bytes, victim->len, &image, &failure),
                     -EINVAL, "row %zu (%s) was accepted", i, rows[i].reason);
        cr_expect(strstr(failure.text, rows[i].reason), "row %zu: \"%s\" is not about \"%s\"", i,
                  failure.text, rows[i].reason);
        cr_expect_eq(strncmp(failure.text, "victim: ", 8), 0, "%s", failure.text);
        image_unref(image);
        victim_free(victim);
    }
}

Test(hostile, without_damage_accepted)
{
    struct victim *victim = victim_new(bytes, len);
    struct failure failure = {{0}};
    struct image *image = NULL;

    world_fix_digest(victim->bytes, victim->len);
    cr_assert_eq(image_from_bytes("victim", victim->bytes, victim->len, &image, &failure), 0, "%s",
                 failure.text);
    image_unref(image);
    victim_free(victim);
}

Test(hostile, unknown_optional_section_is_ignored)
{
    struct victim *victim = victim_new(bytes, len);
    struct failure failure = {{0}};
    struct image *image = NULL;

    for (unsigned i = 0; i < 4; i++) {
        victim_section(victim, MAP_SECTION_PROVENANCE_RANGES, 0)->type = 98;
    }
    victim_section(victim, MAP_SECTION_PROVENANCE_ROWS, 0)->type = 99;
    world_fix_digest(victim->bytes, victim->len);
    cr_assert_eq(image_from_bytes("victim", victim->bytes, victim->len, &image, &failure), 0, "%s",
                 failure.text);
    image_unref(image);
    victim_free(victim);
}

Test(hostile, truncated_at_every_length)
{
    uint8_t *copy = malloc(len);
    struct failure failure = {{0}};
    struct image *image = NULL;

    memcpy(copy, bytes, len);
    for (size_t cut = 0; cut < len; cut++) {
        if (image_check(copy, cut, true, &failure) != -EINVAL) {
            cr_assert_fail("%zu bytes were accepted", cut);
        }
    }
    free(copy);
    for (size_t cut = 0; cut < len; cut += len / 64) { /* exact buffers, for the sanitizer */
        copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes, cut);
        cr_assert_eq(image_from_bytes("cut", copy, cut, &image, &failure), -EINVAL);
        free(copy);
    }
}

Test(hostile, any_flipped_bit_breaks_the_checksum)
{
    uint8_t *copy = malloc(len);
    struct failure failure = {{0}};
    struct image *image = NULL;
    uint64_t random = 99;

    memcpy(copy, bytes, len);
    for (int i = 0; i < 400; i++) {
        size_t bit = random_next(&random) % (len * 8);

        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        cr_assert_eq(image_from_bytes("flip", copy, len, &image, &failure), -EINVAL,
                     "bit %zu did not matter", bit);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    free(copy);
}

static int visit_nothing(void *context, const struct map_key *start, uint32_t depth,
                         uint32_t record)
{
    (void)start;
    (void)record;
    *(uint64_t *)context += depth;
    return 0;
}

/* Whatever is accepted must be usable without a further check. */
static void use(struct image *image)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < image_map_count(image) * 4; i++) {
        image_walk(image, i / 4, i / 2 % 2, i % 2, visit_nothing, &sum);
    }
}

/* As if the writer itself had flipped it: refused by what it means, or harmless. */
Test(hostile, flipped_bits_with_a_right_checksum_never_crash)
{
    const struct map_header *header = (const struct map_header *)(const void *)bytes;
    size_t tables = (size_t)header->sections[3].first_block * MAP_BLOCK_SIZE;
    uint8_t *copy = malloc(len);
    uint64_t random = 98;
    unsigned accepted = 0;

    cr_assert_eq(header->sections[3].type, MAP_SECTION_TABLE);
    memcpy(copy, bytes, len);
    for (int i = 0; i < 1200; i++) {
        /* most flips where there is structure, not in the roots */
        size_t bit = random_next(&random) % (i % 2 ? tables * 8 : len * 8);
        struct failure failure = {{0}};
        struct image *image = NULL;

        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (image_check(copy, len, false, &failure) == 0) {
            accepted++;
            if (accepted % 8 == 0) {
                world_fix_digest(copy, len);
                cr_assert_eq(image_from_bytes("flip", copy, len, &image, &failure), 0);
                use(image);
                image_unref(image);
            }
        } else {
            cr_assert(failure.text[0], "refused without a reason");
        }
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    cr_assert_gt(accepted, 0); /* generation, coordinates and the like */
    free(copy);
}
