/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/export.h"

#include <errno.h>

#include "mapper/key.h"

struct export_context {
    const struct image *image;
    enum map_family family;
    unsigned top;
    FILE *out;
};

/* One line: prefix => [ dc, dc ]. gdnsd's own syntax (vscf) takes prefixes as bare keys; names are
 * quoted, because a PoP name may hold what ends a bare word there. */
static int block_visit(void *context, const struct map_key *start, uint32_t depth, uint32_t id)
{
    const struct export_context *export = context;
    const struct map_record *record;
    struct prefix prefix = {.len = (uint8_t)depth};
    char text[ADDRESS_TEXT_LEN];
    unsigned n = 0;

    if (id > MAP_RECORD_MAX) {
        return 0;
    }
    record = map_record_get(image_region(export->image), image_records_block(export->image), id);
    if (!record || (uint8_t)record->pops == MAP_POP_NONE) {
        return 0;
    }
    prefix.address = key_to_address(*start, export->family);
    (void)fprintf(export->out, "%s => [", prefix_format(&prefix, text));
    for (unsigned i = 0; i < MAP_RECORD_POPS && (export->top == 0 || n < export->top); i++) {
        uint8_t pop = (uint8_t)(record->pops >> (8 * i));

        if (pop == MAP_POP_NONE) {
            break;
        }
        (void)fprintf(export->out, "%s\"%s\"", n++ ? ", " : " ",
                      image_pop(export->image, pop)->name);
    }
    (void)fputs(" ]\n", export->out);
    return ferror(export->out) ? -EIO : 0;
}

int export_nets(const struct image *image, uint32_t map, unsigned top, FILE *out,
                struct failure *failure)
{
    struct export_context context = {.image = image, .top = top, .out = out};
    int err = 0;

    (void)fprintf(out, "# map %s, generation %llu\n", image_map(image, map)->name,
                  (unsigned long long)image_header(image)->generation);
    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        context.family = (enum map_family)family;
        err = image_walk(image, map, MAP_SPACE_CLIENT, context.family, block_visit, &context);
    }
    return err ? failure_set(failure, err, "cannot write") : 0;
}
