/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/show.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/clock.h"

static const char *const space_names[MAP_SPACES] = {"client", "resolver"};
static const char *const family_names[MAP_FAMILIES] = {"ipv4", "ipv6"};

/* The section of a lookup table, or NULL. */
static const struct map_section *table_section(const struct image *image, uint32_t map,
                                               unsigned space, unsigned family)
{
    const struct map_header *header = image_header(image);

    for (uint32_t i = 0; i < header->section_n && i < MAP_MAX_SECTIONS; i++) {
        const struct map_section *section = &header->sections[i];

        if (section->type == MAP_SECTION_TABLE && section->map == map && section->space == space &&
            section->family == family) {
            return section;
        }
    }
    return NULL;
}

static void digest_format(const struct map_header *header, char ret_text[static 65])
{
    for (unsigned i = 0; i < sizeof(header->sha256); i++) {
        (void)snprintf(&ret_text[(size_t)2 * i], 3, "%02x", header->sha256[i]);
    }
}

static json_t *pops_json(const struct image *image)
{
    json_t *pops = json_array();

    for (uint32_t i = 0; i < image_pop_count(image); i++) {
        const struct map_pop *pop = image_pop(image, i);

        (void)json_array_append_new(pops,
                                    json_pack("{s:s, s:[f, f]}", "name", pop->name, "location",
                                              pop->latitude_e6 / 1e6, pop->longitude_e6 / 1e6));
    }
    return pops;
}

static json_t *map_json(const struct image *image, uint32_t number)
{
    const struct map_entry *map = image_map(image, number);
    json_t *pops = json_array();
    json_t *tables = json_array();

    for (uint32_t i = 0; i < map->tail_n; i++) {
        (void)json_array_append_new(pops, json_string(image_pop(image, map->tail[i])->name));
    }
    for (unsigned space = 0; space < MAP_SPACES; space++) {
        for (unsigned family = 0; family < MAP_FAMILIES; family++) {
            const struct map_section *section = table_section(image, number, space, family);

            (void)json_array_append_new(
                tables, json_pack("{s:s, s:s, s:I, s:I}", "space", space_names[space], "family",
                                  family_names[family], "blocks",
                                  (json_int_t)(section ? section->item_n : 0), "bytes",
                                  (json_int_t)(section ? section->len : 0)));
        }
    }
    return json_pack("{s:s, s:o, s:i, s:o}", "name", map->name, "pops", pops, "default",
                     (int)map->default_n, "tables", tables);
}

static int json_show(const struct image *image, FILE *out)
{
    const struct map_header *header = image_header(image);
    json_t *maps = json_array();
    char digest[65];
    json_t *root;
    int status;

    digest_format(header, digest);
    for (uint32_t i = 0; i < image_map_count(image); i++) {
        (void)json_array_append_new(maps, map_json(image, i));
    }
    root = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "image", image_path(image),
                     "format", (int)header->version, "generation", (json_int_t)header->generation,
                     "parent_generation", (json_int_t)header->parent_generation, "bytes",
                     (json_int_t)header->total_size, "records", (json_int_t)header->record_n,
                     "sha256", digest, "pops", pops_json(image), "maps", maps);
    status = root ? json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : -1;
    json_decref(root);
    (void)fputc('\n', out);
    return status;
}

static void map_show(const struct image *image, uint32_t number, FILE *out)
{
    const struct map_entry *map = image_map(image, number);

    (void)fprintf(out, "map %s: %u PoPs, default", map->name, map->tail_n);
    for (uint32_t i = 0; i < map->default_n; i++) {
        (void)fprintf(out, " %s", image_pop(image, map->tail[i])->name);
    }
    (void)fprintf(out, "%s\n", map->default_n ? "" : " none");
    for (unsigned space = 0; space < MAP_SPACES; space++) {
        for (unsigned family = 0; family < MAP_FAMILIES; family++) {
            const struct map_section *section = table_section(image, number, space, family);

            if (section) {
                (void)fprintf(out, "  %-8s  %s  %9" PRIu64 " blocks  %11" PRIu64 " bytes\n",
                              space_names[space], family_names[family], (uint64_t)section->item_n,
                              (uint64_t)section->len);
            }
        }
    }
}

int show_image(const struct image *image, bool json, FILE *out, struct failure *failure)
{
    const struct map_header *header = image_header(image);
    char digest[65];
    char utc[24];

    if (json) {
        return json_show(image, out) == 0 ? 0 : failure_set(failure, -EIO, "cannot write");
    }
    digest_format(header, digest);
    clock_format_utc((int64_t)header->generation, utc);
    (void)fprintf(out, "%s: format %u, generation %" PRIu64 " (%s), parent %" PRIu64 "\n",
                  image_path(image), header->version, (uint64_t)header->generation, utc,
                  (uint64_t)header->parent_generation);
    (void)fprintf(out, "%" PRIu64 " bytes, %u records, SHA-256 %s\n", (uint64_t)header->total_size,
                  header->record_n, digest);
    for (uint32_t i = 0; i < image_map_count(image); i++) {
        map_show(image, i, out);
    }
    for (uint32_t i = 0; i < image_pop_count(image); i++) {
        const struct map_pop *pop = image_pop(image, i);

        (void)fprintf(out, "pop %-12s %9.4f %9.4f\n", pop->name, pop->latitude_e6 / 1e6,
                      pop->longitude_e6 / 1e6);
    }
    return ferror(out) ? failure_set(failure, -EIO, "cannot write") : 0;
}
