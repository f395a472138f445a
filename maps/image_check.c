/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * In the order of trust: size and magic, version, checksum, then the header's own claims, then each
 * section against the header and the others. A checksum that fits says only that the file arrived
 * as it was written; everything after it assumes that the writer is hostile.
 */
#include "maps/image_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/decide_core.h"
#include "maps/image_digest.h"

struct contents {
    const uint8_t *bytes;
    const struct map_header *header;
    struct map_region region;
    const struct map_section *pops;
    const struct map_section *maps;
    const struct map_section *records;
    const struct map_section *tables[MAP_MAX_MAPS][MAP_SPACES][MAP_FAMILIES];
    const struct map_section *ranges[MAP_SPACES][MAP_FAMILIES];
    const struct map_section *rows;
    struct failure *failure;
};

static bool is_zero(const void *memory, size_t len)
{
    const uint8_t *bytes = memory;

    return !len || (!bytes[0] && memcmp(bytes, bytes + 1, len - 1) == 0);
}

bool image_name_is_clean(const char name[static MAP_NAME_SIZE])
{
    size_t len = strnlen(name, MAP_NAME_SIZE);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return len && len < MAP_NAME_SIZE && is_zero(name + len, MAP_NAME_SIZE - len);
}

static int check_envelope(const uint8_t *bytes, size_t len, bool with_digest,
                          struct failure *failure)
{
    const struct map_header *header = (const struct map_header *)(const void *)bytes;
    uint8_t digest[IMAGE_DIGEST_LEN];

    if (len < MAP_BLOCK_SIZE) {
        return failure_set(failure, -EINVAL, "too short for a latency map image (%zu bytes)", len);
    }
    if (memcmp(header->magic, MAP_MAGIC, sizeof(header->magic)) != 0) {
        return failure_set(failure, -EINVAL, "not a latency map image (wrong magic)");
    }
    if (header->version != MAP_FORMAT_VERSION) {
        return failure_set(failure, -EINVAL, "format version %u, this program reads version %u",
                           header->version, MAP_FORMAT_VERSION);
    }
    if (header->total_size != len || len % MAP_BLOCK_SIZE || len / MAP_BLOCK_SIZE > UINT32_MAX) {
        return failure_set(failure, -EINVAL, "%zu bytes long, its header says %llu", len,
                           (unsigned long long)header->total_size);
    }
    if (!with_digest) {
        return 0;
    }
    if (image_digest(bytes, len, digest) < 0) {
        return failure_set(failure, -ENOMEM, "cannot compute a checksum");
    }
    if (memcmp(digest, header->sha256, sizeof(digest)) != 0) {
        return failure_set(failure, -EINVAL, "its SHA-256 is wrong: damaged or altered");
    }
    return 0;
}

static int check_header(const struct map_header *header, struct failure *failure)
{
    if (!header->pop_n || header->pop_n > MAP_MAX_POPS || !header->map_n ||
        header->map_n > MAP_MAX_MAPS || header->record_n > MAP_RECORD_MAX) {
        return failure_set(failure, -EINVAL, "%u PoPs, %u maps, %u records: out of bounds",
                           header->pop_n, header->map_n, header->record_n);
    }
    if (header->reserved0 || !is_zero(header->reserved, sizeof(header->reserved))) {
        return failure_set(failure, -EINVAL, "a reserved field of the header is not zero");
    }
    if (header->section_n > MAP_MAX_SECTIONS) {
        return failure_set(failure, -EINVAL, "%u sections, at most %u are possible",
                           header->section_n, MAP_MAX_SECTIONS);
    }
    if (!is_zero(&header->sections[header->section_n],
                 (MAP_MAX_SECTIONS - header->section_n) * sizeof(header->sections[0]))) {
        return failure_set(failure, -EINVAL, "an unused place of the section table is not zero");
    }
    return 0;
}

/* `block` is where the section has to start: sections follow one another without a gap. */
static int check_section_place(const uint8_t *bytes, const struct map_header *header,
                               uint32_t index, uint64_t block, struct failure *failure)
{
    const struct map_section *section = &header->sections[index];
    uint64_t room = (uint64_t)section->block_n * MAP_BLOCK_SIZE;

    if (section->first_block != block || !section->block_n ||
        block + section->block_n > header->total_size / MAP_BLOCK_SIZE) {
        return failure_set(
            failure, -EINVAL,
            "section %u (blocks %u+%u) overlaps, leaves a gap or reaches past the end", index,
            section->first_block, section->block_n);
    }
    if (section->len > room || (section->block_n > 1 && section->len <= room - MAP_BLOCK_SIZE)) {
        return failure_set(failure, -EINVAL, "section %u: %llu bytes in %u blocks", index,
                           (unsigned long long)section->len, section->block_n);
    }
    if (!is_zero((const uint8_t *)section_bytes(bytes, section) + section->len,
                 room - section->len)) {
        return failure_set(failure, -EINVAL, "section %u: the rest of its last block is not zero",
                           index);
    }
    if (section->reserved || (section->flags & ~MAP_SECTION_OPTIONAL)) {
        return failure_set(failure, -EINVAL, "section %u: unknown flags or reserved field not zero",
                           index);
    }
    return 0;
}

/* Where the section belongs; *ret_known is false for a type this version does not know. */
static const struct map_section **section_slot(struct contents *contents,
                                               const struct map_section *section, bool *ret_known)
{
    bool global = !section->map && !section->space && !section->family;
    bool of_table = section->space < MAP_SPACES && section->family < MAP_FAMILIES;

    *ret_known = true;
    switch (section->type) {
    case MAP_SECTION_POPS:
        return global ? &contents->pops : NULL;
    case MAP_SECTION_MAPS:
        return global ? &contents->maps : NULL;
    case MAP_SECTION_RECORDS:
        return global ? &contents->records : NULL;
    case MAP_SECTION_TABLE:
        return of_table && section->map < contents->header->map_n
                   ? &contents->tables[section->map][section->space][section->family]
                   : NULL;
    case MAP_SECTION_PROVENANCE_RANGES:
        return of_table && !section->map ? &contents->ranges[section->space][section->family]
                                         : NULL;
    case MAP_SECTION_PROVENANCE_ROWS:
        return global ? &contents->rows : NULL;
    default:
        *ret_known = false;
        return NULL;
    }
}

static int check_sections(struct contents *contents)
{
    const struct map_header *header = contents->header;
    uint64_t block = 1;

    for (uint32_t i = 0; i < header->section_n; i++) {
        const struct map_section *section = &header->sections[i];
        const struct map_section **slot;
        bool known;
        int error = check_section_place(contents->bytes, header, i, block, contents->failure);

        if (error < 0) {
            return error;
        }
        block += section->block_n;
        slot = section_slot(contents, section, &known);
        if (!known && (section->flags & MAP_SECTION_OPTIONAL)) {
            continue;
        }
        if (!known) {
            return failure_set(contents->failure, -EINVAL,
                               "section %u has type %u, which this program does not know", i,
                               section->type);
        }
        if (!slot || *slot) {
            return failure_set(contents->failure, -EINVAL,
                               "section %u (type %u) is there twice or belongs to nothing", i,
                               section->type);
        }
        *slot = section;
    }
    if (block != header->total_size / MAP_BLOCK_SIZE) {
        return failure_set(contents->failure, -EINVAL, "bytes after the last section");
    }
    if (!contents->pops || !contents->maps || !contents->records) {
        return failure_set(contents->failure, -EINVAL, "a PoP, map or record section is missing");
    }
    return 0;
}

static int check_items(const struct contents *contents, const struct map_section *section,
                       uint64_t item_n, uint64_t item_size, const char *what)
{
    if (section->item_n != item_n || section->len != item_n * item_size) {
        return failure_set(contents->failure, -EINVAL,
                           "the header says %llu %s, their section has %llu in %llu bytes",
                           (unsigned long long)item_n, what, (unsigned long long)section->item_n,
                           (unsigned long long)section->len);
    }
    return 0;
}

static int check_pops(const struct contents *contents)
{
    const struct map_pop *pops = section_bytes(contents->bytes, contents->pops);
    uint32_t pop_n = contents->header->pop_n;
    int error = check_items(contents, contents->pops, pop_n, sizeof(*pops), "PoPs");

    for (uint32_t i = 0; error == 0 && i < pop_n; i++) {
        if (!image_name_is_clean(pops[i].name)) {
            error = failure_set(contents->failure, -EINVAL, "PoP %u has no proper name", i);
        } else if (pops[i].latitude_e6 < -90000000 || pops[i].latitude_e6 > 90000000 ||
                   pops[i].longitude_e6 < -180000000 || pops[i].longitude_e6 > 180000000) {
            error = failure_set(contents->failure, -EINVAL, "PoP %s lies outside of the world",
                                pops[i].name);
        } else if (!is_zero(pops[i].reserved, sizeof(pops[i].reserved))) {
            error = failure_set(contents->failure, -EINVAL,
                                "a reserved field of PoP %s is not zero", pops[i].name);
        }
        for (uint32_t k = 0; error == 0 && k < i; k++) {
            if (strcmp(pops[i].name, pops[k].name) == 0) {
                error =
                    failure_set(contents->failure, -EINVAL, "two PoPs are named %s", pops[i].name);
            }
        }
    }
    return error;
}

/* The tail names each PoP of the map once: the configured default, then the others by id. */
static int check_tail(const struct contents *contents, const struct map_entry *map)
{
    bool seen[MAP_TAIL_SIZE] = {false};

    if (!map->tail_n || map->tail_n > contents->header->pop_n || map->default_n > map->tail_n) {
        return failure_set(contents->failure, -EINVAL, "map %s: %u PoPs, %u of them the default",
                           map->name, map->tail_n, map->default_n);
    }
    for (uint32_t i = 0; i < MAP_TAIL_SIZE; i++) {
        uint8_t pop = map->tail[i];

        if (i >= map->tail_n) {
            if (pop != MAP_POP_NONE) {
                return failure_set(contents->failure, -EINVAL,
                                   "map %s: its tail goes on after its end", map->name);
            }
            continue;
        }
        if (pop >= contents->header->pop_n || seen[pop]) {
            return failure_set(contents->failure, -EINVAL,
                               "map %s: its tail names PoP %u twice, or there is no such PoP",
                               map->name, pop);
        }
        if (i > map->default_n && pop < map->tail[i - 1]) {
            return failure_set(contents->failure, -EINVAL,
                               "map %s: its tail is not in the order of ids", map->name);
        }
        seen[pop] = true;
    }
    return 0;
}

static int check_table_refs(const struct contents *contents, uint32_t index,
                            const struct map_entry *map)
{
    for (uint32_t i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
        const struct map_table_ref *ref = &map->tables[i / MAP_FAMILIES][i % MAP_FAMILIES];
        const struct map_section *section =
            contents->tables[index][i / MAP_FAMILIES][i % MAP_FAMILIES];

        if (!section) {
            return failure_set(contents->failure, -EINVAL, "map %s lacks a lookup table",
                               map->name);
        }
        if (ref->first_block != section->first_block || ref->block_n != section->block_n) {
            return failure_set(contents->failure, -EINVAL,
                               "map %s: a table lies elsewhere than its section says", map->name);
        }
    }
    return 0;
}

static int check_maps(const struct contents *contents)
{
    const struct map_entry *maps = section_bytes(contents->bytes, contents->maps);
    uint32_t map_n = contents->header->map_n;
    int error = check_items(contents, contents->maps, map_n, sizeof(*maps), "maps");

    for (uint32_t i = 0; error == 0 && i < map_n; i++) {
        if (!image_name_is_clean(maps[i].name)) {
            return failure_set(contents->failure, -EINVAL, "map %u has no proper name", i);
        }
        if (!is_zero(maps[i].reserved, sizeof(maps[i].reserved))) {
            return failure_set(contents->failure, -EINVAL, "a reserved field of map %s is not zero",
                               maps[i].name);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(maps[i].name, maps[k].name) == 0) {
                return failure_set(contents->failure, -EINVAL, "two maps are named %s",
                                   maps[i].name);
            }
        }
        error = check_tail(contents, &maps[i]);
        if (error == 0) {
            error = check_table_refs(contents, i, &maps[i]);
        }
    }
    return error;
}

static int check_record(const struct contents *contents, uint32_t id,
                        const struct map_record *record)
{
    uint64_t seen[4] = {0};
    bool ended = false;

    for (uint32_t i = 0; i < MAP_RECORD_POPS; i++) {
        uint8_t pop = (uint8_t)(record->pops >> (8 * i));

        if (pop == MAP_POP_NONE) {
            ended = true;
            continue;
        }
        if (ended || pop >= contents->header->pop_n || (seen[pop / 64] >> (pop % 64)) & 1) {
            return failure_set(
                contents->failure, -EINVAL,
                "record %u ranks PoP %u twice, after its end, or there is no such PoP", id, pop);
        }
        seen[pop / 64] |= 1ULL << (pop % 64);
    }
    if (record->shed_class > 99 || record->confidence > 100) {
        return failure_set(contents->failure, -EINVAL, "record %u: shed class %u, confidence %u",
                           id, record->shed_class, record->confidence);
    }
    if ((record->flags & ~MAP_RECORD_OVERRIDE) || record->reserved) {
        return failure_set(contents->failure, -EINVAL,
                           "record %u: unknown flags or reserved field not zero", id);
    }
    return 0;
}

static int check_records(const struct contents *contents)
{
    const struct map_record *records = section_bytes(contents->bytes, contents->records);
    uint32_t record_n = contents->header->record_n;
    int error = check_items(contents, contents->records, record_n, sizeof(*records), "records");

    for (uint32_t i = 0; error == 0 && i < record_n; i++) {
        error = check_record(contents, i, &records[i]);
    }
    return error;
}

/* Which records rank only PoPs of this map. */
static void allow_records(const struct contents *contents, const struct map_entry *map,
                          uint8_t *ret_allowed)
{
    const struct map_record *records = section_bytes(contents->bytes, contents->records);
    bool member[256] = {false};

    for (uint32_t i = 0; i < map->tail_n; i++) {
        member[map->tail[i]] = true;
    }
    member[MAP_POP_NONE] = true;
    for (uint32_t id = 0; id < contents->header->record_n; id++) {
        uint64_t pops = records[id].pops;
        bool allowed = true;

        for (uint32_t i = 0; i < MAP_RECORD_POPS; i++) {
            allowed &= member[(uint8_t)(pops >> (8 * i))];
        }
        ret_allowed[id] = allowed;
    }
}

/* Clients in these ranges are answered for their IPv4 address; a block that holds others too would
 * promise them the same answer. */
static int check_folded(const struct contents *contents, const struct map_entry *map)
{
    static const struct {
        struct map_key first;
        uint32_t depth;
    } folded[] = {{{0, 0x0000ffff00000000ULL}, 96},
                  {{0x0064ff9b00000000ULL, 0}, 96},
                  {{0x2002000000000000ULL, 0}, 16}};

    for (size_t i = 0; i < sizeof(folded) / sizeof(folded[0]); i++) {
        struct map_leaf leaf = {0, 0};

        if (map_lookup_ipv6(&contents->region,
                            map->tables[MAP_SPACE_CLIENT][MAP_FAMILY_IPV6].first_block,
                            &folded[i].first, &leaf) < 0 ||
            leaf.depth < folded[i].depth) {
            return failure_set(contents->failure, -EINVAL,
                               "map %s: a block holds clients of an IPv4-in-IPv6 range and others",
                               map->name);
        }
    }
    return 0;
}

static int check_map_tables(const struct contents *contents, uint32_t index, uint8_t *allowed)
{
    const struct map_entry *map =
        (const struct map_entry *)section_bytes(contents->bytes, contents->maps) + index;
    uint32_t whole[MAP_SPACES][MAP_FAMILIES];

    allow_records(contents, map, allowed);
    for (uint32_t i = 0; i < MAP_SPACES * MAP_FAMILIES; i++) {
        uint32_t space = i / MAP_FAMILIES;
        uint32_t family = i % MAP_FAMILIES;
        int error =
            table_check(contents->bytes, contents->tables[index][space][family], allowed,
                        contents->header->record_n, &whole[space][family], contents->failure);

        if (error < 0) {
            return failure_wrap(contents->failure, error, "map %s, %s space, IPv%c", map->name,
                                space == MAP_SPACE_CLIENT ? "client" : "resolver",
                                family == MAP_FAMILY_IPV4 ? '4' : '6');
        }
    }
    /* RFC 7871 section 7.2.1: scope 0 is a promise about every client of both families */
    if (whole[MAP_SPACE_CLIENT][MAP_FAMILY_IPV4] != whole[MAP_SPACE_CLIENT][MAP_FAMILY_IPV6]) {
        return failure_set(contents->failure, -EINVAL,
                           "map %s: one family has a block of length 0, the other differs",
                           map->name);
    }
    return whole[MAP_SPACE_CLIENT][MAP_FAMILY_IPV6] == UINT32_MAX ? check_folded(contents, map) : 0;
}

static int check_tables(const struct contents *contents)
{
    uint8_t *allowed = malloc((size_t)contents->header->record_n + 1);
    int error = 0;

    if (!allowed) {
        return failure_set(contents->failure, -ENOMEM, "out of memory while checking tables");
    }
    for (uint32_t i = 0; error == 0 && i < contents->header->map_n; i++) {
        error = check_map_tables(contents, i, allowed);
    }
    free(allowed);
    return error;
}

int image_check(const uint8_t *bytes, size_t len, bool with_digest, struct failure *failure)
{
    struct contents contents = {
        .bytes = bytes,
        .header = (const struct map_header *)(const void *)bytes,
        .region = {.bytes = bytes, .block_n = (uint32_t)(len / MAP_BLOCK_SIZE)},
        .failure = failure,
    };
    int error = check_envelope(bytes, len, with_digest, failure);

    if (error == 0) {
        error = check_header(contents.header, failure);
    }
    if (error == 0) {
        error = check_sections(&contents);
    }
    if (error == 0) {
        error = check_pops(&contents);
    }
    if (error == 0) {
        error = check_maps(&contents);
    }
    if (error == 0) {
        error = check_records(&contents);
    }
    if (error == 0) {
        error = check_tables(&contents);
    }
    if (error == 0) {
        error = provenance_check(bytes, contents.ranges, contents.rows, contents.header->pop_n,
                                 failure);
    }
    return error;
}
